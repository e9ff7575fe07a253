#!/usr/bin/env python3
"""logged.py Orthanc /etc/museum runs a program and writes each line of its log as JSON.

Signals go to the program, and its exit status is that of this one. A line that is not of Orthanc's
form becomes a message without level, thread and source.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread
from typing import IO

# For instance "W1122 18:56:49.584095             MAIN main.cpp:946] Orthanc has started".
LINE = re.compile(r"([EWITF])\d{4} \d\d:\d\d:\d\d\.\d+ +(?:(.+?) +)?(\S+:\d+)\] (.*)")
LEVELS = {"E": "error", "W": "warning", "I": "info", "T": "trace", "F": "fatal"}
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
LAST_LINES_S = 2


def as_json(line: str) -> str:
    """One line of the log, with the time at which it was read."""
    told = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "log": "orthanc"}
    if found := LINE.fullmatch(line):
        level, thread, source, line = found.groups()
        told |= {"level": LEVELS[level], "thread": thread or "", "source": source}
    return json.dumps(told | {"message": line})


def rewrite(log: IO[str]) -> None:
    """Until the log ends; where nobody reads any more, the program must not wait for us."""
    for line in log:
        with suppress(OSError):
            sys.stdout.write(as_json(line.rstrip("\n")) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Runs the program in the arguments."""
    for number in PASSED_ON:  # what was ignored here, as under nohup, would be ignored there
        signal.signal(number, signal.SIG_DFL)
    # Blocked, and waited for: a handler of Python's would not run while the program is waited for.
    awaited = {*PASSED_ON, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    reading, writing = os.pipe()
    program = subprocess.Popen(  # noqa: S603
        sys.argv[1:],
        stdout=writing,
        stderr=writing,
        # No thread runs yet.
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited),  # noqa: PLW1509
    )
    os.close(writing)
    log = os.fdopen(reading, encoding="utf-8", errors="replace")
    reader = Thread(target=rewrite, args=(log,), daemon=True)
    reader.start()
    while (status := program.poll()) is None:
        if (number := signal.sigwait(awaited)) != signal.SIGCHLD:
            program.send_signal(number)
    # A process that the program has left behind could keep the log open for ever.
    reader.join(LAST_LINES_S)
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
