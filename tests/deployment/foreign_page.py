"""A foreign page in a browser in which staff has logged in: URL USER PASSWORD STUDY.

Prints the status of what the page tries: to publish the study by a link, and to delete it by
forms.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from playwright.sync_api import Page, sync_playwright

PAGE = """<!doctype html><title>Win a vase</title>
<a id="link" href="{url}/studies/{study}/labels/published?_method=PUT">publish</a>
<form id="query" method="post" action="{url}/studies/{study}?_method=DELETE">
<button>1</button></form>
<form id="body" method="post" enctype="text/plain" action="{url}/tools/bulk-delete">
<input name='{{"Resources": ["{study}"], "x": "' value='"}}'><button>2</button></form>
<form id="get" action="{url}/studies/{study}">
<input name="_method" value="DELETE"><button>3</button></form>
"""


def serve(text: str) -> str:
    """The address of a page on another site."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://evil.example:{server.server_port}/"


def click(page: Page, address: str, selector: str) -> str:
    """The status that the browser gets for what is clicked on the page."""
    page.goto(address)
    with page.expect_navigation() as navigation:
        page.click(selector)
    return str(navigation.value.status)


def main(url: str, user: str, password: str, study: str) -> None:
    """Logs in, and then visits the page."""
    address = serve(PAGE.format(url=url, study=study))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--host-resolver-rules=MAP * 127.0.0.1"],
        )
        page = browser.new_context(
            ignore_https_errors=True, http_credentials={"username": user, "password": password}
        ).new_page()
        answer = page.goto(f"{url}/studies/{study}")
        assert answer is not None
        assert answer.ok, answer.status
        print("logged in")
        for selector in ("#link", "#query button", "#body button", "#get button"):
            print(selector, click(page, address, selector))
        answer = page.goto(f"{url}/studies/{study}")
        browser.close()
    if answer is None or not answer.ok:
        raise SystemExit("the study is gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
