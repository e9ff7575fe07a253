"""Icon images (PS3.3 F.7): a small palette picture in the form for /tools/create-dicom."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ICON_PX: Final = 64
_COLOURS: Final = 256
_PAPER: Final = (255, 255, 255, 255)
_BYTES: Final = "data:application/octet-stream;base64,"


def icon_item(picture: NDArray[np.uint8]) -> dict[str, str]:
    """The tags of an Icon Image Sequence item for an (H, W, 4) uint8 sRGB picture, on white.

    The pixels are PALETTE COLOR, 8 bits: RGB is not allowed in an icon.
    """
    image = Image.fromarray(picture, "RGBA")
    paper = Image.new("RGBA", image.size, _PAPER)
    flat = Image.alpha_composite(paper, image).convert("RGB")
    indexed = flat.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE)
    colours = np.zeros((_COLOURS, 3), dtype="<u2")
    palette = np.array(indexed.getpalette(), dtype="<u2").reshape(-1, 3)
    colours[: len(palette)] = palette * 257  # 8 bits spread over 16
    item = {
        "Rows": str(image.height),
        "Columns": str(image.width),
        "SamplesPerPixel": "1",
        "PhotometricInterpretation": "PALETTE COLOR",
        "BitsAllocated": "8",
        "BitsStored": "8",
        "HighBit": "7",
        "PixelRepresentation": "0",
        "PixelData": _data_uri(indexed.tobytes()),
    }
    for name, column in zip(("Red", "Green", "Blue"), colours.T, strict=True):
        item[f"{name}PaletteColorLookupTableDescriptor"] = f"{_COLOURS}\\0\\16"
        item[f"{name}PaletteColorLookupTableData"] = _data_uri(column.tobytes())
    return item


def with_numbers(item: Mapping[str, str]) -> dict[str, str]:
    r"""The item with the entries of its lookup tables as numbers, "0\257\514", not as bytes."""
    return {
        keyword: "\\".join(map(str, np.frombuffer(_content(value), "<u2")))
        if keyword.endswith("PaletteColorLookupTableData")
        else value
        for keyword, value in item.items()
    }


def _content(data_uri: str) -> bytes:
    return base64.b64decode(data_uri.removeprefix(_BYTES))


def _data_uri(content: bytes) -> str:
    return _BYTES + base64.b64encode(content).decode()
