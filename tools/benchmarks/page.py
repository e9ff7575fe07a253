"""docs/benchmarks.md: a section for each subject, replaced when the subject is measured again."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from typing import Final, TextIO, override

_SECTION: Final = "<!-- measured: {} -->\n"
_END: Final = "<!-- end -->\n"


class _Tee(io.StringIO):
    """Prints the text, and keeps it."""

    def __init__(self, shown: TextIO) -> None:
        super().__init__()
        self._shown = shown

    @override
    def write(self, text: str, /) -> int:
        self._shown.write(text)
        self._shown.flush()
        return super().write(text)


@contextlib.contextmanager
def kept_output() -> Iterator[io.StringIO]:
    """The text printed inside the block, which is still shown."""
    kept = _Tee(sys.stdout)
    with contextlib.redirect_stdout(kept):
        yield kept


def replaced(page: str, subject: str, printed: str, measured: str) -> str:
    """The page with another section for the subject.

    Args:
        page: Markdown with the subject's section between two comments.
        subject: its name in the first comment.
        printed: the new tables; their headings become those of a section.
        measured: when and on what.

    Raises:
        ValueError: the page has no such section.
    """
    begin = _SECTION.format(subject)
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(_END)
    if not found or not ended:
        raise ValueError(f"the page has no section between {begin.strip()} and {_END.strip()}")
    tables = re.sub(r"^# ", "### ", printed.strip(), flags=re.MULTILINE)
    return f"{before}{begin}{measured}\n\n{tables}\n{_END}{after}"
