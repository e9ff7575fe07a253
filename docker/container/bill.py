#!/usr/bin/env python3
"""Writes what this image is made of, as CycloneDX 1.6: Debian and Python packages, viewers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import quote

VIEWERS = Path("/opt/orthanc-stl-plugin/viewers")
DISTRIBUTION = Path("/etc/os-release")


def component(
    kind: str, name: str, version: str, purl: str, licence: str = ""
) -> dict[str, object]:
    """One component, with its licence in the words of its package."""
    told: dict[str, object] = {"type": kind, "name": name, "version": version}
    told |= {"purl": purl, "bom-ref": purl}
    if licence:
        told["licenses"] = [{"license": {"name": licence}}]
    return told


def debian_packages() -> Iterator[dict[str, object]]:
    """What dpkg knows; its licences stand in /usr/share/doc/*/copyright."""
    system = dict(re.findall(r'^(\w+)="?([^"\n]*)', DISTRIBUTION.read_text(), re.MULTILINE))
    release = system.get("VERSION_ID") or system["VERSION_CODENAME"]
    listing = subprocess.run(
        ["/usr/bin/dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${Architecture}\n"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for line in listing.splitlines():
        name, version, architecture = line.split("\t")
        where = f"arch={architecture}&distro={system['ID']}-{release}"
        purl = f"pkg:deb/{system['ID']}/{quote(name)}@{quote(version)}?{where}"
        yield component("library", name, version, purl)


def orthanc_of_its_own() -> Iterator[dict[str, object]]:
    """Orthanc, where it came from no package: its plugins then tell no version."""
    path = shutil.which("Orthanc") or ""
    asked = ["/usr/bin/dpkg-query", "--search", path]
    if subprocess.run(asked, capture_output=True, check=False).returncode:  # noqa: S603
        told = subprocess.check_output([path, "--version"], text=True)  # noqa: S603
        version = told.split()[1]
        yield component("application", "orthanc", version, f"pkg:generic/orthanc@{version}")


def python_packages() -> Iterator[dict[str, object]]:
    """What the environment of the plugin holds."""
    for one in sorted(distributions(), key=lambda one: one.name.lower()):
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        licence = one.metadata.get("License-Expression") or one.metadata.get("License") or ""
        first_line = licence.strip().splitlines()[0] if licence.strip() else ""
        yield component("library", name, one.version, f"pkg:pypi/{name}@{one.version}", first_line)


def viewers() -> Iterator[dict[str, object]]:
    """The folders NAME-VERSION that install.sh lays."""
    for folder in sorted(VIEWERS.glob("*-*")) if VIEWERS.is_dir() else ():
        name, _, version = folder.name.rpartition("-")
        yield component("library", name, version, f"pkg:npm/{quote(name)}@{version}")


def main() -> None:
    """Writes the document to the standard output."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {"type": "container", "name": "orthanc-stl-plugin"},
        },
        "components": [
            *debian_packages(),
            *orthanc_of_its_own(),
            *python_packages(),
            *viewers(),
        ],
    }
    json.dump(document, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
