"""JSON that clients wrote: read within a bound on its nesting."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Final

DEEPEST_NESTING: Final = 50
_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes, 1 and -1


class NestedTooDeeply(ValueError):
    """Reading it would need more stack than a thread of Orthanc has, and end the process."""


def read_json(content: str | bytes) -> object:
    """What `json.loads` gives, which calls itself at each level.

    Raises:
        NestedTooDeeply: it has more levels than any request of use.
        ValueError: it is no JSON.
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
    """How deep lists and objects lie in one another, as far as the text is JSON.

    Its time goes by brackets and quotes alone: most of a long body is one text in base64.
    """
    unescaped = text.encode("utf-8", "surrogatepass").replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(None, _ALL_BUT_BRACKETS)
    brackets = b"".join(marks.split(b'"')[::2])
    return max(accumulate(memoryview(brackets.translate(_STEPS)).cast("b")), default=0)
