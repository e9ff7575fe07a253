"""JSON from clients, read with a limit on its nesting."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Final

DEEPEST_NESTING: Final = 50
_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes, 1 and -1


class NestedTooDeeply(ValueError):
    """Parsing it could overflow the stack of Orthanc's thread and end the process."""


def read_json(content: str | bytes) -> object:
    """The value that `json.loads`, which is recursive, returns.

    Raises:
        NestedTooDeeply: it has more levels than any sensible request.
        ValueError: it is not JSON.
    """
    if isinstance(content, bytes):
        text = content.decode(json.detect_encoding(content), "surrogatepass")
    else:
        text = content
    if _levels(text) > DEEPEST_NESTING:
        raise NestedTooDeeply(f"nested too deeply: more than {DEEPEST_NESTING} levels")
    value: object = json.loads(text)
    return value


def _levels(text: str) -> int:
    """How deeply lists and objects are nested, as far as the text is JSON.

    Its time depends on brackets and quotes only: most of a long body is one base64 text.
    """
    unescaped = text.encode("utf-8", "surrogatepass").replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(None, _ALL_BUT_BRACKETS)
    brackets = b"".join(marks.split(b'"')[::2])
    return max(accumulate(memoryview(brackets.translate(_STEPS)).cast("b")), default=0)
