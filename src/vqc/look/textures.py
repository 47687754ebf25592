"""Pictures of surfaces, made of noise: table tops, boards, cloth, metal, stone, printed patterns.

A kind gives a pattern, (H, W) float32 of any mean and scale; that runs between two related colours
around the one that was asked for. Most is made small and enlarged, which is quick and looks right.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from vqc.types import ByteArray, FloatArray

Pattern = NDArray[np.float32]

FULL_CONTRAST = 0.25
"""Standard deviation of the brightness at contrast 1; black is 0, white is 1."""

CANVAS = 384
"""Side of the square on which patterns with a direction are made, in pixels."""


def texture(
    width: int,
    height: int,
    rng: np.random.Generator,
    hue_deg: float,
    saturation: float,
    brightness: float,
    contrast: float,
    kind: str | None = None,
) -> ByteArray:
    """(H, W, 3) sRGB with a pattern of random kind, scale and direction.

    hue_deg, saturation, brightness: the mean colour, as HSV of the sRGB values; it moves away from
    black and white as far as the contrast needs room. contrast: [0, 1], see FULL_CONTRAST.
    kind: one of KINDS; None: at random.
    """
    chosen = KINDS[int(rng.integers(len(KINDS)))]
    chosen = kind or chosen
    pattern = _KINDS[chosen](width, height, rng)
    many = chosen in MANY_COLOURS and rng.random() < 0.7
    return _coloured(pattern, rng, (hue_deg, saturation, brightness), contrast, many)


def gradient(
    width: int,
    height: int,
    rng: np.random.Generator,
    hue_deg: float,
    saturation: float,
    brightness: float,
    contrast: float,
) -> ByteArray:
    """(H, W, 3) sRGB that goes evenly from one colour to another in a random direction."""
    angle = 2 * math.pi * rng.random()
    across = np.linspace(-1, 1, width, dtype=np.float32) * math.cos(angle)
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * math.sin(angle)
    return _coloured(across + down, rng, (hue_deg, saturation, brightness), contrast, many=False)


def plain_colour(
    width: int, height: int, hue_deg: float, saturation: float, brightness: float
) -> ByteArray:
    """(H, W, 3) sRGB of one colour."""
    rgb = np.round(255 * _rgb(hue_deg, saturation, brightness)).astype(np.uint8)
    return np.tile(rgb, (height, width, 1))


def _rgb(hue_deg: float, saturation: float, brightness: float) -> FloatArray:
    return np.array(colorsys.hsv_to_rgb(hue_deg / 360 % 1, saturation, brightness))


def _coloured(
    pattern: Pattern,
    rng: np.random.Generator,
    hsv: tuple[float, float, float],
    contrast: float,
    many: bool,
) -> ByteArray:
    """The pattern from a darker to a lighter colour of slightly another hue.

    many: instead, every few levels have a hue of their own.
    """
    import cv2

    deviation = FULL_CONTRAST * contrast
    mean, spread = (float(v[0, 0]) for v in cv2.meanStdDev(pattern))
    steps = 255 / 6 / max(spread, 1e-6)  # three deviations to either side
    index = pattern * np.float32(steps) + np.float32(128 - mean * steps)
    levels = np.clip(index, 0, 255, out=index).astype(np.uint8)
    bright = (np.arange(256)[:, None] - 127.5) / 255 * 6 * deviation
    base = np.clip(_rgb(*hsv), deviation, 1 - deviation)
    table = base + bright * (1 + 2 * _tint(hsv, rng.uniform(-40, 40), rng.uniform(-0.6, 0.6)))
    if many:
        turns = rng.normal(0, 60, 32)
        table += np.stack([_tint(hsv, turn, 0.0) for turn in turns]).repeat(8, axis=0)
        table += base - np.bincount(levels.ravel(), minlength=256) @ table / levels.size
    colours = np.round(255 * table.clip(0, 1)).astype(np.uint8)
    return np.asarray(
        cv2.applyColorMap(levels, colours[:, None])
    )  # keeps the order of the channels


def _tint(hsv: tuple[float, float, float], turn_deg: float, depth: float) -> FloatArray:
    """(3,) without brightness: to a hue beside that one, and more (or less) of the colour."""
    here, there = _rgb(*hsv), _rgb(hsv[0] + turn_deg, *hsv[1:])
    tint = there - here + depth * here
    return np.asarray(tint - tint.mean())


def _noise(rng: np.random.Generator, height: int, width: int) -> Pattern:
    """(H, W) independent values in [-1, 1)."""
    return rng.random((height, width), np.float32) * 2 - 1


def _enlarged(small: Pattern, width: int, height: int) -> Pattern:
    import cv2

    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _clouds(
    rng: np.random.Generator, height: int, width: int, coarse_px: float, keep: float
) -> Pattern:
    """Noise of many scales: cells of `coarse_px`, then half of that times `keep`, and so on.

    Each is put on the next finer one, so that only the last has the size of the picture.
    """
    total: Pattern | None = None
    cell, weight = coarse_px, 1.0
    while cell >= 2:
        rows, columns = (max(2, math.ceil(n / cell) + 1) for n in (height, width))
        noise = np.float32(weight) * _noise(rng, rows, columns)
        total = noise if total is None else noise + _enlarged(total, columns, rows)
        cell, weight = cell / 2, weight * keep
    return _noise(rng, height, width) if total is None else _enlarged(total, width, height)


def _laid(canvas: Pattern, width: int, height: int, rng: np.random.Generator) -> Pattern:
    """The canvas turned at random over the picture, enlarged up to twice, mirrored beyond."""
    import cv2

    zoom = rng.uniform(1.0, 2.0) * math.hypot(width, height) / 800
    matrix = cv2.getRotationMatrix2D((0, 0), rng.uniform(0, 360), 1 / zoom)
    matrix[:, 2] = canvas.shape[1] / 2, canvas.shape[0] / 2
    matrix[:, 2] -= matrix[:, :2] @ (width / 2, height / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(
            canvas, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
    )


def _fractal(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Clouds, from a smear to dust."""
    return _clouds(rng, height, width, 2.0 ** rng.uniform(3, 8), rng.uniform(0.45, 0.95))


