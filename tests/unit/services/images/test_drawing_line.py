"""The line in front of the drawing of pictures is short, and shorter for large ones."""

from contextlib import ExitStack, suppress

import pytest

from orthanc_stl_plugin.errors import Busy
from orthanc_stl_plugin.services.images.drawing_line import LARGE_PX, DrawingLine


def places(line: DrawingLine, pixels: int, stack: ExitStack) -> int:
    """How many find a place before one is told to come again."""
    found = 0
    with suppress(Busy):
        while True:
            stack.enter_context(line.place(pixels))
            found += 1
    return found


def test_the_line_is_bounded_and_leaves_threads_free():
    with ExitStack() as stack:
        assert places(DrawingLine(50), 1, stack) == 16


def test_large_pictures_leave_places_for_tiles():
    line = DrawingLine(50)
    with ExitStack() as stack:
        assert places(line, LARGE_PX, stack) == 4
        assert places(line, 1, stack) == 12


@pytest.mark.parametrize("threads", [1, 2, 6])
def test_with_few_threads_one_picture_finds_a_place(threads: int):
    line = DrawingLine(threads)
    for _ in range(2):
        with line.place(LARGE_PX), line.turn(LARGE_PX):
            pass
