"""Python's logging, written through Orthanc's log."""

from __future__ import annotations

import logging

import orthanc

LOGGER_NAME = "orthanc_stl_plugin"


class OrthancHandler(logging.Handler):
    """Sends records to Orthanc's log, with their level."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, with its traceback if it has one."""
        text = f"{LOGGER_NAME}: {self.format(record)}"
        if record.levelno >= logging.ERROR:
            orthanc.LogError(text)
        elif record.levelno >= logging.WARNING:
            orthanc.LogWarning(text)
        else:
            orthanc.LogInfo(text)


def log_through_orthanc() -> None:
    """Sends the package's log to Orthanc, whose own options decide what is shown."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.handlers = [OrthancHandler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False
