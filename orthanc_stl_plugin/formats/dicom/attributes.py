"""DICOM attributes as readable texts, from Orthanc's simplified tags.

Tags are mapped by keyword to a text with backslashes between values, to a list of such mappings for
a sequence, or to nothing. A path is a keyword, or keywords of nested sequences joined by dots.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from pydicom.datadict import dictionary_VR, tag_for_keyword

Tags = Mapping[str, object]

# These have a single value, in which a backslash is plain text (PS3.5 section 6.2).
_UNDIVIDED: Final = frozenset({"LT", "ST", "UR", "UT"})
_BRACED: Final = re.compile(r"\{([A-Za-z0-9.]+)\}")
_DATE: Final = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_TIME: Final = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d)(?:\.\d{1,6})?)?")
_AGE: Final = re.compile(r"0*(\d{1,3})([DWMY])")


def is_known(path: str) -> bool:
    """Whether every part of the path is a keyword of the DICOM dictionary."""
    return all(tag_for_keyword(keyword) is not None for keyword in path.split("."))


def stored_values(tags: Tags, path: str) -> tuple[str, ...]:
    """The values at a path as stored, trimmed, without empty ones."""
    keyword, _, rest = path.partition(".")
    found = tags.get(keyword)
    if rest:
        items = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
        inside = (stored_values(item, rest) for item in items if isinstance(item, Mapping))
        return tuple(dict.fromkeys(value for values in inside for value in values))
    if not isinstance(found, str):
        return ()
    values = [found] if _vr(keyword) in _UNDIVIDED else found.split("\\")
    trimmed = (value.replace("\0", " ").strip() for value in values)
    return tuple(value for value in trimmed if value)


def readable_values(tags: Tags, path: str) -> tuple[str, ...]:
    """The values at a path in readable form: ISO 8601 dates, names without carets."""
    make = _READABLE.get(_vr(path.rpartition(".")[2]))
    values = stored_values(tags, path)
    return tuple(text for value in values for text in make(value)) if make else values


def filled(template: str, tags: Tags) -> str | None:
    """The template, its keywords in braces replaced by readable values; None if one has none."""
    return _filled(template, lambda path: ", ".join(readable_values(tags, path)))


def filled_address(template: str, tags: Tags) -> str | None:
    """The same for a URL: stored values, percent-encoded (RFC 3986 section 2.1)."""
    return _filled(template, lambda path: quote("\\".join(stored_values(tags, path)), safe=""))


def keywords_of(templates: Sequence[str]) -> tuple[str, ...]:
    """The paths in the braces of the templates."""
    return tuple(path for template in templates for path in _BRACED.findall(template))


def midnight(tags: Tags, path: str) -> str | None:
    """The date at a path as an xsd:dateTime in UTC; None without a whole and valid date."""
    for value in stored_values(tags, path):
        found = _DATE.match(value)
        if found is None:
            continue
        try:
            date = dt.date(*(int(part) for part in found.groups()))
        except ValueError:
            continue
        return f"{date.isoformat()}T00:00:00Z"
    return None


def dicom_json(tags: Tags, paths: Sequence[str]) -> dict[str, object]:
    """The attributes at these paths in the DICOM JSON Model (PS3.18 F.2).

    Items of sequences contain only what a path names: other attributes may identify the patient.
    """
    paths_inside: dict[str, list[str]] = {}
    for path in paths:
        keyword, _, rest = path.partition(".")
        paths_inside.setdefault(keyword, []).append(rest)
    model: dict[str, object] = {}
    for keyword, inside in paths_inside.items():
        tag = tag_for_keyword(keyword)
        if tag is not None and keyword in tags:
            model[f"{tag:08X}"] = _element(tags, keyword, inside)
    return dict(sorted(model.items()))


def _element(tags: Tags, keyword: str, paths_inside: Sequence[str]) -> dict[str, object]:
    vr = _vr(keyword)
    values: list[object] = []
    if vr == "SQ":
        found = tags[keyword]
        items = found if isinstance(found, list) else []
        models = (dicom_json(item, paths_inside) for item in items if isinstance(item, Mapping))
        values = [model for model in models if model]
    elif "" in paths_inside:
        values = list(stored_values(tags, keyword))
    if vr == "PN":
        names = ("Alphabetic", "Ideographic", "Phonetic")
        values = [
            {name: part for name, part in zip(names, str(value).split("="), strict=False) if part}
            for value in values
        ]
    elif vr in _NUMERIC:
        values = [number for value in values if (number := _number(str(value))) is not None]
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _filled(template: str, value_of: Callable[[str], str]) -> str | None:
    values = {path: value_of(path) for path in keywords_of([template])}
    if not all(values.values()):
        return None
    return _BRACED.sub(lambda found: values[found[1]], template)


def _vr(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    return "" if tag is None else dictionary_VR(tag).partition(" ")[0]


def _date(value: str) -> tuple[str, ...]:
    found = _DATE.fullmatch(value)
    return ("-".join(found.groups()) if found else value,)


def _time(value: str) -> tuple[str, ...]:
    found = _TIME.fullmatch(value)
    return (":".join(part for part in found.groups() if part) if found else value,)


def _date_time(value: str) -> tuple[str, ...]:
    day, time = value[:8], value[8:14]
    if _DATE.fullmatch(day) is None or (time and _TIME.fullmatch(time) is None):
        return (value,)
    return (" ".join(part for part in (*_date(day), *_time(time)) if part),)


def _age(value: str) -> tuple[str, ...]:
    found = _AGE.fullmatch(value)
    return (f"{found[1]} {found[2]}" if found else value,)


def _person_name(value: str) -> tuple[str, ...]:
    """One text for each representation: alphabetic, ideographic, phonetic (PS3.5 section 6.2.1)."""
    groups = (group.split("^") for group in value.split("="))
    return tuple(text for group in groups if (text := _name(group)))


def _name(components: list[str]) -> str:
    family, given, middle, prefix, suffix, *_ = (*(part.strip() for part in components), *[""] * 5)
    names = " ".join(part for part in (prefix, given, middle) if part)
    return ", ".join(part for part in (family, names, suffix) if part)


_NUMERIC: Final = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_READABLE: Final = {
    "DA": _date,
    "TM": _time,
    "DT": _date_time,
    "AS": _age,
    "PN": _person_name,
}
