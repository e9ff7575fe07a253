"""Answers as Authelia does at the addresses that the proxy asks, for tests of the proxy."""

import os
import signal
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SESSION = "authelia_session=of-bob"
SCRIPT = "Basic " + b64encode(b"alice:a password of this test").decode()


class Login(BaseHTTPRequestHandler):
    """One session, of bob, and one name with a password, alice."""

    def do_GET(self) -> None:
        if self.path != "/login/api/authz/auth-request":
            self.answer(200, {}, f"{self.path} {self.headers['X-Forwarded-Host']}")
        elif self.headers["Cookie"] == SESSION:
            self.answer(200, {"Remote-User": "bob"})
        elif self.headers["Authorization"] == SCRIPT:
            self.answer(200, {"Remote-User": "alice"})
        else:
            target = self.headers["X-Original-URL"]
            base = "/".join(target.split("/")[:3])
            self.answer(401, {"Location": f"{base}/login/?rd={target}"})

    def do_POST(self) -> None:
        cookie = f"{SESSION}; path=/; HttpOnly; secure; SameSite=Lax"
        self.answer(200, {"Set-Cookie": cookie}, "OK")

    def answer(self, status: int, headers: dict[str, str], text: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer(("", 9091), Login).serve_forever()
