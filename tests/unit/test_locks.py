"""The lock files of docker/python hold what pyproject.toml asks for, with hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
LOCKS = TOP / "docker/python"
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, Requirement]:
    """The packages of a lock file; a package that depends on the Python has several versions."""
    lines = [
        line for line in (LOCKS / name).read_text().splitlines() if re.match(r"[A-Za-z]", line)
    ]
    found = [Requirement(line.removesuffix("\\").strip()) for line in lines]
    return {f"{canonicalize_name(one.name)} {one.marker or ''}": one for one in found}


def version_of(one: Requirement) -> str:
    (pinned,) = one.specifier
    assert pinned.operator == "=="
    return pinned.version


def group(name: str) -> list[str]:
    """The requirements of a dependency group, and of those that it includes."""
    told = []
    for one in PROJECT["dependency-groups"][name]:
        told += [one] if isinstance(one, str) else group(one["include-group"])
    return told


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("runtime.txt", PROJECT["project"]["dependencies"]),
        ("development.txt", PROJECT["project"]["dependencies"] + group("dev")),
        ("build.txt", PROJECT["build-system"]["requires"]),
    ],
)
def test_what_the_project_asks_for_is_locked_in_a_version_that_it_takes(
    name: str, asked: list[str]
) -> None:
    versions: dict[str, list[str]] = {}
    for one in locked(name).values():
        versions.setdefault(canonicalize_name(one.name), []).append(version_of(one))
    for wanted in map(Requirement, asked):
        found = versions[canonicalize_name(wanted.name)]
        assert all(wanted.specifier.contains(one) for one in found), (wanted, found)


@pytest.mark.parametrize("name", ["runtime.txt", "build.txt"])
def test_the_image_has_the_versions_that_are_tested(name: str) -> None:
    tested = {canonicalize_name(one.name): one for one in locked("development.txt").values()}
    for one in locked(name).values():
        assert version_of(one) == version_of(tested[canonicalize_name(one.name)]), one.name


@pytest.mark.parametrize("name", ["runtime.txt", "development.txt", "build.txt"])
def test_every_package_has_hashes_and_no_file_names_a_host(name: str) -> None:
    text = (LOCKS / name).read_text()
    assert "://" not in text
    packages = re.split(
        r"^(?=[A-Za-z])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE
    )
    assert len(packages) > 3
    for one in filter(str.strip, packages):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", one), one
