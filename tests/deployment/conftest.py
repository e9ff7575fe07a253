"""Tests of the containers: `make test-deployment` runs them, on the machine itself."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deployment.museum import Museum, resolving

STATE = os.environ.get("DEPLOYMENT_STATE", "")
RATE, BURST = 20, 100
DRAWN_BURST, LOCKOUT_S, UPLOAD_LIMIT_MIB = 10, 4, 16
if not STATE:
    collect_ignore_glob = ["test_*.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the replicas are under load."""
    parser.addoption("--load-seconds", default="30")


@pytest.fixture(scope="session", autouse=True)
def _names() -> Iterator[None]:
    """The museum's hosts are this machine."""
    with resolving():
        yield


def contents(museum: Museum) -> dict[str, bytes]:
    """Every stored file, by its instance."""
    return {
        one: museum.staff.get(f"/instances/{one}/file").content
        for one in museum.staff.get("/instances").json()
    }


@pytest.fixture(scope="module")
def museum() -> Iterator[Museum]:
    """A running museum."""
    limits = {
        "PUBLIC_RATE": str(RATE),
        "PUBLIC_BURST": str(BURST),
        "DRAWN_BURST": str(DRAWN_BURST),
        "LOCKOUT_S": str(LOCKOUT_S),
        "UPLOAD_LIMIT": f"{UPLOAD_LIMIT_MIB}m",
    }
    made = Museum(Path(STATE) / "museum", settings=limits)
    made.add_staff()
    try:
        made.up()
        yield made
    finally:
        made.down()


@dataclass(frozen=True)
class Slide:
    """Identifiers of a stored slide."""

    study: str
    series: str
    instance: str


def stored(museum: Museum, folder: Path) -> Slide:
    """Stores the files of a slide."""
    told: dict[str, str] = {}
    for path in sorted(folder.glob("*.dcm")):
        answer = museum.staff.ask("POST", "/instances", data=path.read_bytes())
        assert answer.status_code == 200, answer.text
        told = answer.json()
    return Slide(told["ParentStudy"], told["ParentSeries"], told["ID"])


@pytest.fixture(scope="module")
def published(museum: Museum) -> Slide:
    """A slide that everybody may see."""
    slide = stored(museum, Path(STATE) / "samples/published")
    assert museum.staff.ask("PUT", f"/studies/{slide.study}/labels/published").ok
    return slide


@pytest.fixture(scope="module")
def hidden(museum: Museum) -> Slide:
    """A slide for staff alone."""
    return stored(museum, Path(STATE) / "samples/hidden")
