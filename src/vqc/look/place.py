"""Which frame is drawn, and a generator for each group of its decisions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Group(IntEnum):
    """Numbers for good: another one is another draw."""

    CAMERA = 1
    POSE = 2
    SCENE = 3
    OCCLUDERS = 4
    LIGHT = 5
    BACKDROP = 6
    SENSOR = 7
    MATERIAL = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Which frame is drawn: of which set, and which part is its subject."""

    seed: int
    index: int
    part: int

    def rng(self, group: Group, *more: int) -> np.random.Generator:
        """The same for the same numbers, in any process."""
        return np.random.default_rng([self.seed, self.index, int(group), *more])
