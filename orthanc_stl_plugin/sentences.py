"""Sentences for people, made of a code and parameters.

pages/sentences/ has the texts of each language by code: pages show their reader's language, and
everything else shows English.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, Self

TEXTS: Final = Path(__file__).parent / "pages" / "sentences"
_ENGLISH: Final[Mapping[str, str]] = json.loads((TEXTS / "en.json").read_text("utf-8"))


class Sentence(str):
    """An English sentence that knows what it is made of.

    `Sentence("NoSuchFrame", frame=9, count=3)` is made from the English text of this code, in which
    the parameters are {Frame} and {Count}. A parameter may be a sentence itself.

    Args:
        code: the key of its texts.
        values: the parameters, by name in snake_case.

    Attributes:
        code: the key of its texts.
        parameters: the values by name, as JSON has them: a sentence is what its `to_json` returns.

    Raises:
        KeyError: there is no such code, or a parameter is missing.
    """

    __slots__ = ("code", "parameters")
    code: str
    parameters: Mapping[str, object]

    def __new__(cls, code: str, /, **values: object) -> Self:  # noqa: D102  # the class has it
        named = {name.title().replace("_", ""): value for name, value in values.items()}
        parameters = {name: _plain(value) for name, value in named.items()}
        return cls._made(_ENGLISH[code].format_map(named), code, parameters)

    @classmethod
    def _made(cls, message: str, code: str, parameters: Mapping[str, object]) -> Self:
        sentence = super().__new__(cls, message)
        sentence.code, sentence.parameters = code, parameters
        return sentence

    def to_json(self) -> dict[str, object]:
        """Code, Parameters and Message, which is the sentence in English."""
        return {"Code": self.code, "Parameters": self.parameters, "Message": str(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The sentence that `to_json` described, even if its texts have changed.

        Raises:
            KeyError, TypeError: the value is not from `to_json`.
        """
        return cls._made(value["Message"], value["Code"], value["Parameters"])

    def __reduce__(self) -> tuple[object, ...]:
        return Sentence.from_json, (self.to_json(),)


def _plain(value: object) -> object:
    match value:
        case Sentence():
            return value.to_json()
        case Integral():
            return int(value)
        case Real() if math.isfinite(value):
            return float(value)
    return str(value)
