"""What the two hosts give, and to whom."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deployment.conftest import BURST, RATE, Slide
from tests.deployment.museum import Museum
from tests.support.documentation import documented_routes

TILE = "0,0,256,256/256,/0/default.jpg"
# Orthanc's OpenAPI leaves these out, as it does what plugins add.
FURTHER = (
    "GET /", "GET /system", "GET /statistics", "GET /changes", "GET /patients", "GET /studies",
    "GET /series", "GET /instances", "GET /patients/{id}", "GET /studies/{id}", "GET /series/{id}",
    "GET /instances/{id}", "GET /studies/{id}/labels", "GET /studies/{id}/metadata",
    "GET /studies/{id}/instances", "GET /studies/{id}/series", "GET /instances/{id}/tags",
    "GET /instances/{id}/simplified-tags", "GET /instances/{id}/attachments", "GET /jobs",
    "GET /plugins", "GET /tools/metrics-prometheus", "GET /app/explorer.html", "GET /ui/app/",
    "GET /dicom-web/studies", "GET /wsi/app/viewer.html", "GET /webdav/",
)  # fmt: skip


def orthanc_routes() -> list[str]:
    """Every route of Orthanc's own REST API, as "METHOD /path"."""
    path = Path(os.environ.get("DEPLOYMENT_STATE", "."), "samples/openapi.json")
    described = json.loads(path.read_text())["paths"] if path.exists() else {}
    own = [f"{method.upper()} {path}" for path, ways in described.items() for method in ways]
    return sorted({*own, *FURTHER})


def our_hidden_routes() -> list[str]:
    """The documented routes that are for staff alone."""
    routes = documented_routes()
    return [one for one in routes if "/iiif" not in one and not one.startswith("GET /instances/")]


def filled(path: str, slide: Slide) -> str:
    level = path.split("/")[1]
    identifier = {"studies": slide.study, "series": slide.series}.get(level, slide.instance)
    values = {"{id}": identifier, "{frame}": "0", "{name}": "dicom", "{file...}": "create.html"}
    for name, value in values.items():
        path = path.replace(name, value)
    return path.replace("{", "").replace("}", "")


def test_staff_without_a_password_is_refused(museum: Museum) -> None:
    answer = museum.staff.get("/system", auth=("alice", "wrong password"))
    assert answer.status_code == 401
    answer = museum.staff.get("/system", auth=("orthanc", "orthanc"))
    assert answer.status_code == 401


def test_staff_with_a_password_has_the_whole_of_orthanc(museum: Museum) -> None:
    assert museum.staff.get("/system").json()["Name"] == "Museum of Tests"
    assert museum.staff.get("/app/explorer.html").status_code == 200


def test_the_root_of_the_staff_host_leads_to_the_explorer(museum: Museum) -> None:
    answer = museum.staff.get("/", allow_redirects=True)
    assert answer.url == f"{museum.staff.url}/app/explorer.html"
    assert answer.status_code == 200


def test_a_study_is_given_names_of_its_own(museum: Museum, published: Slide) -> None:
    path = f"/studies/{published.study}/metadata/IIIF"
    assert museum.staff.ask("PUT", path, data=b'{"label": "Amphora"}').ok
    assert "Amphora" in museum.public.get(f"/studies/{published.study}/iiif/manifest.json").text


def test_a_client_that_asks_too_much_is_told_to_wait(museum: Museum, published: Slide) -> None:
    path = f"/series/{published.series}/iiif/3/info.json"
    with ThreadPoolExecutor(8) as clients:
        told = list(clients.map(lambda _: museum.public.get(path).status_code, range(3 * BURST)))
    assert set(told) == {200, 429}
    assert told.count(200) >= BURST
    assert museum.staff.get(path).status_code == 200
    time.sleep(BURST / RATE)
    assert museum.public.get(path).status_code == 200


def test_plain_http_leads_to_tls(museum: Museum) -> None:
    port = museum.ports["HTTP_PORT"]
    answer = museum.public.session.get(
        f"http://{museum.public.host}:{port}/iiif/collection.json", allow_redirects=False
    )
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{museum.public.url}/iiif/collection.json"


def test_the_public_gets_a_tile_of_a_published_slide(museum: Museum, published: Slide) -> None:
    base = f"/series/{published.series}/iiif/3"
    information = museum.public.get(f"{base}/info.json")
    assert information.json()["id"] == museum.public.url + base
    assert (information.json()["width"], information.json()["height"]) == (1200, 900)
    tile = museum.public.get(f"{base}/{TILE}")
    assert (tile.status_code, tile.headers["Content-Type"]) == (200, "image/jpeg")
    assert museum.public.ask("HEAD", f"{base}/{TILE}").status_code == 200


