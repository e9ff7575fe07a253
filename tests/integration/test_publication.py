"""The public face of a real Orthanc, with forged headers of every kind."""

import base64
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.integration.test_presentation import film, noise, photograph
from tests.support.dicom_samples import file_bytes
from tests.support.iiif_crawler import Crawler
from tests.support.orthanc_server import PUBLISHED, STAFF, OrthancServer
from tools.demo import figurine

WORD = STAFF["X-Staff"]
RULE = {**PUBLISHED, '"Workers" : 0': '"Workers" : 1'}


@dataclass
class Museum:
    """A server with a published study of photographs and a model, and a hidden film."""

    server: OrthancServer
    visitor: requests.Session
    shown: dict[str, str]
    model: str
    hidden: dict[str, str]

    def paths(self, stored: dict[str, str]) -> list[str]:
        """Addresses of everything that tells of an instance."""
        study, series = stored["ParentStudy"], stored["ParentSeries"]
        return [
            f"/studies/{study}/iiif/manifest.json",
            f"/studies/{study}/iiif/collection.json",
            f"/studies/{study}/iiif/dicom.json",
            f"/series/{series}/iiif/manifest.json",
            f"/instances/{stored['ID']}/iiif/manifest.json",
            f"/patients/{stored['ParentPatient']}/iiif/collection.json",
            f"/instances/{stored['ID']}/frames/0/iiif/3/info.json",
            f"/instances/{stored['ID']}/frames/0/iiif/2/info.json",
            f"/instances/{stored['ID']}/frames/0/iiif/3/full/max/0/default.jpg",
            f"/wsi/iiif/frames/{stored['ID']}/0/info.json",
            f"/wsi/iiif/series/{series}/manifest.json",
            f"/wsi/iiif/frames-pyramids/{stored['ID']}/0/manifest.json",
        ]

    def get(self, path: str, **options: Any) -> requests.Response:
        """What a visitor gets; the session of the server is that of staff."""
        return self.visitor.get(self.server.url + path, timeout=120, **options)

    def label(self, *, is_public: bool) -> None:
        address = f"{self.server.url}/studies/{self.shown['ParentStudy']}/labels/public"
        verb = self.server.session.put if is_public else self.server.session.delete
        assert verb(address).ok


@pytest.fixture(scope="module")
def museum() -> Iterator[Museum]:
    server = OrthancServer(RULE)
    server.session.headers.update(STAFF)
    with server, requests.Session() as visitor:
        shown = server.upload(file_bytes(photograph(1, noise(1, 30, 20))))
        hidden = server.upload(file_bytes(film()))
        nifti = base64.b64encode(figurine.nifti(figurine.mask(figurine.scan()))).decode()
        body = {"Nifti": nifti, "ParentStudy": shown["ParentStudy"], "Resolution": 32}
        model = server.post("/stl/encode-nifti", body)
        assert model.ok, model.text
        museum = Museum(server, visitor, shown, model.json()["ID"], hidden)
        museum.label(is_public=True)
        yield museum


def test_the_public_gets_everything_of_a_published_study(museum: Museum):
    for path in museum.paths(museum.shown):
        answer = museum.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["Cache-Control"] == "no-cache"
    for form in ("stl", "glb", "obj", "preview-3d?size=32"):
        assert museum.get(f"/instances/{museum.model}/{form}").status_code == 200


def test_everything_that_the_public_can_reach_opens(museum: Museum):
    documents = museum_documents(museum)
    assert [document["type"] for document in documents].count("Manifest") == 1
    assert museum.hidden["ParentStudy"] not in str(documents)


def museum_documents(museum: Museum) -> list[dict[str, object]]:
    crawler = Crawler(museum.server.url, expects_provider=False)
    return crawler.everything(f"{museum.server.url}/iiif/collection.json")


