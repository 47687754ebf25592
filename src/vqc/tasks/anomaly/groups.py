"""Look-alike frames, found without labels: k-means over features of whole frames.

In: (N, D) rows. Out: centres, and the number of groups where nobody gives one.
"""

from __future__ import annotations

import numpy as np

from vqc.errors import InputError
from vqc.types import FloatArray, IntArray

MOST = 8
"""Groups that `auto` looks for, at most."""
LEAST_SILHOUETTE = 0.25
"""Below this mean silhouette there is no substantial structure (Kaufman & Rousseeuw 1990)."""
LEAST_FRAMES = 4
"""Of a group that `auto` makes."""
_TRIES, _STEPS, _COMPARED = 5, 50, 1000


def find_groups(rows: FloatArray, wanted: int | None, seed: int) -> FloatArray:
    """(K, D): the centres. wanted: how many, None for as many as the silhouette favours.

    Raises InputError where fewer rows than wanted differ.
    """
    if wanted == 1:
        return _mean(rows)
    most = len(np.unique(rows, axis=0))
    if wanted is not None:
        require_members(wanted, most, "training frames that look different")
        return k_means(rows, wanted, seed)
    rng = np.random.default_rng([seed, len(rows)])
    sample = rows[np.sort(rng.permutation(len(rows))[:_COMPARED])]
    best, centres = LEAST_SILHOUETTE, _mean(rows)
    for count in range(2, min(MOST, most, len(rows) // LEAST_FRAMES) + 1):
        found = k_means(rows, count, seed)
        if np.bincount(nearest(rows, found), minlength=count).min() < LEAST_FRAMES:
            continue
        value = silhouette(sample, nearest(sample, found))
        if value > best:
            best, centres = value, found
    return centres


def require_members(wanted: int, there: int, of: str) -> None:
    """Raises InputError where not every group can have a member. of: what these are."""
    if wanted > there:
        raise InputError(
            f"groups: expected {there} at most, which is the number of {of}, got {wanted}; ask for "
            "fewer, or for auto"
        )


def k_means(rows: FloatArray, count: int, seed: int) -> FloatArray:
    """(count, D): the centres with the least squared distances of several tries.

    Starts as k-means++ (Arthur & Vassilvitskii 2007), then Lloyd's steps.
    """
    best, least = rows[:count], np.inf
    for attempt in range(_TRIES):
        rng = np.random.default_rng([seed, count, attempt])
        centres = _start(rows, count, rng)
        for _ in range(_STEPS):
            of = nearest(rows, centres)
            filled = np.unique(of)
            moved = centres.copy()
            moved[filled] = [rows[of == k].mean(0) for k in filled]
            if np.array_equal(moved, centres):
                break
            centres = moved
        total = float(_squares(rows, centres).min(1).sum())
        if total < least:
            best, least = centres, total
    return best


def nearest(rows: FloatArray, centres: FloatArray) -> IntArray:
    """(N,): the centre next to each row."""
    found: IntArray = _squares(rows, centres).argmin(1)
    return found


def silhouette(rows: FloatArray, of: IntArray) -> float:
    """The mean over rows of (b − a) / max(a, b): a to its own group, b to the next one.

    0 for a row that is alone in its group (Rousseeuw 1987).
    """
    numbers = np.unique(of)
    apart = np.sqrt(_squares(rows, rows))
    sums = np.stack([apart[:, of == k].sum(1) for k in numbers], 1)
    sizes = np.array([(of == k).sum() for k in numbers])
    mine = np.searchsorted(numbers, of)
    at = np.arange(len(rows))
    own = sums[at, mine] / np.maximum(sizes[mine] - 1, 1)
    others = sums / sizes
    others[at, mine] = np.inf
    next_one = others.min(1)
    larger = np.maximum(np.maximum(own, next_one), 1e-300)
    values = np.where(sizes[mine] > 1, (next_one - own) / larger, 0.0)
    return float(values.mean())


def _start(rows: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    chosen = [int(rng.integers(len(rows)))]
    while len(chosen) < count:
        left = _squares(rows, rows[chosen]).min(1)
        total = left.sum()
        share = left / total if total > 0 else np.full(len(rows), 1 / len(rows))
        chosen.append(int(rng.choice(len(rows), p=share)))
    return rows[chosen].copy()


def _mean(rows: FloatArray) -> FloatArray:
    return np.asarray(rows.mean(0, keepdims=True), np.float64)


def _squares(rows: FloatArray, others: FloatArray) -> FloatArray:
    found: FloatArray = (
        (rows**2).sum(1)[:, None] + (others**2).sum(1)[None] - 2 * rows @ others.T
    ).clip(0)
    return found
