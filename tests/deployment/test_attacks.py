"""What the proxy refuses: pages of other sites, disguised methods, guesses, costly pictures."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deployment.conftest import DRAWN_BURST, LOCKOUT_S, UPLOAD_LIMIT_MIB, Slide
from tests.deployment.museum import PASSWORD, USER, Museum

TOP = Path(__file__).parents[2]
GUESSES = 10
METHODS = ("_method=DELETE", "a=1&_method=PUT", "%5fmethod=DELETE", "_%6Detho%64=DELETE", "_method")


@pytest.fixture
def nobody_is_locked_out() -> None:
    """Lets the wrong passwords of other tests be forgotten."""
    time.sleep(LOCKOUT_S)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_header_does_not_change_the_method(museum: Museum, hidden: Slide, method: str) -> None:
    path = f"/studies/{hidden.study}"
    for value in ("DELETE", "PUT"):
        museum.staff.ask(method, path, headers={"X-HTTP-Method-Override": value})
        museum.public.ask(method, path, headers={"X-HTTP-Method-Override": value})
    assert museum.staff.get(path).status_code == 200
    label = f"{path}/labels/published"
    museum.staff.ask(method, label, headers={"X-HTTP-Method-Override": "PUT"})
    assert museum.staff.get(f"{path}/labels").json() == []


@pytest.mark.parametrize("query", METHODS)
def test_a_query_does_not_change_the_method(museum: Museum, hidden: Slide, query: str) -> None:
    path = f"/studies/{hidden.study}"
    for face in (museum.staff, museum.public):
        assert face.get(f"{path}?{query}").status_code == 400
    assert museum.staff.ask("POST", f"{path}?{query}").status_code == 400
    assert museum.staff.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 200),
        ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": "{staff}"}, 200),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Origin": "https://evil.example"}, 403),
        ("POST", {"Origin": "{public}"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ("GET", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
    ],
)
def test_pages_of_other_sites_can_do_nothing(
    museum: Museum, hidden: Slide, method: str, headers: dict[str, str], status: int
) -> None:
    faces = {"staff": museum.staff.url, "public": museum.public.url}
    told = {name: value.format(**faces) for name, value in headers.items()}
    path = "/tools/lookup" if method == "POST" else "/system"
    answer = museum.staff.ask(method, path, headers=told, data="1.2.3" if method == "POST" else "")
    assert answer.status_code == status


@pytest.mark.parametrize(("dest", "status"), [("document", 200), ("iframe", 403), ("image", 403)])
def test_pages_of_other_sites_may_lead_to_a_page_of_staff(
    museum: Museum, dest: str, status: int
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = museum.staff.get("/app/explorer.html", headers={**headers, "Sec-Fetch-Dest": dest})
    assert answer.status_code == status


def test_a_foreign_page_in_a_browser_that_has_logged_in_changes_nothing(
    museum: Museum, hidden: Slide
) -> None:
    program = ["docker/root.sh", "python", "-m", "tests.deployment.foreign_page"]
    program += [museum.staff.url, USER, PASSWORD, hidden.study]
    done = subprocess.run(program, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "logged in" in done.stdout
    assert done.stdout.count("403") + done.stdout.count("400") == 4, done.stdout
    assert museum.staff.get(f"/studies/{hidden.study}/labels").json() == []


def test_bytes_beyond_ascii_in_a_header_are_refused(museum: Museum, published: Slide) -> None:
    path = f"/series/{published.series}/iiif/3/info.json"
    for face in (museum.staff, museum.public):
        for name in ("User-Agent", "Accept", "X-Anything"):
            answer = face.get(path, headers={name: b"caf\xe9"})
            assert answer.status_code == 400
        assert face.get(path).status_code == 200


@pytest.mark.usefixtures("nobody_is_locked_out")
def test_the_log_is_json_whatever_bytes_a_client_sends(museum: Museum) -> None:
    assert museum.public.get("/caf%E9").status_code == 400
    assert museum.staff.get("/caf%C3%A9").status_code == 404
    assert museum.staff.get("/system", auth=(b"caf\xe9", b"password")).status_code == 401
    logged = [line for line in museum.logs().splitlines() if '"log":"request"' in line]
    paths = {json.loads(line)["path"] for line in logged}
    assert {"(not UTF-8)", "/café"} <= paths


def test_an_upload_beyond_the_limit_is_refused_at_once(museum: Museum) -> None:
    answer = museum.staff.ask("POST", "/instances", data=bytes((UPLOAD_LIMIT_MIB << 20) + 1))
    assert answer.status_code == 413


def add_account(museum: Museum, name: str, password: str) -> tuple[str, str]:
    museum.run("./add-staff.sh", name, input=password + "\n")
    return name, password


@pytest.mark.usefixtures("nobody_is_locked_out")
def test_who_guesses_is_locked_out_and_who_works_is_not(museum: Museum) -> None:
    bob = add_account(museum, "bob", "the password of bob")
    assert museum.staff.get("/system").status_code == 200
    began = time.monotonic()
    guesses = [
        museum.staff.get("/system", auth=("bob", f"a wrong password {number}")).status_code
        for number in range(GUESSES)
    ]
    assert guesses == [401] * GUESSES
    locked = museum.staff.get("/system", auth=bob)
    assert locked.status_code == 429
    assert 0 < int(locked.headers["Retry-After"]) <= LOCKOUT_S
    assert museum.staff.get("/system").status_code == 200
    time.sleep(LOCKOUT_S - (time.monotonic() - began) + 0.2)
    assert museum.staff.get("/system", auth=bob).status_code == 200


@pytest.mark.usefixtures("nobody_is_locked_out")
def test_a_name_that_does_not_exist_takes_as_long_as_one_that_does(museum: Museum) -> None:
    taken: dict[str, list[float]] = {USER: [], "nobody": []}
    for number in range(GUESSES):
        name = (USER, "nobody")[number % 2]
        began = time.perf_counter()
        assert museum.staff.get("/proxy", auth=(name, "wrong" * 60)).status_code == 401
        taken[name].append(time.perf_counter() - began)
        time.sleep(0.1)
    # Of a few: the shortest is the one that nothing else has disturbed.
    assert min(taken["nobody"]) > 0.6 * min(taken[USER])


@pytest.mark.usefixtures("nobody_is_locked_out")
def test_a_new_password_counts_at_once(museum: Museum) -> None:
    old = add_account(museum, "carol", "an old password of carol")
    assert museum.staff.get("/system", auth=old).status_code == 200
    new = add_account(museum, "carol", "a new password of carol")
    assert museum.staff.get("/system", auth=old).status_code == 401
    assert museum.staff.get("/system", auth=new).status_code == 200


def test_pictures_that_cost_much_are_few_and_staff_waits_for_none(
    museum: Museum, published: Slide
) -> None:
    base = f"/series/{published.series}/iiif/3"
    until = time.monotonic() + 5

    def draw(number: int) -> set[int]:
        told = set()
        while time.monotonic() < until:
            path = f"{base}/full/^2400,/{time.perf_counter_ns() % 359 + 0.5}/default.png"
            told.add(museum.public.get(path).status_code)
            time.sleep(0.02)
        return told

    with ThreadPoolExecutor(60) as clients:
        drawing = [clients.submit(draw, number) for number in range(60)]
        waited = []
        while time.monotonic() < until:
            began = time.monotonic()
            assert museum.staff.get("/system").status_code == 200
            waited.append(time.monotonic() - began)
        told = set().union(*(one.result() for one in drawing))
    assert 429 in told
    assert told <= {200, 429, 503}
    assert max(waited) < 1


def test_tiles_of_a_client_are_not_counted_as_costly(museum: Museum, published: Slide) -> None:
    time.sleep(5)  # for what the test before has asked for
    base = f"/series/{published.series}/iiif/3"
    for number in range(2 * DRAWN_BURST):
        answer = museum.public.get(f"{base}/{number},0,256,256/128,/90/default.jpg")
        assert answer.status_code == 200
    told = [
        museum.public.get(f"{base}/full/100,/{n}.5/default.png") for n in range(3 * DRAWN_BURST)
    ]
    assert {one.status_code for one in told} == {200, 429}
