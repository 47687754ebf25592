"""Outside formats, one file each; the only place that knows class ids and text layouts."""

from __future__ import annotations

from typing import Literal

from vqc.types import Annotation, Box

BoxKind = Literal["modal", "amodal"]

THINNEST_PX = 0.1
"""A box thinner than this, left over at the frame's border, is not exported."""


def exported_box(note: Annotation, width: int, height: int, box: BoxKind) -> Box | None:
    """The box of one object as it goes into a label file, clipped to the frame, in pixels.

    width, height: the frame's size. None where the object has no box in the frame. Where no
    amodal box is known, as in photos, the box that somebody drew stands for it.
    """
    found = note.box_xyxy
    if box == "amodal" and note.amodal_box_xyxy is not None:
        found = note.amodal_box_xyxy
    if found is None:
        return None
    x0, y0, x1, y1 = found
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= THINNEST_PX else None
