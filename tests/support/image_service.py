"""A client of one IIIF image service, and images to serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

from tests.support.dicom_samples import ROOT
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import NATIVE, Codec, LevelSample, WrittenLevel, written_slide


@dataclass(frozen=True)
class ImageService:
    """The image service at a path.

    Attributes:
        base: the path, without a slash at its end.
    """

    server: OrthancServer
    base: str

    def get(self, tail: str, **headers: str) -> requests.Response:
        """The answer to what follows the base; headers by name, with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.get(self.base + tail, headers=named, allow_redirects=False)

    def info(self) -> dict[str, Any]:
        answer = self.get("/info.json")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def pixels(self, request: str) -> NDArray[np.uint8]:
        """(height, width) or (height, width, bands) of the image."""
        answer = self.get(f"/{request}")
        assert answer.status_code == 200, f"{request}: {answer.text}"
        with Image.open(BytesIO(answer.content)) as image:
            return np.asarray(image)

    def size(self, request: str) -> tuple[int, int]:
        """Width and height of the image."""
        pixels = self.pixels(request)
        return pixels.shape[1], pixels.shape[0]


def slide_levels(
    series: int,
    sizes: Sequence[tuple[int, int]],
    like: LevelSample,
    codec: Codec = NATIVE,
) -> list[WrittenLevel]:
    """A pyramid in a series and a study of its own, told from others by a number."""
    own = {
        "SeriesInstanceUID": f"{ROOT}.40.{series}",
        "StudyInstanceUID": f"{ROOT}.41.{series}",
    }
    return written_slide(sizes, replace(like, attributes={**own, **like.attributes}), codec)


def stored_series(server: OrthancServer, levels: Sequence[WrittenLevel]) -> str:
    """Stores a slide; the identifier of its series."""
    (series,) = {
        server.upload(file.content)["ParentSeries"] for level in levels for file in level.files
    }
    return series
