"""move.py http://OTHER:8042 copies all that another Orthanc has into that of this container.

Files, labels, and what users and plugins have added: metadata and attachments from number 1024 on.
Identifiers stay, since Orthanc makes them from those of DICOM.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

OWN = "http://127.0.0.1:8042"
STAFF = Path("/run/secrets/audience/staff")
START_S, ANSWER_S = 120, 600
AT_ONCE = 4


def ask(url: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """The answer of either Orthanc."""
    headers = {"X-Audience": STAFF.read_text().strip(), "Content-Type": "application/octet-stream"}
    request = Request(url, body, headers, method=method)  # noqa: S310
    with urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


def read(url: str) -> Any:
    """The answer's JSON."""
    return json.loads(ask(url))


def await_start(orthanc: str) -> None:
    """Until an Orthanc answers."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            read(f"{orthanc}/system")
        except URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def move_file(other: str, instance: str) -> None:
    """Stores an instance, and sees that it is the same."""
    md5 = f"instances/{instance}/attachments/dicom/md5"
    expected = ask(f"{other}/{md5}")
    try:
        found = ask(f"{OWN}/{md5}")
    except HTTPError as error:
        if error.code != 404:
            raise
        ask(f"{OWN}/instances", "POST", ask(f"{other}/instances/{instance}/file"))
        found = ask(f"{OWN}/{md5}")
    if found != expected:
        raise ValueError(f"instance {instance} is another file than in the backup")


def move_notes(other: str, resource: str) -> None:
    """Labels, metadata and attachments of a patient, study, series or instance."""
    for label in read(f"{other}/{resource}/labels"):
        ask(f"{OWN}/{resource}/labels/{label}", "PUT", b"")
    for kind, tail in (("metadata", ""), ("attachments", "/data")):
        # The other Orthanc knows no names for numbers from 1024 on: the rest is Orthanc's own.
        for number in filter(str.isdigit, read(f"{other}/{resource}/{kind}")):
            value = ask(f"{other}/{resource}/{kind}/{number}{tail}")
            ask(f"{OWN}/{resource}/{kind}/{number}", "PUT", value)


def each(title: str, move: Callable[[str], None], names: Iterable[str]) -> None:
    """Moves all of them, several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        count = sum(1 for _ in pool.map(move, names))
    sys.stdout.write(f"{count} {title}\n")


def main(other: str) -> None:
    """Copies everything."""
    for orthanc in (OWN, other):
        await_start(orthanc)
    each("files", lambda one: move_file(other, one), read(f"{other}/instances"))
    for level in ("patients", "studies", "series", "instances"):
        names = [f"{level}/{one}" for one in read(f"{other}/{level}")]
        each(f"{level} with their labels and metadata", lambda one: move_notes(other, one), names)


if __name__ == "__main__":
    main(sys.argv[1])
