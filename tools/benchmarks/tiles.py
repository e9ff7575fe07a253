"""The speed of tiles, compared with the official WSI plugin on the same slides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from tests.support.orthanc_server import PLUGIN_SCRIPT, PUBLISHED, STAFF, OrthancServer
from tools.benchmarks.load import Load, loaded
from tools.benchmarks.printing import head, line, machine
from tools.benchmarks.slides import LARGE, MANY_FRAMES, SlideSample

_CONNECTIONS: Final = (1, 4, 16)
_ROUNDS: Final = 2
_ROUND_S: Final = 3
_WARM_UP_S: Final = 2
_ALL_GOAL, _INNER_GOAL, _MANY_GOAL = 2.5, 0.9, 100.0
_OPENING_GOAL_S: Final = 0.2
_SAMPLES: Final = 5000
_OWN_PAGE: Final = "/app/explorer.html"
_OURS, _PEER = "libOrthancPython.so", "libOrthancWSI.so"
_COLUMNS: Final = (
    "requests", "connections", "requests/s ours", "official", "ratio", "goal", "p99 ms ours",
    "official", "met",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Contender:
    """A server with its slides.

    Attributes:
        server: an Orthanc of its own.
        template: the base URI of the image service of a series.
        series: Orthanc's identifiers by slide.
        at_start_mib: its memory before it served anything.
    """

    server: OrthancServer
    template: str
    series: dict[SlideSample, str]
    at_start_mib: float

    def paths(self, slides: Sequence[SlideSample], tails: Sequence[str]) -> list[str]:
        """The same tails on every slide."""
        bases = [self.template.format(self.series[slide]) for slide in slides]
        return [f"{base}/{tail}" for base in bases for tail in tails]


@dataclass(frozen=True, slots=True)
class _Row:
    """The requests of a row.

    Attributes:
        title: its name.
        slides: the slides to request.
        tails: the last segments of the addresses.
        goal: our requests/s as a multiple of the official plugin's; None if it cannot answer.
    """

    title: str
    slides: Sequence[SlideSample]
    tails: Sequence[str]
    goal: float | None = None


def print_table(only: str, *, is_quick: bool) -> bool:
    """Prints the table; returns whether every goal is met.

    Args:
        only: rows whose title contains this text.
        is_quick: one short round of each row.
    """
    rows = [row for row in _rows() if only in row.title]
    slides = {MANY_FRAMES, LARGE[0], *(slide for row in rows for slide in row.slides)}
    print(_introduction(1 if is_quick else _ROUNDS), flush=True)
    with ExitStack() as stack:
        ours, peer = (
            _contender(stack.enter_context(server), template, slides)
            for server, template in (
                (OrthancServer(is_verbose=False), "/series/{}/iiif/3"),
                (OrthancServer({_OURS: _PEER}, is_verbose=False), "/wsi/iiif/tiles/{}"),
            )
        )
        opening_s = _opening_s(ours), _opening_s(peer)
        met = [_compared(row, ours, peer, is_quick=is_quick) for row in rows]
        print(_ceilings(peer, _ROUND_S if is_quick else _ROUNDS * _ROUND_S), flush=True)
        print(_published(_ROUND_S if is_quick else _ROUNDS * _ROUND_S), flush=True)
        print(_closing((ours, peer), opening_s), flush=True)
    return all(met) and opening_s[0] < _OPENING_GOAL_S


def _rows() -> list[_Row]:
    slide = LARGE[0]
    inner = [tile for tile in _tiles(slide) if _is_inner(tile, slide)]
    random = np.random.default_rng(1)
    return [
        _Row("all tiles", LARGE[:1], _tiles(slide), _ALL_GOAL),
        _Row("inner tiles", LARGE[:1], inner, _INNER_GOAL),
        _Row("all tiles of 5 slides, 310 MB", LARGE, _tiles(slide), _MANY_GOAL),
        _Row("512 x 512 anywhere", LARGE[:1], _anywhere(random, 512)),
        _Row("1024 x 1024 anywhere to 512 x 512", LARGE[:1], _anywhere(random, 1024)),
        _Row("full at about 1000 px", LARGE[:1], _thumbnails(random)),
        _Row("all tiles as PNG", LARGE[:1], [_as_png(tile) for tile in _tiles(slide)]),
    ]


def _tiles(slide: SlideSample) -> list[str]:
    found = []
    for factor, _, _ in slide.levels:
        side = slide.tile_px * factor
        for y in range(0, slide.height, side):
            for x in range(0, slide.width, side):
                width, height = min(side, slide.width - x), min(side, slide.height - y)
                size = f"{-(-width // factor)},{-(-height // factor)}"
                found.append(f"{x},{y},{width},{height}/{size}/0/default.jpg")
    return found


def _is_inner(tile: str, slide: SlideSample) -> bool:
    return f"/{slide.tile_px},{slide.tile_px}/" in tile


def _as_png(tile: str) -> str:
    return tile.replace(".jpg", ".png")


def _anywhere(random: np.random.Generator, side: int) -> list[str]:
    slide = LARGE[0]
    return [
        f"{random.integers(slide.width - side)},{random.integers(slide.height - side)},"
        f"{side},{side}/512,512/0/default.jpg"
        for _ in range(_SAMPLES)
    ]


def _thumbnails(random: np.random.Generator) -> list[str]:
    """Requests of many sizes, so that none is repeated."""
    return [
        f"full/{random.integers(900, 1100)},{random.integers(720, 880)}/0/default.jpg"
        for _ in range(_SAMPLES)
    ]


def _contender(server: OrthancServer, template: str, slides: Iterable[SlideSample]) -> _Contender:
    series = {}
    for slide in slides:
        for file in slide.files():
            series[slide] = server.upload(file.read_bytes())["ParentSeries"]
    return _Contender(server, template, series, _resident_mib(server, "VmRSS"))


def _resident_mib(server: OrthancServer, field: str) -> float:
    """VmRSS: its memory; VmHWM: its peak memory."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(dict(one.split(":", 1) for one in lines)[field].split()[0]) / 1024


