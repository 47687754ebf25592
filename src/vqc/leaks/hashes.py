"""Perceptual hashes of two sides of a split → pairs that differ in few bits.

Fast enough for manifests with a million frames, and blind to what a hash is blind to:
crops, mirrored pictures and most neighbouring video frames need `vqc.leaks.find`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEAR_BITS = 6
"""Hashes of different pictures have been 8 bits apart (surfaces of metal, where all pictures
look alike), photos of the same parts in two shoots 10. Of photos that were encoded again,
resized, or made 20 % brighter or darker, none was further than 6 from its original."""
TELLING_BITS = 8
"""A hash compares 64 numbers with their median, so half of its bits are set, unless most
numbers are equal: a plain picture sets one bit or none. Below this, a hash tells nothing."""
MOST = 16
"""Look-alikes of one picture that are told."""
_CHUNK = 1 << 16


class HashPairs(NamedTuple):
    """train, other: (P,) int64, places in the two sides. bits: (P,) uint8, how many differ."""

    train: NDArray[np.int64]
    other: NDArray[np.int64]
    bits: NDArray[np.uint8]


def by_hash(train: NDArray[np.uint64], other: NDArray[np.uint64]) -> HashPairs:
    """For each of `other` its MOST nearest in `train` within NEAR_BITS; sorted by other, train.

    train, other: (N,) and (M,) uint64, as the manifest's 16 hex digits. Hashes of plain
    pictures are in no pair; whether their bytes are equal is for sha256 to tell. A camera that
    stands still gives thousands of equal hashes, hence MOST. Memory: a few bytes for each of
    65,536 frames, and what was found. Time: N × M.
    """
    rows = np.flatnonzero(np.bitwise_count(train) >= TELLING_BITS)
    telling = np.flatnonzero(np.bitwise_count(other) >= TELLING_BITS)
    found = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        hashes = train[chunk]
        difference, bits = np.empty_like(hashes), np.empty(len(hashes), np.uint8)
        for column in telling:
            np.bitwise_xor(hashes, other[column], out=difference)
            np.bitwise_count(difference, out=bits)
            near = np.flatnonzero(bits <= NEAR_BITS)
            if len(near) > MOST:
                near = np.sort(near[np.argsort(bits[near], kind="stable")[:MOST]])
            if len(near):
                found.append((chunk[near], np.full(len(near), column), bits[near]))
    if not found:
        empty = np.empty(0, np.int64)
        return HashPairs(empty, empty, np.empty(0, np.uint8))
    left, right, count = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((left, count, right))
    left, right, count = left[order], right[order], count[order]
    rank = np.arange(len(right)) - np.searchsorted(right, right)
    left, right, count = (column[rank < MOST] for column in (left, right, count))
    order = np.lexsort((left, right))
    return HashPairs(left[order], right[order], count[order])
