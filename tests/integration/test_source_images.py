"""Structures whose place or thickness only the stored images tell, end to end."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom
import pytest
import trimesh
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.support import dicom_samples as samples
from tests.support.orthanc_server import OrthancServer

PIXEL_MM = 0.8
HEIGHTS_MM = [*np.arange(0.0, 15, 1.5), *np.arange(15.0, 32, 2.0)]
RADIUS_MM = 11.0
CENTRE_MM = np.array([14.0, 13.0, 15.0])
VOLUME_MM3 = 4 / 3 * np.pi * RADIUS_MM**3


def ball() -> list[np.ndarray]:
    """(rows, columns) pixels of a ball on every slice."""
    rows, columns = np.indices((36, 38)) * PIXEL_MM
    away = [(columns - CENTRE_MM[0]) ** 2 + (rows - CENTRE_MM[1]) ** 2 for _ in HEIGHTS_MM]
    return [
        (one + (height - CENTRE_MM[2]) ** 2 <= RADIUS_MM**2).astype(np.uint8)
        for one, height in zip(away, HEIGHTS_MM, strict=True)
    ]


def images(study: str) -> list[Dataset]:
    """The CT that the ball was segmented in."""
    affine = np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0])
    stored = np.stack([one.T for one in ball()], axis=2).astype(np.int16)
    datasets, series = samples.ct_datasets(stored, affine), generate_uid()
    for dataset, height in zip(datasets, HEIGHTS_MM, strict=True):
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = generate_uid()
        dataset.ImagePositionPatient = [0.0, 0.0, float(height)]
    return datasets


def segmentation(ct: Sequence[Dataset]) -> Dataset:
    """The ball; its frames name the images and tell no place themselves."""
    frames = [samples.SegFrame(1, number, one) for number, one in enumerate(ball())]
    dataset = samples.seg_dataset(frames, np.eye(4), names=("ball",))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = ct[0].StudyInstanceUID, generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    del dataset.ReferencedSeriesSequence
    [shared] = dataset.SharedFunctionalGroupsSequence
    del shared.PlaneOrientationSequence, shared.PixelMeasuresSequence
    for group, image in zip(dataset.PerFrameFunctionalGroupsSequence, ct, strict=True):
        del group.PlanePositionSequence
        source = samples.item(
            ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
        )
        group.DerivationImageSequence = [samples.item(SourceImageSequence=[source])]
    return dataset


def made(server: OrthancServer, order: dict[str, Any], route: str) -> dict[str, Any]:
    answer = server.post(route, order)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def mesh_of(server: OrthancServer, model: dict[str, Any]) -> trimesh.Trimesh:
    content = server.get(f"/instances/{model['ID']}/stl").content
    mesh = trimesh.load_mesh(io.BytesIO(content), file_type="stl")
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


def test_frames_lie_where_the_stored_images_lie(orthanc: OrthancServer) -> None:
    ct = images(generate_uid())
    for dataset in ct:
        orthanc.upload(samples.file_bytes(dataset))
    seg = orthanc.upload(samples.file_bytes(segmentation(ct)))
    model = made(orthanc, {"Instance": seg["ID"]}, "/stl/encode-seg")
    mesh = mesh_of(orthanc, model)
    assert mesh.body_count == 1
    assert mesh.volume == pytest.approx(VOLUME_MM3, rel=0.03)
    np.testing.assert_allclose(mesh.center_mass, CENTRE_MM, atol=0.3)
    [warning] = model["Warnings"]
    assert "the spacing of its slices changes from 1.5 to 2 mm" in warning


def test_without_the_images_it_is_said_which_one_is_missing(orthanc: OrthancServer) -> None:
    ct = images(generate_uid())
    seg = orthanc.upload(samples.file_bytes(segmentation(ct)))
    answer = orthanc.post("/stl/encode-seg", {"Instance": seg["ID"]})
    assert answer.status_code == 422
    assert ct[0].SOPInstanceUID in answer.json()["Details"]


def test_a_series_whose_spacing_changes_becomes_a_model(orthanc: OrthancServer) -> None:
    stored = [orthanc.upload(samples.file_bytes(one)) for one in images(generate_uid())]
    order = {"Series": stored[0]["ParentSeries"], "Threshold": -1023.5}
    model = made(orthanc, order, "/stl/encode-series")
    mesh = mesh_of(orthanc, model)
    assert mesh.volume == pytest.approx(VOLUME_MM3, rel=0.05)
    assert any("the spacing of the slices changes" in one for one in model["Warnings"])


def test_a_single_contour_is_as_thick_as_its_slice(orthanc: OrthancServer) -> None:
    ct = images(generate_uid())
    for dataset in ct:
        orthanc.upload(samples.file_bytes(dataset))
    square = np.array([(4.0, 4), (24, 4), (24, 14), (4, 14)])
    roi = samples.RoiSample(1, "左", samples.prism(square, np.array([22.0])))
    dataset = samples.rtstruct_dataset([roi])
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = ct[0].StudyInstanceUID, generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    [frame] = dataset.ReferencedFrameOfReferenceSequence
    [series] = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    series.SeriesInstanceUID = ct[0].SeriesInstanceUID
    structure_set = orthanc.upload(samples.file_bytes(dataset))
    model = made(orthanc, {"Instance": structure_set["ID"]}, "/stl/encode-rtstruct")
    assert mesh_of(orthanc, model).volume == pytest.approx(20 * 10 * 2, rel=0.03)
    assert "is made 2 mm thick, as its images lie apart" in model["Warnings"][0]
    content = orthanc.get(f"/instances/{model['ID']}/file").content
    assert pydicom.dcmread(io.BytesIO(content)).DocumentTitle == "左"
