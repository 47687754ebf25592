"""What an object's surfaces are made of, drawn colour by colour."""

from __future__ import annotations

import colorsys

import numpy as np

from vqc.look.schema import MaterialLook, number, word
from vqc.sensor import srgb_to_linear
from vqc.shot import Finish
from vqc.types import ByteArray

_GREY = 178
_PAINT = 0.55
"""Paint is that much smoother than what was drawn: it flows before it dries."""


def draw_finish(look: MaterialLook, palette: ByteArray, rng: np.random.Generator) -> Finish:
    """palette: (C, 3) uint8 sRGB, the object's own colours."""
    source, pattern_seed = word(look, "colour", rng), 100 * rng.random()
    count = len(palette)
    rgb = np.zeros((count, 3), np.uint8)
    roughness, metallic, grain, scratches = np.zeros((4, count), np.float32)
    for row, own in enumerate(palette.tolist()):
        shift = number(look, "hue_deg", rng) / 360
        vivid, bright = number(look, "saturation", rng), number(look, "brightness", rng)
        other = rng.random(3)
        hue, saturation, value = colorsys.rgb_to_hsv(*(v / 255 for v in own))
        if source == "random":
            hue, saturation, value = other[0], other[1] ** 1.5, 0.05 + 0.95 * other[2]
        elif source == "grey":
            hue, saturation, value = 0.0, 0.0, _GREY / 255
        hue, saturation = (hue + shift) % 1.0, min(saturation * vivid, 1.0)
        mixed = colorsys.hsv_to_rgb(hue, saturation, min(value * bright, 1.0))
        rgb[row] = [round(255 * v) for v in mixed]
        kind, rough = word(look, "kind", rng), number(look, "roughness", rng)
        roughness[row] = max(0.05, rough * (_PAINT if kind == "painted" else 1.0))
        metallic[row] = kind == "metal"
        grain[row], scratches[row] = number(look, "grain", rng), number(look, "scratches", rng)
    return Finish(srgb_to_linear(rgb), roughness, metallic, grain, scratches, pattern_seed)
