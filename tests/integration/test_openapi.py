"""What the OpenAPI description allows, sent to a real Orthanc: an answer, but never a 500."""

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.result import Ok

from tests.support.orthanc_server import OrthancServer

EXAMPLES = 10


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_request_that_is_described_is_answered_500(orthanc: OrthancServer):
    document = orthanc.get("/stl/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    before = orthanc.get("/statistics").json()
    statuses: Counter[int] = Counter()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @seed(1)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def call(case: Any) -> None:
            sent = case.as_transport_kwargs(base_url=orthanc.url)
            answer = orthanc.session.request(timeout=60, allow_redirects=False, **sent)
            statuses[answer.status_code] += 1
            assert answer.status_code < 500 or answer.status_code == 503, answer.text

        call()
    assert sum(statuses.values()) > 100
    assert orthanc.get("/statistics").json() == before
