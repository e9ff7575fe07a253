"""The port to Orthanc's own jobs, with which ours are listed."""

from __future__ import annotations

from typing import Protocol


class HostJobRefused(Exception):
    """The server refuses; `status` is its HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answers {status}")
        self.status = status


class HostJobs(Protocol):
    """The server's own routes below /jobs; `tail` is the rest of the path, such as "/<id>/cancel".

    Every method raises HostJobRefused.
    """

    def get(self, tail: str) -> bytes:
        """The body of the answer."""
        ...

    def post(self, tail: str, body: bytes) -> bytes:
        """The body of the answer."""
        ...

    def delete(self, tail: str) -> None:
        """Deletes the resource."""
        ...
