"""What an administrator does with a running museum."""

import base64
import hashlib
import json
import sqlite3
from contextlib import closing
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


def test_a_damaged_backup_is_refused_and_nothing_is_lost(museum: Museum, published: Slide) -> None:
    folder = museum.folder / "backups"
    museum.run("./backup.sh", str(folder))
    museum.await_orthanc()
    before = contents(museum)
    stored = next(path for path in (folder / "storage").rglob("*") if path.is_file())
    content = stored.read_bytes()
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    told = museum.fail("./restore.sh", "--replace-everything", str(folder))
    assert f"{stored.relative_to(folder)} is damaged" in told
    assert contents(museum) == before
    stored.write_bytes(content)


def test_a_backup_that_orthanc_cannot_serve_is_taken_back(museum: Museum, published: Slide) -> None:
    folder = museum.folder / "backups"
    museum.run("./backup.sh", str(folder))
    museum.await_orthanc()
    before = contents(museum)
    state = folder / (folder / "current").read_text().strip()
    with closing(sqlite3.connect(state / "index")) as index, index:
        # The version of the index's schema (GlobalProperty_DatabaseSchemaVersion).
        index.execute("UPDATE GlobalProperties SET value = '99' WHERE property = 1")
    listed = (state / "checksums").read_text().splitlines()
    own = f"{state.name}/index"
    lines = [line for line in listed if not line.endswith(f"  {own}")]
    lines.append(f"{hashlib.sha256((state / 'index').read_bytes()).hexdigest()}  {own}")
    (state / "checksums").write_text("".join(f"{line}\n" for line in lines))
    museum.environment["START_LIMIT_S"] = "10"
    told = museum.fail("./restore.sh", "--replace-everything", str(folder))
    del museum.environment["START_LIMIT_S"]
    assert "putting back what was there" in told
    museum.await_orthanc()
    assert contents(museum) == before
    assert museum.staff.get(f"/studies/{published.study}/labels").json() == ["published"]


def test_a_disk_that_fills_leaves_the_earlier_backup_and_a_running_museum(
    museum: Museum, published: Slide
) -> None:
    folder = museum.folder / "small-disk"
    folder.mkdir()
    museum.run("mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(folder))
    try:
        museum.run("./backup.sh", str(folder))
        museum.await_orthanc()
        before, earlier = contents(museum), listing(folder)
        used = sum(path.stat().st_blocks for path in folder.rglob("*")) // 2
        museum.run("mount", "-o", f"remount,size={used + 64}k", str(folder))
        later = min(Path(STATE, "samples/hidden/later").glob("*.dcm"))
        added = museum.staff.ask("POST", "/instances", data=later.read_bytes()).json()
        assert "No space left on device" in museum.fail("./backup.sh", str(folder))
        museum.await_orthanc()
        assert listing(folder).items() >= earlier.items()
        assert set(contents(museum)) == {*before, added["ID"]}
        museum.run("./restore.sh", "--replace-everything", str(folder))
        museum.await_orthanc()
        assert contents(museum) == before
    finally:
        museum.run("umount", str(folder))


def listing(folder: Path) -> dict[Path, bytes]:
    """All files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_new_containers_keep_everything(museum: Museum, published: Slide) -> None:
    before = contents(museum)
    museum.compose("down")
    museum.up()
    assert contents(museum) == before
    path = f"/series/{published.series}/iiif/3/info.json"
    assert museum.public.get(path).status_code == 200
