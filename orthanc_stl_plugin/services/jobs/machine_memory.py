"""The memory that this machine, or its container, has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_OF_CONTAINER: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""The limits of control groups, version 2 and 1; a container sees its own."""


def memory_mib(limits: Sequence[Path] = _OF_CONTAINER) -> int:
    """The MiB of the machine, or of the lowest limit that one of these files holds."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in limits:
        text = path.read_text().strip() if path.exists() else ""
        if text.isdigit():  # it may be "max"
            found.append(int(text))
    return min(found) >> 20
