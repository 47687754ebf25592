"""What gadgets are put together of: closed solids with flat sides, as coloured polygons.

All have z up. Solids may touch or reach into one another, but no two may share an edge: each of
them is closed for itself.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqc.types import ByteArray, FloatArray, IntArray

PROUD = 0.003
"""How far prints stand off what they are on, so that neither shows through the other."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Flat convex polygons (P, K, 3), counter-clockwise from outside; colours: (P, 3) sRGB."""

    corners: FloatArray
    colours: ByteArray


Solids = list[Sides]
"""All sides of any number of closed solids."""


def lofts(rings: FloatArray, colours: Sequence[Rgb] | Rgb) -> Solids:
    """N solids between rings (N, R, C, 3), lowest first, counter-clockwise from above.

    colours: one, or R + 1 of them: below, from ring to ring, above.
    """
    count, rows, columns = rings.shape[:3]
    table = np.broadcast_to(np.asarray(colours, np.uint8), (rows + 1, 3))
    after = np.roll(rings, -1, axis=2)
    quads = np.stack([rings[:, :-1], after[:, :-1], after[:, 1:], rings[:, 1:]], axis=3)
    of_quads = np.broadcast_to(table[1:-1, None], (count, rows - 1, columns, 3))
    ends = np.concatenate([rings[:, 0, ::-1], rings[:, -1]])
    of_ends = np.repeat(table[[0, -1]], count, axis=0)
    return [Sides(quads.reshape(-1, 4, 3), of_quads.reshape(-1, 3)), Sides(ends, of_ends)]


def prism(
    outline: FloatArray,
    heights: ArrayLike,
    sizes: ArrayLike,
    colours: Sequence[Rgb] | Rgb,
) -> Solids:
    """One solid: the outline (C, 2) at R heights, in as many sizes."""
    flat = np.asarray(sizes, float)[:, None, None] * outline
    high = np.broadcast_to(np.asarray(heights, float)[:, None, None], (*flat.shape[:2], 1))
    return lofts(np.concatenate([flat, high], axis=2)[None], colours)


def boxes(rects: ArrayLike, low: float, high: float, colour: Rgb, top: float = 1.0) -> Solids:
    """Upright boxes over rectangles (N, 4), x0, y0, x1, y1; top: size of their upper ends."""
    flat = corners_of(rects)
    middle = flat.mean(axis=1, keepdims=True)
    levels = [(flat, low), (middle + top * (flat - middle), high)]
    rings = np.stack([_at_height(one, z) for one, z in levels], axis=1)
    return lofts(rings, colour)


def marks(outlines: FloatArray, z: float, colour: Rgb, deep: float = 0.012) -> Solids:
    """Flat outlines (N, C, 2) at height z, each closed by a point `deep` below its middle.

    That takes the fewest triangles: 6 for a rectangle, where a box takes 12.
    """
    top = _at_height(outlines, z)
    point = np.broadcast_to(top.mean(axis=1, keepdims=True) - (0, 0, deep), top.shape)
    down = np.stack([np.roll(top, -1, axis=1), top, point], axis=2).reshape(-1, 3, 3)
    return [
        Sides(part, np.tile(np.array(colour, np.uint8), (len(part), 1))) for part in (top, down)
    ]


def _at_height(outlines: FloatArray, z: float) -> FloatArray:
    """(…, 3) of points (…, 2)."""
    found = np.full((*outlines.shape[:-1], 3), float(z))
    found[..., :2] = outlines
    return found


def bars(rects: ArrayLike, z: float, colour: Rgb) -> Solids:
    """Marks that are rectangles (N, 4), x0, y0, x1, y1."""
    return marks(corners_of(rects), z, colour)


def discs(places: ArrayLike, radius: float, z: float, colour: Rgb, count: int = 8) -> Solids:
    """Marks that are regular polygons around places (N, 2)."""
    return marks(np.asarray(places, float).reshape(-1, 1, 2) + radius * circle(count), z, colour)


def corners_of(rects: ArrayLike) -> FloatArray:
    """(N, 4, 2) of rectangles (N, 4), counter-clockwise."""
    return np.asarray(rects, float).reshape(-1, 4)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]


def around(places: ArrayLike, width: float, depth: float) -> FloatArray:
    """Rectangles (N, 4) of one size around places (N, 2)."""
    middle = np.asarray(places, float).reshape(-1, 2)
    return np.concatenate(
        [middle - (width / 2, depth / 2), np.add(middle, (width / 2, depth / 2))], axis=1
    )


