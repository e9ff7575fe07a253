import re
from pathlib import Path

import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.pages import page_files, page_routes, viewer_versions
from tests.support.router import Router


@pytest.fixture
def served(tmp_path: Path) -> Router:
    """A page, a script, a viewer, and beside them a file that is nobody's business."""
    (tmp_path / "pages" / "js").mkdir(parents=True)
    (tmp_path / "viewers" / "three-1.2.3").mkdir(parents=True)
    (tmp_path / "pages" / "index.html").write_text("<!DOCTYPE html>")
    for name in ("mirador.html", "viewer.html"):
        (tmp_path / "pages" / name).write_text("<!DOCTYPE html>")
    (tmp_path / "pages" / "js" / "a.js").write_text("export {};")
    (tmp_path / "pages" / "notes.py").write_text("secret")
    (tmp_path / "viewers" / "three-1.2.3" / "three.js").write_text("export {};")
    (tmp_path / "secret.json").write_text("{}")
    return Router(page_routes(page_files(tmp_path / "pages", tmp_path / "viewers"), Settings()))


def got(router: Router, name: str, **headers: str) -> Response:
    return router.respond(Request("GET", f"/stl/app/{name}", headers=headers))


def test_the_bare_address_leads_to_the_start_page(served: Router):
    answer = served.respond(Request("GET", "/stl/app", headers={"host": "museum.example:8042"}))
    assert answer.status == 302
    assert answer.headers["Location"] == "http://museum.example:8042/stl/app/index.html"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("index.html", "text/html; charset=utf-8"), ("js/a.js", "text/javascript; charset=utf-8")],
)
def test_a_file_has_the_type_of_its_name(served: Router, name: str, media_type: str):
    answer = got(served, name)
    assert (answer.status, answer.media_type) == (200, media_type)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../secret.json", "js/../../secret.json", "/etc/passwd", "notes.py", "js", "a.js",
     "js//a.js", "js/a.js/", "viewers/../index.html", "%2e%2e/secret.json", "index.html\0"],
)  # fmt: skip
def test_nothing_but_the_known_files_is_served(served: Router, name: str):
    assert got(served, name).status == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [("mirador.html", 200), ("viewer.html", 200), ("js/a.js", 200),
     ("viewers/three-1.2.3/three.js", 200), ("index.html", 404)],
)  # fmt: skip
def test_the_public_has_the_viewers_and_no_other_page(served: Router, name: str, status: int):
    request = Request("GET", f"/stl/app/{name}", visible_label="published")
    assert served.respond(request).status == status


def test_a_page_takes_scripts_from_this_server_alone(served: Router):
    policy = got(served, "index.html").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_mirador_may_write_styles_into_its_page_but_no_scripts(served: Router):
    policy = got(served, "mirador.html").headers["Content-Security-Policy"]
    assert re.findall(r"[\w-]+ [^;]*unsafe[^;]*", policy) == ["style-src 'self' 'unsafe-inline'"]


def test_pages_may_read_what_lies_below_the_public_address(tmp_path: Path):
    (tmp_path / "zoom.html").write_text("<!DOCTYPE html>")
    [file] = page_files(tmp_path, tmp_path / "absent", "https://museum.example/dicom").values()
    policy = dict(
        part.split(" ", 1) for part in file.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["connect-src"].endswith(" https://museum.example")
    assert policy["img-src"].endswith(" https://museum.example")
    assert policy["script-src"] == "'self'"


def test_an_unchanged_page_is_not_sent_again(served: Router):
    etag = got(served, "index.html").headers["ETag"]
    again = got(served, "index.html", **{"if-none-match": etag})
    assert (again.status, again.body) == (304, b"")


def test_pages_are_asked_for_each_time_and_viewers_never_again(served: Router):
    assert got(served, "index.html").headers["Cache-Control"] == "no-cache"
    assert "immutable" in got(served, "viewers/three-1.2.3/three.js").headers["Cache-Control"]


def test_the_versions_of_the_viewers_are_those_of_their_folders(tmp_path: Path):
    for folder in ("three-1.2.3", "openseadragon-6.1.10", "strange"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.js").write_text("")
    versions = viewer_versions(page_files(tmp_path / "none", tmp_path))
    assert versions == {"three": "1.2.3", "openseadragon": "6.1.10"}


def test_without_viewers_their_address_says_how_to_install_them(tmp_path: Path):
    router = Router(page_routes(page_files(tmp_path, tmp_path / "absent"), Settings()))
    answer = router.respond(Request("GET", "/stl/app/viewers/three-1.2.3/three.js"))
    assert answer.status == 404
    assert b"docker/install.sh" in answer.body
