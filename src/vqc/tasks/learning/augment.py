"""Training pictures, varied: turned, scaled, mirrored, lit otherwise. Masks follow.

In: a picture, and a generator that follows from seed, epoch and frame. Out: another picture of the
same thing, of a wanted size. Pure functions on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vqc.types import ByteArray, FloatArray

Flip = Literal["none", "horizontal", "both"]


@dataclass(frozen=True, slots=True)
class Augment:
    """How far pictures are varied; 0 everywhere leaves them as they are.

    flip: which mirrorings. turn_deg: largest turn either way. scale: 0.2 is 1/1.2 to 1.2 times.
    shift: largest shift as a share of the side. light, contrast: 0.3 is up to 30 % less or more.
    colour: the same for each channel by itself. noise: largest standard deviation, in grey levels.
    """

    flip: Flip = "none"
    turn_deg: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    light: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    noise: float = 0.0


NOTHING = Augment()


def vary(
    rgb: ByteArray,
    mask: NDArray[np.uint8] | None,
    size: tuple[int, int],
    augment: Augment,
    rng: np.random.Generator,
) -> tuple[ByteArray, NDArray[np.uint8] | None]:
    """A picture (H, W, 3) and its mask (H, W, …), varied and brought to `size` (width, height).

    What lies beyond the border is mirrored into the picture, in the mask too. Masks keep their
    values: nearest neighbours count.
    """
    rgb, mask = fit(rgb, mask, size)
    turned = place(size, augment, rng)
    if not np.allclose(turned, np.eye(2, 3)):
        rgb = _warped(rgb, turned, is_mask=False)
        mask = None if mask is None else _warped(mask, turned, is_mask=True)
    return tone(rgb, augment, rng), mask


def fit(
    rgb: ByteArray, mask: NDArray[np.uint8] | None, size: tuple[int, int]
) -> tuple[ByteArray, NDArray[np.uint8] | None]:
    """A picture and its mask at `size` (width, height); shrinking averages pixels, not values."""
    import cv2

    height, width = rgb.shape[:2]
    if (width, height) == size:
        return rgb, mask
    shrinks = size[0] * size[1] < width * height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    rgb = np.asarray(cv2.resize(rgb, size, interpolation=how), np.uint8)
    if mask is not None:
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return rgb, mask


def _warped(pixels: ByteArray, matrix: FloatArray, is_mask: bool) -> ByteArray:
    import cv2

    how = cv2.INTER_NEAREST if is_mask else cv2.INTER_LINEAR
    size = pixels.shape[1::-1]
    moved = cv2.warpAffine(pixels, matrix, size, flags=how, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def place(size: tuple[int, int], augment: Augment, rng: np.random.Generator) -> FloatArray:
    """(2, 3): from pixels to where they go, in a picture of `size`, drawn within `augment`."""
    angle = np.deg2rad(rng.uniform(-augment.turn_deg, augment.turn_deg))
    grow = np.exp(rng.uniform(-1, 1) * np.log1p(augment.scale))
    moved = rng.uniform(-augment.shift, augment.shift, 2) * size
    mirrored = rng.random(2) < 0.5
    across = -1 if mirrored[0] and augment.flip != "none" else 1
    down = -1 if mirrored[1] and augment.flip == "both" else 1
    cos, sin = np.cos(angle) * grow, np.sin(angle) * grow
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([across, down])
    centre = (np.array(size) - 1) / 2  # OpenCV counts from pixel centres
    return np.column_stack([linear, centre + moved - linear @ centre])


def tone(rgb: ByteArray, augment: Augment, rng: np.random.Generator) -> ByteArray:
    """Brightness, contrast about the mean, colour and noise, drawn within `augment`."""
    gain = 1 + rng.uniform(-1, 1) * augment.light
    contrast = 1 + rng.uniform(-1, 1) * augment.contrast
    colour = 1 + rng.uniform(-1, 1, 3) * augment.colour
    sigma = rng.uniform(0, 1) * augment.noise
    if not (augment.light or augment.contrast or augment.colour or augment.noise):
        return rgb
    values = rgb.astype(np.float32)
    mean = values.mean(axis=(0, 1), keepdims=True)
    values = ((values - mean) * contrast + mean) * (gain * colour).astype(np.float32)
    if sigma > 0:
        values += rng.standard_normal(values.shape, np.float32) * np.float32(sigma)
    varied: ByteArray = np.rint(values).clip(0, 255).astype(np.uint8)
    return varied
