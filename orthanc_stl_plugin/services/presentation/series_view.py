"""The visible content of a series: its canvases in order, and its models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.config.texts import texts
from orthanc_stl_plugin.errors import Busy, NotFound, PluginError, TooLarge, UnusableSource
from orthanc_stl_plugin.formats.dicom.attributes import stored_values
from orthanc_stl_plugin.formats.dicom.encapsulated import STL_SOP_CLASS_UID
from orthanc_stl_plugin.iiif.presentation.addresses import Addresses
from orthanc_stl_plugin.iiif.presentation.canvas import Canvas, Json, Picture, Still
from orthanc_stl_plugin.iiif.presentation.manifest import Range
from orthanc_stl_plugin.iiif.presentation.order import stacks
from orthanc_stl_plugin.iiif.presentation.scene import Part
from orthanc_stl_plugin.services.ports.catalogue import Catalogue, InstanceEntry, SeriesEntry
from orthanc_stl_plugin.services.presentation.canvases import (
    IMAGE_KEYWORDS,
    MODEL_KEYWORDS,
    flat_range,
    frame_canvas,
    frame_count,
    frame_picture,
    is_image,
    model_canvas,
    model_name,
    model_still,
    number,
    placed,
    pyramid_name,
)
from orthanc_stl_plugin.services.presentation.descriptions import Describer
from orthanc_stl_plugin.services.presentation.visibility import WITHOUT_VIEW
from orthanc_stl_plugin.wsi.pyramid import Flavour, Slide

SLIDE_SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
# Objects made from images: a study shows them only if it holds nothing else.
_DERIVED: Final = frozenset({"SEG", "RTDOSE"})
_MODEL: Final = "M3D"
_SLIDE: Final = "SM"
_MOST_CANVASES: Final = 50_000


class Slides(Protocol):
    """Opens the slides of series."""

    def slide(self, series_id: str) -> Slide:
        """The slide of a series.

        Raises:
            NotFound: no such series.
            UnusableSource: it cannot be shown.
            TooLarge: its frames are too large to be shown.
        """
        ...


@dataclass(frozen=True, slots=True)
class View:
    """The visible content of a series.

    Attributes:
        series_id: Orthanc's identifier.
        label: its name.
        canvases: in order.
        parts: its 3D models.
        contents: its table of contents.
        is_stack: whether they are slices in spatial order.
        is_derived: whether it was made from images, such as a segmentation.
    """

    series_id: str
    label: Texts
    canvases: tuple[Canvas, ...]
    contents: Range
    parts: tuple[Part, ...] = ()
    is_stack: bool = False
    is_derived: bool = False

    @property
    def renderings(self) -> tuple[Json, ...]:
        """Its models as downloads."""
        return tuple(one for canvas in self.canvases for one in canvas.renderings)


class Viewer:
    """Finds the visible content of series, with two or three queries for each.

    Args:
        catalogue: of the archive.
        slides: opens whole slides.
        shows_slide_labels: whether the image of a slide's paper label is shown.
    """

    def __init__(self, catalogue: Catalogue, slides: Slides, *, shows_slide_labels: bool) -> None:
        self._catalogue = catalogue
        self._slides = slides
        self._shows_slide_labels = shows_slide_labels

    def view(self, addresses: Addresses, series: SeriesEntry, label: Texts) -> View | None:
        """The content of the series; None if it shows nothing."""
        modality = str(series.tags.get("Modality", ""))
        if modality in WITHOUT_VIEW:
            return None
        if modality == _MODEL:
            return self._models(addresses, series.series_id, label)
        if modality == _SLIDE and self._is_slide(series.series_id):
            return self._slide(addresses, series.series_id, label)
        is_derived = modality in _DERIVED
        frames = self._frames(addresses, series.series_id, label, is_derived=is_derived)
        return frames or self._models(addresses, series.series_id, label)  # of another modality

    def first_picture(self, addresses: Addresses, series: SeriesEntry) -> Picture | Still | None:
        """The picture of the series in a list, from one of its instances, or None."""
        modality, series_id = str(series.tags.get("Modality", "")), series.series_id
        if modality in WITHOUT_VIEW:
            return None
        # The first slices of a stack usually show air.
        middle = series.instance_count // 2
        for one in self._catalogue.instances_of(series_id, IMAGE_KEYWORDS, middle, 1):
            if one.sop_class_uid == STL_SOP_CLASS_UID:
                return model_still(addresses, one.instance_id)
            if one.sop_class_uid == SLIDE_SOP_CLASS_UID:
                return self._slide_picture(addresses, series_id)
            if is_image(one):
                return frame_picture(addresses, one, 0)
        return None

    def _slide_picture(self, addresses: Addresses, series_id: str) -> Picture | Still | None:
        try:
            view = self._slide(addresses, series_id, Texts())
        except Busy:  # it will be there
            raise
        except PluginError:  # just deleted, or its file is lost: use the picture of another
            return None
        return view.canvases[0].pictures[0] if view else None

    def frame(self, addresses: Addresses, instance_id: str, frame_index: int) -> Canvas:
        """The content of one frame, counted from 0.

        Raises:
            NotFound: no such instance or frame.
        """
        image = self._catalogue.instance(instance_id, IMAGE_KEYWORDS)
        count = frame_count(image) if is_image(image) else 0
        if frame_index >= count:
            raise NotFound("NoSuchFrame", frame=frame_index, count=count)
        return frame_canvas(addresses, image, frame_index, f"{frame_index + 1}/{count}")

    def instance(
        self, addresses: Addresses, instance_id: str, series: SeriesEntry, label: Texts
    ) -> View | None:
        """The content of an instance; for part of a whole slide, that of the series."""
        one = self._catalogue.instance(instance_id, (*IMAGE_KEYWORDS, *MODEL_KEYWORDS))
        if one.sop_class_uid == SLIDE_SOP_CLASS_UID:
            return self.view(addresses, series, label)
        if one.sop_class_uid == STL_SOP_CLASS_UID:
            canvases = [model_canvas(addresses, instance_id, model_name(one, label))]
        elif is_image(one):
            count = frame_count(one)
            _check_count(count)
            canvases = [
                frame_canvas(addresses, one, index, f"{index + 1}/{count}")
                for index in range(count)
            ]
        else:
            return None
        contents = flat_range(addresses.range(series.series_id), label, canvases)
        return View(series.series_id, label, tuple(canvases), contents)

    def _is_slide(self, series_id: str) -> bool:
        instances = self._catalogue.instances_of(series_id)
        return any(one.sop_class_uid == SLIDE_SOP_CLASS_UID for one in instances)

    def _models(self, addresses: Addresses, series_id: str, label: Texts) -> View | None:
        models = [
            one
            for one in self._catalogue.instances_of(series_id, MODEL_KEYWORDS)
            if one.sop_class_uid == STL_SOP_CLASS_UID
        ]
        models.sort(key=lambda one: (number(one.tags, "InstanceNumber") or 0, one.instance_id))
        names = [model_name(one, label) for one in models]
        canvases = tuple(
            model_canvas(addresses, one.instance_id, name)
            for one, name in zip(models, names, strict=True)
        )
        if not canvases:
            return None
        parts = tuple(
            Part(addresses.model_glb(one.instance_id), name)
            for one, name in zip(models, names, strict=True)
        )
        contents = flat_range(addresses.range(series_id), label, canvases)
        return View(series_id, label, canvases, contents, parts)

    def _slide(self, addresses: Addresses, series_id: str, label: Texts) -> View | None:
        try:
            slide = self._slides.slide(series_id)
        except (UnusableSource, TooLarge):
            # A label without its slide, for example, or a frame of gigabytes.
            return self._frames(addresses, series_id, label, is_shown=self._is_whole_image)
        canvases = tuple(self._slide_canvases(addresses, series_id, slide, label))
        if not canvases:
            return None
        return View(
            series_id, label, canvases, flat_range(addresses.range(series_id), label, canvases)
        )

    def _slide_canvases(
        self, addresses: Addresses, series_id: str, slide: Slide, label: Texts
    ) -> Iterator[Canvas]:
        scans: dict[int, list[Picture]] = {}
        for ordinal, pyramid in enumerate(slide.pyramids):
            service = addresses.slide_service(series_id, ordinal)
            name = pyramid_name(pyramid, ordinal)
            picture = Picture(service, pyramid.width, pyramid.height, name)
            scans.setdefault(pyramid.scan_number, []).append(picture)
        for scan_number, pictures in scans.items():
            address = addresses.slide_canvas(series_id, scan_number)
            yield Canvas(address, label, tuple(pictures))
        for image in slide.associated:
            frame = image.level.frame(0, 0)
            is_hidden = image.flavour is Flavour.LABEL and not self._shows_slide_labels
            if is_hidden or frame is None or image.level.columns * image.level.rows > 1:
                continue
            at = frame.instance_id, frame.frame_index
            picture = Picture(addresses.frame_service(*at), image.width, image.height)
            name = texts(image.flavour.value.capitalize(), language="en")
            yield Canvas(addresses.frame_canvas(*at), name, (picture,))

    def _is_whole_image(self, image: InstanceEntry) -> bool:
        """Whether it is a single frame, not a tile, and not a paper label that must stay hidden."""
        is_label = "LABEL" in stored_values(image.tags, "ImageType")
        return frame_count(image) == 1 and (self._shows_slide_labels or not is_label)

    def _frames(
        self,
        addresses: Addresses,
        series_id: str,
        label: Texts,
        *,
        is_derived: bool = False,
        is_shown: Callable[[InstanceEntry], bool] = lambda _: True,
    ) -> View | None:
        images = {
            one.instance_id: one
            for one in self._catalogue.instances_of(series_id, IMAGE_KEYWORDS)
            if is_image(one) and is_shown(one)
        }
        if not images:
            return None
        count = sum(frame_count(one) for one in images.values())
        _check_count(count)
        series_stacks = stacks([placed(one) for one in images.values()])
        numbered = iter(range(1, count + 1))
        parts, canvases = [], []
        for part, stack in enumerate(series_stacks, 1):
            inside = [
                frame_canvas(addresses, images[image_id], frame, f"{next(numbered)}/{count}")
                for image_id in stack.image_ids
                for frame in range(frame_count(images[image_id]))
            ]
            name = texts(stack.plane or "Other images", language="en")
            parts.append(flat_range(addresses.range(series_id, part), name, inside))
            canvases += inside
        whole = flat_range(addresses.range(series_id), label, canvases)
        contents = whole if len(parts) == 1 else Range(whole.address, label, parts=tuple(parts))
        is_stack = len(images) > 1 and all(stack.plane for stack in series_stacks)
        return View(
            series_id, label, tuple(canvases), contents, is_stack=is_stack, is_derived=is_derived
        )


def series_in_order(catalogue: Catalogue, describer: Describer, study_id: str) -> list[SeriesEntry]:
    """The series of a study by number, models last, with their descriptive tags."""
    return sorted(catalogue.series_of(study_id, describer.keywords), key=_series_rank)


def _check_count(frames: int) -> None:
    if frames > _MOST_CANVASES:
        raise TooLarge("TooManyCanvases", frames=frames, limit=_MOST_CANVASES)


def _series_rank(series: SeriesEntry) -> tuple[bool, float, str]:
    """The sort key of a series in its study: by number, models last."""
    rank = number(series.tags, "SeriesNumber")
    place = math.inf if rank is None else rank
    return series.tags.get("Modality") == _MODEL, place, series.series_id
