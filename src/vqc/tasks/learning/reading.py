"""Pictures for training, read ahead of the network on threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from vqc.tasks.contract import Picture
from vqc.types import IntArray

T = TypeVar("T")
_AHEAD = 4


def batches(
    load: Callable[[int], T], order: Sequence[int] | IntArray, size: int, jobs: int | None = None
) -> Iterator[list[T]]:
    """load(number) for each number, in their order, `size` at a time; the last may be smaller.

    Up to `_AHEAD` batches are loaded ahead, on `jobs` threads [a core each]: what `load` does in
    NumPy, OpenCV and Pillow runs beside the network. Whatever it raises is raised here.
    """
    import cv2  # noqa: F401  # here and not in several threads at once

    from vqc.pictures import prepare

    prepare()
    numbers = [int(number) for number in order]
    groups = [numbers[start : start + size] for start in range(0, len(numbers), size)]
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        waiting: deque[list[Future[T]]] = deque()
        for group in groups:
            waiting.append([pool.submit(load, number) for number in group])
            if len(waiting) > _AHEAD:
                yield [item.result() for item in waiting.popleft()]
        while waiting:
            yield [item.result() for item in waiting.popleft()]


def epoch_order(frames: int, count: int | None, seed: int, epoch: int) -> IntArray:
    """Which frames an epoch (counted from 0) shows, and in which order: (count,) numbers.

    count: how many, None for each once. They are the next ones of an endless series of shuffles
    of all, so no frame is ever seen more than once oftener than any other.
    """
    count = count or frames
    first = epoch * count
    turns = range(first // frames, (first + count - 1) // frames + 1)
    shuffles = [np.random.default_rng([seed, turn]).permutation(frames) for turn in turns]
    start = first - turns[0] * frames
    return np.concatenate(shuffles)[start : start + count]


def neighbours(pictures: Iterable[Picture], stills: int, frames: int) -> Iterator[list[Picture]]:
    """Neighbours of one shape: in a mixed batch all would be padded to squares.

    stills, frames: how many at most. A frame of a video is not kept waiting for the next.
    """
    batch: list[Picture] = []
    for picture in pictures:
        if batch and picture.rgb.shape != batch[0].rgb.shape:
            yield batch
            batch = []
        batch.append(picture)
        if len(batch) >= (stills if picture.track is None else frames):
            yield batch
            batch = []
    if batch:
        yield batch