def circle(count: int) -> FloatArray:
    """(C, 2) points of the unit circle, with a side to the right."""
    angle = 2 * math.pi * (np.arange(count) + 0.5) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def rounded(width: float, depth: float, radius: float) -> FloatArray:
    """(12, 2) outline of a rectangle around the origin with rounded corners."""
    x, y = width / 2 - radius, depth / 2 - radius
    arc = radius * np.array([[1, 0], [math.sqrt(0.5), math.sqrt(0.5)], [0, 1]])
    return np.concatenate(
        [
            np.add(arc, (x, y)),
            arc[::-1] * (-1, 1) + (-x, y),
            -arc + (-x, -y),
            arc[::-1] * (1, -1) + (x, -y),
        ]
    )


def raster(columns: int, rows: int, pitch: tuple[float, float]) -> FloatArray:
    """(rows · columns, 2) places of a regular raster around the origin."""
    x, y = (
        step * (np.arange(n) - (n - 1) / 2) for n, step in zip((columns, rows), pitch, strict=True)
    )
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def moved(solids: Solids, axes: ArrayLike, to: ArrayLike = (0.0, 0.0, 0.0)) -> Solids:
    """The same elsewhere; axes (3, 3): where x, y and z turn to, a proper rotation."""
    turn = np.asarray(axes, float)
    return [Sides(s.corners @ turn + np.asarray(to, float), s.colours) for s in solids]


FLIPPED = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
"""Axes of what looks down instead of up."""
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Axes of what looks to -y, its y upwards."""
ALONG_X = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
"""Axes of what looks to +x."""


def turned(angle: float) -> FloatArray:
    """Axes of what is turned about z, in radians."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def meshed(solids: Solids) -> tuple[FloatArray, NDArray[np.float32], IntArray, ByteArray]:
    """Vertices (V, 3), unit normals (V, 3), faces (F, 3) and their colours (F, 4)."""
    points, normals, faces, colours, start = [], [], [], [], 0
    for many in sorted({sides.corners.shape[1] for sides in solids}):
        alike = [sides for sides in solids if sides.corners.shape[1] == many]
        corners = np.concatenate([sides.corners for sides in alike])
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        after = np.arange(1, many - 1)
        fan = np.stack([np.zeros_like(after), after, after + 1], axis=1)
        first = start + many * np.arange(len(corners))
        points.append(corners.reshape(-1, 3))
        normals.append(np.repeat(normal.astype(np.float32), many, axis=0))
        faces.append((first[:, None, None] + fan).reshape(-1, 3))
        colours.append(np.repeat(np.concatenate([s.colours for s in alike]), many - 2, axis=0))
        start += many * len(corners)
    rgb = np.concatenate(colours)
    rgba = np.column_stack([rgb, np.full(len(rgb), 255, np.uint8)])
    return np.concatenate(points), np.concatenate(normals), np.concatenate(faces), rgba


def tone(
    rng: np.random.Generator,
    value: tuple[float, float],
    saturation: tuple[float, float] = (0.0, 1.0),
    hue: tuple[float, float] = (0.0, 1.0),
) -> Rgb:
    """A colour between bounds, each from 0 to 1."""
    h, s, v = (rng.uniform(*bounds) for bounds in (hue, saturation, value))
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(h % 1.0, s, v))
    return red, green, blue


def dark(rng: np.random.Generator) -> Rgb:
    return tone(rng, (0.04, 0.22), (0, 0.3))


def light(rng: np.random.Generator) -> Rgb:
    return tone(rng, (0.8, 1), (0, 0.15))


def vivid(rng: np.random.Generator) -> Rgb:
    return tone(rng, (0.45, 0.95), (0.55, 1))


def metal(rng: np.random.Generator) -> Rgb:
    """Gold, or silver to grey."""
    if rng.random() < 0.5:
        return tone(rng, (0.65, 0.9), (0.45, 0.7), (0.1, 0.15))
    return tone(rng, (0.55, 0.85), (0, 0.08))


def any_of(rng: np.random.Generator) -> Rgb:
    """Dark, light, vivid, or grey."""
    kind = int(rng.integers(4))
    return tone(rng, (0.3, 0.7), (0, 0.1)) if kind == 3 else (dark, light, vivid)[kind](rng)


def ink(ground: Rgb, rng: np.random.Generator) -> Rgb:
    """What can be read on the ground."""
    return light(rng) if sum(ground) < 330 else dark(rng)
