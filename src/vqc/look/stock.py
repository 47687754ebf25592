"""What a look can draw from: parts, distractors and photos, as far as placing them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from vqc.errors import InputError
from vqc.look.rest import RestPose
from vqc.types import ByteArray, FloatArray

PHOTO_PX = 1024
"""Longer side at which photos of backgrounds are kept: a frame rarely shows more of one."""


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """Something that can be placed; all lengths around its own centre, in mm.

    palette: (C, 3) uint8 sRGB. hull: (N, 3) points that span it. size_mm: its longest side.
    rests: how it can lie, the most probable first.
    """

    palette: ByteArray
    hull: FloatArray
    size_mm: float
    rests: tuple[RestPose, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """Everything there is, in the order of the stage's models.

    parts: of the trained classes. files, shapes: distractors. photos: paths of backgrounds.
    has_environment: whether there is a map of light from all around.
    """

    parts: tuple[Prop, ...]
    files: tuple[Prop, ...] = ()
    shapes: tuple[Prop, ...] = ()
    photos: tuple[Path, ...] = ()
    has_environment: bool = False

    def prop(self, model: int) -> Prop:
        return (*self.parts, *self.files, *self.shapes)[model]


@lru_cache(maxsize=48)
def photo(path: Path) -> ByteArray:
    """(H, W, 3) sRGB, upright, its longer side at most PHOTO_PX. Raises InputError."""
    import cv2

    found = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if found is None:
        raise InputError(f"{path}: this background cannot be read as a picture; leave it out")
    height, width = found.shape[:2]
    scale = PHOTO_PX / max(height, width)
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        found = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
    rgb: ByteArray = np.ascontiguousarray(found[..., ::-1])
    return rgb


def pick(items: Sequence[RestPose], share: float) -> RestPose:
    """The pose that a share of [0, 1) stands for."""
    for item in items:
        share -= item.probability
        if share < 0:
            return item
    return items[-1]
