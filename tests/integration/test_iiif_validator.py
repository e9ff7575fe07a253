"""The validator of the IIIF consortium (PyPI's iiif-validator) finds no fault at level 2."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from iiif_validator.validator import (  # type: ignore[import-untyped]  # it has no annotations
    ImageAPI,
    ValidationInfo,
)
from iiif_validator.validator import TestSuite as Suite
from PIL import Image

from tests.support.frame_samples import frame_file
from tests.support.orthanc_server import OrthancServer

# Its versions, and the last segment of our base URIs; it knows 2.1.1 as 2.0.
VERSIONS = {"3.0": "3", "2.0": "2"}

# Level 3 is what a server may have besides. jp2 and pdf are not built. The test of webp compares
# bytes with a text, which no server passes on Python 3. That of upscaling takes ^max for the size
# of the full image; by Image API 3.0 section 4.2 it is the largest that maxArea allows, and its
# other sizes are asked for in test_iiif_images.py.
LEFT_OUT = frozenset({"format_jp2", "format_pdf", "format_webp", "size_up"})

# It wants 400 for a box !w,h larger than the image. By Image API 3.0 section 4.2 the image is "as
# large as possible but not larger than the extracted region": the answer is the image itself. The
# validator then fails to make its own error, of which it has forgotten the arguments.
CONTRADICTS_THE_TEXT = {("3.0", "size_noup")}

SUITE = Suite(ValidationInfo())


def names(version: str) -> list[str]:
    return sorted(SUITE.list_tests(version).keys() - LEFT_OUT)


CASES = [(version, name) for version in VERSIONS for name in names(version)]


@dataclass(frozen=True)
class Bases:
    """Where the validator's test image is served: the paths before the version."""

    server: str
    pyramid: str
    frame: str


@pytest.fixture(scope="module")
def bases(orthanc: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bases]:
    by_column = np.array(ValidationInfo().colorInfo, np.uint8)
    picture = by_column.transpose(1, 0, 2).repeat(100, 0).repeat(100, 1)
    frame = orthanc.upload(frame_file(picture, series=901))["ID"]
    path = tmp_path_factory.mktemp("validator") / "squares.png"
    Image.fromarray(picture).save(path)
    before = set(orthanc.get("/series").json())
    dicomize(path, orthanc)
    (series,) = set(orthanc.get("/series").json()) - before
    yield Bases(
        f"localhost:{orthanc.http_port}",
        f"series/{series}/iiif",
        f"instances/{frame}/frames/0/iiif",
    )
    orthanc.session.delete(f"{orthanc.url}/series/{series}").raise_for_status()


def dicomize(path: Path, orthanc: OrthancServer) -> None:
    """Stores an image as a lossless pyramid, the way most Orthanc users do."""
    command = ["OrthancWSIDicomizer", str(path), "--orthanc", orthanc.url, "--pyramid", "1"]
    options = ["--compression", "none", "--tile-width", "256", "--tile-height", "256"]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=60)


def fault(bases: Bases, prefix: str, version: str, name: str) -> str | None:
    """What the validator finds wrong."""
    result = ImageAPI(VERSIONS[version], bases.server, prefix, version=version, debug=False)
    SUITE.run_test(name, result)
    if result.exception is None:
        return None
    error = result.exception
    return f"{result.urls}: {error.type} is {error.got}, not {error.expected}: {error.message}"


@pytest.mark.parametrize(("version", "at_level_2"), [("3.0", 33), ("2.0", 30)])
def test_no_test_of_level_2_is_left_out(version: str, at_level_2: int):
    levels = {name: one["level"] for name, one in SUITE.list_tests(version).items()}
    assert sum(levels[name] <= 2 for name in names(version)) == at_level_2
    assert all(levels[name] == 3 for name in LEFT_OUT & levels.keys())


def assert_passes(bases: Bases, prefix: str, version: str, name: str) -> None:
    if (version, name) in CONTRADICTS_THE_TEXT:
        with pytest.raises(TypeError, match="ValidatorError"):
            fault(bases, prefix, version, name)
    else:
        assert fault(bases, prefix, version, name) is None


@pytest.mark.parametrize(("version", "name"), CASES)
def test_a_pyramid_passes(bases: Bases, version: str, name: str):
    assert_passes(bases, bases.pyramid, version, name)


@pytest.mark.parametrize(("version", "name"), CASES)
def test_a_single_frame_passes(bases: Bases, version: str, name: str):
    assert_passes(bases, bases.frame, version, name)
