"""The port to the image files of the archive, for serving pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FileRecord:
    """The DICOM file of an instance.

    Attributes:
        digest: differs for different content: its MD5, or a unique name.
        path: of a local file with exactly these bytes, as long as the archive holds them; None if
            it stores them compressed, or elsewhere.
    """

    digest: str
    path: Path | None


class ImageArchive(Protocol):
    """The images of a DICOM archive, by Orthanc's identifiers."""

    def series_instances(self, series_id: str) -> tuple[str, ...]:
        """The instances of a series, in no particular order.

        Raises:
            NotFound: no such series.
        """
        ...

    def file_record(self, instance_id: str) -> FileRecord:
        """The DICOM file of an instance.

        Raises:
            NotFound: no such instance.
        """
        ...

    def instance_file(self, instance_id: str) -> bytes:
        """The content of that file.

        Raises:
            NotFound: no such instance.
        """
        ...
