"""Uploads, bodies, headers and addresses, most of them broken, against a real Orthanc for a while.

    SUITE=testing docker/root.sh python -m tests.support.fuzz_server --seconds 3600

In Debian testing, because older Orthancs die of malformed uploads by themselves. No answer may be
5xx but 501 and 503, no connection may end without one, and nothing may be left behind. One answer
is Orthanc's own: 500 to an upload that states an element of gigabytes.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import random
import resource
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

import nibabel
import numpy as np
import trimesh

from tests.support import dicom_samples as samples
from tests.support.frame_samples import frame_file, photograph
from tests.support.fuzz_iiif import SETTINGS, Grammar, is_utf8, rss_mib, stored_bases
from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine

TIMEOUT_S: Final = 120
CONTAINER_BYTES: Final = 8 << 30
"""ORTHANC_MEMORY of docker/compose.yaml."""

_REPORTED_EVERY_S: Final = 60
_SETTLING_S: Final = 60
_ORTHANC_LACKS_MEMORY: Final = b"The server hosting Orthanc is running out of memory"
_INTERESTING: Final = (b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80")
_VALUES: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 1e300, 2**63, "", "x" * 5000, [], {}, [None], {"a": []}
)  # fmt: skip
_HEADERS: Final = (
    "Accept", "Accept-Encoding", "Content-Encoding", "Content-Type", "Cookie", "Expect",
    "Forwarded", "Host", "If-Match", "If-None-Match", "Origin", "Range", "Sec-Fetch-Site",
    "Transfer-Encoding", "User-Agent", "X-Forwarded-Host", "X-Forwarded-Prefix",
    "X-HTTP-Method-Override",
)  # fmt: skip


@dataclass
class Outcome:
    """What was answered: statuses by kind of attack, and what is wrong."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Client:
    """One connection, opened again where an answer or a fault closes it."""

    def __init__(self, port: int, outcome: Outcome) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        self._outcome = outcome

    def close(self) -> None:
        """Ends it."""
        self._connection.close()

    def ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """The status and the content of the answer; 599 without one."""
        try:
            self._connection.request(method, path, body or None, headers or {})
            response = self._connection.getresponse()
            status, content = response.status, response.read()
        except (HTTPException, OSError) as error:
            self._connection.close()
            status, content = 599, repr(error).encode()
        self._outcome.statuses[kind, status] += 1
        is_own = path == "/instances" and _ORTHANC_LACKS_MEMORY in content
        if status >= 500 and status not in {501, 503} and is_utf8(path) and not is_own:
            told = f"{kind}: {method} {path[:300]} {headers} {body[:300]!r}"
            self._outcome.wrong.append(f"{told}: {status} {content[:300]!r}")
        return status, content


