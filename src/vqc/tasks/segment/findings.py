"""What an evaluation tells beyond its metrics: curves, groups, the worst pictures, drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vqc.dataset import Dataset
from vqc.tasks.contract import Curve, Mistake
from vqc.tasks.segment import data
from vqc.tasks.segment.answers import Masks
from vqc.tasks.segment.counts import Chosen, Counts, mean, share
from vqc.tasks.segment.drawing import beside
from vqc.types import ByteArray, FloatArray, Frame

MOST_MISTAKES = 200
_DRAWN_MISTAKES, _DRAWN_EXAMPLES = 24, 12
_MOST_SESSIONS = 20
_GOOD_DICE = 0.9
"""From here on a picture's class is no mistake."""
_AREAS = ((0.01, "small (under 1 % of the frame)"), (0.05, "medium (1 to 5 %)"),
          (math.inf, "large (over 5 %)"))  # fmt: skip
_ALL = "all"

Groups = dict[str, dict[str, dict[str, float]]]


def curves(counts: Counts, classes: Sequence[str]) -> tuple[Curve, ...]:
    """F1 of the pixels against the threshold, and precision against recall."""
    both, found = counts.both.sum(0)[:, 1:], counts.found.sum(0)[:, 1:]
    true = counts.true.sum(0)[:, None]
    f1 = share(2 * both, found + true)
    at = np.arange(1, both.shape[1] + 1) / 100
    # Where nothing is found there is no precision.
    recall, precision = share(both, true + 0 * both), share(both, found)
    grid = np.linspace(0, 1, 101)
    # Falling thresholds: recall rises, and from equal recalls the best precision counts.
    over_recall = np.stack(
        [_precision_over(grid, r[::-1], p[::-1]) for r, p in zip(recall, precision, strict=True)]
    )
    return (
        Curve("F1", "threshold", "F1 of the pixels", at, _lines(f1, classes)),
        Curve("precision-recall", "recall", "precision", grid, _lines(over_recall, classes)),
    )


def _lines(values: FloatArray, classes: Sequence[str]) -> dict[str, FloatArray]:
    """Of each class that is defined, and their mean."""
    lines = {n: v for n, v in zip(classes, values, strict=True) if not np.isnan(v).all()}
    return lines | {_ALL: np.array([mean(column) for column in values.T])}


def _precision_over(grid: FloatArray, recall: FloatArray, precision: FloatArray) -> FloatArray:
    """The best precision at each recall of the grid or above; 0 where no threshold comes there.

    Thresholds at which precision is not defined are left out.
    """
    if np.isnan(recall).any():
        return np.full(len(grid), np.nan)
    known = ~np.isnan(precision)
    if not known.any():
        return np.zeros(len(grid))
    recall, precision = recall[known], precision[known]
    best = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, grid, side="left")
    return np.where(place < len(recall), best[np.minimum(place, len(recall) - 1)], 0.0)


def groups(frames: Sequence[Frame], chosen: Chosen) -> Groups:
    """By the area of a class in its picture, and by session where these are few."""
    pixels = np.array([frame.width * frame.height for frame in frames])[:, None]
    areas, dice = chosen.true / pixels, chosen.dice()
    by_area, low = {}, 0.0
    for high, name in _AREAS:
        mine = (areas > low if low == 0 else areas >= low) & (areas < high)
        if mine.any():
            by_area[name] = {
                "frames": int(mine.any(axis=1).sum()),
                "Dice": float(dice[mine].mean()),
                "recall": float(chosen.both[mine].sum() / chosen.true[mine].sum()),
            }
        low = high
    found: Groups = {"defect area": by_area} if by_area else {}
    sessions = np.array([frame.session for frame in frames])
    names = sorted(set(sessions.tolist()))
    if 1 < len(names) <= _MOST_SESSIONS:
        found["session"] = {
            name: {
                "frames": int((sessions == name).sum()),
                "Dice": float(dice[sessions == name].mean()),
                "recall": mean(share(chosen.both, chosen.true)[sessions == name].ravel()),
            }
            for name in names
        }
    return found


def mistakes(
    frames: Sequence[Frame], answers: Sequence[Masks], chosen: Chosen, classes: Sequence[str]
) -> tuple[Mistake, ...]:
    """Of each picture the class that is worst, where its Dice is under 0.9; the worst first.

    missed: nothing found of what is there; false: nothing there of what was found; poor: the
    rest. Severity is (1 - Dice) (1 + side) / 2, side the root of the share of wrong pixels.
    """
    dice = chosen.dice()
    pixels = np.array([frame.width * frame.height for frame in frames])[:, None]
    wrong = np.sqrt((chosen.found + chosen.true - 2 * chosen.both) / pixels)
    severity = (1 - dice) * (1 + wrong) / 2
    found = []
    for number, (frame, answer) in enumerate(zip(frames, answers, strict=True)):
        k = int(severity[number].argmax())
        if dice[number, k] >= _GOOD_DICE:
            continue
        scores = {mask.class_name: mask.score for mask in answer.masks}
        is_there, is_found = chosen.true[number, k] > 0, chosen.found[number, k] > 0
        found.append(
            Mistake(
                frame.image,
                "poor" if is_there and is_found else "missed" if is_there else "false",
                classes[k] if is_there else None,
                classes[k] if is_found else None,
                scores.get(classes[k], 0.0),
                float(severity[number, k]),
                dice=float(dice[number, k]) if is_there and is_found else None,
            )
        )
    found.sort(key=lambda mistake: (-mistake.severity, mistake.image))
    return tuple(found[:MOST_MISTAKES])


def drawn(
    dataset: Dataset,
    frames: Sequence[Frame],
    answers: Sequence[Masks],
    worst: Sequence[Mistake],
) -> dict[str, ByteArray]:
    """The worst pictures, and some spread over the split: photo, truth and answer side by side."""
    by_image = {f.image: (f, a) for f, a in zip(frames, answers, strict=True)}
    spread = np.linspace(0, len(frames) - 1, min(_DRAWN_EXAMPLES, len(frames))).astype(int)
    images = [m.image for m in worst[:_DRAWN_MISTAKES]] + [frames[k].image for k in spread]
    classes = dataset.manifest.classes
    found = {}
    for image in dict.fromkeys(images):
        frame, answer = by_image[image]
        rgb = data.picture_of(dataset, frame)
        found[image] = beside(rgb, data.masks_of(frame, classes), answer)
    return found
