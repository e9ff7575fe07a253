"""Staff's login with sessions: the proxy of compose.login.yaml, with a stand-in for Authelia."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.conftest import STATE
from tests.deployment.login_stub import SESSION
from tests.deployment.museum import Museum

STUB = Path(__file__).parent / "login_stub.py"
FILES = ("compose.yaml", "compose.login.yaml", "compose.stub.yaml")
COMPOSE = """
services:
  login:
    image: localhost/orthanc-stl-plugin:latest
    entrypoint: ["/usr/bin/python3", "/stub.py"]
    volumes: ["./login_stub.py:/stub.py:ro"]
"""
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def museum() -> Iterator[Museum]:
    """A museum whose staff has sessions."""
    made = Museum(Path(STATE) / "login", FILES)
    shutil.copy(STUB, made.folder)
    (made.folder / "compose.stub.yaml").write_text(COMPOSE)
    made.add_staff()
    made.run("./make-login.sh")
    try:
        made.up()
        yield made
    finally:
        made.down()


NOBODY = ("nobody", "no password")


def test_a_page_without_a_session_leads_to_the_login(museum: Museum) -> None:
    answer = museum.staff.get("/app/explorer.html?a=1", auth=NOBODY, headers=PAGE)
    assert answer.status_code == 302
    url = museum.staff.url
    assert answer.headers["Location"] == f"{url}/login/?rd={url}/app/explorer.html?a=1"
    shown = museum.staff.get("/login/?rd=x", auth=NOBODY)
    assert shown.text == f"/login/?rd=x {museum.staff.host}:{museum.staff.port}"


def test_a_script_may_send_a_password_and_is_told_so(museum: Museum) -> None:
    answer = museum.staff.get("/system", auth=NOBODY)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert museum.staff.get("/system").status_code == 200


def test_who_has_a_session_is_let_in_and_named_in_the_log(museum: Museum) -> None:
    told = museum.staff.ask("POST", "/login/api/firstfactor", auth=NOBODY)
    assert "SameSite=Lax" in told.headers["Set-Cookie"]
    museum.staff.session.cookies.clear()
    headers = {"Cookie": SESSION}
    answer = museum.staff.ask(
        "POST", "/tools/lookup", auth=NOBODY, headers=headers, data="of the session"
    )
    assert answer.status_code == 200
    lines = [json.loads(line) for line in museum.logs().splitlines() if '"/tools/lookup"' in line]
    assert lines[-1]["user"] == "bob"
    assert museum.staff.get("/system", auth=NOBODY, headers={"Cookie": "x=y"}).status_code == 401


def test_a_foreign_page_cannot_use_the_session(museum: Museum) -> None:
    headers = {"Cookie": SESSION, "Sec-Fetch-Site": "cross-site"}
    for path in ("/tools/lookup", "/login/api/logout"):
        answer = museum.staff.ask("POST", path, auth=NOBODY, headers=headers)
        assert answer.status_code == 403


def test_the_question_itself_cannot_be_asked_from_outside(museum: Museum) -> None:
    path = "/login/authorization"
    assert museum.staff.get(path, headers={"Cookie": SESSION}).status_code == 404


def test_the_public_host_knows_no_login(museum: Museum) -> None:
    assert museum.public.get("/login/", headers={"Cookie": SESSION}).status_code == 404
    assert museum.public.get("/iiif/collection.json").status_code == 200