def _opening_s(contender: _Contender) -> float:
    """The time of the first request for the slide with many frames."""
    (warm_up,) = contender.paths(LARGE[:1], ["info.json"])
    contender.server.get(warm_up).raise_for_status()
    (path,) = contender.paths([MANY_FRAMES], ["info.json"])
    start = perf_counter()
    contender.server.get(path).raise_for_status()
    return perf_counter() - start


def _compared(row: _Row, ours: _Contender, peer: _Contender, *, is_quick: bool) -> bool:
    """Prints the lines of a row; whether its goal is met."""
    contenders = [ours] if row.goal is None else [ours, peer]
    asked = [(one.server.url, one.paths(row.slides, row.tails)) for one in contenders]
    for url, paths in asked:
        loaded(url, paths, max(_CONNECTIONS), _WARM_UP_S)
    is_met = True
    for connections in _CONNECTIONS:
        loads: list[list[Load]] = [[] for _ in contenders]
        for seed in range(1 if is_quick else _ROUNDS):
            for (url, paths), found in zip(asked, loads, strict=True):
                found.append(loaded(url, paths, connections, _ROUND_S, seed))
        result = _Result(row, connections, *map(_together, loads))
        print(line(result.cells()), flush=True)
        is_met &= result.is_met
    return is_met


def _together(loads: Sequence[Load]) -> Load:
    """The rounds combined, with the worst 99th percentile."""
    return Load(
        sum(one.requests for one in loads),
        sum(one.seconds for one in loads),
        max(one.p99_ms for one in loads),
    )


