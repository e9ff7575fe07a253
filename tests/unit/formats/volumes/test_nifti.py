import gzip
import struct
import time

import nibabel as nib
import numpy as np
import pytest

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.volumes.nifti import foreground, read_nifti

LIMIT = 1 << 20
SHAPE = (4, 5, 6)
RAS = np.array([[0, -2, 0, 10], [1.5, 0, 0, -20], [0, 0, 4, 30], [0, 0, 0, 1]], dtype=float)


def ramp(dtype: str = "uint8") -> np.ndarray:
    return np.arange(120).reshape(SHAPE).astype(dtype)


def nifti(values: np.ndarray | None = None, affine: np.ndarray = RAS, version: int = 1) -> bytes:
    image_class = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    values = ramp() if values is None else values
    return image_class(values, affine, dtype=values.dtype).to_bytes()


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "f4", "f8"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_every_number_type_is_read(dtype: str, version: int):
    volume = read_nifti(nifti(ramp(dtype), version=version), LIMIT)
    assert np.array_equal(volume.values, ramp(dtype))


@pytest.mark.parametrize("version", [1, 2])
def test_either_byte_order_is_read(version: int):
    little = nifti(ramp("int16"), version=version)
    image = (nib.Nifti1Image if version == 1 else nib.Nifti2Image).from_bytes(little)
    header = image.header.as_byteswapped(">")
    big = type(image)(ramp("int16"), RAS, header).to_bytes()
    assert big[:4] != little[:4]
    assert np.array_equal(read_nifti(big, LIMIT).values, ramp())


def test_ras_becomes_lps():
    grid = read_nifti(nifti(), LIMIT).grid
    assert np.allclose(grid.affine, np.diag([-1, -1, 1, 1]) @ RAS)


def test_the_qform_places_the_voxels_when_there_is_no_sform():
    image = nib.Nifti1Image(ramp(), None)
    image.set_qform(RAS, code=1)
    image.set_sform(None, code=0)
    grid = read_nifti(image.to_bytes(), LIMIT).grid
    assert np.allclose(grid.affine, np.diag([-1, -1, 1, 1]) @ RAS, atol=1e-4)


def test_micrometres_are_converted():
    image = nib.Nifti1Image(ramp(), RAS)
    image.header.set_xyzt_units("micron")
    assert np.allclose(
        read_nifti(image.to_bytes(), LIMIT).grid.voxel_size_mm, (0.0015, 0.002, 0.004)
    )


def test_an_offset_beyond_the_header_is_followed():
    image = nib.Nifti1Image(ramp(), RAS)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 100))
    assert np.array_equal(read_nifti(image.to_bytes(), LIMIT).values, ramp())


@pytest.mark.parametrize("offset", [0, 100, 348])
@pytest.mark.parametrize(("version", "field"), [(1, (108, "<f")), (2, (168, "<q"))])
def test_voxels_within_the_header_are_refused(offset: int, version: int, field: tuple[int, str]):
    content = bytearray(nifti(version=version))
    struct.pack_into(field[1], content, field[0], offset)
    with pytest.raises(UnusableSource, match=f"(at|offset) {offset}"):
        read_nifti(bytes(content), LIMIT)


def test_the_scale_factor_is_applied():
    image = nib.Nifti1Image(ramp("int16"), RAS)
    image.header.set_slope_inter(2, -10)
    content = bytearray(image.to_bytes())
    content[112:120] = struct.pack("<ff", 2, -10)
    assert np.array_equal(read_nifti(bytes(content), LIMIT).values, ramp("f8") * 2 - 10)


def test_gzip_in_several_members_is_read():
    content = nifti()
    packed = gzip.compress(content[:200]) + gzip.compress(content[200:])
    assert np.array_equal(read_nifti(packed, LIMIT).values, ramp())


def test_members_longer_than_a_window_are_read():
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 64)).astype("uint8")
    content = nifti(noise)
    packed = b"".join(
        gzip.compress(content[part : part + 90_000]) for part in range(0, 270_000, 90_000)
    )
    assert np.array_equal(read_nifti(packed, LIMIT).values, noise)


def test_what_follows_the_last_member_is_left_out():
    assert np.array_equal(read_nifti(gzip.compress(nifti()) + bytes(99), LIMIT).values, ramp())


def test_a_later_member_that_is_truncated_is_refused():
    packed = gzip.compress(nifti()[:200]) + gzip.compress(nifti()[200:])[:-9]
    with pytest.raises(UnusableSource, match="truncated"):
        read_nifti(packed, LIMIT)


