"""The media types that a client accepts (RFC 9110 section 12.5.1)."""

from __future__ import annotations


def accepts(accept: str, media_type: str) -> bool:
    """Whether the header contains the type itself, without a weight of 0, which refuses it."""
    for part in accept.split(","):
        kind, *parameters = (one.strip().lower() for one in part.split(";"))
        if kind == media_type:
            return not any(_is_zero(one) for one in parameters)
    return False


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in {"0.", "", "."}