@dataclass(frozen=True, slots=True)
class _Result:
    """A line of the table."""

    row: _Row
    connections: int
    ours: Load
    peer: Load | None = None

    @property
    def is_met(self) -> bool:
        """Whether the ratio of requests/s is met and the 99th percentile is no worse."""
        if self.peer is None or self.row.goal is None:
            return True
        is_fast = self.ours.rate >= self.row.goal * self.peer.rate
        return is_fast and self.ours.p99_ms <= self.peer.p99_ms

    def cells(self) -> list[str]:
        shown = [self.row.title, str(self.connections), f"{self.ours.rate:.0f}"]
        if self.peer is None:
            return [*shown, "-", "-", "-", f"{self.ours.p99_ms:.2f}", "-", "-"]
        return [
            *shown,
            f"{self.peer.rate:.0f}",
            f"{self.ours.rate / self.peer.rate:.2f}",
            f"{self.row.goal:g}",
            f"{self.ours.p99_ms:.2f}",
            f"{self.peer.p99_ms:.2f}",
            "yes" if self.is_met else "NO",
        ]


def _introduction(rounds: int) -> str:
    return "\n".join(
        [
            "# Tiles",
            "",
            f"{machine()}.",
            "",
            "Requests at random by wrk, to this plugin and to the official WSI plugin, each in an"
            " Orthanc of its own on the same machine with the same JPEG slides of 20000 x 16000"
            f" pixels in tiles of 512: {rounds} rounds of {_ROUND_S} s each, in turn; the worst"
            " 99th percentile of the rounds. No goal: the official plugin cannot.",
            "",
            head(_COLUMNS, 1),
        ]
    )


def _ceilings(peer: _Contender, seconds: int) -> str:
    """The speed of Orthanc without any work, and with a Python handler without any work."""
    script = str(Path(__file__).with_name("constant.py"))
    with OrthancServer({PLUGIN_SCRIPT: script}, is_verbose=False) as server:
        in_python = _rates(server, ["/constant"], seconds)
    own = _rates(peer.server, [_OWN_PAGE], seconds)
    return (
        f"\nA page of 31 KiB that Orthanc itself has in memory: {own} requests/s; a plugin in"
        f" Python that answers the same 32 KiB to everybody: {in_python}."
    )


def _published(seconds: int) -> str:
    """The speed of all tiles for the public, which sees published studies only."""
    slide = LARGE[0]
    server = OrthancServer(PUBLISHED, is_verbose=False)
    server.session.headers.update(STAFF)
    with server:
        museum = _contender(server, "/series/{}/iiif/3", [slide])
        study = server.get(f"/series/{museum.series[slide]}").json()["ParentStudy"]
        server.session.put(f"{server.url}/studies/{study}/labels/public").raise_for_status()
        rates = _rates(server, museum.paths([slide], _tiles(slide)), seconds)
    return f"\nAll tiles for the public, where Publish.Label is set: {rates} requests/s."


def _rates(server: OrthancServer, paths: Sequence[str], seconds: int) -> str:
    """The requests per second at each number of connections."""
    loaded(server.url, paths, max(_CONNECTIONS), _WARM_UP_S)
    rates = [loaded(server.url, paths, one, seconds).rate for one in _CONNECTIONS]
    return ", ".join(f"{rate:.0f}" for rate in rates)


def _closing(contenders: Sequence[_Contender], opening_s: Sequence[float]) -> str:
    opening = " ms, official ".join(f"{1000 * one:.0f}" for one in opening_s)
    memory = ", official ".join(
        f"{one.at_start_mib:.0f} MiB before, at most {_resident_mib(one.server, 'VmHWM'):.0f}"
        for one in contenders
    )
    return (
        f"\nFirst info.json of a slide of {MANY_FRAMES.frame_count} frames in"
        f" {len(MANY_FRAMES.files())} files: {opening} ms (goal: {1000 * _OPENING_GOAL_S:.0f})."
        f"\nResident memory: {memory}."
    )
