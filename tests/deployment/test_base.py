"""The image on a base that has Orthanc where orthancteam/orthanc has it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.conftest import STATE, Slide, stored
from tests.deployment.museum import PROJECT, Museum

TOP = Path(__file__).parents[2]
BASE, IMAGE = "localhost/elsewhere", "localhost/orthanc-stl-plugin-elsewhere"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def build(tag: str, dockerfile: str, *options: str) -> None:
    """An image, as run.sh builds those of the museum."""
    command = ["podman", "build", "--format", "docker", "--isolation=chroot", "--network=host"]
    command += ["--file", str(TOP / dockerfile), "--tag", tag, *options, str(TOP)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Museum]:
    """A museum on that base."""
    build(BASE, "tests/deployment/elsewhere.Dockerfile")
    secret = f"id=ca-bundle,src={CERTIFICATES}"
    build(IMAGE, "docker/Dockerfile", "--build-arg", f"BASE={BASE}", "--secret", secret)
    made = Museum(Path(STATE) / "elsewhere", settings={"ORTHANC_IMAGE": IMAGE})
    made.add_staff()
    try:
        made.up()
        yield made
    finally:
        made.down()


def test_orthanc_outside_the_package_manager_serves_a_slide(elsewhere: Museum) -> None:
    slide: Slide = stored(elsewhere, Path(STATE) / "samples/published")
    assert elsewhere.staff.ask("PUT", f"/studies/{slide.study}/labels/published").ok
    path = f"/series/{slide.series}/iiif/3/0,0,256,256/256,/0/default.jpg"
    assert elsewhere.public.get(path).headers["Content-Type"] == "image/jpeg"


def test_the_plugins_of_that_base_are_found(elsewhere: Museum) -> None:
    assert {"python", "serve-folders"} <= set(elsewhere.staff.get("/plugins").json())
    program = "ls -L /opt/orthanc-stl-plugin/plugins-postgresql"
    names = elsewhere.podman("exec", f"{PROJECT}_orthanc_1", "sh", "-c", program).split()
    expected = ["libOrthancExplorer2.so", "libOrthancPostgreSQLIndex.so", "libOrthancPython.so"]
    assert names == expected


def test_the_bill_of_materials_names_that_orthanc(elsewhere: Museum) -> None:
    path = "/usr/share/orthanc-stl-plugin.cdx.json"
    bill = json.loads(elsewhere.podman("exec", f"{PROJECT}_orthanc_1", "cat", path))
    (found,) = [one for one in bill["components"] if one["name"] == "orthanc"]
    assert found["version"] == elsewhere.staff.get("/system").json()["Version"]


def test_explorer_2_gets_its_buttons(elsewhere: Museum) -> None:
    container = f"{PROJECT}_orthanc_1"
    text = elsewhere.podman("exec", container, "cat", "/etc/museum/explorer2.json")
    assert "stl-create-study" in text
    assert "/etc/museum/explorer2.json" in elsewhere.logs()


def test_files_belong_to_the_same_user_on_every_base(elsewhere: Museum) -> None:
    container = f"{PROJECT}_orthanc_1"
    assert elsewhere.podman("exec", container, "id", "-u").strip() == "1042"


def test_containers_do_not_share_the_number_of_their_machine(elsewhere: Museum) -> None:
    container = f"{PROJECT}_orthanc_1"
    assert "hostid" not in elsewhere.podman("exec", container, "ls", "/etc")