class Attacker:
    """Requests of all kinds; the same ones for the same seed.

    Args:
        client: sends them.
        seed: of its random numbers.
        bases: IIIF base URIs of images that stay.
        study: that stays, and receives models.
    """

    def __init__(self, client: Client, seed: int, bases: list[str], study: str) -> None:
        self._client, self._study = client, study
        self._random = random.Random(seed)  # noqa: S311  # it keeps no secret
        self._addresses = Grammar(bases, seed).asks()
        self._bases = bases
        self._dicom = list(dicom_files())
        self._files = dict(model_files())

    def attack(self) -> None:
        """One of them."""
        self._random.choice((self.upload, self.body, self.header, self.address))()

    def address(self) -> None:
        """An address of an image."""
        ask = next(self._addresses)
        self._client.ask("address", ask.method, ask.path, headers=ask.headers)

    def header(self) -> None:
        """A header of any text."""
        letters = [chr(code) for code in range(32, 127)]
        junk = "".join(self._random.choices(letters, k=self._random.randrange(300)))
        likely = ("bytes=0-", "cross-site", "100-continue", "gzip;q=0", "chunked", "*", "a" * 9000)
        value = self._random.choice((junk, *likely)).strip()
        name = self._random.choice(_HEADERS)
        if (name, value) in {("Expect", "100-continue"), ("Transfer-Encoding", "chunked")}:
            return  # then Orthanc rightly waits for what does not come
        path = self._random.choice((f"{self._random.choice(self._bases)}/info.json", "/stl/status"))
        self._client.ask("header", "GET", path, headers={name: value})

    def upload(self) -> None:
        """A broken DICOM file and, if Orthanc takes it, all that is made of it."""
        content = self._broken(self._random.choice(self._dicom))
        status, answer = self._client.ask("upload", "POST", "/instances", content)
        if status != 200:
            return
        stored = json.loads(answer)
        instance, series = stored["ID"], stored["ParentSeries"]
        for path in (
            f"/instances/{instance}/iiif/manifest.json",
            f"/instances/{instance}/frames/0/iiif/3/info.json",
            f"/instances/{instance}/frames/0/iiif/3/full/^!90,90/33/default.png",
            f"/instances/{instance}/{self._random.choice(('stl', 'glb', 'obj', 'preview-3d'))}",
            f"/series/{series}/iiif/3/info.json",
            f"/series/{series}/stl/values",
            f"/studies/{stored['ParentStudy']}/iiif/manifest.json",
            f"/stl/{self._random.choice(('rt-struct', 'seg'))}/{instance}?details",
        ):
            self._client.ask("upload", "GET", path)
        route = self._random.choice(("rtstruct", "seg", "series"))
        name = "Series" if route == "series" else "Instance"
        of = series if route == "series" else instance
        self._make(f"/stl/encode-{route}", {name: of, "Resolution": 32})
        self._client.ask("upload", "DELETE", f"/instances/{instance}")

    def body(self) -> None:
        """A broken file, or a broken request."""
        kind = self._random.choice(list(self._files))
        content = base64.b64encode(self._broken(self._files[kind])).decode()
        fields: dict[str, Any] = {"ParentStudy": self._study}
        if kind.startswith("NIFTI"):
            route, fields = "/stl/encode-nifti", fields | {"Nifti": content, "Resolution": 32}
        else:
            route, fields = "/stl/attach", fields | {"File": content, "Format": kind}
        if self._random.random() < 0.3:
            names = [
                *fields,
                "Smoothing",
                "Triangles",
                "Tags",
                "Split",
                "Labels",
                "Files",
                "Priority",
            ]
            fields[self._random.choice(names)] = self._random.choice(_VALUES)
        self._make(route, fields)

    def _make(self, route: str, fields: dict[str, Any]) -> None:
        content = json.dumps(fields).encode()
        if self._random.random() < 0.1:
            content = self._broken(content)
        status, answer = self._client.ask("body", "POST", route, content)
        if status == 200:
            made = json.loads(answer)
            for one in made.get("Instances", [made]):
                if "Path" in one and one["Path"].startswith("/instances/"):
                    self._client.ask("body", "DELETE", one["Path"])

    def _broken(self, content: bytes) -> bytes:
        """The content with up to eight bytes, runs or ends changed."""
        broken = bytearray(content)
        for _ in range(self._random.randrange(9)):
            if not broken:
                break
            at = self._random.randrange(len(broken))
            if self._random.random() < 0.7:
                at %= 4096  # headers are short
            length = self._random.choice((1, 1, 2, 4, 64, 4096))
            changes = [
                (at + 1, bytes([self._random.randrange(256)])),
                (at + length, b""),
                (at, self._random.randbytes(length)),
                (at + 4, self._random.choice(_INTERESTING)),
                (at, broken[at : at + length]),
            ]
            end, put = self._random.choice(changes)
            broken[at:end] = put
        if self._random.random() < 0.1:
            del broken[self._random.randrange(len(broken) + 1) :]
        return bytes(broken)


