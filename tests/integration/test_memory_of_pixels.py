"""A small file takes little memory to show, however many pixels it says that it has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate

from tests.support.frame_encoders import ENCODERS, FrameEncoder
from tests.support.frame_samples import frame_file
from tests.support.image_service import ImageService
from tests.support.orthanc_server import OrthancServer

IN_ORTHANC = 256 << 20
IN_A_WORKER = 1 << 30
ASKED = (
    "full/200,/0/default.jpg",
    "0,0,1024,1024/512,/0/default.jpg",
    "full/max/0/default.jpg",
    "0,0,100,100/max/0/default.png",
)
TRIES = 3
"""Of the same request: a large image is told to come again, 503, while its levels are made."""


class PeakMemory:
    """The most that Orthanc and each of its workers have taken while the `with` block ran.

    Attributes:
        grown: bytes that Orthanc took beyond what it had at the beginning.
        of_worker: the most bytes of one worker.
    """

    def __init__(self, server: OrthancServer) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.grown = self.of_worker = 0

    def __enter__(self) -> PeakMemory:
        process_id = self._server.process.pid
        Path(f"/proc/{process_id}/clear_refs").write_text("5")  # VmHWM begins anew: proc(5)
        self._before = memory(process_id, "VmRSS")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.grown = memory(self._server.process.pid, "VmHWM") - self._before

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            for child in self._server.children():
                self.of_worker = max(self.of_worker, memory(child, "VmHWM"))


def memory(process_id: int, what: str) -> int:
    """Bytes, as proc(5) has them; 0 of a process that has gone."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line for line in lines if line.startswith(f"{what}:")]
    return int(found[0].split()[1]) << 10 if found else 0


def blank(encoder: FrameEncoder, side: int, bands: int, bits: int, frames: int = 1) -> bytes:
    """A file of black frames: whatever the codec, a thousandth of what they decode to, or less."""
    dtype = {8: np.uint8, 16: np.uint16, 32: np.uint32}[bits]
    pixels = np.zeros((side, side, 3) if bands == 3 else (side, side), dtype)
    encoded = encoder.encode(pixels)
    colours: dict[str, Any] = (
        {"PhotometricInterpretation": encoder.photometric} if bands == 3 else {}
    )
    return frame_file(
        pixels[:1, :1],
        transfer_syntax_uid=encoder.transfer_syntax,
        encoded=encoded,
        Rows=side,
        Columns=side,
        NumberOfFrames=frames,
        PixelData=encapsulate([encoded + b"\0" * (len(encoded) % 2)] * frames),
        **colours,
    )


def of(name: str) -> FrameEncoder:
    (found,) = [one for one in ENCODERS if one.name == name]
    return found


CASES = {
    "16 frames of JPEG-LS, 16 bits, 8000 x 8000": lambda: blank(of("JPEG-LS"), 8000, 1, 16, 16),
    "JPEG 2000, colour, 4800 x 4800": lambda: blank(of("JPEG 2000"), 4800, 3, 8),
    "JPEG 2000, colour, 16 bits, 9000 x 9000": lambda: blank(of("JPEG 2000"), 9000, 3, 16),
}


@pytest.fixture(scope="module")
def server() -> Iterator[OrthancServer]:
    with OrthancServer({'"Workers" : 0': '"Workers" : 1'}, is_verbose=False) as running:
        yield running


@pytest.mark.parametrize("name", CASES)
def test_a_file_below_1_mb_takes_256_mib_in_orthanc_and_1_gib_in_a_worker_at_most(
    server: OrthancServer, name: str
) -> None:
    content = CASES[name]()
    assert len(content) < 1_000_000
    instance = server.upload(content)["ID"]
    service = ImageService(server, f"/instances/{instance}/frames/0/iiif/3")
    statuses = []
    with PeakMemory(server) as peak:
        for request in ("info.json", *ASKED):
            status = 503
            for _ in range(TRIES):
                status = service.get(f"/{request}").status_code
                if status != 503:
                    break
            statuses.append(status)
    server.session.delete(f"{server.url}/instances/{instance}").raise_for_status()
    assert set(statuses) <= {200, 400, 413, 422}
    assert peak.grown < IN_ORTHANC
    assert peak.of_worker < IN_A_WORKER
