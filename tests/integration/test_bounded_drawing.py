"""Many who ask for large pictures do not keep others out, and leave no work behind."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.support.frame_samples import frame_file, photograph
from tests.support.orthanc_server import OrthancServer

CONNECTIONS = 60
LASTS_S = 10
LONGEST_S = 1.0
EMPTY_AFTER_S = 30


def test_60_connections_asking_for_turned_pictures_leave_system_under_a_second() -> None:
    with OrthancServer(is_verbose=False) as server, ThreadPoolExecutor(CONNECTIONS) as threads:
        instance = server.upload(frame_file(photograph(2000, 1500)))["ID"]
        base = f"{server.url}/instances/{instance}/frames/0/iiif/3"
        end = time.monotonic() + LASTS_S

        def attack(number: int) -> set[int]:
            statuses = set()
            while time.monotonic() < end:
                angle = 1 + number + time.monotonic() % 1
                found = requests.get(f"{base}/full/^3900,/{angle:.6f}/default.png", timeout=60)
                statuses.add(found.status_code)
                assert found.status_code == 200 or int(found.headers["Retry-After"]) > 0
            return statuses

        attacks = [threads.submit(attack, number) for number in range(CONNECTIONS)]
        longest_s = 0.0
        while time.monotonic() < end:
            started = time.monotonic()
            server.get("/system").raise_for_status()
            longest_s = max(longest_s, time.monotonic() - started)
            time.sleep(0.1)
        statuses = set().union(*(one.result() for one in attacks))
        assert time.monotonic() < end + EMPTY_AFTER_S
        assert statuses == {200, 503}
        assert longest_s < LONGEST_S
