"""Addresses of images, well-formed and not, against a real Orthanc: none may be answered 5xx.

    python -m tests.support.fuzz_iiif --count 100000

501, which the Image API asks for where something valid is not built, is the exception.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import numpy as np

from tests.support.frame_encoders import JPEG, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import Codec, LevelSample, written_level, written_slide

SETTINGS: Final = {
    '"MaxPixels" : 25000000': '"MaxPixels" : 250000',
    '"TileCacheMiB" : 384': '"TileCacheMiB" : 16',
    '"Workers" : 0': '"Workers" : 1',
}
"""Small answers, and caches that are full soon: what grows after that is a leak."""

TIMEOUT_S: Final = 60
_CHARACTERS: Final = [chr(code) for code in range(33, 127)]
_ODD: Final = ["%00", "%2F", "%2f..", "%ff", "%e2%82%ac", "%0d%0a", "%", "%zz", "..", "//", "%5c"]
_NUMBERS: Final = ["0", "1", "-1", "1.5", "1e3", "٣", "", "+5", " 5", "0x10", "nan", "9" * 40]


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Outcome:
    """What was answered.

    Attributes:
        statuses: how often each was.
        wrong: requests that were answered 5xx, or not at all, and how; but for paths that are no
            UTF-8, which orthanc-python answers 500 before anything of ours is asked.
        rss_mib: resident memory of Orthanc, now and then.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    rss_mib: list[int] = field(default_factory=list)


def stored_bases(server: OrthancServer) -> list[str]:
    """Stores a JPEG pyramid, one with gaps and several paths, and two frames: their base URIs."""
    slide = written_slide(
        [(700, 500), (350, 250), (175, 125)],
        LevelSample(1, 1, tile_width=128, tile_height=128),
        Codec(JPEG, jpeg_ybr, "YBR_FULL_422"),
    )
    gaps = LevelSample(
        200,
        150,
        32,
        48,
        paths=("a", "b"),
        is_full=False,
        missing=frozenset({(0, 0, 1, 1)}),
        rgb=False,
        is_16_bit=True,
        attributes={"SeriesInstanceUID": "1.2.3.4.1"},
    )
    series = {
        server.upload(file.content)["ParentSeries"]
        for level in (*slide, written_level(gaps, 9))
        for file in level.files
    }
    grey = np.random.default_rng(1).integers(0, 4096, (90, 120), np.uint16)
    frames = [server.upload(frame_file(photograph(300, 200), series=801))["ID"]]
    frames.append(server.upload(frame_file(grey, series=802, BitsStored=12, HighBit=11))["ID"])
    return [
        *(f"/series/{one}/iiif/{version}" for one in sorted(series) for version in (2, 3)),
        *(f"/series/{one}/pyramids/{number}/iiif/3" for one in sorted(series) for number in (0, 1)),
        *(f"/wsi/iiif/tiles/{one}" for one in sorted(series)),
        *(f"/instances/{one}/frames/0/iiif/{version}" for one in frames for version in (2, 3)),
        *(f"/wsi/iiif/frames/{one}/0" for one in frames),
        *(f"/wsi/iiif/frames-pyramids/{one}/0" for one in frames),
    ]


