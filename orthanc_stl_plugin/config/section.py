"""What the sections of the configuration have in common, and the kinds of texts in them."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from orthanc_stl_plugin.schema import that_must

LABEL: Final = r"[A-Za-z0-9_-]{1,64}"
"""What Orthanc takes for a label."""

_URL: Final = r"https?://[^\s<>\"{}|\\^`]+"
_BE_AN_ADDRESS: Final = "be an address that begins with http:// or https://"
_HEADER: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"


def _key(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_")).replace("Mib", "MiB")


class Section(Struct, rename=_key, forbid_unknown_fields=True, frozen=True):
    """An object of the configuration: MaxVolumeMiB for `max_volume_mib`."""


def _matching(pattern: str) -> Meta:
    return Meta(pattern=rf"\A(?:{pattern})?\Z")


WebAddress = Annotated[str, _matching(_URL), that_must(_BE_AN_ADDRESS)]
HeaderName = Annotated[str, _matching(_HEADER), that_must("be the name of an HTTP header")]
"""RFC 9110 section 5.1."""

StudyLabel = Annotated[
    str,
    _matching(LABEL),
    that_must("be a label of Orthanc: at most 64 letters, digits, hyphens and underscores"),
]


def web_address(value: object) -> str:
    """An address that begins with http:// or https://, or an empty text.

    Raises:
        ValueError: it is something else; completes "it must ...".
    """
    try:
        return msgspec.convert(value, WebAddress)
    except msgspec.ValidationError as error:
        raise ValueError(_BE_AN_ADDRESS) from error
