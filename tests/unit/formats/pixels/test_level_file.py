import errno
from pathlib import Path

import numpy as np
import pytest

from orthanc_stl_plugin.formats.pixels.level_file import (
    TILE_PX,
    LevelWriter,
    TileFile,
    halved,
    halved_sizes,
    read_levels,
)

RNG = np.random.default_rng(5)


def picture(width: int, height: int, samples: int = 3) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, samples), np.uint8)


def written(folder: Path, image: np.ndarray, strip_rows: int, *, itself: bool = True):
    height, width = image.shape[:2]
    writer = LevelWriter(folder, lambda tile: tile.tobytes(), (width, height), writes_itself=itself)
    for top in range(0, height, strip_rows):
        writer.push(image[top : top + strip_rows])
    writer.close()
    return read_levels(folder)


def together(level: TileFile, samples: int) -> np.ndarray:
    content = level.path.read_bytes()
    image = np.zeros((level.height, level.width, samples), np.uint8)
    for number, (begin, end) in enumerate(zip(level.offsets[:-1], level.offsets[1:], strict=True)):
        top, left = (TILE_PX * part for part in divmod(number, level.columns))
        part = image[top : top + TILE_PX, left : left + TILE_PX]
        part[:] = np.frombuffer(content[begin:end], np.uint8).reshape(part.shape)
    return image


def test_halving_takes_the_mean_of_four_and_rounds_up_the_size():
    image = np.array([[0, 2, 10], [4, 7, 11], [200, 201, 250]], np.uint8)[..., None]
    # (0+2+4+7)/4 = 3.25; (10+10+11+11)/4 = 10.5; the last row and column count twice.
    assert halved(image)[..., 0].tolist() == [[3, 11], [201, 250]]


def test_sizes_are_halved_until_one_is_small():
    assert list(halved_sizes(1025, 300)) == [(513, 150), (257, 75), (129, 38)]
    assert list(halved_sizes(256, 10)) == []


@pytest.mark.parametrize("strip_rows", [1, 100, 511, 512, 2000])
@pytest.mark.parametrize("samples", [1, 3])
def test_the_tiles_of_every_level_put_together_are_the_halved_image(
    tmp_path: Path, strip_rows: int, samples: int
):
    image = picture(1301, 777, samples)
    levels = written(tmp_path, image, strip_rows)
    assert [(one.width, one.height) for one in levels] == [
        (1301, 777), (651, 389), (326, 195), (163, 98),
    ]  # fmt: skip
    expected = image
    for level in levels:
        assert np.array_equal(together(level, samples), expected)
        expected = halved(expected)


def test_without_itself_only_the_levels_below_are_written(tmp_path: Path):
    image = picture(900, 601)
    levels = written(tmp_path, image, 64, itself=False)
    assert [(one.width, one.height) for one in levels] == [(450, 301), (225, 151)]
    assert np.array_equal(together(levels[0], 3), halved(image))


def test_a_damaged_index_is_refused(tmp_path: Path):
    written(tmp_path, picture(900, 601), 64)
    (tmp_path / "1.npy").write_bytes((tmp_path / "0.npy").read_bytes())
    with pytest.raises(ValueError, match="no half"):
        read_levels(tmp_path)


def test_a_disk_that_takes_no_index_says_why(tmp_path: Path):
    (tmp_path / "0.npy").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as raised:
        written(tmp_path, picture(900, 601), 64)
    assert raised.value.errno == errno.ENOSPC
