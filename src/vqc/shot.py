"""One frame of a look, drawn: everything that was left to chance is a plain value here.

`look.draw` makes a `Shot` from a look, a seed and a frame index; `render.stage` draws it and
`sensor` takes its picture. World axes are right-handed, Z up, in millimetres; where there is a
ground, it is the plane z = 0. Light is linear: 1.0 is what a white surface sends back that the
exposure just does not clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.types import ByteArray, FloatArray, View

Rgb = tuple[float, float, float]
"""Linear red, green, blue; 1.0 is white."""


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """How the surfaces of one object look; arrays have a row for each colour of its model.

    rgb: (C, 3) float32 linear base colour. roughness: (C,) float32 in (0, 1], GGX's square root
        of alpha. metallic: (C,) float32, 0 or 1.
    grain: (C,) float32, standard deviation of the base colour's fine unevenness, relative.
    scratches: (C,) float32 in [0, 1], how much fine scratches change the roughness.
    pattern_seed: makes the grain of two objects of one model differ.
    """

    rgb: NDArray[np.float32]
    roughness: NDArray[np.float32]
    metallic: NDArray[np.float32]
    grain: NDArray[np.float32]
    scratches: NDArray[np.float32]
    pattern_seed: float


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One object that stands in the scene.

    model: which of the stage's models; labelled and unlabelled ones alike.
    pose: (4, 4) model2world, a rotation, a shift and an even scale.
    """

    model: int
    pose: FloatArray
    finish: Finish


@dataclass(frozen=True, slots=True)
class Lamp:
    """Light from one direction.

    towards: unit vector in world axes, from the scene to the lamp.
    rgb: what a white surface that faces the lamp sends back.
    size_deg: the lamp's angular diameter; what makes shadows soft and highlights wide.
    """

    towards: tuple[float, float, float]
    rgb: Rgb
    size_deg: float


@dataclass(frozen=True, slots=True)
class Light:
    """All light of a scene: lamps, and what comes from everywhere.

    above, below: what comes from the upper and the lower half, blended in between.
    environment_turn_deg: how far the user's environment map is turned about the up axis; None
        where it does not shine.
    """

    lamps: tuple[Lamp, ...]
    above: Rgb
    below: Rgb
    environment_turn_deg: float | None = None

    def on_open_ground(self) -> Rgb:
        """What a white surface sends back that faces up and lies in no shadow."""
        red, green, blue = (
            self.above[c] + sum(lamp.rgb[c] * max(lamp.towards[2], 0.0) for lamp in self.lamps)
            for c in range(3)
        )
        return red, green, blue


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What is behind the objects: a picture, and how it lies.

    picture: (H, W, 3) uint8 sRGB.
    mm_per_px: where it lies on the ground, the size of a pixel of the picture; it goes on
        mirrored beyond its borders. None: it fills the frame behind the scene.
    turn_deg, shift_mm: how it is turned about the up axis and where its centre lies on the ground.
    blur_px: standard deviation of a Gaussian in pixels of the frame.
    """

    picture: ByteArray
    mm_per_px: float | None = None
    turn_deg: float = 0.0
    shift_mm: tuple[float, float] = (0.0, 0.0)
    blur_px: float = 0.0


@dataclass(frozen=True, slots=True)
class SensorDraw:
    """What the camera does to the light, in the order in which it happens; see `vqc.sensor`.

    Lengths are in pixels of the frame. The defaults change nothing.

    exposure_ev: the light times 2 to that power.
    balance_red, balance_blue: what takes back the colour of the light, relative to green.
    red, blue: the same beside that.
    vignette: share of the light that the corners lose.
    defocus_px: radius of the disc that a point becomes. motion_px, motion_deg: length and
        direction of the line that it becomes.
    resolution: the picture is taken at that share of its size, and enlarged again.
    shot_noise: standard deviation at white as a share of white; its variance goes with the light.
    read_noise: standard deviation everywhere, as a share of white.
    contrast: slope at mid-grey of the finished picture. saturation: distance from grey, times this.
    sharpen: share of the difference to a blurred picture that is added.
    grey: the picture has no colours. jpeg: quality, 1 to 100; None: no loss.
    noise_seed: seeds the noise.
    """

    exposure_ev: float = 0.0
    balance_red: float = 1.0
    balance_blue: float = 1.0
    red: float = 1.0
    blue: float = 1.0
    vignette: float = 0.0
    defocus_px: float = 0.0
    motion_px: float = 0.0
    motion_deg: float = 0.0
    resolution: float = 1.0
    shot_noise: float = 0.0
    read_noise: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    sharpen: float = 0.0
    grey: bool = False
    jpeg: int | None = None
    noise_seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture to take, whole.

    bodies: labelled ones first. ground: what lies on z = 0, or None where everything floats.
    behind: what shows where neither a body nor the ground is.
    """

    view: View
    bodies: tuple[Body, ...]
    light: Light
    ground: Surface | None
    behind: Surface
    sensor: SensorDraw
