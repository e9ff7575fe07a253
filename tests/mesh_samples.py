"""Pictures for surfaces."""

from __future__ import annotations

import io

from PIL import Image


def painted_picture(width: int = 4, height: int = 2, kind: str = "PNG") -> bytes:
    """A picture that is red left and blue right."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue()
