"""Texts for people, in languages: what IIIF calls a language map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NO_LANGUAGE: Final = "none"
_LANGUAGE: Final = re.compile(r"none|[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}")


class Unfit(Exception):
    """A value is not what it has to be; the message completes "it must ..."."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts by language, in the order they were given.

    Attributes:
        by_language: pairs of a language (BCP 47, or "none" where it is unknown) and its texts;
            no language twice, none without a text.
    """

    by_language: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.by_language)

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
        Unfit: it is something else.
    """
    if not isinstance(value, Mapping):
        return texts(*_values(value), language=language)
    pairs = []
    for key, values in value.items():
        if _LANGUAGE.fullmatch(str(key)) is None:
            raise Unfit(f'be a text, or texts by language as in {{"en": "..."}}: not {key!r}')
        if kept := tuple(one for one in _values(values) if one.strip()):
            pairs.append((str(key), kept))
    return Texts(tuple(pairs))


def _values(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    kept = [one for one in values if isinstance(one, str)]
    if len(kept) != len(values):
        raise Unfit('be a text, or texts by language as in {"en": "..."}')
    return kept
