"""The records of jobs, and what a restart leaves of them."""

import json
from datetime import UTC, datetime

from orthanc_stl_plugin.model.job import JobRecord, JobState
from orthanc_stl_plugin.sentences import Sentence

BEGUN = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
EMPTY = Sentence("LabelEmpty", number=3, name="Liver")


def test_a_record_keeps_the_code_and_the_parameters_of_its_error():
    record = JobRecord("1", "StlAttach", 0, JobState.FAILURE, 40, BEGUN, error=EMPTY)
    again = JobRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record
    assert again.error is not None
    assert again.error.to_json() == EMPTY.to_json()


def test_a_record_without_an_error_comes_back_without_one():
    record = JobRecord("1", "StlAttach", 0, JobState.SUCCESS, 100, BEGUN, completed_at=BEGUN)
    assert JobRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
