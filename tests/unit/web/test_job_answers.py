"""Jobs as they are answered."""

from datetime import UTC, datetime

from orthanc_stl_plugin.model.job import JobRecord, JobState
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.web.jobs import job_json

BEGUN = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)


def test_a_failed_job_says_why_in_english_and_by_code():
    error = Sentence("LabelEmpty", number=3, name="Liver")
    job = job_json(JobRecord("1", "StlAttach", 0, JobState.FAILURE, 40, BEGUN, error=error))
    assert job["ErrorDetails"] == "label 3 'Liver' is empty: no voxel has it"
    assert job["Content"] == {
        "Description": "StlAttach",
        "Error": "label 3 'Liver' is empty: no voxel has it",
        "Code": "LabelEmpty",
        "Parameters": {"Number": 3, "Name": "Liver"},
    }


def test_a_job_without_an_error_has_no_code():
    job = job_json(JobRecord("1", "StlAttach", 0, JobState.RUNNING, 40, BEGUN))
    assert (job["ErrorDetails"], job["Content"]) == ("", {"Description": "StlAttach"})
