"""Segments and regions of interest by number or by name."""

from __future__ import annotations

from collections.abc import Sequence

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.model.labels import Segment

MOST_LISTED = 60


def select(segments: Sequence[Segment], wanted: int | str, kind: str = "segment") -> Segment:
    """The one segment of that number (int) or of that exact name (str).

    Raises:
        BadRequest: no segment, or more than one, answers; the message lists what there is.
    """
    if isinstance(wanted, int):
        found = [segment for segment in segments if segment.number == wanted]
    else:
        found = [segment for segment in segments if segment.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadRequest(
            f"{len(found)} {kind}s are called {wanted!r}: choose by number,"
            f" one of {', '.join(str(segment.number) for segment in found)}"
        )
    label = f"number {wanted}" if isinstance(wanted, int) else f"called {wanted!r}"
    listed = [f"{segment.number} {segment.name!r}" for segment in segments[:MOST_LISTED]]
    if len(segments) > MOST_LISTED:
        listed.append(f"and {len(segments) - MOST_LISTED} more")
    raise BadRequest(f"there is no {kind} {label}; there are: {', '.join(listed) or 'none'}")
