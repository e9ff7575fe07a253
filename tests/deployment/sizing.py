"""What a museum does in a second and takes of memory and disk: tests/deployment/run.sh --sizing.

Prints the tables of docker/README.md. The load comes from the same machine and costs a part of it.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import requests

from tests.deployment.museum import PROJECT, PUBLIC_HOST, Museum, resolving
from tools.benchmarks.load import loaded
from tools.benchmarks.printing import head, line, machine

CONNECTIONS = 8
ROUND_S, WARM_UP_S, MODELS_S = 5, 3, 20
WIDTH, HEIGHT, TILE = 20_000, 16_000, 512
PARTS = 5000
MIB = 2**20
UNBOUND = {"PUBLIC_RATE": "1000000", "PUBLIC_BURST": "1000000"}
DIRECT = 'services: {{ orthanc: {{ ports: ["127.0.0.1:{}:8042"] }} }}\n'


@dataclass
class Memory:
    """The most that the processes of a container took while it was looked at, in MiB."""

    container: str
    most: float = 0.0
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watched(self) -> Iterator[Memory]:
        """Looks five times a second."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(0.2):
            self.most = max(self.most, memory_mib(self.container))


def memory_mib(first_process: str) -> float:
    """What the processes of a container have in memory, shared pages in proportion."""
    space, total_kib = Path(f"/proc/{first_process}/ns/pid").readlink(), 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/pid").readlink() == space:
                rollup = (process / "smaps_rollup").read_text()
                total_kib += int(rollup.split("Pss:")[1].split()[0])
        except (OSError, IndexError):
            continue  # it has ended meanwhile, or is a zombie
    return total_kib / 1024


class Sized:
    """A running museum whose Orthanc can be asked directly too."""

    def __init__(self, museum: Museum, port: int) -> None:
        self.museum = museum
        self.direct = f"http://127.0.0.1:{port}"
        word = (museum.folder / "secrets/audience/staff").read_text().strip()
        self.headers = {"X-Audience": word}
        self.storage = self._volume("storage")
        self.cache = self._volume("cache")

    def _volume(self, name: str) -> Path:
        form = "{{.Mountpoint}}"
        told = self.museum.podman("volume", "inspect", "--format", form, f"{PROJECT}_{name}")
        return Path(told.strip())

    def process(self, service: str) -> str:
        """The first process of a container, as this machine counts."""
        form, name = "{{.State.Pid}}", f"{PROJECT}_{service}_1"
        return self.museum.podman("inspect", "--format", form, name).strip()

    def store(self, folder: Path) -> tuple[dict[str, str], float, int]:
        """The last answer to the files of a folder, the seconds that they took, and their bytes."""
        files = sorted(folder.iterdir())
        session = requests.Session()
        session.trust_env = False

        def stored(path: Path) -> dict[str, str]:
            answer = session.post(
                f"{self.direct}/instances", data=path.read_bytes(), headers=self.headers, timeout=60
            )
            answer.raise_for_status()
            told: dict[str, str] = answer.json()
            return told

        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(stored, files))
        return answers[-1], time.monotonic() - began, sum(path.stat().st_size for path in files)

    def index_bytes(self) -> int:
        """Of the index at rest."""
        container = f"{PROJECT}_orthanc_1"
        self.museum.podman("stop", "--time", "60", container)
        found = sum(path.stat().st_size for path in self.storage.glob("index*"))
        self.museum.podman("start", container)
        self.museum.await_orthanc()
        return found


def tiles() -> list[str]:
    """Those that are served as they are stored."""
    return [
        f"{x},{y},{TILE},{TILE}/{TILE},{TILE}/0/default.jpg"
        for x in range(0, WIDTH - TILE + 1, TILE)
        for y in range(0, HEIGHT - TILE + 1, TILE)
    ]


def parts(seed: int) -> list[str]:
    """Parts of the slide, each of several tiles."""
    random = Random(seed)  # noqa: S311
    return [
        f"{random.randrange(WIDTH - TILE)},{random.randrange(HEIGHT - TILE)},"
        f"{TILE},{TILE}/{TILE},{TILE}/0/default.jpg"
        for _ in range(PARTS)
    ]


