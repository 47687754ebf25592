"""Which frames to take: seeded draws that are nested, so that a larger one holds the smaller.

Every frame has a key from the seed and its own bytes alone. No draw depends on the order of
a listing, on names, or on which other frames there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqc.mix.pool import Pool, Rows

Keys = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def keys_of(pool: Pool, seed: int, purpose: int) -> Keys:
    """(N,) random numbers, the same for the same picture and seed.

    purpose: draws that shall not follow one another have different ones.
    The mixing function is that of SplitMix64 (Steele, Lea, Flood, "Fast splittable
    pseudorandom number generators", 2014).
    """
    salt = np.uint64((seed * _GOLDEN + purpose * 0xD1B54A32D192ED03 + _GOLDEN) & _MASK)
    z = pool.sha256[:, 0] ^ salt
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


def by_key(pool: Pool, rows: Rows, keys: Keys) -> Rows:
    """Rows sorted by key; equal pictures by their whole hash, then by set and place."""
    tie = pool.sha256[rows]
    order = np.lexsort((rows, tie[:, 3], tie[:, 2], tie[:, 1], tie[:, 0], keys[rows]))
    return rows[order]


def one_of_each(pool: Pool, rows: Rows) -> Rows:
    """The rows without exact copies: of equal pictures the first one stays."""
    ordered = np.sort(rows)
    _, first = np.unique(pool.sha256[ordered], axis=0, return_index=True)
    return ordered[np.sort(first)]


def balanced(pool: Pool, rows: Rows, keys: Keys) -> list[Rows]:
    """For every class its frames in the order in which a balanced draw takes them.

    A frame belongs to its primary class. Within a class, sessions (for renders: STEP files)
    take turns, each in the order of its keys.
    """
    ordered = by_key(pool, rows, keys)
    turn = np.zeros(len(pool.sessions), np.int64)
    there, first = np.unique(pool.session[ordered], return_index=True)
    turn[there] = first
    orders = []
    for number in range(len(pool.classes)):
        mine = ordered[pool.primary[ordered] == number]
        rank = _rank_in_group(pool.session[mine])
        orders.append(mine[np.lexsort((turn[pool.session[mine]], rank))])
    return orders


def equal_shares(count: int, classes: Sequence[int], seed: int, size: int) -> NDArray[np.int64]:
    """(size,) how many frames of each class make `count` in all, equal to within one.

    classes: those that share, in the order of their names. Who gets one more comes in a
    seeded order, so shares only grow with count.
    """
    shares = np.zeros(size, np.int64)
    if classes:
        order = np.random.default_rng([seed, 1]).permutation(np.array(classes))
        shares[order] = count // len(order)
        shares[order[: count % len(order)]] += 1
    return shares


def quota(pool: Pool, orders: Sequence[Rows], wanted: int) -> Rows:
    """Frames until every class is shown by `wanted` of them, or has no more.

    orders: for every class the frames that show it, in the order in which they are taken. A
    frame with several classes counts for each. Classes take turns by name, one frame at a
    time, so the frames for a larger number begin with those for a smaller one.
    """
    shown = np.zeros(len(orders), np.int64)
    place = [0] * len(orders)
    taken: dict[int, None] = {}
    turns = pool.classes_by_name
    for level in range(1, min(wanted, max(map(len, orders), default=0)) + 1):
        for number in turns:
            order = orders[number]
            while shown[number] < level and place[number] < len(order):
                row = int(order[place[number]])
                place[number] += 1
                if row not in taken:
                    taken[row] = None
                    shown[pool.classes_of(row)] += 1
    return np.fromiter(taken, np.int64, len(taken))


def _rank_in_group(group: NDArray[np.int32]) -> NDArray[np.int64]:
    """For every entry how many equal ones come before it."""
    order = np.argsort(group, kind="stable")
    grouped = group[order]
    starts = np.flatnonzero(np.concatenate(([True], grouped[1:] != grouped[:-1])))
    lengths = np.diff(np.append(starts, len(grouped)))
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, lengths)
    return rank