def test_the_public_collection_names_published_studies_alone(
    museum: Museum, published: Slide, hidden: Slide
) -> None:
    text = museum.public.get("/iiif/collection.json").text
    assert published.study in text
    assert hidden.study not in text
    assert hidden.study in museum.staff.get("/iiif/collection.json").text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Audience": "staff"},
        {"x_audience": "staff"},
        {"X-Audience": "staff", "X-Forwarded-Host": "staff.museum.test"},
        {"Connection": "X-Audience"},
    ],
)
def test_no_header_opens_a_hidden_study(
    museum: Museum, hidden: Slide, headers: dict[str, str]
) -> None:
    for path in (
        f"/series/{hidden.series}/iiif/3/info.json",
        f"/series/{hidden.series}/iiif/3/{TILE}",
        f"/series/{hidden.series}/iiif/manifest.json",
        f"/studies/{hidden.study}/iiif/manifest.json",
        f"/instances/{hidden.instance}/frames/0/iiif/3/info.json",
        f"/wsi/iiif/tiles/{hidden.series}/info.json",
    ):
        assert museum.public.get(path, headers=headers).status_code == 404, path


def test_no_header_changes_the_addresses_in_answers(museum: Museum, published: Slide) -> None:
    path = f"/series/{published.series}/iiif/3/info.json"
    forged = {
        "Forwarded": "host=evil.example;proto=http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
    }
    text = museum.public.get(path, headers={**forged, "Accept": "application/forged"}).text
    assert "evil" not in text


@pytest.mark.parametrize("route", orthanc_routes() + our_hidden_routes())
def test_the_public_has_no_other_route(museum: Museum, published: Slide, route: str) -> None:
    method, path = route.split(" ")
    answer = museum.public.ask(method, filled(path, published))
    assert answer.status_code == (404 if method == "GET" else 405)
    assert "Orthanc" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/iiif/../system",
        "/iiif/%2e%2e/system",
        "/stl/app/css/..%2f..%2f..%2fsystem",
        "/stl/app/css//../../../system",
        "/system?/iiif/collection.json",
        "/system;/iiif/collection.json",
        "/system%00/iiif/collection.json",
        "/iiif/collection.json%ff",
        "//system",
        "/series/00000000-00000000-00000000-00000000-00000000/iiif/3/../../study",
    ],
)
def test_no_way_of_writing_a_path_leads_around(museum: Museum, path: str) -> None:
    assert museum.public.status_of_raw(path) in {400, 404}


def test_a_browser_may_ask_from_other_sites(museum: Museum, published: Slide) -> None:
    path = f"/series/{published.series}/iiif/3/info.json"
    asked = {"Origin": "https://portal.example", "Access-Control-Request-Method": "GET"}
    answer = museum.public.ask("OPTIONS", path, headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]
    answer = museum.public.get(path, headers=asked)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_tile_is_made_once_and_asked_for_each_time(museum: Museum, published: Slide) -> None:
    path = f"/series/{published.series}/iiif/3/256,256,300,300/150,/0/gray.png"
    first = museum.public.get(path)
    again = museum.public.get(path)
    assert first.headers["X-Cache"] == "MISS"
    assert again.headers["X-Cache"] == "REVALIDATED"
    assert again.content == first.content
    known = {"If-None-Match": first.headers["ETag"]}
    assert museum.public.get(path, headers=known).status_code == 304


def test_a_study_without_its_label_is_gone_at_once(museum: Museum, published: Slide) -> None:
    path = f"/series/{published.series}/iiif/3/{TILE}"
    label = f"/studies/{published.study}/labels/published"
    assert museum.public.get(path).status_code == 200
    assert museum.staff.ask("DELETE", label).ok
    try:
        assert museum.public.get(path).status_code == 404
    finally:
        assert museum.staff.ask("PUT", label).ok
    assert museum.public.get(path).status_code == 200
    lines = [json.loads(line) for line in museum.logs().splitlines() if "audit: " in line]
    told = [line["message"].partition("audit: ")[2] for line in lines if line["log"] == "orthanc"]
    asked = [line.partition(" asks for ")[2] for line in told if line.startswith("alice (")]
    assert [line for line in asked if label in line][-2:] == [f"DELETE {label}", f"PUT {label}"]


def test_other_names_are_answered_by_nobody(museum: Museum) -> None:
    answer = museum.public.get("/iiif/collection.json", headers={"Host": "other.example"})
    assert answer.status_code == 421


def test_the_containers_cannot_be_written_to_and_are_nobody(museum: Museum) -> None:
    for name in ("orthanc", "proxy"):
        container = f"museumtest_{name}_1"
        assert museum.podman("exec", container, "id", "-u").strip() != "0"
        told = museum.podman("inspect", "--format", "{{.HostConfig.ReadonlyRootfs}}", container)
        assert told.strip() == "true"
        museum.podman("healthcheck", "run", container)


def test_the_image_tells_what_it_is_made_of(museum: Museum) -> None:
    path = "/usr/share/orthanc-stl-plugin.cdx.json"
    bill = json.loads(museum.podman("exec", "museumtest_orthanc_1", "cat", path))
    versions = {one["purl"].split("@")[0]: one["version"] for one in bill["components"]}
    assert {"pkg:pypi/pydicom", "pkg:npm/mirador"} <= set(versions)
    assert {"orthanc", "python3"} <= {one["name"] for one in bill["components"]}
    assert all(versions.values())


def test_metrics_of_the_plugin_are_for_staff(museum: Museum, published: Slide) -> None:
    museum.public.get(f"/series/{published.series}/iiif/3/info.json")
    deadline = time.monotonic() + 30
    while "orthanc_stl_jobs_running" not in (
        text := museum.staff.get("/tools/metrics-prometheus").text
    ):
        assert time.monotonic() < deadline, text
        time.sleep(0.5)
