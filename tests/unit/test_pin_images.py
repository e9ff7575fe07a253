"""docker/pin-images.sh: base images by digest, in .env."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docker/pin-images.sh"
ORTHANC, DEBIAN = "sha256:" + "a" * 64, "sha256:" + "b" * 64
# Stands in for docker: knows two images, and fails where DIGEST_OF_DEBIAN is empty.
ENGINE = f"""#!/bin/sh
for image; do :; done
case $image in
    *@*) exit 1 ;;
    *orthanc*|*forky*) digest={ORTHANC} ;;
    *) digest=${{DIGEST_OF_DEBIAN}} ;;
esac
[ -n "$digest" ] || exit 1
[ "$1" = pull ] || echo "${{image%:*}}@$digest"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the script and an engine."""
    shutil.copy(SCRIPT, tmp_path)
    (tmp_path / "engine").write_text(ENGINE)
    (tmp_path / "engine").chmod(0o755)
    return tmp_path


def pin(folder: Path, digest_of_debian: str = DEBIAN) -> int:
    """The status of the script."""
    engine = {"ENGINE": str(folder / "engine"), "DIGEST_OF_DEBIAN": digest_of_debian}
    command = [str(folder / "pin-images.sh")]
    done = subprocess.run(command, env=os.environ | engine, capture_output=True, check=False)
    return done.returncode


def test_the_images_of_the_defaults_get_their_digests(folder: Path) -> None:
    (folder / ".env").write_text("MUSEUM_NAME=Museum\n#BASE=something\n")
    assert pin(folder) == 0
    assert (folder / ".env").read_text() == (
        "MUSEUM_NAME=Museum\n#BASE=something\n"
        f"BASE=docker.io/library/debian:forky-slim@{ORTHANC}\n"
        f"DEBIAN=docker.io/library/debian:trixie-slim@{DEBIAN}\n"
    )


def test_a_digest_is_replaced_by_that_of_today(folder: Path) -> None:
    old = "sha256:" + "0" * 64
    (folder / ".env").write_text(f"BASE=docker.io/orthancteam/orthanc:26.8.1@{old}\n")
    assert pin(folder) == 0
    lines = (folder / ".env").read_text().splitlines()
    assert lines[0] == f"BASE=docker.io/orthancteam/orthanc:26.8.1@{ORTHANC}"


@pytest.mark.parametrize("digest", ["", "nothing"])
def test_what_cannot_be_fetched_leaves_everything_as_it_was(folder: Path, digest: str) -> None:
    (folder / ".env").write_text("MUSEUM_NAME=Museum\n")
    assert pin(folder, digest) != 0
    assert (folder / ".env").read_text() == "MUSEUM_NAME=Museum\n"
    assert not (folder / ".env.new").exists()


def test_the_names_are_those_that_the_images_are_built_on() -> None:
    folder = SCRIPT.parent
    text = SCRIPT.read_text()
    for name, files in {
        "BASE": ("Dockerfile", "compose.yaml", ".env.example"),
        "DEBIAN": ("proxy/Dockerfile", "postgresql/Dockerfile", "compose.yaml", ".env.example"),
    }.items():
        image = text.split(f"{name}=docker.io/")[1].split()[0].rstrip(";")
        for file in files:
            assert f"docker.io/{image}" in (folder / file).read_text(), file
