"""DICOM image file -> SlideImage: its part in a slide (PS3.3 C.8.12.4)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.cielab import rgb_from_cielab
from orthanc_stl_plugin.formats.dicom.dataset import items, tolerating
from orthanc_stl_plugin.formats.dicom.functional_groups import group_of
from orthanc_stl_plugin.formats.pixels.image_file import ImageFile
from orthanc_stl_plugin.wsi.pyramid import Flavour, OpticalPath
from orthanc_stl_plugin.wsi.slide_image import (
    Concatenation,
    FullTiling,
    ScanIdentity,
    SlideImage,
    SparseTiling,
)

WHOLE_SLIDE_SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
WHITE: Final = (255, 255, 255)
BLACK: Final = (0, 0, 0)
NEUTRAL: Final = (0x8080, 0x8080)


def slide_image(instance_id: str, image: ImageFile) -> SlideImage:
    """What `image` is in the slide of its series; its frames get addressed by `instance_id`.

    Raises:
        UnusableSource: its description is malformed, or nothing says where its frames are.
    """
    header = image.header
    with tolerating("the description of the image"):
        tile = (int(header.Columns), int(header.Rows))
        matrix = (
            int(header.get("TotalPixelMatrixColumns") or 0),
            int(header.get("TotalPixelMatrixRows") or 0),
        )
        paths = _optical_paths(header, image)
        tiling = _tiling(image, paths) if min(matrix) > 0 else None
        width, height = matrix if tiling is not None else tile
        count, declared = len(image.frames), image.frames.declared_count
        if tiling is not None and free_places(image) is not None:
            tiling = FullTiling()  # of tiles that are drawn of the frames: see OverlaidFrames
            count = declared = -(-width // tile[0]) * -(-height // tile[1])
        return SlideImage(
            instance_id,
            _flavour(header),
            width,
            height,
            *tile,
            count,
            declared,
            tiling,
            paths,
            _spacing(header),
            _absent_rgb(header),
            _concatenation(header),
            _scan(header),
            _recency(header),
        )


def free_places(image: ImageFile) -> NDArray[np.int32] | None:
    """(N, 2) column and row, from 0, of frames that lie beside a grid of tiles; None on a grid.

    Negative ones are unknown. Frames of several optical paths, focal planes or files are not
    looked at: these have to lie on a grid.
    """
    header, tiles = image.header, image.tiles
    if tiles is None or header.get("ConcatenationUID") or len(tiles.path_identifiers) > 1:
        return None
    if tiles.z_mm is not None and len(np.unique(tiles.z_mm)) > 1:
        return None
    positions = tiles.positions[: len(image.frames)]
    tile = (int(header.Columns), int(header.Rows))
    is_beside = (positions >= 0).all(axis=1) & (positions % tile != 0).any(axis=1)
    return positions if is_beside.any() else None


def _flavour(header: Dataset) -> Flavour:
    kinds = _texts(header, "ImageType")[2:]
    for kind in kinds:
        if kind in {Flavour.LABEL, Flavour.OVERVIEW, Flavour.THUMBNAIL, Flavour.LOCALIZER}:
            return Flavour(kind)
        if kind == "REGIONLOCALIZER":
            return Flavour.LOCALIZER
    return Flavour.VOLUME


def _texts(header: Dataset, keyword: str) -> list[str]:
    value = header.get(keyword)
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(part) for part in value]


def _optical_paths(header: Dataset, image: ImageFile) -> tuple[OpticalPath, ...]:
    """As the sequence lists them, then those that frames name without it."""
    paths = {}
    for number, path in enumerate(items(header, "OpticalPathSequence"), start=1):
        identifier = str(path.get("OpticalPathIdentifier") or "")
        if identifier in paths:  # it should be unique, and the paths are counted by TILED_FULL
            identifier = f"{identifier}.{number}"
        paths[identifier] = OpticalPath(identifier, _path_label(path))
    named = image.tiles.path_identifiers if image.tiles is not None else ()
    for identifier in named:
        paths.setdefault(identifier, OpticalPath(identifier))
    shared = group_of(header, Dataset(), "OpticalPathIdentificationSequence")
    only = str(shared.get("OpticalPathIdentifier") or "") if shared is not None else None
    if only in paths and not named:
        return (paths[only],)
    return tuple(paths.values()) or (OpticalPath(""),)


def _path_label(path: Dataset) -> str:
    description = str(path.get("OpticalPathDescription") or "").strip()
    if description:
        return description
    for keyword in ("IlluminationColorCodeSequence", "IlluminationTypeCodeSequence"):
        for code in items(path, keyword)[:1]:
            return str(code.get("CodeMeaning") or "").strip()
    return ""


def _tiling(image: ImageFile, paths: tuple[OpticalPath, ...]) -> FullTiling | SparseTiling | None:
    header, tiles = image.header, image.tiles
    if tiles is not None and (tiles.positions >= 0).all(axis=1).any():
        ordinals = None
        if tiles.path_identifiers:
            known = {path.identifier: at for at, path in enumerate(paths)}
            lookup = [known[name] for name in tiles.path_identifiers]
            ordinals = np.array([*lookup, -1], dtype=np.int32)[tiles.path_ordinals]
        return SparseTiling(tiles.positions, tiles.z_mm, ordinals)
    is_full = header.get("DimensionOrganizationType") == "TILED_FULL"
    columns = -(-int(header.TotalPixelMatrixColumns) // int(header.Columns))
    rows = -(-int(header.TotalPixelMatrixRows) // int(header.Rows))
    planes = max(1, int(header.get("TotalPixelMatrixFocalPlanes") or 1))
    declared = image.frames.declared_count
    if not is_full and declared not in {1, columns * rows * planes * len(paths)}:
        if header.get("SOPClassUID") != WHOLE_SLIDE_SOP_CLASS_UID:
            return None  # frames of their own, whatever else is said
        raise UnusableSource("TilePositionsMissing", frames=declared)
    measures = group_of(header, Dataset(), "PixelMeasuresSequence") or Dataset()
    origin = next(iter(items(header, "TotalPixelMatrixOriginSequence")), Dataset())
    return FullTiling(
        planes,
        _number(origin, "ZOffsetInSlideCoordinateSystem"),
        _number(measures, "SpacingBetweenSlices"),
    )


def _number(dataset: Dataset, keyword: str) -> float | None:
    value = dataset.get(keyword)
    number = np.nan if value in {None, ""} else float(value)
    return number if np.isfinite(number) else None


def _spacing(header: Dataset) -> tuple[float, float] | None:
    measures = group_of(header, Dataset(), "PixelMeasuresSequence") or header
    value = measures.get("PixelSpacing")
    spacing = [float(part) for part in value] if isinstance(value, MultiValue) else []
    if len(spacing) != 2 or not np.isfinite(spacing).all() or min(spacing) <= 0:
        return None
    return (spacing[0], spacing[1])


def _absent_rgb(header: Dataset) -> tuple[int, int, int]:
    """Recommended Absent Pixel CIELab Value, else the background of the kind of image."""
    value = header.get("RecommendedAbsentPixelCIELabValue")
    if value is not None and len(value) == 3:
        lightness, *chroma = (int(part) for part in value)
        # No colour has a* and b* of -128: writers of 0, 0 mean a neutral one.
        return rgb_from_cielab([lightness, *(chroma if any(chroma) else NEUTRAL)])
    return BLACK if header.get("PhotometricInterpretation") == "MONOCHROME2" else WHITE


def _concatenation(header: Dataset) -> Concatenation | None:
    uid = str(header.get("ConcatenationUID") or "")
    if not uid:
        return None
    offset = header.get("ConcatenationFrameOffsetNumber")
    number = int(header.get("InConcatenationNumber") or 1)
    return Concatenation(uid, number, None if offset is None else max(0, int(offset)))


def _scan(header: Dataset) -> ScanIdentity:
    specimens = items(header, "SpecimenDescriptionSequence")
    return ScanIdentity(
        str(header.get("PyramidUID") or ""),
        str(header.get("FrameOfReferenceUID") or ""),
        frozenset(str(one.SpecimenUID) for one in specimens if one.get("SpecimenUID")),
    )


def _recency(header: Dataset) -> tuple[str, int, str]:
    moment = f"{header.get('ContentDate') or ''}{header.get('ContentTime') or ''}"
    return (moment, int(header.get("InstanceNumber") or 0), str(header.get("SOPInstanceUID") or ""))
