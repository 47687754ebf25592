"""Where on the ground there is room for one more thing: convex outlines seen from above."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vqc.types import FloatArray

TRIES = 50


def footprint(hull_points: FloatArray) -> FloatArray:
    """Convex outline (K, 2), counter-clockwise, of (N, 3) points seen from above.

    Two corners where they stand in a line, one where they stand above each other.
    """
    from scipy.spatial import ConvexHull, QhullError

    flat = np.asarray(hull_points, float)[:, :2]
    if len(flat) > 2:
        try:
            return np.asarray(flat[ConvexHull(flat).vertices])
        except QhullError:
            pass
    ends = flat[np.lexsort(flat.T)[[0, -1]]]
    if len(flat) > 2:
        along = ends[1] - ends[0]
        ends = flat[[(flat * along).sum(axis=1).argmin(), (flat * along).sum(axis=1).argmax()]]
    return ends[:1] if (ends[0] == ends[1]).all() else ends


def apart(a: FloatArray, b: FloatArray, gap_mm: float) -> bool:
    """Whether two convex polygons (K, 2), or lines or points, keep that distance or more.

    0 or less: whether they do at least not overlap.
    """
    axes = np.concatenate([_axes(a), _axes(b), [a.mean(axis=0) - b.mean(axis=0)]])
    lengths = np.linalg.norm(axes, axis=1)
    axes = axes[lengths > 0] / lengths[lengths > 0][:, None]
    if not len(axes):
        return gap_mm <= 0
    on_a, on_b = a @ axes.T, b @ axes.T
    apart_by = np.maximum(on_a.min(axis=0) - on_b.max(axis=0), on_b.min(axis=0) - on_a.max(axis=0))
    widest = float(apart_by.max())
    if widest >= gap_mm or widest < 0:
        return widest >= max(gap_mm, 0)
    # They do not overlap, so the shortest way is from a corner of one to a side of the other.
    return min(_nearest(a, b), _nearest(b, a)) >= gap_mm


def _axes(polygon: FloatArray) -> FloatArray:
    """Sides and what is perpendicular to them (2 K, 2): the sides matter for lines."""
    sides = np.roll(polygon, -1, axis=0) - polygon
    return np.concatenate([sides, sides[:, ::-1] * (1, -1)])


def _nearest(corners: FloatArray, polygon: FloatArray) -> float:
    """The shortest way from one of the corners (K, 2) to the border of the polygon."""
    sides = np.roll(polygon, -1, axis=0) - polygon
    away = corners[:, None] - polygon
    squared = np.maximum((sides**2).sum(axis=1), 1e-300)
    part = np.clip((away * sides).sum(axis=2) / squared, 0, 1)
    return float(np.linalg.norm(away - part[..., None] * sides, axis=2).min())


def find_place(
    fixed: Sequence[FloatArray],
    moving: FloatArray,
    around: tuple[float, float],
    reach_mm: float,
    gap_mm: float,
    rng: np.random.Generator,
) -> FloatArray | None:
    """A shift (2,) of a convex polygon after which it is `gap_mm` or more from all fixed ones.

    The middle of its box comes to lie near `around`, at random on rings that grow up to
    `reach_mm`. None where none of TRIES places was free. Draws the same number of values always.
    """
    draws = rng.random((TRIES, 2))
    middle = (moving.min(axis=0) + moving.max(axis=0)) / 2
    centered = moving - middle
    radius = float(np.linalg.norm(centered, axis=1).max())
    circles = [
        (p, c, float(np.linalg.norm(p - c, axis=1).max())) for p in fixed for c in [p.mean(axis=0)]
    ]
    for index, (step, turn) in enumerate(draws):
        away = reach_mm * (index + step) / TRIES
        angle = 2 * math.pi * turn
        place = np.asarray(around) + away * np.array([math.cos(angle), math.sin(angle)])
        if all(
            math.dist(place, center) >= radius + other + gap_mm
            or apart(centered + place, polygon, gap_mm)
            for polygon, center, other in circles
        ):
            return np.asarray(place - middle)
    return None
