"""What is in one or several sets: figures about frames, classes and boxes.

In: frames as `columns`. Out: rows for tables. `sheet` draws frames to look at, `charts` draws
the figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqc.errors import OutputError
from vqc.files import replace_file
from vqc.inspection.columns import (
    BACKGROUND,
    CAD,
    REAL,
    SIMULATED,
    SOURCES,
    SPLITS,
    UNLABELLED,
    Columns,
)
from vqc.types import FloatArray, IntArray

NO_BOX = "no box"
EVERY_CLASS = "all together"
SIDE_EDGES: FloatArray = np.linspace(0, 1, 21)
"""Bins of box sides, for the charts and for how far two distributions overlap."""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in one session.

    frames: frames that show it. boxes: visible boxes. side: root of the box's area ÷ root of
    the frame's, as least, middle and largest. centre: middle of the box centres, x and y, as
    shares of the frame. visibility: the middle one; None where unknown.
    """

    class_name: str
    session: str
    frames: int
    boxes: int
    side: tuple[float, float, float] | None
    centre: tuple[float, float] | None
    visibility: float | None


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """Frames that show a class or condition, and boxes of it, in one source and split."""

    name: str
    source: str
    split: str | None
    frames: int
    boxes: int


@dataclass(frozen=True, slots=True)
class SizeRow:
    """How large a class is in renders against photos.

    photos: "real", or "simulated" where there is no real box. Sides are the middle ones.
    ratio: CAD's ÷ the photos'. overlap: the share, 0 to 1, that the distributions of the
    sides have in common, in bins of a twentieth of the frame.
    """

    class_name: str
    photos: str
    cad_boxes: int
    photo_boxes: int
    cad_side: float
    photo_side: float
    ratio: float
    overlap: float


def rows(of: Columns) -> list[ClassRow]:
    """One row for every class and session in which it occurs, sorted by their names."""
    groups = len(of.classes) * len(of.sessions)
    frames = np.bincount(_class_session(of, of.shows[:, 1], of.shows[:, 0]), minlength=groups)
    key = _class_session(of, of.class_number, of.frame)
    boxes = np.bincount(key[of.has_box], minlength=groups)
    side, x, y, visible = (
        _spread(values, key, groups)
        for values in (of.side, of.centre[:, 0], of.centre[:, 1], of.visibility)
    )
    found = []
    for k in np.flatnonzero(frames).tolist():
        seen = None if np.isnan(visible[k, 1]) else visible[k, 1].item()
        low, middle, high = side[k].tolist()
        found.append(
            ClassRow(
                of.classes[k // len(of.sessions)],
                of.sessions[k % len(of.sessions)],
                int(frames[k]),
                int(boxes[k]),
                (low, middle, high) if boxes[k] else None,
                (x[k, 1].item(), y[k, 1].item()) if boxes[k] else None,
                seen,
            )
        )
    return sorted(found, key=lambda row: (row.class_name, row.session))


def counts(of: Columns) -> dict[str, int]:
    """Frames in all, backgrounds, frames that nobody labelled, frames of which no box shows."""
    with_object = np.isin(np.arange(len(of.source)), of.frame)
    with_box = np.isin(np.arange(len(of.source)), of.frame[of.has_box])
    return {
        "frames": len(of.source),
        "backgrounds": int((of.state == BACKGROUND).sum()),
        "unlabelled": int((of.state == UNLABELLED).sum()),
        NO_BOX: int((with_object & ~with_box).sum()),
    }


def balance(of: Columns) -> list[BalanceRow]:
    """Every class in every source and split in which it occurs, in the order of the classes.

    A class that nothing shows has a row without source. Backgrounds and frames that nobody
    labelled follow.
    """
    shown = Counter(_places(of, of.shows[:, 0], of.shows[:, 1]))
    boxes = Counter(_places(of, of.frame[of.has_box], of.class_number[of.has_box]))
    found = _balance_rows(of.classes, shown, boxes)
    there = {row.name for row in found}
    found += [BalanceRow(name, "", None, 0, 0) for name in of.classes if name not in there]
    for state in (BACKGROUND, UNLABELLED):
        at = np.flatnonzero(of.state == state)
        found += _balance_rows((state,), Counter(_places(of, at, np.zeros_like(at))))
    return found


def condition_balance(of: Columns) -> list[BalanceRow]:
    """The same for conditions, which have no boxes of their own."""
    at = np.flatnonzero(of.condition >= 0)
    return _balance_rows(of.conditions, Counter(_places(of, at, of.condition[at])))


def sizes(of: Columns) -> list[SizeRow]:
    """CAD objects against photographed ones, first all classes that both show, then each.

    Empty where one of the two has no box, or no class in common.
    """
    photos = REAL if of.with_box(REAL).any() else SIMULATED
    cad, photo = of.with_box(CAD), of.with_box(photos)
    both = np.intersect1d(of.class_number[cad], of.class_number[photo])
    if not len(both):
        return []
    groups = {EVERY_CLASS: np.isin(of.class_number, both)}
    groups |= {of.classes[k]: of.class_number == k for k in both}
    return [
        _size_row(name, photos, of.side[cad & group], of.side[photo & group])
        for name, group in groups.items()
    ]


def overlap(a: FloatArray, b: FloatArray) -> float:
    """The share of two sets of sides that lies in the same bins, 0 to 1."""
    shares = [np.histogram(v, SIDE_EDGES)[0] / len(v) for v in (a, b)]
    return float(np.minimum(*shares).sum())


def sentence(row: SizeRow) -> str:
    """A row of sizes in words."""
    photos = "photos" if row.photos == REAL else "simulated photos"
    times = f"{row.ratio:.1f}" if row.ratio >= 1 else f"{row.ratio:.2f}"
    how = f"{times} times" if abs(row.ratio - 1) > 0.05 else "about"
    return (
        f"CAD objects are {how} as large in the frame as those in {photos}: median side "
        f"{row.cad_side:.2f} against {row.photo_side:.2f}; {row.overlap:.0%} of the sizes overlap"
    )


def write(out: Path, png: bytes) -> Path:
    """Put a picture there. Raises OutputError where that fails."""
    try:
        replace_file(out, png)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}; use --out") from None
    return out


