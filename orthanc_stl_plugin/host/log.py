"""Python's logging, written through Orthanc's log."""

from __future__ import annotations

import logging

import orthanc

LOGGER_NAME = "orthanc_stl_plugin"


class OrthancHandler(logging.Handler):
    """Sends records to Orthanc's log, with their level."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, with its traceback if it has one."""
        text = _writable(f"{LOGGER_NAME}: {self.format(record)}")
        if record.levelno >= logging.ERROR:
            orthanc.LogError(text)
        elif record.levelno >= logging.WARNING:
            orthanc.LogWarning(text)
        else:
            orthanc.LogInfo(text)


def _writable(text: str) -> str:
    """The text as a C string in UTF-8 can hold it; names in broken files may hold anything."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def log_through_orthanc() -> None:
    """Sends the package's log to Orthanc, whose own options decide what is shown."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.handlers = [OrthancHandler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False
