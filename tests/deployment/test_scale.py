"""Two Orthancs with one index: what one knows, the other knows, and one may fall."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.deployment.conftest import STATE, Slide, contents, stored
from tests.deployment.museum import PROJECT, Face, Museum

REPLICAS = ("orthanc", "orthanc-2")
FILES = ("compose.yaml", "compose.scale.yaml")
MANY = {"PUBLIC_RATE": "100000", "PUBLIC_BURST": "100000"}
PAUSE_S = 0.05
NOTICED_S = 5


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Museum]:
    """A museum with two replicas; the other one, if it runs, has ended before."""
    made = Museum(Path(STATE) / "pair", FILES, REPLICAS, MANY)
    made.add_staff()
    made.run("./make-postgresql-password.sh")
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def slide(pair: Museum) -> Slide:
    """A slide that everybody may see."""
    slide = stored(pair, Path(STATE) / "samples/published")
    assert pair.staff.ask("PUT", f"/studies/{slide.study}/labels/published").ok
    return slide


@dataclass(frozen=True)
class Answer:
    """What a replica has answered."""

    status: int
    etag: str
    body: str


def ask_replica(pair: Museum, name: str, path: str) -> Answer:
    """What one replica itself answers to staff."""
    word = (pair.folder / "secrets/audience/staff").read_text().strip()
    program = (
        "import sys, urllib.request, urllib.error\n"
        "r = urllib.request.Request('http://127.0.0.1:8042' + sys.argv[1],"
        " headers={'X-Audience': sys.argv[2]})\n"
        "try: a = urllib.request.urlopen(r, timeout=60)\n"
        "except urllib.error.HTTPError as e: a = e\n"
        "print(a.status, a.headers['ETag']); print(a.read().decode('latin-1'))"
    )
    told = pair.podman("exec", f"{PROJECT}_{name}_1", "python3", "-c", program, path, word)
    head, _, body = told.partition("\n")
    status, _, etag = head.partition(" ")
    return Answer(int(status), etag, body)


def knowing(pair: Museum, path: str) -> list[str]:
    """The replicas that answer a path."""
    return [name for name in REPLICAS if ask_replica(pair, name, path).status == 200]


def order(pair: Museum) -> dict[str, str]:
    """The body of a request for a model."""
    image = pair.staff.ask(
        "POST", "/instances", data=Path(STATE, "samples/slice.dcm").read_bytes()
    ).json()
    mask = base64.b64encode(Path(STATE, "samples/mask.nii.gz").read_bytes()).decode()
    return {"Nifti": mask, "ParentStudy": image["ParentStudy"]}


def test_both_know_what_one_has_stored(pair: Museum, slide: Slide) -> None:
    for name in REPLICAS:
        answer = ask_replica(pair, name, f"/series/{slide.series}/iiif/3/info.json")
        assert (answer.status, json.loads(answer.body)["width"]) == (200, 1200), name
        system = json.loads(ask_replica(pair, name, "/system").body)
        assert system["DatabaseServerIdentifier"] == name


def test_both_notice_what_one_is_given(pair: Museum, slide: Slide) -> None:
    path = f"/series/{slide.series}/iiif/3/info.json"
    before = {name: ask_replica(pair, name, path).etag for name in REPLICAS}
    stored(pair, Path(STATE) / "samples/published/later")
    deadline = time.monotonic() + NOTICED_S
    for name in REPLICAS:
        while ask_replica(pair, name, path).etag == before[name]:
            assert time.monotonic() < deadline, f"{name} serves what was there before"
            time.sleep(0.2)


def test_a_job_is_found_by_its_identifier_wherever_it_runs(pair: Museum) -> None:
    job = pair.staff.ask(
        "POST", "/stl/encode-nifti", json={**order(pair), "Asynchronous": True}
    ).json()
    assert len(knowing(pair, job["Path"])) == 1
    for account in ("alice", "bob", "carol", "dave"):
        pair.run("./add-staff.sh", account, input="a password of this test\n")
        auth = (account, "a password of this test")
        assert pair.staff.get(job["Path"], auth=auth).json()["ID"] == job["ID"]


def test_a_withdrawn_study_is_gone_from_both(pair: Museum, slide: Slide) -> None:
    path = f"/series/{slide.series}/iiif/3/0,0,256,256/256,/0/default.jpg"
    assert pair.public.get(path).status_code == 200
    assert pair.staff.ask("DELETE", f"/studies/{slide.study}/labels/published").ok
    assert pair.public.get(path).status_code == 404
    assert pair.staff.ask("PUT", f"/studies/{slide.study}/labels/published").ok


def test_a_backup_brings_back_index_and_files(pair: Museum, slide: Slide) -> None:
    folder = str(pair.folder / "backups")
    pair.run("./backup.sh", folder)
    pair.await_orthanc()
    before = contents(pair)
    assert pair.staff.ask("DELETE", f"/studies/{slide.study}").ok
    assert contents(pair) != before
    pair.run("./restore.sh", "--replace-everything", folder)
    pair.await_orthanc()
    assert contents(pair) == before
    assert pair.staff.get(f"/studies/{slide.study}/labels").json() == ["published"]


def test_an_index_that_postgresql_cannot_read_is_taken_back(pair: Museum, slide: Slide) -> None:
    folder = pair.folder / "backups"
    pair.run("./backup.sh", str(folder))
    pair.await_orthanc()
    before = contents(pair)
    state = folder / (folder / "current").read_text().strip()
    dump = state / "index.dump"
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])
    told = pair.fail("./restore.sh", "--replace-everything", str(folder))
    assert f"{state.name}/index.dump is damaged" in told
    # Also where the checksums are those of the broken file.
    expected = hashlib.sha256(dump.read_bytes()).hexdigest()
    text = (state / "checksums").read_text()
    lines = [line for line in text.splitlines() if not line.endswith("/index.dump")]
    lines.append(f"{expected}  {state.name}/index.dump")
    (state / "checksums").write_text("".join(f"{line}\n" for line in lines))
    assert "putting back what was there" in pair.fail(
        "./restore.sh", "--replace-everything", str(folder)
    )
    pair.await_orthanc()
    assert contents(pair) == before
    databases = pair.podman(
        "exec", f"{PROJECT}_postgresql_1", "psql", "--dbname=postgres", "--list", "--csv"
    )
    assert "orthanc" in databases
    assert "restor" not in databases


class Load:
    """Clients that ask until told to stop, and count what is not right."""

    def __init__(self, pair: Museum, slide: Slide) -> None:
        self._stopping = threading.Event()
        self.right, self.wrong = 0, list[str]()
        self._guard = threading.Lock()
        base = f"/series/{slide.series}/iiif/3"
        paths = [f"{base}/info.json", f"/series/{slide.series}/iiif/manifest.json"]
        paths += [
            f"{base}/{x},{y},256,256/{size},/0/default.jpg"
            for x in (0, 256, 512)
            for y in (0, 256)
            for size in (256, 128)
        ]
        self._expected = {path: pair.public.get(path).content for path in paths}
        self._threads = [
            threading.Thread(target=self._ask, args=(pair, number)) for number in range(4)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, pair: Museum, number: int) -> None:
        paths = list(self._expected)
        face = Face(pair.public.host, pair.public.port, Path(str(pair.public.session.verify)))
        # As a browser does: the proxy may close a connection just when it is used again.
        face.session.mount("https://", HTTPAdapter(max_retries=Retry(total=1, read=1)))
        turn = number * 3
        while not self._stopping.is_set():
            path = paths[turn % len(paths)]
            turn += 1
            time.sleep(PAUSE_S)
            try:
                answer = face.get(path)
                is_right = answer.status_code == 200 and answer.content == self._expected[path]
                told = f"{answer.status_code} {path}"
            except requests.ConnectionError as error:
                is_right, told = False, f"{error} {path}"
            with self._guard:
                self.right += is_right
                if not is_right:
                    self.wrong.append(told)


def models(pair: Museum) -> set[str]:
    """All that are stored."""
    question = {"Level": "Instance", "Query": {"Modality": "M3D"}}
    return set(pair.staff.ask("POST", "/tools/find", json=question).json())


def test_a_replica_that_is_killed_and_comes_back_costs_no_tile_and_no_model(
    pair: Museum, slide: Slide, request: pytest.FixtureRequest
) -> None:
    seconds = float(request.config.getoption("--load-seconds"))
    body = order(pair)
    job = pair.staff.ask("POST", "/stl/encode-nifti", json={**body, "Asynchronous": True}).json()
    maker = f"{PROJECT}_{knowing(pair, job['Path'])[0]}_1"
    while pair.staff.get(job["Path"]).json()["State"] in {"Pending", "Running"}:
        time.sleep(0.2)
    before = models(pair)
    made, began, killed, is_back = list[str](), time.monotonic(), False, False
    with Load(pair, slide) as load:
        while time.monotonic() - began < seconds:
            answer = pair.staff.ask("POST", "/stl/encode-nifti", json=body)
            assert answer.status_code == 200, answer.text
            made.append(answer.json()["ID"])
            if not killed and time.monotonic() - began > seconds / 3:
                pair.podman("kill", maker)
                killed = True
            if killed and not is_back and time.monotonic() - began > seconds / 2:
                pair.podman("start", maker)
                is_back = True
            time.sleep(0.5)
    print(f"{load.right} public answers in {seconds:.0f} s, {len(made)} models")
    assert load.wrong == []
    assert len(set(made)) == len(made)
    assert models(pair) == before | set(made)
