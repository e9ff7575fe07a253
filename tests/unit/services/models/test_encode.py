from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import ArchiveRefused, BadRequest, NotFound, UnusableSource
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.worker_pool import Workers
from orthanc_stl_plugin.services.models.encode import Encoder, NamedInstance
from orthanc_stl_plugin.services.models.orders import Making, NiftiOrder
from orthanc_stl_plugin.services.ports.archive import SeriesRecord
from tests.support.fake_archive import FakeArchive
from tests.support.memory_journal import MemoryJournal, remove_nothing

SETTINGS = Settings(workers=1)
MASK = np.zeros((8, 9, 20), dtype=np.uint8)
MASK[2:6, 3:6, 4:7] = 1
TWO = MASK.copy()
TWO[2:6, 3:7, 10:15] = 2
CT = SeriesRecord(
    series_id="c",
    series_instance_uid="1.4",
    study_id="s",
    instance_ids=("i",),
    references=(("1.2.840.10008.5.1.4.1.1.2", "1.5"),),
    modality="CT",
    description="Head",
    frame_of_reference_uid="1.7",
)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    pool = Workers(SETTINGS)
    yield pool
    pool.close()


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive(
        studies={"s": {"PatientID": "p"}},
        known_series={
            "c": CT,
            "bare": replace(CT, frame_of_reference_uid=None),
            "other": replace(CT, study_id="other"),
        },
    )


@pytest.fixture
def encoder(archive: FakeArchive, workers: Workers, tmp_path: Path) -> Iterator[Encoder]:
    spool = Spool(str(tmp_path))
    yield Encoder(archive, workers, spool, SETTINGS)
    assert [path.name for path in spool.folder.iterdir()] == ["lock"]
    spool.close()


def order(mask: np.ndarray, study: str = "s", *, split: bool = False, **more: str) -> NiftiOrder:
    nifti = nib.Nifti1Image(mask, np.eye(4)).to_bytes()
    return NiftiOrder(nifti, study, split=split, **more)  # type: ignore[arg-type]


def made(
    encoder: Encoder, order: NiftiOrder, making: Making, archive: FakeArchive | None = None
) -> list[NamedInstance]:
    """What a job makes of the order; if it fails, what it has stored is removed of the archive."""
    remove = remove_nothing if archive is None else archive.delete_series
    engine = JobEngine(1, 10, 10, MemoryJournal(), remove)
    try:
        models: list[NamedInstance] = engine.submit("Test", encoder.nifti(order, making)).wait()
        return models
    finally:
        engine.close()


def test_a_model_is_stored_with_the_length_of_its_document(encoder: Encoder, archive: FakeArchive):
    [model] = made(encoder, order(MASK), Making())
    tags, document = archive.instances[model.stored.instance_id]
    assert document is not None
    assert tags["EncapsulatedDocumentLength"] == str(len(document))


def test_the_tags_of_the_order_win(encoder: Encoder, archive: FakeArchive):
    [model] = made(encoder, order(MASK), Making(tags={"DocumentTitle": "Liver"}))
    assert archive.instances[model.stored.instance_id][0]["DocumentTitle"] == "Liver"


def test_the_parts_of_one_order_share_series_and_group(encoder: Encoder, archive: FakeArchive):
    made(encoder, order(TWO, split=True), Making())
    tags = [tags for tags, _ in archive.instances.values()]
    assert len(tags) == 2
    for keyword in ("SeriesInstanceUID", "ModelGroupUID", "SeriesDescription", "SeriesDate"):
        assert len({str(one[keyword]) for one in tags}) == 1
    assert [one["InstanceNumber"] for one in tags] == ["1", "2"]
    assert [one["DocumentTitle"] for one in tags] == ["Label 1", "Label 2"]


def test_each_order_makes_the_next_series_of_its_study(encoder: Encoder, archive: FakeArchive):
    archive.instances["ct"] = {"SeriesNumber": "41"}, None
    archive.parents["ct"] = "s"
    made(encoder, order(TWO, split=True), Making())
    made(encoder, order(MASK), Making())
    made(encoder, order(MASK), Making(tags={"SeriesNumber": "7"}))
    numbers = [tags["SeriesNumber"] for tags, _ in archive.instances.values()]
    assert numbers == ["41", "42", "42", "43", "7"]


def test_above_the_highest_number_of_dicom_a_series_is_the_first(
    encoder: Encoder, archive: FakeArchive
):
    archive.instances["ct"] = {"SeriesNumber": "2147483647"}, None
    archive.parents["ct"] = "s"
    [model] = made(encoder, order(MASK), Making())
    assert archive.instances[model.stored.instance_id][0]["SeriesNumber"] == "1"


def test_a_reference_series_gives_its_place_to_the_model(encoder: Encoder, archive: FakeArchive):
    [model] = made(encoder, order(MASK, reference_series="c"), Making())
    tags = archive.instances[model.stored.instance_id][0]
    assert tags["FrameOfReferenceUID"] == "1.7"
    assert tags["SourceInstanceSequence"] == [
        {
            "ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "ReferencedSOPInstanceUID": "1.5",
        }
    ]


def test_a_reference_series_of_another_study_is_refused(encoder: Encoder):
    with pytest.raises(BadRequest, match="lies in the study other, not in ParentStudy s"):
        made(encoder, order(MASK, reference_series="other"), Making())


def test_a_reference_series_without_a_frame_of_reference_is_refused(encoder: Encoder):
    with pytest.raises(UnusableSource, match="has no FrameOfReferenceUID"):
        made(encoder, order(MASK, reference_series="bare"), Making())


@pytest.mark.parametrize("wrong", [{"study": "x"}, {"reference_series": "x"}])
def test_an_unknown_place_is_found_out_before_any_work(encoder: Encoder, wrong: dict[str, str]):
    with pytest.raises(NotFound, match="'x'"):
        made(encoder, order(MASK, **wrong), Making())  # type: ignore[arg-type]


def test_nothing_is_stored_when_the_mask_is_empty(encoder: Encoder, archive: FakeArchive):
    with pytest.raises(UnusableSource, match="all of its 8 x 9 x 20 voxels are zero"):
        made(encoder, order(MASK * 0), Making())
    assert archive.instances == {}


def test_what_was_stored_before_a_failure_is_removed(encoder: Encoder, archive: FakeArchive):
    archive.full_after = 1
    with pytest.raises(ArchiveRefused, match="Full"):
        made(encoder, order(TWO, split=True), Making(), archive)
    assert archive.instances == {}