def dicom_files() -> Iterator[bytes]:
    """Small files of every kind that the plugin reads, uncompressed, deflated and JPEG."""
    roi = samples.RoiSample(1, "F", samples.prism(samples.F_OUTLINE, [0.0, 2.0, 4.0]))
    yield samples.rtstruct_bytes([roi])
    frames = samples.seg_frames(samples.f_volume(), 1)
    yield samples.file_bytes(samples.seg_dataset(frames, samples.oblique_affine()))
    ct = samples.ct_datasets(samples.f_volume().astype(np.int16), samples.oblique_affine())[0]
    yield samples.file_bytes(ct)
    yield samples.file_bytes(ct, "1.2.840.10008.1.2.1.99")
    yield frame_file(photograph(90, 60), series=901)


def model_files() -> Iterator[tuple[str, bytes]]:
    """A file of every format that requests carry."""
    mask = np.zeros((9, 8, 7), dtype=np.uint8)
    mask[2:7, 2:6, 2:5] = 1
    image = nibabel.Nifti1Image(mask, np.eye(4)).to_bytes()
    yield "NIFTI", image
    yield "NIFTI.GZ", gzip.compress(image)
    box = trimesh.creation.box((1, 2, 3))
    for kind in ("STL", "OBJ", "PLY", "GLB"):
        exported = box.export(file_type=kind.lower())
        yield kind, exported.encode() if isinstance(exported, str) else exported
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("box.obj", box.export(file_type="obj"))
        archive.writestr("box.mtl", "newmtl a\nKd 1 0 0\n")
    yield "ZIP", packed.getvalue()


def fuzz(
    server: OrthancServer,
    seconds: float,
    connections: int,
    seed: int,
    said: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Attacks for so long, and looks for what is left behind; `said` hears now and then."""
    bases = stored_bases(server)
    study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
    before = server.get("/statistics").json()
    outcome = Outcome()
    end = time.monotonic() + seconds

    def follow(number: int) -> None:
        client = Client(server.http_port, outcome)
        attacker = Attacker(client, seed + number, bases, study)
        while time.monotonic() < end and len(outcome.wrong) < 100:
            attacker.attack()
        client.close()

    with ThreadPoolExecutor(connections) as threads:
        futures = [threads.submit(follow, number) for number in range(connections)]
        while wait(futures, timeout=_REPORTED_EVERY_S).not_done:
            said(outcome)
        for future in futures:
            future.result()
    outcome.wrong += _left_behind(server, before)
    return outcome


def _left_behind(server: OrthancServer, before: dict[str, Any]) -> list[str]:
    deadline = time.monotonic() + _SETTLING_S
    while (found := _found(server, before)) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def _found(server: OrthancServer, before: dict[str, Any]) -> list[str]:
    names = ("CountInstances", "CountStudies")
    server.session.close()  # Orthanc has closed its end
    after = server.get("/statistics").json()
    found = [f"{name}: {after[name]}" for name in names if after[name] != before[name]]
    return found + [f"{one} in the spool folder" for one in server.spool.glob("*/*/")]


def main() -> None:
    parser = argparse.ArgumentParser(description="Sends Orthanc broken requests of every kind.")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--connections", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    resource.setrlimit(resource.RLIMIT_AS, (CONTAINER_BYTES, CONTAINER_BYTES))
    with OrthancServer(SETTINGS, is_verbose=False) as server:

        def say(outcome: Outcome) -> None:
            print(
                outcome.statuses.total(), len(outcome.wrong), "wrong", rss_mib(server.process.pid)
            )
            sys.stdout.flush()

        first = rss_mib(server.process.pid)
        outcome = fuzz(server, options.seconds, options.connections, options.seed, say)
        last, alive = rss_mib(server.process.pid), server.process.poll() is None
    for (kind, status), count in sorted(outcome.statuses.items()):
        print(kind, status, count)
    print(f"Orthanc: {first} MiB at the start, {last} at the end, alive: {alive}")
    print("\n".join(outcome.wrong))
    sys.exit(len(outcome.wrong) > 0)


if __name__ == "__main__":
    main()