def print_rates(sized: Sized, study: str, series: str) -> None:
    """Requests a second."""
    public = f"https://127.0.0.1:{sized.museum.ports['HTTPS_PORT']}"
    base = f"/series/{series}/iiif/3"
    rows: list[tuple[str, Sequence[str], Sequence[str]]] = [
        ("stored tiles, seen before", tiles(), tiles()),
        ("parts of the slide, never seen before", parts(1), parts(2)),
        ("`info.json`", ["info.json"], ["info.json"]),
    ]
    documents = [
        ("manifest of the slide's study", [f"/studies/{study}/iiif/manifest.json"]),
        ("collection of everything", ["/iiif/collection.json"]),
    ]
    every = [
        (title, [f"{base}/{x}" for x in a], [f"{base}/{x}" for x in b]) for title, a, b in rows
    ]
    every += [(title, paths, paths) for title, paths in documents]
    columns = ("Requests a second", "Orthanc itself", "through the proxy", "p99 there, ms")
    print(head(columns, 1), flush=True)
    for title, own, through in every:
        if own == through:
            loaded(public, through, CONNECTIONS, WARM_UP_S, host=PUBLIC_HOST)
        direct = loaded(sized.direct, own, CONNECTIONS, ROUND_S)
        proxied = loaded(public, through, CONNECTIONS, ROUND_S, host=PUBLIC_HOST)
        cells = (f"{direct.rate:,.0f}", f"{proxied.rate:,.0f}", f"{proxied.p99_ms:.0f}")
        print(line((title, *cells)), flush=True)


def print_models(sized: Sized, folder: Path, study: str) -> None:
    """Models an hour, one after another, and the most memory meanwhile."""
    columns = ("Model of a mask", "Triangles", "STL, MB", "Seconds", "An hour", "Memory, MiB")
    print(head(columns, 1), flush=True)
    for path in sorted(folder.iterdir()):
        order = {"Nifti": base64.b64encode(path.read_bytes()).decode(), "ParentStudy": study}
        began, made, size = time.monotonic(), 0, 0
        with Memory(sized.process("orthanc")).watched() as memory:
            while (seconds := time.monotonic() - began) < MODELS_S:
                answer = requests.post(
                    f"{sized.direct}/stl/encode-nifti",
                    json=order,
                    headers=sized.headers,
                    timeout=300,
                )
                answer.raise_for_status()
                made += 1
                url = f"{sized.direct}/instances/{answer.json()['ID']}/stl"
                size = size or len(requests.get(url, headers=sized.headers, timeout=60).content)
            seconds = time.monotonic() - began
        title = f"{path.name.removesuffix('.nii.gz')}³"
        cells = [title, f"{(size - 84) // 50:,}", f"{size / 1e6:.1f}", f"{seconds / made:.2f}"]
        cells += [f"{3600 * made / seconds:,.0f}", f"{memory.most:,.0f}"]
        print(line(cells), flush=True)


def print_all(museum: Museum, port: int, samples: Path) -> None:
    """The tables."""
    sized = Sized(museum, port)
    cores = machine().split(";")[0]
    print(f"{cores}; load {os.getloadavg()[0]:.1f} before the start.\n", flush=True)
    at_start = [memory_mib(sized.process(name)) for name in ("orthanc", "proxy")]
    empty = sized.index_bytes()
    _, many_s, _ = sized.store(samples / "many")
    count = len(list((samples / "many").iterdir()))
    full = sized.index_bytes()
    slide, slide_s, slide_bytes = sized.store(samples / "slide")
    study, series = slide["ParentStudy"], slide["ParentSeries"]
    assert museum.staff.ask("PUT", f"/studies/{study}/labels/published").ok
    memory, proxy_memory = Memory(sized.process("orthanc")), Memory(sized.process("proxy"))
    with memory.watched(), proxy_memory.watched():
        print_rates(sized, study, series)
    kept = [path.stat().st_size for path in sized.cache.rglob("*") if path.is_file()]
    print(flush=True)
    print_models(sized, samples / "masks", study)
    print()
    print(head(("What", "Takes"), 1))
    for row in (
        ("Orthanc's memory at the start, with its workers", f"{at_start[0]:,.0f} MiB"),
        ("... and at most under the requests above", f"{memory.most:,.0f} MiB"),
        ("The proxy's memory at the start", f"{at_start[1]:,.0f} MiB"),
        ("... and at most", f"{proxy_memory.most:,.0f} MiB"),
        (f"Files of a slide of {WIDTH:,} x {HEIGHT:,} pixels", f"{slide_bytes / MIB:,.0f} MiB"),
        ("Index for 1000 instances", f"{(full - empty) / count * 1000 / MIB:.1f} MiB"),
        ("The proxy's cache for 1000 answers", f"{sum(kept) / len(kept) * 1000 / MIB:,.0f} MiB"),
        ("Storing small instances", f"{count / many_s:,.0f} a second"),
        ("Storing the slide", f"{slide_bytes / MIB / slide_s:,.0f} MiB a second"),
    ):
        print(line(row))


def main(state: Path) -> None:
    """Runs the museum for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    museum = Museum(state / "sizing-museum", ("compose.yaml", "direct.yaml"), settings=UNBOUND)
    (museum.folder / "direct.yaml").write_text(DIRECT.format(port))
    museum.add_staff()
    with resolving():
        try:
            museum.up()
            print_all(museum, port, state / "sizing")
        finally:
            museum.down()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
