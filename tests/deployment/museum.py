"""A museum in containers: docker/ as an administrator would use it, under names of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import requests

DOCKER = Path(__file__).parents[2] / "docker"
PROJECT = "museumtest"
STAFF_HOST, PUBLIC_HOST = "staff.museum.test", "iiif.museum.test"
USER, PASSWORD = "alice", "a password of this test"
START_S = 90
COMMAND_S = 300
TIMED_OUT = 124  # the status of timeout(1)


@contextmanager
def resolving() -> Iterator[None]:
    """The museum's hosts are this machine."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *others: Any, **named: Any) -> Any:
        is_ours = isinstance(host, str) and host.endswith(".museum.test")
        return resolve("127.0.0.1" if is_ours else host, *others, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolved)
        yield


class Face:
    """One of the hosts."""

    def __init__(self, host: str, port: int, certificate: Path) -> None:
        self.url = f"https://{host}:{port}"
        self.host, self.port = host, port
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(certificate)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """The answer, redirects not followed."""
        options = {"timeout": 120, "allow_redirects": False, **options}
        return self.session.request(method, self.url + path, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """The answer to GET."""
        return self.ask("GET", path, **options)

    def status_of_raw(self, path: str) -> int:
        """The status of a path that is sent as it is written."""
        context = ssl.create_default_context(cafile=str(self.session.verify))
        connection = HTTPSConnection(self.host, self.port, context=context, timeout=30)
        connection.putrequest("GET", path)
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status


class Museum:
    """The containers.

    Args:
        folder: where the copy of docker/ goes.
        files: the compose files.
        services: those that serve HTTP as Orthanc.
        settings: further lines of .env.
    """

    def __init__(
        self,
        folder: Path,
        files: tuple[str, ...] = ("compose.yaml",),
        services: tuple[str, ...] = ("orthanc",),
        settings: dict[str, str] | None = None,
    ) -> None:
        self.folder, self.files, self.services = folder, files, services
        shutil.rmtree(folder, ignore_errors=True)
        ignored = shutil.ignore_patterns("secrets", ".env", "backups")
        shutil.copytree(DOCKER, folder, ignore=ignored)
        self.ports = {name: _free_port() for name in ("HTTP_PORT", "HTTPS_PORT", "DICOM_PORT")}
        lines = {
            "MUSEUM_NAME": "Museum of Tests",
            "STAFF_HOST": STAFF_HOST,
            "PUBLIC_HOST": PUBLIC_HOST,
            "ADDRESS": "127.0.0.1",
            **self.ports,
            **(settings or {}),
        }
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        (folder / ".env").write_text(text)
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILES": " ".join(files),
            "ENGINE": "podman",
            "COMPOSE": "podman-compose",
        }
        self.staff: Face
        self.public: Face

    def add_staff(self) -> None:
        """Makes the account of the tests."""
        self.run("./add-staff.sh", USER, input=PASSWORD + "\n")

    def up(self) -> None:
        """Makes and starts everything, and waits until Orthanc answers."""
        self.compose("up", "-d", "--no-build")
        certificate = self._certificate()
        self.staff = Face(STAFF_HOST, self.ports["HTTPS_PORT"], certificate)
        self.staff.session.auth = (USER, PASSWORD)
        self.public = Face(PUBLIC_HOST, self.ports["HTTPS_PORT"], certificate)
        self.await_orthanc()

    def down(self) -> None:
        """Removes the containers and all that they have stored."""
        self.compose("down", "--volumes", "--timeout", "10")

    def await_orthanc(self) -> None:
        """Waits until staff gets an answer."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                if self.staff.get("/system").status_code == 200:
                    return
            except requests.ConnectionError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"no answer in {START_S} s:\n{self.logs()}")
            time.sleep(0.3)

    def compose(self, *arguments: str) -> None:
        """podman-compose, with the files of this museum."""
        files = [word for name in self.files for word in ("--file", name)]
        self.run("podman-compose", "--project-name", PROJECT, *files, *arguments)

    def podman(self, *arguments: str) -> str:
        return self.run("podman", *arguments)

    def run(self, *command: str, input: str = "") -> str:  # noqa: A002
        """The output of a command in the folder; fails with all that it said."""
        done = self._done(*command, input=input)
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def fail(self, *command: str) -> str:
        """What a command in the folder said before it ended with an error."""
        done = self._done(*command)
        assert done.returncode not in {0, TIMED_OUT}, f"{command} ended well:\n{done.stdout}"
        return done.stderr

    def _done(self, *command: str, input: str = "") -> subprocess.CompletedProcess[str]:  # noqa: A002
        # podman-compose waits for ever for a container that could not be started.
        return subprocess.run(
            ("timeout", f"{COMMAND_S}", *command),
            cwd=self.folder,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )

    def logs(self) -> str:
        """What the containers have logged."""
        names = [f"{PROJECT}_{name}_1" for name in (*self.services, "proxy")]
        told = [
            subprocess.run(["podman", "logs", name], capture_output=True, text=True, check=False)
            for name in names
        ]
        return "\n".join(one.stdout + one.stderr for one in told)

    def _certificate(self) -> Path:
        """The one that the proxy has made."""
        path = self.folder / "tls.crt"
        deadline = time.monotonic() + START_S
        while not path.exists() or not path.stat().st_size:
            assert time.monotonic() < deadline, self.logs()
            done = subprocess.run(
                ["podman", "exec", f"{PROJECT}_proxy_1", "cat", "/var/lib/proxy/tls.crt"],
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                path.write_bytes(done.stdout)
            time.sleep(0.3)
        return path


def _free_port() -> int:
    """One that no connection takes by chance before the container has it: these get higher ones."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = secrets.choice(range(first // 2, first))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
