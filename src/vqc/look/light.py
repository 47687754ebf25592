"""Lamps and the light from everywhere, drawn; and the colour of light of a temperature."""

from __future__ import annotations

import math

import numpy as np

from vqc.look.schema import LightLook, happens, number, whole
from vqc.sensor import srgb_to_linear
from vqc.shot import Lamp, Light, Rgb
from vqc.types import ByteArray, FloatArray

_LUMA = np.array([0.2126, 0.7152, 0.0722])
_WHITE = np.array([1.04259, 0.98382, 1.03486])
"""What the formula gives for 6500 K."""
_XYZ_TO_RGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)


def draw_light(
    look: LightLook, rng: np.random.Generator, bounce: FloatArray, has_environment: bool
) -> Light:
    """bounce: (3,) linear colour of what is below, which sends the light back up."""
    count = whole(look, "lamps", rng)
    ambient, total = number(look, "ambient", rng), number(look, "brightness", rng)
    turn, shines = 360 * rng.random(), happens(look, "environment", rng)
    sky = temperature_rgb(number(look, "temperature_k", rng))
    drawn = []
    for _ in range(count):
        azimuth = 2 * math.pi * rng.random()
        height = math.radians(number(look, "elevation_deg", rng))
        flat = math.cos(height)
        towards = (flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(height))
        colour = temperature_rgb(number(look, "temperature_k", rng))
        drawn.append((0.2 + rng.random(), towards, colour, number(look, "size_deg", rng)))
    drawn.sort(key=lambda lamp: -lamp[0])
    weights = sum(lamp[0] for lamp in drawn)
    direct = total * (1 - ambient)
    lamps = tuple(
        Lamp(towards, _times(colour, direct * weight / weights), size)
        for weight, towards, colour, size in drawn
    )
    above = sky * (total * ambient if lamps else total)
    open_sky = Light(lamps, _times(above, 1.0), (0.0, 0.0, 0.0))
    below = bounce * np.asarray(open_sky.on_open_ground())
    environment = round(turn, 3) if has_environment and shines else None
    return Light(lamps, open_sky.above, _times(below, 1.0), environment)


def mean_light(picture: ByteArray) -> FloatArray:
    """(3,) mean linear colour of a picture."""
    small = picture[:: max(1, picture.shape[0] // 32), :: max(1, picture.shape[1] // 32)]
    mean: FloatArray = srgb_to_linear(np.ascontiguousarray(small)).mean(axis=(0, 1)).astype(float)
    return mean


def temperature_rgb(kelvin: float) -> FloatArray:
    """(3,) linear sRGB of a black body, of luma 1; 1667 K to 25,000 K, ends beyond.

    6500 K is white: the black body itself is a little more magenta than daylight.

    Source: Kim et al., "Color temperature conversion system and method using the same", US patent
    7024034, 2006, whose cubics for the Planckian locus are in common use.
    """
    t = 1e3 / min(max(kelvin, 1667.0), 25000.0)
    if t > 0.25:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if t > 1 / 2.222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif t > 0.25:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    rgb = np.maximum(_XYZ_TO_RGB @ np.array([x / y, 1.0, (1 - x - y) / y]), 0.01) / _WHITE
    scaled: FloatArray = rgb / (rgb @ _LUMA)
    return scaled


def _times(rgb: FloatArray, factor: float) -> Rgb:
    red, green, blue = (float(v) * factor for v in rgb)
    return red, green, blue