def _marble(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Veins: a wave bent by clouds."""
    rows, columns = (height + 1) // 2, (width + 1) // 2
    bend = _clouds(rng, rows, columns, 2.0 ** rng.uniform(5, 7), 0.55)
    turn, waves = rng.uniform(0, math.pi), rng.uniform(1, 6)
    across = np.linspace(0, waves * math.cos(turn), columns, dtype=np.float32)
    down = np.linspace(0, waves * math.sin(turn), rows, dtype=np.float32)[:, None]
    veins = np.abs(np.sin((across + down) * np.float32(math.pi) + 3 * bend))
    return _enlarged(np.sqrt(veins) + 0.3 * bend, width, height)


def _wood(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Year rings cut lengthwise, fine streaks, and seams between planks."""
    side = CANVAS
    bend = _enlarged(_noise(rng, 6, 3), side, side)
    down = np.linspace(0, rng.uniform(3, 12), side, dtype=np.float32)[:, None]
    rings = (down + np.float32(rng.uniform(0.2, 1.2)) * bend) % 1
    streaks = _enlarged(_noise(rng, side, 8), side, side)
    canvas = rings * np.float32(rng.uniform(0.3, 1)) + 0.6 * streaks
    if rng.random() < 0.5:
        plank = int(rng.integers(60, 200))
        rows = np.arange(side) + int(rng.integers(plank))
        canvas += rng.uniform(-0.7, 0.7, side)[rows // plank].astype(np.float32)[:, None]
        canvas[rows % plank < 2] -= 2
    return _laid(canvas, width, height, rng)


def _brushed(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Brushed metal: streaks, and a sheen across."""
    side = CANVAS
    streaks = _enlarged(_noise(rng, side, int(rng.integers(3, 40))), side, side)
    sheen = _enlarged(_noise(rng, 2, 4), side, side)
    return _laid(streaks + np.float32(rng.uniform(0.2, 1.5)) * sheen, width, height, rng)


def _granite(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Grains of a few brightnesses, and some rare dark or light ones."""
    cell = 2.0 ** rng.uniform(0.8, 3.5)
    rows, columns = (math.ceil(n / cell) + 2 for n in (height, width))
    grains = _enlarged(_noise(rng, rows, columns), width, height)
    coarse = _enlarged(_noise(rng, rows // 2 + 2, columns // 2 + 2), width, height)
    rare = np.float32(rng.uniform(0.55, 0.85)) < np.abs(coarse)
    return np.asarray(np.round(grains * 2) + 2 * np.sign(coarse) * rare)


def _weave(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Threads that go over and under each other, each of its own brightness."""
    thread = int(rng.integers(4, 14))
    count = CANVAS // thread
    side = count * thread
    arch = np.sin(np.pi * (np.arange(side) % thread + 0.5) / thread).astype(np.float32)
    warp, weft = rng.uniform(-0.3, 0.3, (2, count)).astype(np.float32).repeat(thread, axis=1)
    number = np.arange(side) // thread
    twill = int(rng.integers(2, 5))
    over = (number[:, None] + number) % twill < twill // 2
    canvas = np.where(over, arch * arch[:, None] + warp, 0.7 * arch * arch[:, None] + weft[:, None])
    canvas += np.float32(0.2) * _noise(rng, side, side)
    return _laid(canvas, width, height, rng)


def _tiles(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Squared paper, tiles or a chequered cloth."""
    cell, line = int(rng.integers(12, 97)), int(rng.integers(1, 4))
    count = CANVAS // cell + 1
    each = rng.uniform(-1, 1, (count, count)) * rng.uniform(0, 0.5)
    if rng.random() < 0.3:
        each += np.indices((count, count)).sum(axis=0) % 2 * 2
    canvas = each.repeat(cell, axis=0).repeat(cell, axis=1).astype(np.float32)
    joint = np.float32(rng.choice([-2, 2]))
    edge = np.arange(len(canvas)) % cell < line
    canvas[edge], canvas[:, edge] = joint, joint
    canvas += np.float32(0.3) * _clouds(rng, len(canvas), len(canvas), 64, 0.6)
    return _laid(canvas, width, height, rng)


def _patches(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Flat areas around random points: what is nearest (Voronoi)."""
    import cv2

    rows, columns = height // 2 + 1, width // 2 + 1
    count = int(2.0 ** rng.uniform(3, 8))
    mask = np.ones((rows, columns), np.uint8)
    mask[rng.integers(rows, size=count), rng.integers(columns, size=count)] = 0
    labels = cv2.distanceTransformWithLabels(mask, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[
        1
    ]
    level = rng.uniform(-1, 1, count + 1).astype(np.float32)
    return np.asarray(cv2.resize(level[labels], (width, height), interpolation=cv2.INTER_LINEAR))


def _clutter(width: int, height: int, rng: np.random.Generator) -> Pattern:
    """Flat things that lie on each other: rectangles at all angles, and discs."""
    import cv2

    canvas = np.full((height, width), rng.uniform(-1, 1), np.float32)
    for x, y, size, flat, turn, level, round_ in rng.random((int(rng.integers(8, 50)), 7)):
        center = x * width, y * height
        long = (0.03 + 0.4 * size**2) * max(width, height)
        box = cv2.boxPoints((center, (long, long * (0.1 + 0.9 * flat)), 180 * turn))
        colour = 2 * level - 1
        if round_ < 0.3:
            cv2.circle(canvas, (int(center[0]), int(center[1])), int(long / 3), colour, -1)
        else:
            cv2.fillConvexPoly(canvas, np.round(box).astype(np.int32), colour)
    return np.asarray(cv2.GaussianBlur(canvas, (3, 3), 0.7))


_KINDS: Mapping[str, Callable[[int, int, np.random.Generator], Pattern]] = {
    "brushed": _brushed,
    "clutter": _clutter,
    "fractal": _fractal,
    "granite": _granite,
    "marble": _marble,
    "patches": _patches,
    "tiles": _tiles,
    "weave": _weave,
    "wood": _wood,
}

KINDS = tuple(_KINDS)
"""The patterns that `texture` chooses from, sorted."""

MANY_COLOURS = ("clutter", "patches")
"""Those whose areas may have a colour of their own."""
