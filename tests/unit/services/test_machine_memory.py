"""The memory that a machine, or its container, has."""

import os
from pathlib import Path

import pytest

from orthanc_stl_plugin.services.jobs.machine_memory import memory_mib

MACHINE_MIB = (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) >> 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1073741824\n", 1024),
        ("max\n", MACHINE_MIB),
        ("9223372036854771712\n", MACHINE_MIB),  # no limit, in version 1
        (None, MACHINE_MIB),
    ],
)
def test_the_limit_of_a_container_counts_where_it_is_lower(
    text: str | None, expected: int, tmp_path: Path
):
    limit = tmp_path / "memory.max"
    if text is not None:
        limit.write_text(text)
    assert memory_mib([limit]) == expected
