from collections.abc import Iterator

import pytest

from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine


@pytest.fixture(scope="session")
def orthanc() -> Iterator[OrthancServer]:
    """A real Orthanc with the plugin and two workers."""
    with OrthancServer({'"Workers" : 0': '"Workers" : 2'}) as server:
        yield server


@pytest.fixture(scope="session")
def image(orthanc: OrthancServer) -> dict[str, str]:
    """The identifiers (ID, ParentStudy, ...) of one CT slice of the figurine."""
    return orthanc.upload(next(figurine.ct_series(figurine.scan())))


@pytest.fixture(scope="session")
def study(image: dict[str, str]) -> str:
    """The identifier of the study of that slice."""
    return image["ParentStudy"]
