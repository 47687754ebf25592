"""Pictures → small grey thumbnails, and for each the few that it may be a copy of.

A thumbnail is the whole picture squeezed into a square, so a place in it is a share of the
picture. It is described by the lowest cosine frequencies of a window, without the constant
one, each times its frequency (natural pictures fall off with 1/f), the whole at unit length:
brightness and contrast drop out. One side gives its middle window; the other side gives
windows of several sizes and places, one of which shows the same thing where either picture
was cut or moved a little. Mirroring only changes signs, so mirrored windows cost nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.pictures import prepare, read_picture
from vqc.types import ByteArray, Frame, Progress

Floats = NDArray[np.float32]

SIDE_PX = 96
NEAREST = 8
"""How many look-alikes of a picture are examined."""
ALIKE = 0.55
"""Cosine between descriptions from which a picture is examined; copies had 0.68 and more."""
MIDDLE = 0.8
"""Side of the middle window, as a share of the picture's."""
SIZES = (0.72, 0.8, 0.89)
"""MIDDLE as it is found where the first picture, neither, or the second lost a tenth."""
STEPS = (-0.05, 0.0, 0.05)
MIRRORS = ((False, False), (True, False), (False, True), (True, True))
"""Left and right swapped, top and bottom swapped."""
WINDOWS = len(SIZES) * len(STEPS) ** 2
_STARTS, _MARGIN = 3, 0.2
_FREQUENCIES = 10
_QUERIES, _CHUNK = 16, 4096
_SHOWN_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """Picture `other` may be a copy of picture `train`; both are places in their side.

    starts: numbers of the windows of `other` that are likest, by mirroring.
    """

    train: int
    other: int
    starts: tuple[int, ...]


def read_thumbs(
    folder: Path, frames: Sequence[Frame], jobs: int | None, on_progress: Progress
) -> ByteArray:
    """(N, SIDE_PX, SIDE_PX) uint8, 9 kB a frame.

    Raises InputError that lists every picture that cannot be read.
    """
    import cv2

    def thumb(frame: Frame) -> ByteArray | str:
        try:
            grey = np.asarray(read_picture(folder / frame.image, "L", (SIDE_PX, SIDE_PX)))
        except InputError as error:
            return str(error)
        return np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))

    prepare()
    thumbs = np.zeros((len(frames), SIDE_PX, SIDE_PX), np.uint8)
    faults = []
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        for place, made in enumerate(pool.map(thumb, frames)):
            if isinstance(made, str):
                faults.append(made)
            else:
                thumbs[place] = made
            on_progress(place + 1, len(frames))
    if faults:
        more = len(faults) - _SHOWN_FAULTS
        rest = [f"... and {more} more"] if more > 0 else []
        raise InputError("\n".join([*faults[:_SHOWN_FAULTS], *rest]))
    return thumbs


def candidates(train: ByteArray, other: ByteArray) -> list[Candidate]:
    """For each picture of `other` the NEAREST in `train` that look alike, best first.

    train, other: thumbnails. Memory is bounded: matrix products of 16 × 4,096 pictures.
    """
    middles = describe_middle(train)
    found = []
    for start in range(0, len(other), _QUERIES):
        windows = describe_windows(other[start : start + _QUERIES])
        count = len(windows)
        flat = windows.reshape(-1, windows.shape[-1])
        best = np.concatenate(
            [
                (flat @ middles[at : at + _CHUNK].T).reshape(count, -1, len(middles[at:][:_CHUNK]))
                .max(axis=1)
                for at in range(0, len(middles), _CHUNK)
            ],
            axis=1,
        )  # fmt: skip
        for row, likeness in enumerate(best):
            top = np.argsort(-likeness, kind="stable")[:NEAREST]
            for at in top[likeness[top] >= ALIKE].tolist():
                starts = _starts(windows[row] @ middles[at])
                found.append(Candidate(at, start + row, starts))
    return found


