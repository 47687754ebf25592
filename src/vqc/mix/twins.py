"""Frames of two splits → pairs that are the same picture, as far as manifests can tell."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from vqc import leaks
from vqc.mix.pool import Pool, Rows, Thing
from vqc.types import Box

SAME_BOX = 0.8
"""Boxes that two people draw around one object in one picture overlap by more than this."""

Labels = dict[str, list[Box]]


class _Line(msgspec.Struct):
    width: int
    height: int
    label: str | None = None
    condition: str | None = None
    objects: list[Thing] | None = None


def twins(pool: Pool, left: Rows, right: Rows) -> Rows:
    """(P, 2) rows of pairs: equal bytes, or photos that look alike and show the same.

    Near perceptual hashes alone would call two small objects on a plain table the same
    picture, so classes and boxes must agree too, unless the hashes are equal.
    """
    alike, bits = _alike(pool, left, right)
    labels = _labels(pool, np.unique(alike[bits > 0]))
    agree = [
        apart == 0 or labels_agree(labels[a], labels[b])
        for (a, b), apart in zip(alike.tolist(), bits.tolist(), strict=True)
    ]
    pairs = np.concatenate([_equal(pool, left, right), alike[np.array(agree, bool)]])
    return np.unique(pairs, axis=0)


def _equal(pool: Pool, left: Rows, right: Rows) -> Rows:
    first = {pool.sha256[row].tobytes(): row for row in left.tolist()}
    pairs = [
        (first[key], row) for row in right.tolist() if (key := pool.sha256[row].tobytes()) in first
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _alike(pool: Pool, left: Rows, right: Rows) -> tuple[Rows, NDArray[np.uint8]]:
    """(P, 2) rows of photos, and in how many bits their hashes differ."""
    left, right = left[pool.is_photo[left]], right[pool.is_photo[right]]
    found = leaks.by_hash(pool.phash[left], pool.phash[right])
    return np.stack([left[found.train], right[found.other]], axis=1), found.bits


def _labels(pool: Pool, rows: Rows) -> dict[int, Labels]:
    """For every row its boxes by class, in shares of the frame; a label has the whole frame.

    So has a condition where nobody marked objects: good and broken parts look alike.
    """
    decode = msgspec.json.Decoder(_Line).decode
    found: dict[int, Labels] = {}
    for row, raw in pool.lines(rows):
        line = decode(raw)
        whole = line.label or (line.condition if line.objects is None else None)
        found[row] = {whole: [(0, 0, 1, 1)]} if whole else {}
        for thing in line.objects or ():
            if thing.box is not None:
                x0, y0, x1, y1 = thing.box
                box = (x0 / line.width, y0 / line.height, x1 / line.width, y1 / line.height)
                found[row].setdefault(thing.class_name, []).append(box)
    return found


def labels_agree(a: Labels, b: Labels) -> bool:
    """Whether the classes are the same and every box has its like."""
    if {name: len(boxes) for name, boxes in a.items()} != {n: len(v) for n, v in b.items()}:
        return False
    return all(
        max(_overlap(box, other) for other in b[name]) >= SAME_BOX
        for name, boxes in a.items()
        for box in boxes
    )


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)
