"""The port to the jobs of the server itself, beside which ours are shown."""

from __future__ import annotations

from typing import Protocol


class HostJobRefused(Exception):
    """The server refuses; `status` is the HTTP status that it answers itself."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answers {status}")
        self.status = status


class HostJobs(Protocol):
    """The server's own routes below /jobs; `tail` is what follows, for example "/<id>/cancel".

    Every method raises HostJobRefused.
    """

    def get(self, tail: str) -> bytes:
        """The body of the answer."""
        ...

    def post(self, tail: str, body: bytes) -> bytes:
        """The body of the answer."""
        ...

    def delete(self, tail: str) -> None:
        """Removes what is there."""
        ...
