"""A page of another site, opened where Orthanc can be reached: it must not change anything.

There is no login here: with one, a browser would send it along by itself, or not even ask.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.support import dicom_samples as samples
from tests.support.orthanc_server import OrthancServer

# Chromium sends Sec-Fetch-Site to localhost, as to HTTPS, but not to the others.
HOSTS = {"told by Sec-Fetch-Site": "localhost", "told by Origin": "pacs.example"}
# The last two are Orthanc's own host with another port.
SITES = ("evil.example", "localhost", "pacs.example")
ATTACKS = {
    "link that deletes": "<a id=go href='{there}/studies/{study}?_method=DELETE'>prize</a>",
    "link that publishes": """
        <a id=go href='{there}/studies/{study}/labels/public?_method=PUT'>prize</a>""",
    "form": """<form method=post enctype=text/plain action='{there}/tools/bulk-delete'>
        <input name='{{"Resources":["{study}"],"x":"' value='"}}'>
        <button id=go>prize</button></form>""",
    "image": "<img src='{there}/studies/{study}?_method=DELETE'><p id=go>prize</p>",
    "script": "<script src='{there}/studies/{study}?_method=DELETE'></script><p id=go>prize</p>",
    "fetch": """<p id=go>prize</p><script>
        const simple = {{mode: 'no-cors', credentials: 'include'}};
        const bulk = {{method: 'POST', body: JSON.stringify({{Resources: ['{study}']}})}};
        fetch('{there}/tools/bulk-delete', {{...simple, ...bulk}}).catch(() => 0);
        fetch('{there}/studies/{study}?_method=DELETE', simple).catch(() => 0);
        fetch('{there}/studies/{study}', {{method: 'DELETE'}}).catch(() => 0);
        </script>""",
}


@pytest.fixture
def study(orthanc: OrthancServer) -> str:
    """A study of its own: tests delete it."""
    dataset = samples.ct_datasets(samples.f_volume().astype(np.int16), samples.oblique_affine())[0]
    dataset.StudyInstanceUID += ".9"
    dataset.SeriesInstanceUID += ".9"
    dataset.SOPInstanceUID += ".9"
    return orthanc.upload(samples.file_bytes(dataset))["ParentStudy"]


@pytest.fixture
def evil() -> Iterator[Any]:
    """A web server on another port, with one page; `show(html)` sets it."""

    class Handler(BaseHTTPRequestHandler):
        html = ""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(self.html.encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("hosts", list(product(HOSTS.values(), SITES)), ids="-".join)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_of_another_site_changes_nothing(
    browser: Browser, orthanc: OrthancServer, study: str, evil: Any, attack: str,
    hosts: tuple[str, str],
):  # fmt: skip
    there = f"http://{hosts[0]}:{orthanc.http_port}"
    here = f"http://{hosts[1]}:{evil.server_address[1]}"
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(f"{answer.status} {answer.url}"))
    evil.RequestHandlerClass.html = ATTACKS[attack].format(there=there, study=study)
    page.goto(here)
    page.click("#go")
    page.wait_for_timeout(150)
    page.context.close()
    assert any(one.startswith("403 ") and there in one for one in asked), asked
    assert orthanc.get(f"/studies/{study}").ok
    assert orthanc.get(f"/studies/{study}/labels").json() == []


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_the_servers_own_pages_change_what_they_like(
    browser: Browser, orthanc: OrthancServer, study: str, host: str
):
    there = f"http://{host}:{orthanc.http_port}"
    page = browser.new_context().new_page()
    page.goto(f"{there}/app/explorer.html")
    ask = "([path, method, body]) => fetch(path, {method, body}).then((answer) => answer.status)"
    label = f"/studies/{study}/labels/public"
    assert page.evaluate(ask, [label, "PUT", ""]) == 200
    assert orthanc.get(f"/studies/{study}/labels").json() == ["public"]
    assert page.evaluate(ask, [label, "DELETE", None]) == 200
    bulk = json.dumps({"Resources": [study]})
    assert page.evaluate(ask, ["/tools/bulk-delete", "POST", bulk]) == 200
    page.context.close()
    assert orthanc.get(f"/studies/{study}").status_code == 404


def test_programs_change_what_they_like(orthanc: OrthancServer, study: str):
    own = f"{orthanc.url}/studies/{study}"
    assert orthanc.session.put(f"{own}/labels/public").ok
    assert orthanc.session.get(f"{own}/labels/public?_method=DELETE").ok
    assert orthanc.get(f"/studies/{study}/labels").json() == []
    assert orthanc.session.post(own, headers={"X-HTTP-Method-Override": "DELETE"}).ok
    assert orthanc.get(f"/studies/{study}").status_code == 404
