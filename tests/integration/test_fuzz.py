"""Some seconds of broken requests; `python -m tests.support.fuzz_server` sends them for an hour."""

import pytest

from tests.support.fuzz_iiif import SETTINGS
from tests.support.fuzz_server import fuzz
from tests.support.orthanc_server import OrthancServer

SECONDS = 15
SURVIVES_UPLOADS = (1, 13)


def test_no_broken_request_is_answered_with_an_error_of_the_server_or_leaves_anything_behind():
    with OrthancServer(SETTINGS, is_verbose=False) as server:
        version = server.get("/system").json()["Version"]
        if tuple(int(part) for part in version.split(".")[:2]) < SURVIVES_UPLOADS:
            pytest.skip("this Orthanc dies of malformed uploads")
        outcome = fuzz(server, SECONDS, connections=2, seed=1)
        assert outcome.wrong == []
        assert outcome.statuses["upload", 200] > 100
        assert outcome.statuses["body", 200] > 10
