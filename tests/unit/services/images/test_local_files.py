from pathlib import Path

import pytest

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.images.local_files import let_go, read_part


def open_files() -> list[str]:
    return [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]


def test_a_part_of_a_file_is_read(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    assert read_part(path, 3, 4) == b"3456"


def test_the_space_of_a_deleted_file_becomes_free(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    let_go()  # of what other tests have deleted
    read_part(path, 0, 1)
    let_go()
    assert any(str(path) in one for one in open_files()), "nothing has been deleted yet"
    path.unlink()
    let_go()
    assert not any(str(path) in one for one in open_files())


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path):
    with pytest.raises(NotFound):
        read_part(tmp_path / "none", 0, 1)
