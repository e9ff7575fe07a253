"""How a derived object refers to the instances that it was made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A DICOM instance: the UIDs of its series (None if unknown), its class and itself."""

    series_instance_uid: str | None
    sop_class_uid: str
    sop_instance_uid: str
