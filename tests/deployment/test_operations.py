"""What an administrator does with a running museum."""

import base64
import json
from pathlib import Path

from tests.deployment.conftest import STATE, Slide, contents
from tests.deployment.museum import PROJECT, Museum


def test_a_model_is_made_and_its_job_remembered_over_a_restart(museum: Museum) -> None:
    stored = museum.staff.ask(
        "POST", "/instances", data=Path(STATE, "samples/slice.dcm").read_bytes()
    ).json()
    mask = base64.b64encode(Path(STATE, "samples/mask.nii.gz").read_bytes()).decode()
    order = {"Nifti": mask, "ParentStudy": stored["ParentStudy"]}
    made = museum.staff.ask("POST", "/stl/encode-nifti", json=order)
    assert made.status_code == 200, made.text
    before, jobs = contents(museum), museum.staff.get("/jobs").json()
    museum.podman("restart", "--time", "60", f"{PROJECT}_orthanc_1")
    museum.await_orthanc()
    assert contents(museum) == before
    assert museum.staff.get("/jobs").json() == jobs
    assert museum.staff.get(f"/instances/{made.json()['ID']}/stl").content[80:84] != b""


def test_every_line_of_the_logs_is_json(museum: Museum) -> None:
    museum.staff.get("/system")
    lines = [json.loads(line) for line in museum.logs().splitlines() if line]
    assert {"orthanc", "request"} <= {one["log"] for one in lines}
    told = [one["message"] for one in lines if one["log"] == "orthanc" and one.get("level")]
    assert "Orthanc has started" in told


def test_orthanc_ends_in_order_and_tells_so(museum: Museum) -> None:
    container = f"{PROJECT}_orthanc_1"
    museum.podman("stop", "--time", "60", container)
    try:
        state = museum.podman("inspect", "--format", "{{.State.ExitCode}}", container)
        assert state.strip() == "0"
        assert json.loads(museum.podman("logs", "--tail", "1", container))["message"] == (
            "Orthanc has stopped"
        )
    finally:
        museum.podman("start", container)
        museum.await_orthanc()


def test_a_backup_brings_back_what_was_there(museum: Museum, published: Slide) -> None:
    folder = museum.folder / "backups"
    museum.run("./backup.sh", str(folder))
    museum.await_orthanc()
    before = contents(museum)
    assert museum.staff.ask("DELETE", f"/studies/{published.study}").ok
    assert contents(museum) != before
    museum.run("./restore.sh", "--replace-everything", str(folder))
    museum.await_orthanc()
    assert contents(museum) == before
    assert museum.staff.get(f"/studies/{published.study}/labels").json() == ["published"]


def test_new_containers_keep_everything(museum: Museum, published: Slide) -> None:
    before = contents(museum)
    museum.compose("down")
    museum.up()
    assert contents(museum) == before
    path = f"/series/{published.series}/iiif/3/info.json"
    assert museum.public.get(path).status_code == 200
