"""Surfaces that others made, read in millimetres, and pictures for them."""

from __future__ import annotations

import io

from PIL import Image

from orthanc_stl_plugin.formats.meshes.read import (
    ImportedModel,
    MeshFile,
    MeshFormat,
    MeshLimits,
    read_mesh,
)


def painted_picture(width: int = 4, height: int = 2, kind: str = "PNG") -> bytes:
    """A picture that is red left and blue right."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue()


def given(content: bytes, kind: MeshFormat) -> ImportedModel:
    """The model in a file of millimetres."""
    limits = MeshLimits(triangles=100, texture_pixels=1 << 12, unpacked_bytes=1 << 20)
    return read_mesh(MeshFile(content, kind, millimetres_per_unit=1.0), limits)
