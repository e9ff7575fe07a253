"""What every archive of images does; run on the fake and on a real Orthanc, in two ways each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.ports.image_files import ImageArchive
from tests.conformance.remote_archive import RemoteImageArchive
from tests.support.fake_image_archive import FakeImageArchive
from tests.support.frame_encoders import JPEG, jpeg_ybr
from tests.support.image_service import slide_levels
from tests.support.orthanc_server import PLUGIN_SCRIPT, OrthancServer
from tests.support.slide_samples import Codec, LevelSample

SCRIPT = Path(__file__).parent / "served_archive.py"
AN_OPTION = '"DicomAlwaysAllowEcho" : true,'
LEVELS = slide_levels(
    1,
    [(100, 70), (50, 35)],
    LevelSample(1, 1, tile_width=32, tile_height=16),
    Codec(JPEG, jpeg_ybr, "YBR_FULL_422"),
)
FILES = [file for level in LEVELS for file in level.files]
(OTHER,) = slide_levels(2, [(40, 30)], LevelSample(1, 1))[0].files
UNKNOWN = ["nope", "6ed7e8a4-60deff42-5e22a424-2128629f-158d0b3a", "../system"]


@dataclass
class Setting:
    """An archive with one series of two instances; `store` puts others into other series."""

    archive: ImageArchive
    series_id: str
    instance_ids: list[str]
    is_local: bool
    store: Callable[[bytes], str]
    delete: Callable[[str], object]


@pytest.fixture(
    scope="module", params=["fake files", "fake memory", "real files", "real compressed files"]
)
def setting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setting]:
    is_local = request.param.endswith(("fake files", "real files"))
    if request.param.startswith("fake"):
        fake = FakeImageArchive(tmp_path_factory.mktemp("archive") if is_local else None)
        for file in FILES:
            fake.store(file.instance_id, file.content)
        names = [file.instance_id for file in FILES]

        def store(content: bytes) -> str:
            fake.store("other", content, "others")
            return "other"

        yield Setting(fake, "series", names, is_local, store, fake.delete)
        return
    compressed = f'{AN_OPTION} "StorageCompression" : {str(not is_local).lower()},'
    with OrthancServer({PLUGIN_SCRIPT: str(SCRIPT), AN_OPTION: compressed}) as server:
        stored = [server.upload(file.content) for file in FILES]
        yield Setting(
            RemoteImageArchive(server),
            stored[0]["ParentSeries"],
            [one["ID"] for one in stored],
            is_local,
            lambda content: server.upload(content)["ID"],
            lambda one: server.session.delete(f"{server.url}/instances/{one}"),
        )


def test_a_series_tells_of_its_instances(setting: Setting):
    found = setting.archive.series_instances(setting.series_id)
    assert sorted(found) == sorted(setting.instance_ids)


def test_the_file_of_an_instance_comes_back(setting: Setting):
    for instance_id, file in zip(setting.instance_ids, FILES, strict=True):
        assert setting.archive.instance_file(instance_id) == file.content


def test_a_local_path_holds_exactly_the_file(setting: Setting):
    for instance_id, file in zip(setting.instance_ids, FILES, strict=True):
        path = setting.archive.file_record(instance_id).path
        assert (path is not None) == setting.is_local
        assert path is None or path.read_bytes() == file.content


def test_different_files_have_different_digests_that_stay(setting: Setting):
    digests = [setting.archive.file_record(one).digest for one in setting.instance_ids]
    assert len(set(digests)) == len(FILES)
    assert digests == [setting.archive.file_record(one).digest for one in setting.instance_ids]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_unknown_resources_are_not_found(setting: Setting, unknown: str):
    with pytest.raises(NotFound):
        setting.archive.series_instances(unknown)
    with pytest.raises(NotFound):
        setting.archive.file_record(unknown)
    with pytest.raises(NotFound):
        setting.archive.instance_file(unknown)


def test_a_deleted_instance_takes_its_file_along(setting: Setting):
    doomed = setting.store(OTHER.content)
    path = setting.archive.file_record(doomed).path
    setting.delete(doomed)
    with pytest.raises(NotFound):
        setting.archive.file_record(doomed)
    assert path is None or not path.exists()
