"""What an upload can do to Orthanc itself, and what happens if it falls all the same."""

import gzip
import struct
import time
from pathlib import Path

import pytest

from tests.deployment.conftest import Slide, contents
from tests.deployment.museum import PROJECT, START_S, Museum

# Public test files with bytes changed at random, found by fuzzing: each ends Orthanc 1.12.7.
UPLOADS = Path(__file__).parent / "uploads"
CONTAINER = f"{PROJECT}_orthanc_1"
# Ends the process of Orthanc, which the container's first process runs, as a fault would.
FAULT = """
import os, pathlib, signal
for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
    if path.read_text().strip() == "Orthanc":
        os.kill(int(path.parent.name), signal.SIGSEGV)
        break
else:
    raise SystemExit("Orthanc does not run")
"""


def unpacked(name: str) -> bytes:
    return gzip.decompress((UPLOADS / name).read_bytes())


def nested(depth: int) -> bytes:
    """A Part 10 file of sequences in each other, of undefined length (PS3.5 7.5.1)."""
    transfer_syntax = b"1.2.840.10008.1.2.1\0"
    sop_class = b"1.2.840.10008.5.1.4.1.1.7\0"
    elements = [
        (0x0002, 0x0002, b"UI", sop_class),
        (0x0002, 0x0003, b"UI", b"1.2.3.4\0"),
        (0x0002, 0x0010, b"UI", transfer_syntax),
    ]
    meta = b"".join(
        struct.pack("<HH2sH", group, element, kind, len(value)) + value
        for group, element, kind, value in elements
    )
    length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(meta))
    body = b"".join(
        struct.pack("<HH2sH", 0x0008, element, b"UI", len(value)) + value
        for element, value in ((0x0016, sop_class), (0x0018, b"1.2.3.4\0"))
    )
    # Referenced Series Sequence, then its item, again and again.
    begin = struct.pack("<HH2sHI", 0x0008, 0x1115, b"SQ", 0, 0xFFFFFFFF)
    begin += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return bytes(128) + b"DICM" + length + meta + body + begin * depth + end * depth


def started(museum: Museum) -> str:
    """When the container was started, and how often."""
    told = "{{.State.StartedAt}} {{.RestartCount}}"
    return museum.podman("inspect", "--format", told, CONTAINER)


def await_restart(museum: Museum, running: str) -> None:
    """Waits for another start than the one that started() has told, and for Orthanc's answer."""
    deadline = time.monotonic() + START_S
    while started(museum) == running:
        assert time.monotonic() < deadline, museum.logs()
        time.sleep(0.2)
    museum.await_orthanc()


@pytest.mark.parametrize(
    "upload",
    [
        pytest.param(unpacked("malformed-image.dcm.gz"), id="image"),
        pytest.param(unpacked("malformed-document.dcm.gz"), id="document"),
    ],
)
def test_a_malformed_upload_is_refused_and_orthanc_lives(
    museum: Museum, published: Slide, upload: bytes
) -> None:
    before = started(museum)
    answer = museum.staff.ask("POST", "/instances", data=upload)
    assert 400 <= answer.status_code < 500, answer.text
    assert museum.staff.get("/system").status_code == 200
    assert started(museum) == before


def test_a_deeply_nested_sequence_costs_nothing_that_was_acknowledged(
    museum: Museum, published: Slide
) -> None:
    # Debian's civetweb gives its threads 100 KB of stack, and DCMTK reads sequences recursively.
    before, running = contents(museum), started(museum)
    answer = museum.staff.ask("POST", "/instances", data=nested(1000))
    assert 400 <= answer.status_code <= 502, answer.text
    if answer.status_code == 502:
        await_restart(museum, running)
    assert contents(museum) == before


def test_an_orthanc_that_falls_is_started_again_with_all_that_it_acknowledged(
    museum: Museum, published: Slide
) -> None:
    before, running = contents(museum), started(museum)
    museum.podman("exec", CONTAINER, "python3", "-c", FAULT)
    await_restart(museum, running)
    assert contents(museum) == before
