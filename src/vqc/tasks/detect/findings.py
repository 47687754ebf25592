"""What a detector found of what is there: counts, groups and mistakes.

In: frames with their truth, and the boxes found in them. Out: parts of an `Evaluation`. Pure
functions over manifests and arrays; no picture is opened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.dataset import Dataset
from vqc.formats import exported_box
from vqc.tasks.contract import BACKGROUND, Confusion, Mistake
from vqc.tasks.detect.answers import Detections
from vqc.tasks.detect.matching import IOU_FROM, NOTHING, match, overlaps
from vqc.types import Box, FloatArray, Frame, IntArray

MOST_MISTAKES = 200
Groups = dict[str, dict[str, dict[str, float]]]

_SIZES = ((0.1, "small (under 1 % of the frame)"), (0.3, "medium (1 to 9 %)"),
          (math.inf, "large (over 9 %)"))  # fmt: skip
"""By the side: root of the box's area ÷ root of the frame's."""
_VISIBLE = ((0.25, "under 25 %"), (0.5, "25 to 50 %"), (0.75, "50 to 75 %"), (0.99, "75 to 99 %"),
            (math.inf, "whole (99 % or more)"))  # fmt: skip
_ELEVATIONS = tuple((low + 30, f"{low} to {low + 30}°") for low in range(-90, 90, 30))
_AZIMUTHS = tuple((low + 45, f"{low} to {low + 45}°") for low in range(0, 360, 45))

Bands = Sequence[tuple[float, str]]
"""Upper bounds, rising, each with the name of what lies below it."""


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Every box found in one picture, however unsure.

    boxes_xyxy: (N, 4) px, clipped to the picture. scores: (N,), falling. classes: (N,).
    """

    boxes_xyxy: FloatArray
    scores: FloatArray
    classes: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One frame: what is there, what was found, and what of it counts.

    true_boxes: (M, 4) px, true_classes, visibility: (M,), NaN where not known. found: all
    boxes, of which the first `counted` are sure enough. object_of: (counted,), the object that
    each of these found, or NOTHING. iou: (N, M).
    """

    frame: Frame
    true_boxes: FloatArray
    true_classes: IntArray
    visibility: FloatArray
    found: Boxes
    counted: int
    object_of: IntArray
    iou: FloatArray

    @property
    def hit(self) -> IntArray:
        """The objects that were found, under their right name."""
        classes = self.found.classes[: self.counted]
        on = np.flatnonzero(self.object_of != NOTHING)
        right = classes[on] == self.true_classes[self.object_of[on]]
        hit: IntArray = self.object_of[on[right]]
        return hit


def look(dataset: Dataset, frame: Frame, found: Boxes, threshold: float) -> Seen:
    """Match what was found in a frame with what is there. threshold: least score that counts."""
    number = {name: k for k, name in enumerate(dataset.manifest.classes)}
    rows = []
    for note in frame.objects or ():
        box = exported_box(note, frame.width, frame.height, dataset.box)
        if box is not None:
            known = math.nan if note.visibility is None else note.visibility
            rows.append((*box, number[note.class_name], known))
    table = np.array(rows, np.float64).reshape(-1, 6)
    true_boxes, true_classes = table[:, :4], table[:, 4].astype(np.int64)
    iou = overlaps(found.boxes_xyxy, true_boxes)
    counted = int((found.scores >= threshold).sum())
    sure = slice(counted)
    object_of = match(iou[sure], found.scores[sure], found.classes[sure], true_classes)
    return Seen(frame, true_boxes, true_classes, table[:, 5], found, counted, object_of, iou)


def confusion(seen: Sequence[Seen], classes: Sequence[str]) -> Confusion:
    """Objects by what they are and what they were taken for, BACKGROUND last on both sides.

    A row sums up to the objects of its class, a column to the boxes of its class.
    """
    nothing = len(classes)
    counts = np.zeros((nothing + 1, nothing + 1), np.int64)
    for one in seen:
        predicted = one.found.classes[: one.counted].tolist()
        for name, on in zip(predicted, one.object_of.tolist(), strict=True):
            counts[nothing if on == NOTHING else one.true_classes[on], name] += 1
        for missed in np.setdiff1d(np.arange(len(one.true_classes)), one.object_of).tolist():
            counts[one.true_classes[missed], nothing] += 1
    return Confusion((*classes, BACKGROUND), counts)


def detections(one: Seen, classes: Sequence[str], least_score: float) -> Detections:
    """The answer for one frame, the surest first, without what is less sure or has no area."""
    sides = one.found.boxes_xyxy[:, 2:] - one.found.boxes_xyxy[:, :2]
    kept = (one.found.scores >= least_score) & (sides > 0).all(axis=1)
    return Detections(
        one.frame.image,
        one.found.boxes_xyxy[kept],
        one.found.scores[kept],
        tuple(classes[k] for k in one.found.classes[kept]),
    )


# Groups -----------------------------------------------------------------------------------


def groups(seen: Sequence[Seen]) -> Groups:
    """How many objects of each group were found, under their right name.

    Of every group: frames, objects, recall (NaN without objects). What is nowhere known, such
    as the view of photos, has no group.
    """
    by_object: dict[str, tuple[Bands, Callable[[Seen], FloatArray]]] = {
        "object size": (_SIZES, _sides),
        "visibility": (_VISIBLE, lambda one: one.visibility),
    }
    by_frame: dict[str, tuple[Bands, str]] = {
        "view elevation": (_ELEVATIONS, "elevation_deg"),
        "view azimuth": (_AZIMUTHS, "azimuth_deg"),
    }
    found: Groups = {}
    for name, (bands, values_of) in by_object.items():
        labels = [[_band(value, bands) for value in values_of(one)] for one in seen]
        found[name] = _rows(seen, labels, [label for _, label in bands])
    sessions = [one.frame.session for one in seen]
    found["session"] = _frame_rows(seen, sessions, sorted(set(sessions)))
    for name, (bands, key) in by_frame.items():
        views = [_band(_angle(one.frame, key), bands) for one in seen]
        found[name] = _frame_rows(seen, views, [label for _, label in bands])
    return {name: rows for name, rows in found.items() if rows}


def _sides(one: Seen) -> FloatArray:
    """(M,): root of a box's area ÷ root of the frame's."""
    width_height = one.true_boxes[:, 2:] - one.true_boxes[:, :2]
    sides: FloatArray = np.sqrt(width_height.prod(-1) / (one.frame.width * one.frame.height))
    return sides


def _angle(frame: Frame, key: str) -> float:
    value = (frame.view or {}).get(key)
    return float(value) if isinstance(value, int | float) else math.nan


def _band(value: float, bands: Bands) -> str | None:
    """The band of a value; the last one holds its upper bound. None for NaN."""
    if math.isnan(value):
        return None
    return next((name for bound, name in bands if value < bound), bands[-1][1])


def _rows(
    seen: Sequence[Seen], labels: Sequence[Sequence[str | None]], order: Sequence[str]
) -> dict[str, dict[str, float]]:
    """labels: the group of every object of every frame, or None."""
    rows = {}
    for name in order:
        masks = [np.array([label == name for label in of], bool) for of in labels]
        frames = sum(bool(mask.any()) for mask in masks)
        if frames:
            rows[name] = _row(frames, seen, masks)
    return rows


def _frame_rows(
    seen: Sequence[Seen], labels: Sequence[str | None], order: Sequence[str]
) -> dict[str, dict[str, float]]:
    """labels: the group of every frame, or None; frames without objects count as well."""
    rows = {}
    for name in order:
        mine = [one for one, label in zip(seen, labels, strict=True) if label == name]
        if mine:
            rows[name] = _row(len(mine), mine, [np.ones(len(one.true_boxes), bool) for one in mine])
    return rows


def _row(frames: int, seen: Sequence[Seen], masks: Sequence[NDArray[np.bool_]]) -> dict[str, float]:
    objects = sum(int(mask.sum()) for mask in masks)
    hits = sum(int(mask[one.hit].sum()) for one, mask in zip(seen, masks, strict=True))
    recall = hits / objects if objects else math.nan
    return {"frames": frames, "objects": objects, "recall": recall}


# Mistakes ---------------------------------------------------------------------------------


def mistakes(seen: Sequence[Seen], classes: Sequence[str]) -> tuple[Mistake, ...]:
    """What went wrong, the worst first, MOST_MISTAKES at most.

    missed: an object that no box found; its severity is (1 − s) (1 + side) / 2, with s the
    score of the surest box of the right class that lies on it and does not count, and side the
    object's share of the frame's side. confused: a box of another class; double: one more box
    on an object that another box found; false: a box on nothing; as severe as they are sure.
    In the confusion matrix doubles are on the background, too.
    """
    found = [mistake for one in seen for mistake in _of_frame(one, classes)]
    found.sort(key=lambda m: (-m.severity, m.image, m.kind, m.truth or "", m.predicted or ""))
    return tuple(found[:MOST_MISTAKES])


def _of_frame(one: Seen, classes: Sequence[str]) -> Iterator[Mistake]:
    image, boxes, scores = one.frame.image, one.found.boxes_xyxy, one.found.scores
    for box, on in enumerate(one.object_of.tolist()):
        name, score = classes[one.found.classes[box]], float(scores[box])
        kind, below = ("confused", on) if on != NOTHING else ("double", _below(one, box))
        if below == NOTHING:
            yield Mistake(image, "false", None, name, score, score, _box(boxes[box]))
        elif kind == "double" or one.found.classes[box] != one.true_classes[below]:
            truth, at = classes[one.true_classes[below]], _box(one.true_boxes[below])
            yield Mistake(image, kind, truth, name, score, score, _box(boxes[box]), at)
    sides = _sides(one)
    for k in np.setdiff1d(np.arange(len(one.true_boxes)), one.object_of).tolist():
        faint = np.flatnonzero(
            (one.iou[:, k] >= IOU_FROM) & (one.found.classes == one.true_classes[k])
        )
        faint = faint[faint >= one.counted]
        nearly = _box(boxes[faint[0]]) if len(faint) else None
        score = float(scores[faint[0]]) if len(faint) else 0.0
        severity = (1 - score) * (1 + float(sides[k])) / 2
        truth, at = classes[one.true_classes[k]], _box(one.true_boxes[k])
        yield Mistake(image, "missed", truth, None, score, severity, nearly, at)


def _below(one: Seen, box: int) -> int:
    """The object on which a box lies best, or NOTHING."""
    best = int(one.iou[box].argmax()) if len(one.true_boxes) else NOTHING
    return best if best != NOTHING and one.iou[box, best] >= IOU_FROM else NOTHING


def _box(values: FloatArray) -> Box:
    x0, y0, x1, y1 = values.tolist()
    return x0, y0, x1, y1
