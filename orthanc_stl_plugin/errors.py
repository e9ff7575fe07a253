"""The errors that a client can cause or meet; each class carries its HTTP status.

PluginError
|- BadRequest       400  the request itself is wrong
|- NotFound         404  no such resource
|- Conflict         409  the resource is in a state that forbids it
|  `- Cancelled     409  somebody cancelled the job
|- TooLarge         413  a limit of the settings is exceeded
|- UnusableSource   422  the request is fine, what it points to cannot be used
|- NotSupported     501  valid, but not built
|- Busy             503  try again later
|- WorkerDied       500  a worker process ended without an answer
|- ArchiveRefused   500  Orthanc refused what this plugin asked of it
ConfigurationError       Orthanc must not start

Each is raised with the code and the parameters of its sentence, as in NotFound("NoSuchJob",
job_id=job_id); pages/sentences/en.json has the English texts. A sentence names the value and the
limit. It never holds patient data: Orthanc identifiers, UIDs, numbers and names of structures only.
"""

from __future__ import annotations

from typing import Final

from orthanc_stl_plugin.sentences import Sentence

_LONGEST_QUOTE: Final = 80


class PluginError(Exception):
    """Something that is answered with its own status and its own sentence.

    Args:
        code: of the sentence, or the sentence itself.
        values: its parameters.
    """

    status = 500

    def __init__(self, code: str, /, **values: object) -> None:
        self.sentence = code if isinstance(code, Sentence) else Sentence(code, **values)
        super().__init__(self.sentence)


class BadRequest(PluginError):
    """The request itself is wrong: syntax, type or range of a value."""

    status = 400


class NotFound(PluginError):
    """The resource that the address or the body names does not exist."""

    status = 404


class Conflict(PluginError):
    """The resource exists, but its state forbids what was asked."""

    status = 409


class Cancelled(Conflict):
    """Somebody cancelled the job that this request was waiting for."""


class TooLarge(PluginError):
    """A limit of the settings is exceeded."""

    status = 413


class UnusableSource(PluginError):
    """The request is well formed, but its source holds nothing that can be used."""

    status = 422


class NotSupported(PluginError):
    """Valid by its standard, but not built here."""

    status = 501


class Busy(PluginError):
    """No capacity at the moment."""

    status = 503

    def __init__(self, code: str, /, *, retry_after_s: int = 5, **values: object) -> None:
        super().__init__(code, **values)
        self.retry_after_s = retry_after_s


class WorkerDied(PluginError):
    """A worker process ended (killed, or out of memory) before it gave its answer."""


class ArchiveRefused(PluginError):
    """Orthanc refused an operation that this plugin needs."""


class ConfigurationError(Exception):
    """A setting is unknown or has a bad value: Orthanc must not start with it."""


def quoted(value: object) -> str:
    """A client's value for a message, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
