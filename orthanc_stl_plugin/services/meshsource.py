"""A surface that somebody else made, on its way to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orthanc_stl_plugin.formats.companions import Companions
from orthanc_stl_plugin.formats.meshfile import MeshFile, MeshFormat, MeshLimits


@dataclass(frozen=True, slots=True)
class MeshFileSource:
    """A file that holds a surface already; see `MeshFile`. `companions` are paths by name."""

    path: Path
    kind: MeshFormat
    limits: MeshLimits
    title: str
    companions: Mapping[str, Path] = field(default_factory=dict)
    millimetres_per_unit: float | None = None
    is_y_up: bool | None = None

    def file(self) -> MeshFile:
        """What lies at the paths."""
        return MeshFile(
            self.path.read_bytes(),
            self.kind,
            Companions.of({name: path.read_bytes() for name, path in self.companions.items()}),
            self.millimetres_per_unit,
            self.is_y_up,
        )
