"""The plugin's figures among Orthanc's own."""

import time

from tests.support.frame_samples import frame_file, photograph
from tests.support.orthanc_server import OrthancServer

DEADLINE_S = 15
SAMPLE = frame_file(photograph(60, 50), series=5304)


def figures(orthanc: OrthancServer) -> dict[str, float]:
    """The figures of the plugin, by name."""
    lines = orthanc.get("/tools/metrics-prometheus").text.splitlines()
    words = [line.split() for line in lines if line.startswith("orthanc_stl_")]
    return {name.removeprefix("orthanc_stl_"): float(value) for name, value, *_ in words}


def figures_with(orthanc: OrthancServer, name: str, least: float) -> dict[str, float]:
    """The figures, as soon as one has reached a value."""
    deadline = time.monotonic() + DEADLINE_S
    while (now := figures(orthanc)).get(name, -1) < least:
        assert time.monotonic() < deadline, f"{name} stays below {least}: {now}"
        time.sleep(0.2)
    return now


def test_jobs_are_counted_by_state(orthanc: OrthancServer) -> None:
    shown = figures_with(orthanc, "jobs_running", 0)
    states = {"pending", "running", "success", "failure", "paused"}
    assert {name for name in shown if name.startswith("jobs_")} == {f"jobs_{one}" for one in states}


def test_a_picture_that_is_asked_for_twice_is_a_hit(orthanc: OrthancServer) -> None:
    instance = orthanc.upload(SAMPLE)["ID"]
    path = f"/instances/{instance}/frames/0/iiif/3/0,0,50,40/25,/0/gray.png"
    before = figures_with(orthanc, "iiif_response_cache_hits", 0)
    assert orthanc.get(path).status_code == 200
    misses = before["iiif_response_cache_misses"]
    made = figures_with(orthanc, "iiif_response_cache_misses", misses + 1)
    assert orthanc.get(path).status_code == 200
    figures_with(orthanc, "iiif_response_cache_hits", made["iiif_response_cache_hits"] + 1)


def test_the_time_of_pictures_is_told_in_milliseconds(orthanc: OrthancServer) -> None:
    instance = orthanc.upload(SAMPLE)["ID"]
    assert orthanc.get(f"/instances/{instance}/frames/0/iiif/3/full/30,/0/default.jpg").ok
    shown = figures_with(orthanc, "iiif_image_ms", 0)
    assert 0 < shown["iiif_image_ms"] < 60_000
    assert shown["iiif_image_answers"] >= 1
    assert shown["iiif_image_seconds"] > 0
