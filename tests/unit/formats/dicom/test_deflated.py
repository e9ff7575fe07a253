"""Deflated files are inflated as they were before, or refused."""

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


def test_an_inflated_file_holds_what_was_deflated() -> None:
    content = inflated(DEFLATED)
    image = open_image(content)
    assert image.header == open_image(PLAIN).header
    assert image.frame_bytes(content, 0) == photograph(60, 50).tobytes()


@pytest.mark.parametrize(
    "content", [PLAIN, rewritten(PLAIN, ImplicitVRLittleEndian), PLAIN[132:], b"", b"text"]
)
def test_other_files_stay_as_they_are(content: bytes) -> None:
    assert inflated(content) is content


@pytest.mark.parametrize("missing", [2, 1000, 3000])
def test_what_is_truncated_is_refused(missing: int) -> None:
    with pytest.raises(UnusableSource, match="truncated"):
        inflated(DEFLATED[:-missing])


def test_what_is_no_deflated_stream_is_refused() -> None:
    with pytest.raises(UnusableSource, match="malformed"):
        inflated(DEFLATED_META + b"\xff" * 500)


def test_what_gets_too_large_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflated, "MOST_BYTES", 5000)
    with pytest.raises(UnusableSource, match="more than 5000 bytes"):
        inflated(DEFLATED)


def test_the_limit_is_met_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    content = inflated(DEFLATED)
    byte_count = len(content) - (144 + int.from_bytes(content[140:144], "little"))
    monkeypatch.setattr(deflated, "MOST_BYTES", byte_count)
    assert inflated(DEFLATED) == content
    monkeypatch.setattr(deflated, "MOST_BYTES", byte_count - 1)
    with pytest.raises(UnusableSource, match=f"more than {byte_count - 1} bytes"):
        inflated(DEFLATED)
