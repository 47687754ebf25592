"""Frames of a set → pictures and masks, one channel a class, whole or as a crop to train on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqc.dataset import Dataset
from vqc.formats import rle
from vqc.pictures import read_picture
from vqc.tasks.learning.augment import NOTHING, Augment, fit, vary
from vqc.tasks.segment.config import STEP_PX, SegmentConfig
from vqc.types import ByteArray, Frame

AUGMENTS = {
    "none": NOTHING,
    "flip": Augment(flip="both"),
    "full": Augment(
        flip="both", turn_deg=15, scale=0.25, shift=0.05, light=0.2, contrast=0.25, noise=4
    ),
}
_ON_CLASS = 0.5
"""So many of the crops hold a pixel of some class, where the picture has one."""


def masks_of(frame: Frame, classes: Sequence[str]) -> ByteArray:
    """(H, W, C) of 0 and 1: the pixels of each class; objects of one class are joined."""
    masks = np.zeros((frame.height, frame.width, len(classes)), np.uint8)
    for note in frame.objects or ():
        if note.mask is not None:
            masks[:, :, classes.index(note.class_name)] |= rle.decode(note.mask)
    return masks


def picture_of(dataset: Dataset, frame: Frame) -> ByteArray:
    """(H, W, 3) uint8."""
    return np.asarray(read_picture(dataset.path(frame)), np.uint8)


def size_for(width: int, height: int, imgsz: int | None) -> tuple[int, int]:
    """Width and height with the longer side `imgsz`; as they are for None."""
    if imgsz is None:
        return width, height
    scale = imgsz / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def stepped(px: int) -> int:
    """The next multiple of STEP_PX, at least two of them: a map of one pixel has no statistics."""
    return max(2 * STEP_PX, -(-px // STEP_PX) * STEP_PX)


def training_size(frames: Sequence[Frame], config: SegmentConfig) -> tuple[int, int]:
    """Width and height of what a step shows: the largest picture, or a crop of `tile` px."""
    sizes = np.array([size_for(f.width, f.height, config.imgsz) for f in frames])
    width, height = (min(stepped(int(px)), stepped(config.tile)) for px in sizes.max(0))
    return width, height


def sample(
    rgb: ByteArray,
    masks: ByteArray,
    imgsz: int | None,
    size: tuple[int, int],
    augment: Augment,
    rng: np.random.Generator,
) -> tuple[ByteArray, ByteArray]:
    """What a training step sees of a picture: (H, W, 3) and (H, W, C) of that `size`.

    A larger picture is cut; what a smaller one lacks on the right and below is mirrored.
    """
    height, width = rgb.shape[:2]
    scaled, fitted = fit(rgb, masks, size_for(width, height, imgsz))
    left, top = _corner(_with_classes(fitted, masks), size, rng)
    part = slice(top, top + size[1]), slice(left, left + size[0])
    rgb, masks = padded(scaled[part], size), padded(_with_classes(fitted, masks)[part], size)
    varied, moved = vary(rgb, masks, size, augment, rng)
    return varied, _with_classes(moved, masks)


def padded(pixels: ByteArray, size: tuple[int, int]) -> ByteArray:
    """(H, W, …) continued to `size` (width, height), mirrored on the right and below."""
    import cv2

    height, width = pixels.shape[:2]
    right, below = size[0] - width, size[1] - height
    if not right and not below:
        return pixels
    larger = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REFLECT_101)
    return np.asarray(larger, np.uint8).reshape(size[1], size[0], *pixels.shape[2:])


def _corner(masks: ByteArray, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Left and top of a crop; takes the same numbers from `rng` whatever the picture shows."""
    free = np.maximum(0, np.array(masks.shape[1::-1]) - size)
    chances = rng.random(5)
    if not free.any():
        return 0, 0
    corner = chances[:2] * (free + 1)
    if chances[2] < _ON_CLASS:
        rows, columns = np.nonzero(masks.any(axis=2))
        if len(rows):
            pixel = int(chances[3] * len(rows))
            inside = np.array([chances[4], chances[0]]) * size
            corner = np.clip(np.array([columns[pixel], rows[pixel]]) - inside, 0, free)
    left, top = np.minimum(corner.astype(np.int64), free).tolist()
    return left, top


def _with_classes(masks: ByteArray | None, like: ByteArray) -> ByteArray:
    """OpenCV drops the last axis where there is one class only."""
    assert masks is not None
    return masks.reshape(*masks.shape[:2], like.shape[2])
