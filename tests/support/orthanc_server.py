"""A real Orthanc for tests: started with the project's own orthanc.json, on free ports."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import requests

PROJECT = Path(__file__).parents[2]
CONFIGURATION = PROJECT / "orthanc.json"
PLUGIN_SCRIPT = "/opt/orthanc-stl-plugin/plugin.py"
START_S = 60
STOP_S = 30


STAFF: Final = {"X-Staff": "6f1c-a-long-random-word"}
PUBLISHED: Final = {
    '"Publish" : { "Label" : "", "StaffHeader" : "", "StaffValue" : "", "UserHeader" : "" }': (
        '"Publish" : { "Label" : "public", "StaffHeader" : "X-Staff", "StaffValue" :'
        f' "{STAFF["X-Staff"]}", "UserHeader" : "X-User" }}'
    )
}
"""What to replace in orthanc.json so that the public sees what has the label `public`."""


class OrthancServer:
    """An Orthanc that lives as long as the `with` block.

    Args:
        replacements: texts of orthanc.json to replace, for other settings or another script.
        environment: further environment variables.
        is_verbose: whether the log tells of every request.
    """

    def __init__(
        self,
        replacements: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        *,
        is_verbose: bool = True,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="orthanc-test-")
        self.folder = Path(self._temporary.name)
        self.spool = self.folder / "spool"
        self.http_port, dicom_port = _free_port(), _free_port()
        self.url = f"http://localhost:{self.http_port}"
        self._environment = {
            **os.environ,
            "HTTP_PORT": str(self.http_port),
            "DICOM_PORT": str(dicom_port),
            "DATA": str(self.folder / "storage"),
            "TEST_SITE_PACKAGES": sysconfig.get_paths()["purelib"],
            **(environment or {}),
        }
        text = CONFIGURATION.read_text()
        replacements = {
            '"SpoolDirectory" : ""': f'"SpoolDirectory" : "{self.spool}"',
            **(replacements or {}),
        }
        for old, new in replacements.items():
            assert text.count(old) == 1, f"orthanc.json holds {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        self._configuration = self.folder / "orthanc.json"
        self._configuration.write_text(text)
        self._command = [
            "Orthanc",
            *(["--verbose"] if is_verbose else []),
            str(self._configuration),
        ]
        self._log_path = self.folder / "log.txt"
        self.session = requests.Session()
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"Orthanc ended with {self.process.returncode}:\n{self.log}")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Orthanc did not answer in {START_S} s:\n{self.log}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process and removes its folder."""
        self.session.close()
        self.stop()
        self._temporary.cleanup()

    def start(self) -> None:
        """Starts the process without waiting for its answer."""
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the process and waits for it."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(STOP_S)

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=120, **options)

    def post(self, path: str, body: object, **options: Any) -> requests.Response:
        """Posts bytes as they are, anything else as JSON."""
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self.session.post(self.url + path, timeout=120, **content, **options)

    def upload(self, dicom: bytes) -> dict[str, str]:
        """Stores a DICOM file; Orthanc's answer has its identifiers (ID, ParentStudy, ...)."""
        answer = self.post("/instances", dicom)
        answer.raise_for_status()
        stored: dict[str, str] = answer.json()
        return stored

    def children(self, process_id: int | None = None) -> list[int]:
        """The processes that this Orthanc has started."""
        parent = process_id or self.process.pid
        path = Path(f"/proc/{parent}/task/{parent}/children")
        if not path.exists():
            return []
        threads = path.parent.parent.glob("*/children")
        return [int(child) for thread in threads for child in thread.read_text().split()]

    def _answers(self) -> bool:
        try:
            return self.get("/system").ok
        except requests.ConnectionError:
            return False


def _free_port() -> int:
    """Below the ports that the system gives to connections: none of these can take it meanwhile."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