def test_the_time_of_many_members_goes_by_their_number():
    packed = gzip.compress(b"") * 150_000 + gzip.compress(nifti())
    start = time.perf_counter()
    read_nifti(packed, LIMIT)
    assert time.perf_counter() - start < 8  # s: 1, and 20 when each copies all that follows it


def test_a_fourth_axis_of_one_volume_is_dropped():
    assert read_nifti(nifti(ramp()[..., np.newaxis]), LIMIT).values.shape == SHAPE


def test_a_single_slice_has_one_slice():
    assert read_nifti(nifti(ramp()[:, :, 0]), LIMIT).values.shape == (4, 5, 1)


def test_several_volumes_are_refused():
    with pytest.raises(UnusableSource, match="4 x 5 x 6 x 2 voxels in 4 dimensions"):
        read_nifti(nifti(np.stack([ramp(), ramp()], axis=3)), LIMIT)


def test_a_gzip_bomb_stops_at_the_limit():
    with pytest.raises(TooLarge, match=r"limit of 1048576 bytes \(MaxVolumeMiB = 1\)"):
        read_nifti(gzip.compress(bytes(LIMIT + 1)), LIMIT)


def test_a_plain_file_above_the_limit_is_refused():
    with pytest.raises(TooLarge, match="MaxVolumeMiB = 1"):
        read_nifti(nifti(np.zeros((128, 128, 128), dtype="uint8")), LIMIT)


def test_a_truncated_gzip_stream_is_refused():
    with pytest.raises(UnusableSource, match="truncated"):
        read_nifti(gzip.compress(nifti())[:-20], LIMIT)


def test_a_broken_gzip_stream_is_refused():
    packed = bytearray(gzip.compress(nifti()))
    packed[20:60] = b"\xff" * 40
    with pytest.raises(UnusableSource, match="gzip stream is"):
        read_nifti(bytes(packed), LIMIT)


def test_a_file_that_ends_before_its_voxels_do_is_refused():
    with pytest.raises(UnusableSource, match="truncated: 120 bytes of voxels at 352"):
        read_nifti(nifti()[:-1], LIMIT)


@pytest.mark.parametrize(
    ("version", "length"), [(1, 4), (1, 346), (1, 347), (2, 4), (2, 8), (2, 539)]
)
def test_a_file_that_ends_within_its_header_is_refused(version: int, length: int):
    with pytest.raises(UnusableSource, match=f"truncated: {length} bytes of a header of"):
        read_nifti(nifti(version=version)[:length], LIMIT)


@pytest.mark.parametrize("content", [b"", b"abc", b"\0" * 400, b"<html>" * 100, b"\x1f\x8b"])
def test_other_bytes_are_no_nifti(content: bytes):
    with pytest.raises(UnusableSource):
        read_nifti(content, LIMIT)


def test_a_header_without_its_voxels_is_refused():
    content = bytearray(nifti())
    content[344:348] = b"ni1\0"
    with pytest.raises(UnusableSource, match="only single files"):
        read_nifti(bytes(content), LIMIT)


def test_colours_are_no_mask():
    colours = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(UnusableSource, match="only real numbers"):
        read_nifti(nib.Nifti1Image(colours, RAS).to_bytes(), LIMIT)


def test_an_affine_with_nan_is_refused():
    content = bytearray(nifti())
    content[280:284] = struct.pack("<f", np.nan)
    with pytest.raises(UnusableSource, match="not finite"):
        read_nifti(bytes(content), LIMIT)


@pytest.mark.parametrize("dim", [(3, 0, 5, 6), (3, -4, 5, 6), (9, 4, 5, 6), (-1, 4, 5, 6)])
def test_dimensions_that_hold_nothing_are_refused(dim: tuple[int, ...]):
    content = bytearray(nifti())
    content[40:48] = struct.pack("<4h", *dim)
    with pytest.raises(UnusableSource):
        read_nifti(bytes(content), LIMIT)


def test_a_header_that_promises_more_than_memory_holds_is_refused():
    content = bytearray(nifti())
    content[40:48] = struct.pack("<4h", 3, 32767, 32767, 32767)
    with pytest.raises(UnusableSource, match="truncated"):
        read_nifti(bytes(content), LIMIT)


def test_every_voxel_but_zero_is_foreground():
    values = np.zeros(SHAPE, dtype="f4")
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = 0.25, -3, np.nan
    volume = read_nifti(nifti(values), LIMIT)
    assert np.argwhere(foreground(volume)).tolist() == [[0, 0, 0], [1, 1, 1]]
