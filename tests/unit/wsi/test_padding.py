"""Levels whose edge tiles are padded, and whose matrix counts the padding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orthanc_stl_plugin.wsi.build import slide
from orthanc_stl_plugin.wsi.pyramid import Flavour
from orthanc_stl_plugin.wsi.slide_image import FullTiling, SlideImage

type Size = tuple[int, int]


def level(name: str, size: Size, spacing_mm: float | tuple[float, float] | None) -> SlideImage:
    """A TILED_FULL image in tiles of 256 x 256."""
    spacing = (spacing_mm, spacing_mm) if isinstance(spacing_mm, float) else spacing_mm
    count = -(-size[0] // 256) * -(-size[1] // 256)
    image = SlideImage(name, Flavour.VOLUME, *size, 256, 256, count, count, FullTiling())
    return replace(image, pixel_spacing_mm=spacing)


def sizes(*images: SlideImage) -> list[list[Size]]:
    """Of the levels of each pyramid."""
    return [[(one.width, one.height) for one in p.levels] for p in slide(images).pyramids]


def test_a_padded_level_has_the_size_of_its_base_at_its_spacing() -> None:
    shown = sizes(
        level("0", (1770, 1770), 0.001),
        level("1", (910, 910), 0.002),
        level("2", (464, 464), 0.004),
    )
    assert shown == [[(1770, 1770), (885, 885), (443, 443)]]


def test_unequal_padding_leaves_one_slide() -> None:
    shown = sizes(
        level("0", (5000, 3000), 0.001),
        level("1", (2560, 1536), 0.002),
        level("2", (1280, 768), 0.004),
        level("3", (768, 512), 0.008),
    )
    assert shown == [[(5000, 3000), (2500, 1500), (1250, 750), (625, 375)]]


def test_a_base_that_is_padded_itself_is_absent_where_a_level_ends() -> None:
    shown = sizes(level("0", (1792, 1792), 0.001), level("1", (885, 800), 0.002))
    assert shown == [[(1792, 1792), (896, 896)]]


@pytest.mark.parametrize("spacing", [None, 0.001, 0.0005, 0.0015, 0.008])
def test_a_spacing_that_cannot_be_right_changes_nothing(spacing: float | None) -> None:
    plain = [(5000, 3000), (2500, 1500)]
    assert sizes(level("0", plain[0], 0.001), level("1", plain[1], spacing)) == [plain]


@pytest.mark.parametrize("spacing", [0.00199, 0.002, 0.0020004, 0.00201])
@pytest.mark.parametrize("size", [(2500, 1500), (2501, 1501), (2500, 1501)])
def test_rounded_sizes_and_spacings_change_nothing(spacing: float, size: Size) -> None:
    shown = sizes(level("0", (5001, 3001), 0.001), level("1", size, spacing))
    assert shown == [[(5001, 3001), size]]


def test_pixels_that_are_not_square_have_a_scale_each_way() -> None:
    shown = sizes(
        level("0", (4000, 3000), (0.001, 0.001)), level("1", (1024, 1536), (0.002, 0.004))
    )
    assert shown == [[(4000, 3000), (1000, 1500)]]


def test_two_scans_of_similar_sizes_stay_apart() -> None:
    shown = sizes(
        level("a", (5000, 3000), 0.001),
        level("b", (5200, 3010), 0.001),
        level("b1", (2600, 1505), 0.002),
        level("a1", (2500, 1500), 0.002),
    )
    assert shown == [[(5200, 3010), (2600, 1505)], [(5000, 3000), (2500, 1500)]]
