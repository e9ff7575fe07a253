"""Reading typed fields out of a JSON body, with errors that name the field and its value."""

from __future__ import annotations

import base64
import binascii
import difflib
import math
from collections.abc import Collection, Mapping

from orthanc_stl_plugin.errors import BadRequest

_LONGEST_QUOTE = 80


class Fields:
    """The fields of one JSON object, each read once with its type.

    Raises:
        BadRequest: a field is unknown.
    """

    def __init__(self, body: Mapping[str, object], known: Collection[str]) -> None:
        self._body = body
        for name in body:
            if name not in known:
                raise BadRequest(f"unknown field {quoted(name)}: {_hint(name, known)}")

    def text(self, name: str) -> str:
        """A required text, not empty."""
        value = self._body.get(name)
        if value is None:
            raise BadRequest(f'the field "{name}" is missing')
        if not isinstance(value, str) or not value:
            raise BadRequest(f'"{name}" is {quoted(value)}: it must be a text that is not empty')
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self._body.get(name, default)
        if not isinstance(value, bool):
            raise BadRequest(f'"{name}" is {quoted(value)}: it must be true or false')
        return value

    def whole(self, name: str, default: int) -> int:
        """An integer; its range is checked by the value built from it."""
        value = self._body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadRequest(f'"{name}" is {quoted(value)}: it must be a whole number')
        return value

    def optional_text(self, name: str) -> str | None:
        """A text that is not empty, or None if the field is absent."""
        return self.text(name) if name in self._body else None

    def optional_whole(self, name: str) -> int | None:
        """A whole number, or None when the field is absent."""
        return self.whole(name, 0) if name in self._body else None

    def optional_number(self, name: str) -> float | None:
        """A finite number, or None when the field is absent."""
        if name not in self._body:
            return None
        value = self._body[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise BadRequest(f'"{name}" is {quoted(value)}: it must be a finite number')
        return float(value)

    def choice(self, name: str) -> tuple[int | str, ...] | None:
        """Numbers and names in a list that is not empty, or None when the field is absent."""
        if name not in self._body:
            return None
        value = self._body[name]
        if not isinstance(value, list) or not value:
            raise BadRequest(f'"{name}" is {quoted(value)}: it must be a list that is not empty')
        for one in value:
            if isinstance(one, bool) or not isinstance(one, int | str):
                raise BadRequest(f'"{name}" holds {quoted(one)}: it must hold numbers or names')
        if len(set(value)) < len(value):
            raise BadRequest(f'"{name}" is {quoted(value)}: it names something twice')
        return tuple(value)

    def is_text(self, name: str) -> bool:
        """Whether the field is a text."""
        return isinstance(self._body.get(name), str)

    def has(self, name: str) -> bool:
        """Whether the field is present."""
        return name in self._body

    def binary(self, name: str) -> bytes:
        """The bytes of a data URI (RFC 2397) in base64, or of plain base64 (RFC 4648)."""
        text = self.text(name)
        if text.startswith("data:"):
            head, comma, text = text.partition(",")
            if not comma or not head.endswith(";base64"):
                raise BadRequest(f'"{name}" is a data URI without ";base64,": {quoted(head)}')
        try:
            plain = text.encode("ascii").translate(None, b" \t\r\n")
            decoded = base64.b64decode(plain, validate=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise BadRequest(f'"{name}" is not base64: {quoted(text)}') from error
        if not decoded:
            raise BadRequest(f'"{name}" holds no bytes')
        return decoded

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that are present."""
        return tuple(self._body)

    def mapping(self, name: str) -> dict[str, object]:
        """An object whose values are checked by the caller; empty if it is absent."""
        value = self._body.get(name, {})
        if not isinstance(value, dict):
            raise BadRequest(f'"{name}" is {quoted(value)}: it must be an object')
        return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def quoted(value: object) -> str:
    """A client's value for a message, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."


def _hint(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if nearest:
        return f'did you mean "{nearest[0]}"?'
    return f"this route knows {', '.join(sorted(known))}"
