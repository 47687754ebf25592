"""What counts as a defect, and what the manifest says of every frame.

In: frames of a manifest. Out: good, defect or unknown, and the mask of what is wrong.

The rule: `condition` "good" is good, any other condition is a defect. Where there is no condition,
a frame that was labelled is good where nothing is on it, and has a defect where something is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.formats import rle
from vqc.types import Frame

GOOD, DEFECT = "good", "defect"


def state_of(frame: Frame) -> str | None:
    """GOOD or DEFECT; None where nobody has said."""
    if frame.condition is not None:
        return GOOD if frame.condition == GOOD else DEFECT
    if frame.objects is None:
        return None
    return DEFECT if frame.objects else GOOD


def part_classes(frames: Iterable[Frame]) -> frozenset[str]:
    """Classes of what is seen on good frames: those objects are parts, not defects."""
    good = (frame for frame in frames if state_of(frame) == GOOD)
    return frozenset(note.class_name for frame in good for note in frame.objects or ())


def defect_mask(frame: Frame, parts: frozenset[str]) -> NDArray[np.bool_] | None:
    """(H, W): where the frame is defect, all False on a good one; None where no mask says it.

    parts: classes whose objects are no defects. An object without a mask makes the whole frame
    unknown: what lies outside of the other masks need not be good.
    """
    masks = [] if state_of(frame) == GOOD else _masks(frame, parts)
    if masks is None:
        return None
    mask = np.zeros((frame.height, frame.width), bool)
    for each in masks:
        mask |= rle.decode(each)
    return mask


def says_where(frame: Frame, parts: frozenset[str]) -> bool:
    """Whether `defect_mask` shows a defect, as the notes tell without the picture's size."""
    if state_of(frame) == GOOD:
        return False
    return any(rle.area(mask) for mask in _masks(frame, parts) or ())


def _masks(frame: Frame, parts: frozenset[str]) -> list[Mapping[str, Any]] | None:
    """Of all that is wrong on a frame with a defect; None where one is missing."""
    wrong = [note for note in frame.objects or () if note.class_name not in parts]
    masks = [note.mask for note in wrong if note.mask is not None]
    return masks if wrong and len(masks) == len(wrong) else None


def kind_of(frame: Frame) -> str:
    """The kind of defect in a word: the condition, or the classes of the objects."""
    if frame.condition is not None:
        return frame.condition
    return ", ".join(sorted({note.class_name for note in frame.objects or ()})) or GOOD
