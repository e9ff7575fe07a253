"""The log of the container: what docker/container/logged.py makes of a program's."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

LOGGED = Path(__file__).parents[2] / "docker/container/logged.py"


def started(script: str) -> subprocess.Popen[str]:
    """A shell script under the program, started by one that ignores signals, as nohup does."""
    ignoring = f"trap '' HUP INT; exec {sys.executable} {LOGGED} sh -c \"$1\""
    command = ["sh", "-c", ignoring, "sh", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lines(script: str) -> list[dict[str, Any]]:
    told, _ = started(script).communicate(timeout=20)
    return [json.loads(line) for line in told.splitlines()]


def test_a_line_of_orthanc_is_taken_apart() -> None:
    (line,) = lines('echo "W1122 18:56:49.584155             MAIN main.cpp:946] Orthanc is up" >&2')
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "log": "orthanc",
        "level": "warning",
        "thread": "MAIN",
        "source": "main.cpp:946",
        "message": "Orthanc is up",
    }


def test_a_line_of_a_plugin_without_thread_is_taken_apart() -> None:
    (line,) = lines('echo "E1122 18:56:49.584155 python:/Plugin.cpp:482] a [b] c"')
    assert (line["level"], line["thread"]) == ("error", "")
    assert (line["source"], line["message"]) == ("python:/Plugin.cpp:482", "a [b] c")


def test_any_other_line_is_a_message() -> None:
    told = lines("printf 'Traceback:\\n  \"x\"\\n\\377\\n'")
    assert [one["message"] for one in told] == ["Traceback:", '  "x"', "\ufffd"]
    assert all("level" not in one for one in told)


def test_the_last_line_comes_without_its_end() -> None:
    assert [one["message"] for one in lines("printf last")] == ["last"]


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_status_is_that_of_the_program(script: str, status: int) -> None:
    with started(script) as logged:
        logged.communicate(timeout=20)
    assert logged.returncode == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_program(number: signal.Signals) -> None:
    script = (
        f"trap 'echo stopping; exit 3' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    )
    with started(script) as logged:
        assert logged.stdout is not None
        assert json.loads(logged.stdout.readline())["message"] == "ready"
        logged.send_signal(number)
        assert json.loads(logged.stdout.readline())["message"] == "stopping"
        assert logged.wait(timeout=20) == 3


def test_a_process_left_behind_does_not_hold_up_the_end() -> None:
    with started("sleep 30 & echo $!; exit 4") as logged:
        assert logged.stdout is not None
        left = int(json.loads(logged.stdout.readline())["message"])
        began = time.monotonic()
        assert logged.wait(timeout=20) == 4
        assert time.monotonic() - began < 10
    subprocess.run(["kill", str(left)], check=True)


def test_a_program_runs_on_when_nobody_reads_its_log() -> None:
    script = "echo one; sleep 0.3; i=0; while [ $i -lt 9000 ]; do echo 1234567890; i=$((i+1)); done"
    with started(f"{script}; exit 5") as logged:
        assert logged.stdout is not None
        logged.stdout.readline()
        logged.stdout.close()
        assert logged.wait(timeout=20) == 5
