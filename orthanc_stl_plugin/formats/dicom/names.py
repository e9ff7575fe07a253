"""Names from data sets, decoded with the character set in which they were written."""

from __future__ import annotations

import re
from typing import Final

from pydicom.dataset import Dataset

_JAPANESE: Final = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e\x20-\x7e]+")
_CONTROLS: Final = re.compile("[\x80-\x9f]")  # no text in Latin-1 has any
_LEAST_LETTERS: Final = 2  # a lone one may be a quote and an accented letter of Windows
_RAW: Final = re.compile("[\x80-\xff]+")


def name_of(dataset: Dataset, keyword: str) -> str:
    """The trimmed text of an element; "" if it is absent or empty.

    Without a Specific Character Set, or with a wrong one, pydicom decodes bytes as Latin-1. Bytes
    that are certain to be UTF-8 or Shift-JIS are decoded as such. Others that are not text in
    Latin-1 are shown as bytes: "[8A CC]".
    """
    value = dataset.get(keyword)
    if not value:
        return ""
    # A second byte in Shift-JIS may be the backslash that parts values (PS3.5 section 6.2).
    text = value if isinstance(value, str) else "\\".join(map(str, value))
    return _repaired(text).strip()


def _repaired(text: str) -> str:
    if text.isascii():
        return text
    try:
        content = text.encode("latin-1")
    except UnicodeEncodeError:
        return text  # the stated character set was used
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if not _CONTROLS.search(text):
        return text
    try:
        japanese = content.decode("shift_jis")
    except UnicodeDecodeError:
        japanese = ""
    letters = sum(not letter.isascii() for letter in japanese)
    if letters >= _LEAST_LETTERS and _JAPANESE.fullmatch(japanese):
        return japanese
    return _RAW.sub(lambda raw: f"[{raw.group().encode('latin-1').hex(' ').upper()}]", text)
