"""A picture of any size → what a network says of every pixel, within a fixed memory.

Large pictures are answered in overlapping tiles. Near its border a tile knows less than the whole
picture: the outer quarter of an overlap counts for nothing, and in its middle half one tile
goes over into the next. Tiles begin at multiples of STEP_PX, where a network that halves five
times would cut the whole picture too, so inside of a tile the answers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.tasks.learning.augment import fit
from vqc.tasks.segment.data import padded, size_for, stepped
from vqc.types import ByteArray, FloatArray

Maps = NDArray[np.float32]
"""(C, H, W) probabilities."""
Answer = Callable[[NDArray[np.uint8]], Maps]
"""(N, H, W, 3) pictures → (N, C, H, W) probabilities."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """imgsz: longer side that pictures are brought to, or None. tile, overlap: px, multiples of
    STEP_PX. batch: tiles at once."""

    imgsz: int | None
    tile: int
    overlap: int
    batch: int = 4


def maps(answer: Answer, rgbs: Sequence[ByteArray], tiling: Tiling) -> Iterator[Maps]:
    """The probabilities of each picture, in its own size.

    rgbs: (H, W, 3) pictures of one size. Those that fit into a tile share batches.
    """
    height, width = rgbs[0].shape[:2]
    size = size_for(width, height, tiling.imgsz)
    whole = stepped(size[0]), stepped(size[1])
    if max(whole) <= tiling.tile:
        for start in range(0, len(rgbs), tiling.batch):
            some = [padded(fit(rgb, None, size)[0], whole) for rgb in rgbs[start:][: tiling.batch]]
            for found in answer(np.stack(some)):
                yield _as_it_was(found, size, (width, height))
        return
    for rgb in rgbs:
        found = _blended(answer, padded(fit(rgb, None, size)[0], whole), tiling)
        yield _as_it_was(found, size, (width, height))


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side of `length` px, a multiple of STEP_PX; the last ends there.

    >>> starts(1600, 512, 64)
    [0, 448, 896, 1088]
    """
    last = length - tile
    return [*range(0, last, tile - overlap), last] if last > 0 else [0]


def ramp(length: int, overlap: int, at_start: bool, at_end: bool) -> FloatArray:
    """(length,) weights along a tile. at_start, at_end: whether its end is the picture's."""
    places = np.arange(length) + 0.5
    far = np.inf if not overlap else 1.0
    before = far if at_start or not overlap else (places / overlap - 0.25) * 2
    after = far if at_end or not overlap else ((length - places) / overlap - 0.25) * 2
    weights: FloatArray = np.minimum(np.minimum(before, after), 1).clip(0, 1) * np.ones(length)
    return weights


def _blended(answer: Answer, rgb: ByteArray, tiling: Tiling) -> Maps:
    """(C, H, W): the tiles' answers, each by its weight; (H, W) are multiples of STEP_PX."""
    height, width = rgb.shape[:2]
    rows, columns = min(tiling.tile, height), min(tiling.tile, width)
    tops = starts(height, rows, tiling.overlap)
    lefts = starts(width, columns, tiling.overlap)
    down = [ramp(rows, tiling.overlap, t == 0, t + rows == height) for t in tops]
    across = [ramp(columns, tiling.overlap, c == 0, c + columns == width) for c in lefts]
    places = [(i, j) for i in range(len(tops)) for j in range(len(lefts))]
    total: Maps | None = None
    for start in range(0, len(places), tiling.batch):
        some = places[start : start + tiling.batch]
        cut = [rgb[tops[i] : tops[i] + rows, lefts[j] : lefts[j] + columns] for i, j in some]
        for (i, j), found in zip(some, answer(np.stack(cut)), strict=True):
            if total is None:
                total = np.zeros((len(found), height, width), np.float32)
            weight = np.outer(down[i], across[j]).astype(np.float32)
            total[:, tops[i] : tops[i] + rows, lefts[j] : lefts[j] + columns] += found * weight
    assert total is not None
    total /= _sums(height, tops, down)[:, None].astype(np.float32)
    total /= _sums(width, lefts, across).astype(np.float32)
    return total


def _sums(length: int, begins: Sequence[int], weights: Sequence[FloatArray]) -> FloatArray:
    """(length,) what the weights of all tiles along a side come to."""
    sums = np.zeros(length)
    for begin, weight in zip(begins, weights, strict=True):
        sums[begin : begin + len(weight)] += weight
    return sums


def _as_it_was(found: Maps, size: tuple[int, int], original: tuple[int, int]) -> Maps:
    """Without what was added on the right and below, in the size of the picture."""
    import cv2

    found = found[:, : size[1], : size[0]]
    if size == original:
        return found
    channels = [cv2.resize(each, original, interpolation=cv2.INTER_LINEAR) for each in found]
    return np.stack(channels).astype(np.float32)