class Grammar:
    """Requests by the grammar of the Image API, most of them slightly wrong; always the same."""

    def __init__(self, bases: Sequence[str], seed: int) -> None:
        self._bases = bases
        self._random = random.Random(seed)  # noqa: S311  # it keeps no secret

    def asks(self) -> Iterator[Ask]:
        """Without an end."""
        while True:
            method = "GET"
            if self._random.random() < 0.01:
                method = self._random.choice(["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
                yield Ask(method, self._base() + "/full/max/0/default.jpg", self._headers())
                continue
            yield Ask(method, self._path(), self._headers())

    def _path(self) -> str:
        kind = self._random.random()
        if kind < 0.65:
            return self._base() + "/" + "/".join(self._segments())
        if kind < 0.85:
            return self._spoilt(self._base() + "/" + "/".join(self._segments()))
        if kind < 0.95:
            return self._base() + self._random.choice(["", "/", "/info.json", "/info.xml", "/full"])
        count = self._random.randrange(1, 30)
        noise = "".join(self._random.choices(_CHARACTERS, k=count))
        return self._base() + "/" + quote(noise, safe="/,;:!^%")

    def _base(self) -> str:
        base = self._random.choice(self._bases)
        return self._spoilt(base) if self._random.random() < 0.03 else base

    def _segments(self) -> list[str]:
        pick, below = self._random.choice, self._random.randrange
        x, y, width, height = below(150), below(100), 1 + below(600), 1 + below(400)
        region = [
            "full",
            "square",
            f"{x},{y},{width},{height}",
            f"pct:{x / 3:.3f},{y / 3:.2f},{width / 7:.1f},{height}",
        ]
        size = [
            "max",
            f"{pick(['', '^'])}{1 + below(200)},",
            f"^,{height}",
            f"^{width},{height}",
            f"{pick(['^', ''])}!{width},{1 + below(60)}",
            f"pct:{1 + below(100)}",
        ]
        rotation = ["0", "0", "90", "!180", "270", "360", f"{pick(['', '!'])}{below(3600) / 10}"]
        quality = ["default", "color", "gray", "bitonal"]
        format_ = ["jpg", "jpg", "png", "webp", "gif", "tif"]
        if self._random.random() < 0.5:  # anything instead of one of them
            mostly_wrong = [
                (region, ["smart", "pct:" + self._numbers(4), self._numbers(4)]),
                (size, ["full", "^full", self._number() + ",", "," + self._number()]),
                (size, [self._numbers(2), "^!" + self._numbers(2), "^pct:" + self._number()]),
                (rotation, ["!" + self._number(), self._number()]),
                (quality, ["native", "grey", ""]),
                (format_, ["jp2", "pdf", "bmp", ""]),
            ]
            good, bad = pick(mostly_wrong)
            good[:] = bad
        return [pick(region), pick(size), pick(rotation), f"{pick(quality)}.{pick(format_)}"]

    def _number(self) -> str:
        kind = self._random.random()
        if kind < 0.05:
            return quote(self._random.choice(_NUMBERS))
        if kind < 0.2:
            return f"{self._random.uniform(0, 150):.{self._random.randrange(1, 8)}f}"
        return str(self._random.randrange(self._random.choice([2, 30, 800, 800, 70000])))

    def _numbers(self, count: int) -> str:
        return ",".join(self._number() for _ in range(count))

    def _spoilt(self, path: str) -> str:
        at = self._random.randrange(1, len(path))
        length = self._random.randrange(3)
        put = self._random.choice([quote(self._random.choice(_CHARACTERS)), "", *_ODD])
        return path[:at] + put + path[at + length :]

    def _headers(self) -> dict[str, str]:
        if self._random.random() < 0.8:
            return {}
        junk = "".join(self._random.choices(_CHARACTERS, k=self._random.randrange(1, 20)))
        names = ["Accept", "If-None-Match", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"]
        likely = ["application/ld+json", "*", '"abc", W/"d"', "for=1;host=a;proto=https", "a, b"]
        return {self._random.choice(names): self._random.choice([junk, *likely])}


def ask_all(
    server: OrthancServer,
    asks: Iterator[Ask],
    connections: int,
    said: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Sends all requests, over so many connections at once; `said` hears of every 1,000."""
    outcome = Outcome()
    guard = threading.Lock()

    def follow() -> None:
        connection = HTTPConnection("localhost", server.http_port, timeout=TIMEOUT_S)
        while True:
            with guard:
                ask = next(asks, None)
            if ask is None:
                connection.close()
                return
            status, reason = _answered(connection, ask)
            with guard:
                outcome.statuses[status] += 1
                if status >= 500 and status != 501 and is_utf8(ask.path):
                    outcome.wrong.append(f"{ask.method} {ask.path} {ask.headers}: {reason}")
                if outcome.statuses.total() % 1000 == 0:
                    outcome.rss_mib.append(rss_mib(server.process.pid))
                    said(outcome)

    with ThreadPoolExecutor(connections) as threads:
        for future in [threads.submit(follow) for _ in range(connections)]:
            future.result()
    return outcome


def is_utf8(path: str) -> bool:
    """Whether the path is UTF-8 after percent-decoding."""
    try:
        unquote_to_bytes(path.partition("?")[0]).decode()
    except UnicodeDecodeError:
        return False
    return True


def _answered(connection: HTTPConnection, ask: Ask) -> tuple[int, str]:
    """The status and the beginning of the answer; 599 when there is none."""
    try:
        connection.request(ask.method, ask.path, headers=ask.headers)
        response = connection.getresponse()
        return response.status, f"{response.status} {response.read()[:300]!r}"
    except (HTTPException, OSError) as error:
        connection.close()
        return 599, repr(error)


def rss_mib(process_id: int) -> int:
    """Resident memory of a process."""
    (line,) = (
        one
        for one in Path(f"/proc/{process_id}/status").read_text().splitlines()
        if one.startswith("VmRSS:")
    )
    return int(line.split()[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Asks Orthanc for many odd images.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()

    def say(outcome: Outcome) -> None:
        print(outcome.statuses.total(), dict(outcome.statuses), outcome.rss_mib[-1], "MiB")
        sys.stdout.flush()

    with OrthancServer(SETTINGS) as server:
        asks = islice(Grammar(stored_bases(server), options.seed).asks(), options.count)
        before = rss_mib(server.process.pid)
        outcome = ask_all(server, asks, options.connections, say)
        after = rss_mib(server.process.pid)
    print(f"statuses {dict(sorted(outcome.statuses.items()))}, {before} MiB before, {after} after")
    print("\n".join(outcome.wrong[:100]))
    sys.exit(len(outcome.wrong) > 0)


if __name__ == "__main__":
    main()
