"""Names in every character set, and in none."""

from __future__ import annotations

import pytest

from orthanc_stl_plugin.formats.contours.rtstruct import read_rtstruct
from orthanc_stl_plugin.formats.volumes.seg import read_seg
from tests.support.dicom_samples import (
    F_OUTLINE,
    RoiSample,
    f_volume,
    file_bytes,
    oblique_affine,
    prism,
    rtstruct_dataset,
    seg_dataset,
    seg_frames,
)


def name_read(raw: bytes, character_set: str | list[str] | None = None) -> str:
    """The name of a ROI that is stored in these bytes."""
    placeholder = b"x" * (len(raw) + len(raw) % 2)
    roi = RoiSample(1, placeholder.decode(), prism(F_OUTLINE, [0.0, 3.0]))
    dataset = rtstruct_dataset([roi])
    if character_set is not None:
        dataset.SpecificCharacterSet = character_set
    content = file_bytes(dataset)
    assert content.count(placeholder) == 1
    content = content.replace(placeholder, raw.ljust(len(placeholder)))
    return read_rtstruct(content).rois[0].segment.name


@pytest.mark.parametrize(
    ("name", "codec", "character_set"),
    [
        ("肝臓", "iso2022_jp", ["", "ISO 2022 IR 87"]),
        ("ｶﾝｿﾞｳ", "shift_jis", "ISO_IR 13"),
        ("肝臓", "utf-8", "ISO_IR 192"),
        ("Foie opéré", "latin-1", "ISO_IR 100"),
        ("Печень", "iso8859-5", "ISO_IR 144"),
        ("肝脏", "gb18030", "GB18030"),
    ],
)
def test_a_name_is_read_in_the_character_set_of_its_file(
    name: str, codec: str, character_set: str | list[str]
) -> None:
    assert name_read(name.encode(codec), character_set) == name


def test_a_korean_name_with_escapes_is_read() -> None:
    raw = b"\x1b$)C" + "간".encode("euc_kr") + b" L"
    assert name_read(raw, ["", "ISO 2022 IR 149"]) == "간 L"


@pytest.mark.parametrize("name", ["肝臓", "左の肺", "表面 2", "ソフト", "腫瘍(左)"])
@pytest.mark.parametrize("codec", ["shift_jis", "utf-8"])
@pytest.mark.parametrize("character_set", [None, "ISO_IR 100"])
def test_japanese_without_its_character_set_is_repaired(
    name: str, codec: str, character_set: str | None
) -> None:
    assert name_read(name.encode(codec), character_set) == name


@pytest.mark.parametrize("name", ["Lésion", "Größe", "é", "Señal 1", "Foie opéré"])
def test_a_european_name_without_its_character_set_is_latin_1(name: str) -> None:
    assert name_read(name.encode("latin-1")) == name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"A\x8a", "A[8A]"), (b"\x8a\xcc\x91 B", "[8A CC 91] B"), (b"\x92\xe9", "[92 E9]")],
)
def test_bytes_that_are_no_text_are_shown(raw: bytes, shown: str) -> None:
    assert name_read(raw) == shown


def test_the_label_of_a_segment_is_repaired_too() -> None:
    dataset = seg_dataset(seg_frames(f_volume()), oblique_affine(), names=("xxxx", "b", "c"))
    content = file_bytes(dataset).replace(b"xxxx", "肝臓".encode("shift_jis"))
    assert read_seg(content).segments[0].name == "肝臓"
