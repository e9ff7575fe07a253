"""A hollow clay figurine in a CT scanner: the sample object of the demo and of the tests.

It is made from formulas, so it is free of rights. It has no symmetry: one arm is raised, the other
holds a bowl, and a nose marks the front. It stands in the scanner like a small patient, feet down
(S is up), facing anterior, and the volume is tilted and anisotropic.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache
from io import BytesIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from orthanc_stl_plugin.model.geometry import Grid

PATIENT_ID = "FIGURINE-1"
AIR_HU, CLAY_HU, NOISE_HU = -1000, 1250, 25
WALL_MM = 4.0
_TILT_DEGREES = 8.0
_SEAM_MM = 5.0
_VOXEL_MM = (0.9, 0.9, 1.4)
_SHAPE = (100, 84, 104)
_Point = tuple[float, float, float]
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def grid() -> Grid:
    """Where the voxels of the scan lie: tilted about the left-right axis, as on a real cradle."""
    angle = np.deg2rad(_TILT_DEGREES)
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    affine = np.eye(4)
    affine[:3, :3] = rotation * _VOXEL_MM
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(_SHAPE) - 1) / 2)
    return Grid(_SHAPE, affine, frame_of_reference_uid=_uid("frame of reference"))


def _uid(name: str) -> UID:
    """The same at each run: who loads the demo twice has one figurine."""
    return generate_uid(entropy_srcs=["orthanc_stl_plugin", "figurine", name])


def signed_distance_mm(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """About how far (N, 3) LPS points lie from the clay, (N,); negative inside the clay."""
    x, y, z = points.T
    body = _joined(
        _ball(points, (0, 0, -12), (21, 16, 34)), _ball(points, (1, -1, 33), (14, 14, 16))
    )
    base = np.maximum(np.hypot(x, y) - 24, np.abs(z + 45.3) - 6.1)
    raised = _joined(
        _limb(points, (16, -2, 8), (30, -6, 22), 5.5), _limb(points, (30, -6, 22), (33, -8, 48), 5)
    )
    lowered = _joined(
        _limb(points, (-17, -2, 6), (-30, -8, -8), 5.5),
        _limb(points, (-30, -8, -8), (-22, -22, -8), 5),
    )
    bowl = np.maximum(np.abs(_ball(points, (-19, -26, -4), (10, 10, 10))) - 1.8, z + 4)
    nose = _limb(points, (1, -14, 35), (1, -18, 31), 2.5)
    solid = _joined(_joined(body, base), _joined(raised, _joined(lowered, nose)))
    cavity = body + WALL_MM
    vent = _limb(points, (0, 0, -60), (0, 0, -30), 3.2)  # without it, clay bursts in the kiln
    return np.asarray(np.maximum(np.minimum(solid, bowl), -np.minimum(cavity, vent)))


def _ball(points: NDArray[np.float64], centre: _Point, radii: _Point) -> NDArray[np.float64]:
    scaled = np.linalg.norm((points - centre) / radii, axis=1)
    return np.asarray((scaled - 1) * min(radii))


def _limb(
    points: NDArray[np.float64], start: _Point, end: _Point, radius: float
) -> NDArray[np.float64]:
    axis = np.subtract(end, start)
    along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    return np.asarray(np.linalg.norm(points - start - along[:, None] * axis, axis=1) - radius)


def _joined(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two parts pressed together: the seam is rounded, as fingers leave it."""
    seam = np.clip(_SEAM_MM - np.abs(one - other), 0, None)
    return np.asarray(np.minimum(one, other) - seam**2 / (4 * _SEAM_MM))


@cache
def scan() -> NDArray[np.int16]:
    """(columns, rows, slices) int16 Hounsfield units, with partial volume and noise; read-only."""
    place = grid()
    indices = np.indices(place.shape).reshape(3, -1).T
    distance = signed_distance_mm(place.to_world(indices.astype(float))).reshape(place.shape)
    share = np.clip(0.5 - distance / np.mean(place.voxel_size_mm), 0, 1)
    noise = np.random.default_rng(7).normal(0, NOISE_HU, place.shape)
    values = np.round(AIR_HU + share * (CLAY_HU - AIR_HU) + noise).astype(np.int16)
    values.flags.writeable = False
    return values


def mask(values: NDArray[np.int16]) -> NDArray[np.uint8]:
    """(columns, rows, slices) uint8, 1 where the clay is."""
    return (values > (AIR_HU + CLAY_HU) // 2).astype(np.uint8)


def nifti(voxels: NDArray[np.uint8]) -> bytes:
    """The mask as the bytes of a .nii.gz file, RAS as NIfTI has it."""
    image = nib.Nifti1Image(voxels, _RAS_TO_LPS @ grid().affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), mtime=0)


def ct_series(values: NDArray[np.int16]) -> Iterator[bytes]:
    """The scan as the DICOM files of a CT series, one for each slice."""
    place = grid()
    study_uid, series_uid = _uid("study"), _uid("series")
    directions = place.affine[:3, :3] / place.voxel_size_mm
    for number in range(place.shape[2]):
        image = _identified(study_uid, series_uid, number)
        image.FrameOfReferenceUID = place.frame_of_reference_uid
        position = place.to_world(np.array([[0, 0, number]]))[0]
        image.ImagePositionPatient = [f"{value:.6g}" for value in position]
        image.ImageOrientationPatient = [f"{value:.9g}" for value in directions[:, :2].T.ravel()]
        image.PixelSpacing = [place.voxel_size_mm[1], place.voxel_size_mm[0]]
        image.SliceThickness = place.voxel_size_mm[2]
        image.Columns, image.Rows = place.shape[:2]
        image.PixelData = values[:, :, number].T.tobytes()
        buffer = BytesIO()
        image.save_as(buffer, enforce_file_format=True)
        yield buffer.getvalue()


def _identified(study_uid: str, series_uid: str, number: int) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = _uid(f"slice {number}")
    image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, series_uid
    image.PatientName, image.PatientID = "Figurine^Clay", PATIENT_ID
    image.PatientBirthDate, image.PatientSex = "", "O"
    image.StudyDate, image.StudyTime = "20260102", "101500"
    image.StudyDescription, image.SeriesDescription = "Micro-CT of a figurine", "CT"
    image.AccessionNumber, image.ReferringPhysicianName, image.StudyID = "INV-2026-1", "", "1"
    image.Modality, image.Manufacturer = "CT", "orthanc_stl_plugin demo"
    image.PatientPosition, image.PositionReferenceIndicator = "HFS", ""
    image.SeriesNumber, image.InstanceNumber = 1, number + 1
    image.AcquisitionNumber, image.KVP, image.ImageType = 1, 120, ["DERIVED", "PRIMARY", "AXIAL"]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 1
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "HU"
    image.WindowCenter, image.WindowWidth = 200, 2600
    return image
