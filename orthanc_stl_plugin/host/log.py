"""Python's logging, written through Orthanc's log."""

from __future__ import annotations

import logging

import orthanc

LOGGER_NAME = "orthanc_stl_plugin"


class OrthancHandler(logging.Handler):
    """Sends a record to Orthanc's log at the level it has."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record, with its traceback when it has one."""
        text = f"{LOGGER_NAME}: {self.format(record)}"
        if record.levelno >= logging.ERROR:
            orthanc.LogError(text)
        elif record.levelno >= logging.WARNING:
            orthanc.LogWarning(text)
        else:
            orthanc.LogInfo(text)


def log_through_orthanc() -> None:
    """Sends all that the package logs to Orthanc; Orthanc's own options choose what is shown."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.handlers = [OrthancHandler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False
