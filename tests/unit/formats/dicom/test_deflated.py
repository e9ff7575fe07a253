"""Deflated files are inflated as they were before, or refused."""

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom import deflated
from orthanc_stl_plugin.formats.dicom.deflated import inflated
from orthanc_stl_plugin.formats.pixels.image_file import open_image
from tests.support.dicom_samples import rewritten
from tests.support.frame_samples import frame_file, photograph

PLAIN = frame_file(photograph(60, 50))
DEFLATED = rewritten(PLAIN, DeflatedExplicitVRLittleEndian)
DEFLATED_META = DEFLATED[: 144 + int.from_bytes(DEFLATED[140:144], "little")]


def joined(content: bytes) -> bytes:
    """The inflated file in one piece."""
    return b"".join(inflated(content))


def test_an_inflated_file_holds_what_was_deflated() -> None:
    content = joined(DEFLATED)
    image = open_image(content)
    assert image.header == open_image(PLAIN).header
    assert image.frame_bytes(content, 0) == photograph(60, 50).tobytes()


@pytest.mark.parametrize(
    "content", [PLAIN, rewritten(PLAIN, ImplicitVRLittleEndian), PLAIN[132:], b"", b"text"]
)
def test_other_files_stay_as_they_are(content: bytes) -> None:
    (whole,) = inflated(content)
    assert whole is content


@pytest.mark.parametrize("missing", [2, 1000, 3000])
def test_what_is_truncated_is_refused(missing: int) -> None:
    with pytest.raises(UnusableSource, match="truncated"):
        joined(DEFLATED[:-missing])


def test_what_is_no_deflated_stream_is_refused() -> None:
    with pytest.raises(UnusableSource, match="malformed"):
        joined(DEFLATED_META + b"\xff" * 500)


def test_what_gets_too_large_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflated, "MOST_BYTES", 5000)
    with pytest.raises(UnusableSource, match="more than 5000 bytes"):
        joined(DEFLATED)


def test_the_limit_is_met_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    content = joined(DEFLATED)
    byte_count = len(content) - (144 + int.from_bytes(content[140:144], "little"))
    monkeypatch.setattr(deflated, "MOST_BYTES", byte_count)
    assert joined(DEFLATED) == content
    monkeypatch.setattr(deflated, "MOST_BYTES", byte_count - 1)
    with pytest.raises(UnusableSource, match=f"more than {byte_count - 1} bytes"):
        joined(DEFLATED)


def test_a_deflated_file_is_inflated_in_small_pieces() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), np.uint8)
    for pixels in (np.zeros((3000, 3000, 3), np.uint8), noise):
        plain = frame_file(pixels)
        pieces = list(inflated(rewritten(plain, DeflatedExplicitVRLittleEndian)))
        assert max(map(len, pieces)) <= 1 << 20
        image = open_image(b"".join(pieces))
        assert image.frame_bytes(b"".join(pieces), 0) == pixels.tobytes()
