"""Textures: checked, and in a format that glTF supports."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image

from orthanc_stl_plugin.errors import TooLarge, UnusableSource

# glTF 2.0 section 3.8.3; WebP through the extension EXT_texture_webp.
_MEDIA_TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg"}
_WEBP: Final = {"WEBP": "image/webp"}
# Pillow's modes that PNG has; all others become RGB.
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})


@dataclass(frozen=True, slots=True)
class Texture:
    """A picture: the bytes of its file, and their media type."""

    content: bytes
    media_type: str


class Textures:
    """Checks the pictures of one model, which may have `max_pixels` in all."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._pixels = 0

    def checked(self, content: bytes, name: str) -> str:
        """The media type of a picture that must stay unchanged.

        Raises:
            TooLarge: it has too many pixels.
            UnusableSource: it is not a picture, is truncated, or is not PNG, JPEG or WebP.
        """
        found = self._format(content, name)
        media_type = (_MEDIA_TYPES | _WEBP).get(found)
        if media_type is None:
            raise UnusableSource("TextureFormatUnsupported", texture=name, format=found)
        return media_type

    def converted(self, content: bytes, name: str) -> Texture:
        """A picture as PNG or JPEG, unchanged if it is one of these; raises as `checked`."""
        found = self._format(content, name)
        if found in _MEDIA_TYPES:
            return Texture(content, _MEDIA_TYPES[found])
        target = BytesIO()
        try:
            with Image.open(BytesIO(content)) as picture:
                plain = picture if picture.mode in _PNG_MODES else picture.convert("RGB")
                plain.save(target, "PNG")
        except (OSError, ValueError) as error:
            raise UnusableSource("TextureUnreadable", texture=name, reason=error) from error
        return Texture(target.getvalue(), _MEDIA_TYPES["PNG"])

    def _format(self, content: bytes, name: str) -> str:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(BytesIO(content)) as picture:
                    found, size = str(picture.format), picture.size
                    self._count(size, name)
                    picture.verify()
        except Image.DecompressionBombError as error:
            raise TooLarge("TextureTooLarge", texture=name, reason=error) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise UnusableSource("TextureNotPicture", texture=name) from error
        return found

    def _count(self, size: tuple[int, int], name: str) -> None:
        self._pixels += size[0] * size[1]
        if self._pixels > self._max_pixels:
            raise TooLarge(
                "TexturesTooLarge",
                texture=name,
                pixels=self._pixels,
                max_texture_pixels=self._max_pixels,
            )