def _class_session(of: Columns, class_number: IntArray, frame: IntArray) -> IntArray:
    key: IntArray = class_number * len(of.sessions) + of.session[frame]
    return key


def _spread(values: FloatArray, key: IntArray, groups: int) -> FloatArray:
    """Least, middle and largest value of each group: (groups, 3), three decimals, NaN if none."""
    known = ~np.isnan(values)
    values, key = values[known], key[known]
    values = values[np.lexsort((values, key))]
    count = np.bincount(key, minlength=groups)
    result = np.full((groups, 3), np.nan)
    there = count > 0
    n = count[there]
    first = (np.cumsum(count) - count)[there]
    middle = (values[first + (n - 1) // 2] + values[first + n // 2]) / 2
    result[there] = np.stack([values[first], middle, values[first + n - 1]], axis=1)
    return result.round(3)


def _places(of: Columns, frame: IntArray, what: IntArray) -> list[tuple[int, int, int]]:
    """(what, source, split) of each item."""
    return list(
        zip(what.tolist(), of.source[frame].tolist(), of.split[frame].tolist(), strict=True)
    )


def _balance_rows(
    names: Sequence[str],
    frames: Counter[tuple[int, int, int]],
    boxes: Counter[tuple[int, int, int]] | None = None,
) -> list[BalanceRow]:
    return [
        BalanceRow(names[k], SOURCES[source], SPLITS[split], count, boxes[key] if boxes else 0)
        for key, count in sorted(frames.items())
        for k, source, split in [key]
    ]


def _size_row(name: str, photos: str, cad: FloatArray, photo: FloatArray) -> SizeRow:
    a, b = float(np.median(cad)), float(np.median(photo))
    shared = overlap(cad, photo)
    return SizeRow(
        name, photos, len(cad), len(photo), round(a, 3), round(b, 3), round(a / b, 3),
        round(shared, 3),
    )  # fmt: skip
