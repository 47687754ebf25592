"""A look → its pictures in memory: the light once, and then as many sensors on it as are asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc import sensor
from vqc.frames import Plan, open_studio
from vqc.look.schema import Look
from vqc.recipe import RenderRecipe, subject
from vqc.shot import SensorDraw
from vqc.studio import Studio
from vqc.twin.photos import Sample
from vqc.twin.statistics import measure, place
from vqc.types import Box, ByteArray, FloatArray, Progress

_BRIGHTEST = 6e4  # what 16 bits hold


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """A frame before a sensor sees it.

    light: (H, W, 3) float16; all frames stay in memory, and three digits are more than 8 bits show.
    boxes: of each object that shows, in pixels.
    """

    light: NDArray[np.float16]
    draw: SensorDraw
    boxes: tuple[Box, ...]


class Simulation:
    """Pictures of one recipe's parts, at its size; its frames are those that a set would have."""

    def __init__(self, plan: Plan) -> None:
        import cv2

        cv2.setNumThreads(1)  # the pictures are worked on side by side
        os.environ.setdefault("LP_NUM_THREADS", str(plan.threads))  # read when OpenGL starts
        self._recipe: RenderRecipe = plan.recipe
        self._studio: Studio = open_studio(plan)

    def light(self, look: Look, count: int, on_progress: Progress) -> list[Lit]:
        """The first frames of a look. Raises LabelError."""
        frames = []
        for index in range(count):
            shot = self._studio.draw(look, subject(self._recipe, index), index)
            light, objects = self._studio.light(shot)
            boxes = tuple(note.box_xyxy for note in objects if note.box_xyxy is not None)
            kept = np.minimum(light, _BRIGHTEST).astype(np.float16)
            frames.append(Lit(kept, shot.sensor, boxes))
            on_progress(index + 1, count)
        return frames

    def sensors(self, look: Look, count: int) -> list[SensorDraw]:
        """What a look draws for the sensor in its first frames."""
        return [
            self._studio.draw(look, subject(self._recipe, index), index).sensor
            for index in range(count)
        ]

    def close(self) -> None:
        """Free the window."""
        self._studio.close()


def photograph(lit: Lit, draw: SensorDraw) -> ByteArray:
    """(H, W, 3) the picture as it is read back from its file."""
    rgb = sensor.expose(lit.light.astype(np.float32), draw)
    return sensor.decompress(sensor.compress(rgb, draw.jpeg or 100))


def values(frames: Sequence[Lit], draws: Sequence[SensorDraw]) -> FloatArray:
    """(N, 8): the statistics of every frame as its sensor sees it."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        rows = pool.map(lambda lit, draw: measure(photograph(lit, draw), lit.boxes), frames, draws)
        return np.array(list(rows))


def sample(frames: Sequence[Lit], draws: Sequence[SensorDraw], shown: int) -> Sample:
    """The same, with places, qualities and some of the pictures."""
    wanted = dict.fromkeys(np.linspace(0, len(frames) - 1, shown).round().astype(int).tolist())
    return Sample(
        values(frames, draws),
        np.array([place(box, *lit.light.shape[1::-1]) for lit in frames for box in lit.boxes]),
        np.array([draw.jpeg or 100 for draw in draws], float),
        tuple(photograph(frames[k], draws[k]) for k in wanted),
    )