def _starts(likeness: Floats) -> tuple[int, ...]:
    """The likeliest windows of each mirroring, none that is far less alike than the best."""
    starts = []
    for mirror, row in enumerate(likeness.reshape(len(MIRRORS), WINDOWS)):
        top = np.argsort(-row, kind="stable")[:_STARTS]
        starts += [mirror * WINDOWS + int(w) for w in top if row[w] >= likeness.max() - _MARGIN]
    return tuple(starts)


def describe_middle(thumbs: ByteArray) -> Floats:
    """(N, 100): the middle window of each."""
    rows = _cosines(0.5 - MIDDLE / 2, MIDDLE)
    return _unit(rows @ thumbs.astype(np.float32) @ rows.T)


def describe_windows(thumbs: ByteArray) -> Floats:
    """(N, 4 · WINDOWS, 100): by mirror (as in MIRRORS), size, step down, step right."""
    sizes, steps, waves = len(SIZES), len(STEPS), _FREQUENCIES
    rows = np.concatenate([_cosines(begin, size) for size in SIZES for begin in _begins(size)])
    product = rows @ thumbs.astype(np.float32) @ rows.T
    product = product.reshape(-1, sizes, steps, waves, sizes, steps, waves)
    windows = np.stack([product[:, k, :, :, k] for k in range(sizes)], axis=1)
    windows = windows.transpose(0, 1, 2, 4, 3, 5)  # picture, size, down, right, wave down, right
    sign = np.where(np.arange(waves) % 2, -1, 1).astype(np.float32)
    mirrored = []
    for across, down in MIRRORS:
        turned = windows[:, :, :, ::-1] * sign if across else windows
        turned = turned[:, :, ::-1] * sign[:, None] if down else turned
        mirrored.append(turned.reshape(len(thumbs), WINDOWS, waves, waves))
    return _unit(np.concatenate(mirrored, axis=1))


def window_to_thumb(window: int) -> Floats:
    """(2, 3): pixels of the first thumbnail → pixels of the second, where its window lies."""
    size, down, right = np.unravel_index(window, (len(SIZES), len(STEPS), len(STEPS)))
    scale = SIZES[size] / MIDDLE
    begins = _begins(SIZES[size])

    def offset(step: int) -> float:
        at = begins[step] - (0.5 - MIDDLE / 2) * scale
        return SIDE_PX * at + 0.5 * scale - 0.5  # pixel centres lie at halves

    x, y = offset(int(right)), offset(int(down))
    return np.array([[scale, 0, x], [0, scale, y]], np.float32)


def _begins(size: float) -> list[float]:
    return [0.5 - size / 2 + step for step in STEPS]


@cache
def _cosines(begin: float, size: float) -> Floats:
    """(10, SIDE_PX): cosine waves over a window, each but the first with mean 0."""
    pixel = np.arange(SIDE_PX)
    inside = np.minimum(pixel + 1 - begin * SIDE_PX, (begin + size) * SIDE_PX - pixel).clip(0, 1)
    place = (((pixel + 0.5) / SIDE_PX - begin) / size).clip(0, 1)
    waves = np.cos(np.pi * np.arange(_FREQUENCIES)[:, None] * place) * inside
    waves[1:] -= inside * waves[1:].sum(axis=1, keepdims=True) / inside.sum()
    return np.asarray(waves / inside.sum(), np.float32)


def _unit(waves: Floats) -> Floats:
    """(…, 10, 10) → (…, 100): weighted by frequency, at unit length; plain pictures give 0."""
    frequency = np.hypot(*np.mgrid[:_FREQUENCIES, :_FREQUENCIES])
    weights = np.where(frequency < _FREQUENCIES, frequency, 0).astype(np.float32)
    flat = (waves * weights).reshape(*waves.shape[:-2], _FREQUENCIES**2)
    length = np.linalg.norm(flat, axis=-1, keepdims=True)
    return np.asarray(np.where(length > 1e-3, flat / np.maximum(length, 1e-3), 0), np.float32)