FORGED = [
    {},
    {"X-Staff": "1"},
    {"X-Staff": WORD.upper()},
    {"X-Staff": f"{WORD}x"},
    {"X-Staff": f"{WORD},{WORD}"},
    {"X_Staff": WORD},
    {"X-Staff-": WORD},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1"},
    {"Authorization": f"Bearer {WORD}", "Cookie": f"X-Staff={WORD}"},
]


@pytest.mark.parametrize("headers", FORGED)
def test_nothing_else_is_found_whatever_a_client_claims(museum: Museum, headers: dict[str, str]):
    for path in museum.paths(museum.hidden):
        assert museum.get(path, headers=headers).status_code == 404, path
        assert museum.get(f"{path}?X-Staff={WORD}", headers=headers).status_code == 404


def test_staff_finds_it(museum: Museum):
    for path in museum.paths(museum.hidden):
        assert museum.get(path, headers=STAFF).status_code == 200, path


@pytest.mark.parametrize("order", [("wrong", WORD), (WORD, "wrong"), (WORD, WORD)])
def test_of_a_header_that_is_sent_twice_the_first_counts(museum: Museum, order: tuple[str, str]):
    """Orthanc keeps the first, the client's: a proxy must replace it, and the word stay secret."""
    path = museum.paths(museum.hidden)[0]
    lines = "".join(f"X-Staff: {value}\r\n" for value in order)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", museum.server.http_port), timeout=30) as connection:
        connection.sendall(request.encode())
        status = connection.recv(4096).split()[1]
    assert status == (b"200" if order[0] == WORD else b"404")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs"),
        ("GET", "/jobs/nope"),
        ("POST", "/stl/encode-nifti"),
        ("POST", "/stl/encode-series"),
        ("GET", "/stl/encode-nifti"),
        ("GET", "/stl/seg/nope"),
        ("POST", "/iiif/collection.json"),
        ("DELETE", "/iiif/collection.json"),
    ],
)
def test_the_rest_of_the_plugin_is_not_there_for_the_public(museum: Museum, method: str, path: str):
    body = b"{}" if method == "POST" else None
    answer = museum.visitor.request(method, museum.server.url + path, data=body)
    assert answer.status_code == 404


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize(
    "path",
    [
        "/system",
        "/instances",
        "/studies/{ParentStudy}",
        "/instances/{ID}/file",
        "/instances/{ID}/frames/0/raw",
        "/instances/{ID}/frames/0/iiif/../raw",
        "/tools/../system",
        "/app/explorer.html",
    ],
)
def test_orthancs_own_addresses_are_closed_to_the_public(
    museum: Museum, path: str, headers: dict[str, str]
):
    address = path.format_map(museum.shown)
    assert museum.get(address, headers=headers).status_code in {403, 404}
    assert museum.visitor.post(f"{museum.server.url}/tools/find", data=b"{}").status_code == 403


def test_orthancs_own_addresses_are_open_to_staff(museum: Museum):
    for path in ("/system", "/instances", f"/instances/{museum.shown['ID']}/file"):
        assert museum.server.get(path).status_code == 200


def test_a_study_that_is_withdrawn_is_gone_at_once(museum: Museum):
    path = museum.paths(museum.shown)[0]
    etag = museum.get(path).headers["ETag"]
    known = {"If-None-Match": etag}
    assert museum.get(path, headers=known).status_code == 304
    assert withdrawals(museum) == []
    museum.label(is_public=False)
    try:
        for one in museum.paths(museum.shown):
            assert museum.get(one, headers=known).status_code == 404, one
        assert museum.get("/iiif/collection.json").json()["items"] == []
        assert withdrawals(museum) == [museum.shown["ParentStudy"]]
    finally:
        museum.label(is_public=True)
    assert museum.get(path).status_code == 200
    assert withdrawals(museum) == []


def withdrawals(museum: Museum) -> list[str]:
    page = museum.get("/iiif/discovery/page-0.json").json()
    return [
        one["object"]["id"].split("/")[4] for one in page["orderedItems"] if one["type"] == "Delete"
    ]
