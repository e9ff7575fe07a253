"""Texts for people, in languages: what IIIF calls a language map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

NO_LANGUAGE: Final = "none"
PLAIN_LANGUAGE: Final = "en"
"""That of plain texts in the settings."""
_LANGUAGE: Final = re.compile(r"none|[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}")


class Texts:
    """Texts by language, in the order they were given. No dataclass: msgspec would read it itself.

    Attributes:
        by_language: pairs of a language (BCP 47, or "none" where it is unknown) and its texts;
            no language twice, none without a text.
    """

    __slots__ = ("by_language",)

    def __init__(self, by_language: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> None:
        self.by_language: Final = by_language

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texts) and self.by_language == other.by_language

    def __hash__(self) -> int:
        return hash(self.by_language)

    def __repr__(self) -> str:
        return f"Texts({self.by_language!r})"

    def __bool__(self) -> bool:
        return bool(self.by_language)

    @classmethod
    def from_json(cls, value: object) -> Texts:
        """Texts as a person writes them in the settings; plain ones are English."""
        return read_texts(value, PLAIN_LANGUAGE)

    def to_setting(self) -> str | dict[str, list[str]]:
        """The shortest JSON that `from_json` reads as these texts."""
        match self.by_language:
            case ():
                return ""
            case ((language, (text,)),) if language == PLAIN_LANGUAGE:
                return text
        return self.to_json()

    def to_json(self) -> dict[str, list[str]]:
        """A language map (IIIF Presentation 3.0 section 4.1)."""
        return {language: list(texts) for language, texts in self.by_language}


NO_TEXTS: Final = Texts()


def texts(*values: str, language: str = NO_LANGUAGE) -> Texts:
    """The values, all in one language; blank ones are left out."""
    kept = tuple(value for value in values if value.strip())
    return Texts(((language, kept),)) if kept else NO_TEXTS


def read_texts(value: object, language: str) -> Texts:
    """Texts as a person writes them in JSON: "text", ["text", ...] or {"en": "text" or [...]}.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, Mapping):
        return texts(*_values(value), language=language)
    pairs = []
    for key, values in value.items():
        if _LANGUAGE.fullmatch(str(key)) is None:
            raise ValueError(f'be a text, or texts by language as in {{"en": "..."}}: not {key!r}')
        if kept := tuple(one for one in _values(values) if one.strip()):
            pairs.append((str(key), kept))
    return Texts(tuple(pairs))


def _values(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    kept = [one for one in values if isinstance(one, str)]
    if len(kept) != len(values):
        raise ValueError('be a text, or texts by language as in {"en": "..."}')
    return kept
