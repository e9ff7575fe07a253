"""JSON that is declared with msgspec: request bodies and settings.

msgspec decodes and describes. Its messages are written for programmers, so `read` looks for the
first wrong value by itself, and says where it stands and what it must be.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import UNSET, Meta, Struct, inspect, structs

MUST: Final = "must"
_LIKENESS: Final = 0.5


class Invalid(Exception):
    """A value is not what it must be.

    Attributes:
        path: the names that lead to it.
        value: itself; UNSET where its parts do not fit each other.
        must: completes "it must ...".
    """

    def __init__(self, path: Sequence[str], value: object, must: str) -> None:
        super().__init__(must)
        self.path, self.value, self.must = tuple(path), value, must


class UnknownName(Exception):
    """An object has a name that is not declared.

    Attributes:
        path: the names that lead to the object.
        name: the unknown one.
        value: what stands there.
        known: the names that it may have.
    """

    def __init__(self, path: Sequence[str], name: str, value: object, known: list[str]) -> None:
        super().__init__(name)
        self.path, self.name, self.value, self.known = tuple(path), name, value, known

    @property
    def nearest(self) -> str | None:
        """The known name that it resembles."""
        by_folded = {one.casefold(): one for one in self.known}
        found = difflib.get_close_matches(self.name.casefold(), by_folded, 1, _LIKENESS)
        return by_folded[found[0]] if found else None


class MissingName(Exception):
    """An object lacks a name that it must have.

    Attributes:
        name: the missing one.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class FromJson(Protocol):
    """A type that reads itself from JSON."""

    @classmethod
    def from_json(cls, value: object) -> FromJson:
        """The value; ValueError completes "it must ..."."""
        ...


def that_must(must: str) -> Meta:
    """An annotation that completes "it must ..." for values that msgspec refuses."""
    return Meta(extra={MUST: must})


def read[T: Struct](kind: type[T], value: object, path: Sequence[str] = ()) -> T:
    """The declared object that a JSON value holds.

    Args:
        kind: the declaration. Checks in its `__post_init__` raise ValueError, which completes
            "it must ...".
        value: as `json.loads` returns it.
        path: the names that lead to it.

    Raises:
        Invalid: it, or a value inside, has another type or lies outside its range.
        UnknownName: a name is not declared.
        MissingName: a declared name is absent.
    """
    if not isinstance(value, Mapping):
        raise Invalid(path, value, "be an object {...}")
    declared = {one.encode_name: one for one in structs.fields(kind)}
    for name, entry in value.items():
        if name not in declared:
            raise UnknownName(path, name, entry, list(declared))
    for name, one in declared.items():
        if one.required and name not in value:
            raise MissingName(name)
    chosen = {
        declared[name].name: _read(declared[name].type, entry, (*path, name))
        for name, entry in value.items()
    }
    try:
        return kind(**chosen)
    except ValueError as error:
        raise Invalid(path, UNSET, str(error)) from error


def _read(kind: Any, value: object, path: tuple[str, ...]) -> object:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return read(kind, value, path)
    info = inspect.type_info(kind)
    inner = info.type if isinstance(info, inspect.Metadata) else info
    if isinstance(inner, inspect.DictType) and isinstance(value, Mapping):
        for name, entry in value.items():
            try:
                _convert({name: entry}, kind)
            except ValueError as error:
                must = _must(inner.value_type, entry, error)
                raise Invalid((*path, name), entry, must) from error
    try:
        return _convert(value, kind)
    except ValueError as error:
        raise Invalid(path, value, _must(info, value, error)) from error


def _convert(value: object, kind: Any) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    try:
        return msgspec.convert(value, kind, dec_hook=_from_json)
    except OverflowError as error:  # a whole number that no float can hold
        raise ValueError(value) from error


def _from_json(kind: type[FromJson], value: object) -> FromJson:
    return kind.from_json(value)


def _must(info: inspect.Type, value: object, error: ValueError) -> str:
    """What completes "it must ...": declared, said by the type itself, or plain from the type."""
    if isinstance(info, inspect.Metadata):
        declared = (info.extra or {}).get(MUST)
        return declared or _must(info.type, value, error)
    plain = {inspect.BoolType: "be true or false", inspect.DictType: "be an object {...}"}
    match info:
        case inspect.CustomType():
            return str(error.__cause__)
        case inspect.IntType(ge=lowest, le=highest):
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            return f"lie in {lowest}-{highest}" if is_whole else "be a whole number"
        case inspect.StrType(min_length=shortest):
            return "be a text that is not empty" if shortest else "be a text"
        case inspect.EnumType(cls=choices):
            return f"be one of {', '.join(choices)}"
    return plain[type(info)]
