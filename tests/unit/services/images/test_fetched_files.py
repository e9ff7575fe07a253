"""Files that are not local ones are fetched once, and given for as long as the archive has them."""

import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from orthanc_stl_plugin.errors import Busy, NotFound
from orthanc_stl_plugin.services.images.fetched_files import FetchedFiles
from orthanc_stl_plugin.services.images.local_files import open_local
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.ports.image_files import FileRecord
from tests.support.dicom_samples import file_bytes, image_dataset
from tests.support.fake_image_archive import FakeImageArchive

STORED = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
CONTENT = file_bytes(image_dataset(STORED))


class CountingArchive(FakeImageArchive):
    """Counts the files that it gives."""

    given = 0

    def instance_file(self, instance_id: str) -> bytes:
        self.given += 1
        return super().instance_file(instance_id)

    def file_record(self, instance_id: str) -> FileRecord:
        record = super().file_record(instance_id)
        self.given -= 1  # the fake looks at the file
        return record


@pytest.fixture
def archive() -> CountingArchive:
    made = CountingArchive()
    made.store("image", CONTENT)
    return made


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(str(tmp_path))
    yield made
    made.close()


def test_a_file_is_fetched_once_for_all_its_frames(archive: CountingArchive, spool: Spool):
    fetched = FetchedFiles(archive, spool)
    record = archive.file_record("image")
    image = fetched.open("image", record)
    frames = [fetched.frame("image", record, image, index) for index in range(3)]
    assert frames == [frame.tobytes() for frame in STORED]
    assert archive.given == 1


def test_a_copy_that_is_there_is_saved_for_others(
    archive: CountingArchive, spool: Spool, tmp_path: Path
):
    deflated = file_bytes(image_dataset(STORED), DeflatedExplicitVRLittleEndian)
    archive.store("image", deflated)
    fetched = FetchedFiles(archive, spool)
    record = archive.file_record("image")
    fetched.open("image", record)
    fetched.save("image", record, tmp_path / "copy.dcm")
    assert archive.given == 1
    frame = open_local(tmp_path / "copy.dcm").frame_bytes((tmp_path / "copy.dcm").read_bytes(), 2)
    assert frame == STORED[2].tobytes()


def test_a_copy_has_no_name_in_the_spool(archive: CountingArchive, spool: Spool):
    before = list(spool.folder.iterdir())
    FetchedFiles(archive, spool).open("image", archive.file_record("image"))
    assert list(spool.folder.iterdir()) == before


def test_a_file_that_was_replaced_is_not_found(archive: CountingArchive, spool: Spool):
    fetched = FetchedFiles(archive, spool)
    record = archive.file_record("image")
    image = fetched.open("image", record)
    archive.store("image", file_bytes(image_dataset(STORED + 1)))
    with pytest.raises(NotFound):
        fetched.frame("image", record, image, 0)


class ReplacingArchive(FakeImageArchive):
    """Gets another file as soon as somebody has asked what it has."""

    replacement: bytes | None = None

    def file_record(self, instance_id: str) -> FileRecord:
        record = super().file_record(instance_id)
        if self.replacement is not None:
            self.store(instance_id, self.replacement)
            self.replacement = None
        return record


def test_a_file_that_is_replaced_while_it_is_fetched_is_not_taken_for_the_other(spool: Spool):
    archive = ReplacingArchive()
    archive.store("image", CONTENT)
    record = archive.file_record("image")
    archive.replacement = file_bytes(image_dataset(STORED + 1))
    with pytest.raises(NotFound):
        FetchedFiles(archive, spool).open("image", record)


def test_a_full_spool_is_told_by_its_setting(
    archive: CountingArchive, spool: Spool, monkeypatch: pytest.MonkeyPatch
):
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(Busy, match="SpoolDirectory is full"):
        FetchedFiles(archive, spool).open("image", archive.file_record("image"))
