"""The kinds of settings: what a value of each must be, and how a section of them is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, field, fields
from functools import partial
from typing import Any, Final

from orthanc_stl_plugin.config.texts import Texts, Unfit, read_texts
from orthanc_stl_plugin.errors import ConfigurationError

LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What Orthanc takes for a label."""

_URL: Final = re.compile(r"https?://[^\s<>\"{}|\\^`]+")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

# A check takes the JSON value, and gives what the setting holds; Unfit says what the value must be.
Check = Callable[[Any], object]


def whole(key: str, default: int, lowest: int, highest: int) -> Any:
    """A whole number within limits."""
    return _setting(key, default, partial(_whole, lowest=lowest, highest=highest))


def bound(key: str, lowest: int, highest: int) -> Any:
    """A whole number within limits, or 0 for no bound."""
    return _setting(key, 0, partial(_bound, lowest=lowest, highest=highest))


def switch(key: str, *, default: bool) -> Any:
    """True or false."""
    return _setting(key, default, _switch)


def text(key: str, default: str = "") -> Any:
    """A text; it may be empty."""
    return _setting(key, default, _text)


def address(key: str) -> Any:
    """An address that begins with http:// or https://, or an empty text."""
    return _setting(key, "", web_address)


def header_name(key: str) -> Any:
    """The name of an HTTP header (RFC 9110 section 5.1), or an empty text."""
    return _setting(key, "", _header_name)


def study_label(key: str) -> Any:
    """A label as Orthanc takes it, or an empty text."""
    return _setting(key, "", _study_label)


def lines(key: str, default: list[str]) -> Any:
    """Several texts."""
    return _setting(key, default, _lines)


def language_texts(key: str, default: object = "") -> Any:
    """Texts by language."""
    return _setting(key, default, partial(read_texts, language="en"))


def named_texts(key: str, default: Sequence[Mapping[str, object]]) -> Any:
    """Texts by language for each of several names: a list, as Orthanc sorts the keys of objects."""
    return _setting(key, default, _named_texts)


def web_address(value: object) -> str:
    """An address that begins with http:// or https://, or an empty text.

    Raises:
        Unfit: it is something else.
    """
    if value != "" and (not isinstance(value, str) or _URL.fullmatch(value) is None):
        raise Unfit("be an address that begins with http:// or https://")
    return str(value)


def section(key: str, kind: type) -> Any:
    """An object with settings of its own: a frozen dataclass of these kinds."""
    return field(default=kind(), metadata={"key": key, "section": kind})


def read_section[T](kind: type[T], name: str, value: object) -> T:
    """The settings of an object as JSON gives it; `name` is its place in the configuration.

    Raises:
        ConfigurationError: it is no object, a key is unknown, a value has the wrong type or lies
            outside its range; the message names key, value and the nearest right name.
    """
    if not isinstance(value, Mapping):
        raise ConfigurationError(f'"{name}" is {value!r}: it must be an object {{...}}')
    by_key = {key_of(setting): setting for setting in _fields(kind)}
    chosen: dict[str, object] = {}
    for key, entry in value.items():
        if key not in by_key:
            raise ConfigurationError(_unknown(name, str(key), entry, list(by_key)))
        chosen[by_key[key].name] = _checked(by_key[key], f"{name}.{key}", entry)
    try:
        return kind(**chosen)
    except Unfit as error:
        raise ConfigurationError(f'"{name}" must {error}') from error


def key_of(setting: Field[Any]) -> str:
    """The key of a setting in its object."""
    return str(setting.metadata["key"])


def defaults(kind: type, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every setting by its dotted place, with its default as JSON has it."""
    for setting in _fields(kind):
        if "section" in setting.metadata:
            yield from defaults(setting.metadata["section"], f"{prefix}{key_of(setting)}.")
        else:
            yield prefix + key_of(setting), setting.metadata["json"]


def _fields(kind: type) -> tuple[Field[Any], ...]:
    return fields(kind)


def _setting(key: str, default: object, check: Check) -> Any:
    return field(default=check(default), metadata={"key": key, "check": check, "json": default})


def _checked(setting: Field[Any], name: str, value: object) -> object:
    if "section" in setting.metadata:
        return read_section(setting.metadata["section"], name, value)
    try:
        return setting.metadata["check"](value)
    except Unfit as error:
        raise ConfigurationError(f'"{name}" is {value!r}: it must {error}') from error


def _unknown(section_name: str, key: str, value: object, known: list[str]) -> str:
    by_folded = {one.casefold(): one for one in known}
    nearest = difflib.get_close_matches(key.casefold(), by_folded, n=1, cutoff=0.5)
    hint = (
        f'did you mean "{by_folded[nearest[0]]}"?'
        if nearest
        else f"the settings are {', '.join(known)}"
    )
    return f'"{section_name}.{key}" (with the value {value!r}) is no setting: {hint}'


def _whole(value: object, lowest: int, highest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("be a whole number")
    if not lowest <= value <= highest:
        raise Unfit(f"lie in {lowest}-{highest}")
    return value


def _bound(value: object, lowest: int, highest: int) -> int:
    try:
        return _whole(value, lowest, highest) if value != 0 else _whole(value, 0, 0)
    except Unfit as error:
        raise Unfit(f"{error}, or be 0") from error


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit("be true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit("be a text")
    return value


def _header_name(value: object) -> str:
    if value != "" and (not isinstance(value, str) or _HEADER.fullmatch(value) is None):
        raise Unfit("be the name of an HTTP header")
    return str(value)


def _study_label(value: object) -> str:
    if value != "" and (not isinstance(value, str) or LABEL.fullmatch(value) is None):
        raise Unfit("be a label of Orthanc: at most 64 letters, digits, hyphens and underscores")
    return str(value)


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unfit('be a list of texts: ["...", ...]')
    return tuple(value)


def _named_texts(value: object) -> tuple[tuple[str, Texts], ...]:
    if not isinstance(value, list) or not all(
        isinstance(one, Mapping) and len(one) == 1 for one in value
    ):
        raise Unfit('be a list of texts by name: [{"StudyDate": "Date"}, ...]')
    return tuple(
        (str(name), read_texts(texts, "en")) for one in value for name, texts in one.items()
    )
