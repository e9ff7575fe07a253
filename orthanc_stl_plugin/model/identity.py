"""What a derived object tells of the instances that it was made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A DICOM instance: the UIDs of its series (None where unknown), its class and its own."""

    series_instance_uid: str | None
    sop_class_uid: str
    sop_instance_uid: str
