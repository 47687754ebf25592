"""What stands around as distractors: a kind and random numbers → an `Assembly`.

Here are the simple solids; `gadgets` has those that are put together of many. Every simple solid
is one skin: rings of points (R, C, 3), each joined to the next by triangles, and its two ends
closed, or the last ring joined to the first. So it is closed by construction.
"""

from __future__ import annotations

import colorsys
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.look import gadgets
from vqc.types import Assembly, ByteArray, FloatArray, IntArray, Part

CREASE_DEG = 35.0
"""Sides that meet at a larger angle meet in a sharp edge."""

SEGMENTS = 40


@dataclass(frozen=True, slots=True, eq=False)
class _Skin:
    """Rings of points (R, C, 3); ends: None where the last ring is joined to the first, else the
    two points (2, 3) from which the first and the last ring are closed by a fan."""

    rings: FloatArray
    ends: FloatArray | None


def shape(kind: str, rng: np.random.Generator) -> Assembly:
    """A closed solid, or a gadget, of random proportions and colours around the origin.

    The longest side of its box along the axes is 1 mm. Raises InputError for an unknown kind.
    """
    if kind not in ALL_KINDS:
        raise InputError(f"no such shape: {kind}; shapes are {', '.join(ALL_KINDS)}")
    seed = int(rng.integers(2**63))
    own = np.random.default_rng(seed)
    if kind in gadgets.KINDS:
        points, normals, faces, rgba = gadgets.gadget(kind, own)
        part = Part(kind, _of_unit_size(points), normals, faces, rgba, np.eye(4)[None])
    else:
        part = _solid(kind, own)
    digest = hashlib.sha256(f"{kind} {seed}".encode()).hexdigest()
    return Assembly(kind, kind, digest, (part,), "mm", True)


def _solid(kind: str, rng: np.random.Generator) -> Part:
    points, faces, row, column = _triangles(_MAKERS[kind](rng))
    points = _of_unit_size(points)
    a, b, c = points[faces].transpose(1, 0, 2)
    if np.einsum("ij,ij->", a, np.cross(b, c)) < 0:
        faces = faces[:, ::-1]
    normals = _corner_normals(points, faces)
    rgba = _paint(rng, points[faces], row, column)
    corners = np.column_stack([faces.ravel(), np.round(normals, 5)])
    _, distinct, index = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    return Part(
        kind,
        points[faces.ravel()[distinct]],
        normals[distinct],
        index.reshape(-1, 3),
        rgba,
        np.eye(4)[None],
    )


def _of_unit_size(points: FloatArray) -> FloatArray:
    """(N, 3), the middle of their box at the origin and its longest side 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - (low + high) / 2) / float((high - low).max()))


def _triangles(skin: _Skin) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
    """Points (V, 3), faces (F, 3), and of each face the ring and the column that it is in.

    Faces of the ends are in rings of their own, -1 and R.
    """
    rows, columns = skin.rings.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    lower = number if skin.ends is None else number[:-1]
    upper = np.roll(number, -1, axis=0)[: len(lower)]
    a, b = lower, np.roll(lower, -1, axis=1)
    c, d = np.roll(upper, -1, axis=1), upper
    faces = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    row, column = (g.ravel() for g in np.indices(lower.shape))
    at, across = [row, row], [column, column]
    points = skin.rings.reshape(-1, 3)
    if skin.ends is not None:
        points = np.concatenate([points, skin.ends])
        first, last = number[0], number[-1]
        low, high = np.full(columns, rows * columns), np.full(columns, rows * columns + 1)
        faces += [
            np.stack([low, np.roll(first, -1), first], -1),
            np.stack([high, last, np.roll(last, -1)], -1),
        ]
        at += [np.full(columns, -1), np.full(columns, rows)]
        across += [np.arange(columns)] * 2
    return points, np.concatenate(faces), np.concatenate(at), np.concatenate(across)


def _corner_normals(points: FloatArray, faces: IntArray) -> NDArray[np.float32]:
    """(3 F, 3): at every corner the mean of the faces there that are not beyond a sharp edge."""
    from scipy.sparse import coo_array

    a, b, c = points[faces].transpose(1, 0, 2)
    areas = np.cross(b - a, c - a)
    flat = areas / np.maximum(np.linalg.norm(areas, axis=1, keepdims=True), 1e-300)
    count = 3 * len(faces)
    meets = coo_array((np.ones(count), (np.arange(count), faces.ravel()))).tocsr()
    one, other = (meets @ meets.T).nonzero()
    smooth = (flat[one // 3] * flat[other // 3]).sum(axis=1) > math.cos(math.radians(CREASE_DEG))
    one, other = one[smooth], other[smooth]
    total = np.stack([np.bincount(one, areas[other // 3, k], count) for k in range(3)], axis=1)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)


def _paint(
    rng: np.random.Generator, corners: FloatArray, row: IntArray, column: IntArray
) -> ByteArray:
    """Colours (F, 4): one, one side in another, or stripes around, along or both."""
    rings, columns = int(row.max()), int(column.max()) + 1
    a, b, c = corners.transpose(1, 0, 2)
    sides = np.cross(b - a, c - a)
    axis, period, pattern = int(rng.integers(3)), int(rng.integers(1, 5)), int(rng.integers(7))
    if pattern == 3:
        index = (sides[:, axis] > 0.7 * np.linalg.norm(sides, axis=1)).astype(int)
    elif pattern == 4:
        index = np.clip(row, 0, rings) // period % 3
    elif pattern == 5:
        index = column * 4 // columns % 2
    elif pattern == 6:
        index = (column * 4 // columns + row // (2 * period)) % 3
    else:
        index = np.zeros(len(row), int)
    if pattern > 4 and row.min() < 0:  # ends in one colour
        index[(row == -1) | (row == rings)] = 1
    return np.asarray(_colours(rng)[index])


def _colours(rng: np.random.Generator) -> ByteArray:
    """Three distinct colours (3, 4): near a random hue, far from it, and a grey."""
    hue = rng.random()
    hues = [hue, hue + rng.uniform(0.25, 0.75), rng.random()]
    saturations = [rng.uniform(0.3, 1), rng.uniform(0.3, 1), rng.uniform(0, 0.08)]
    values = [rng.uniform(0.25, 0.95), rng.uniform(0.25, 0.95), rng.choice([0.1, 0.45, 0.9])]
    table = [colorsys.hsv_to_rgb(*hsv) for hsv in zip(hues, saturations, values, strict=True)]
    order = rng.permutation(3)
    return np.round(np.column_stack([255 * np.array(table), np.full(3, 255)])).astype(np.uint8)[
        order
    ]


def _circle(count: int = SEGMENTS) -> FloatArray:
    """(C, 2) points of the unit circle."""
    angle = 2 * math.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _stack(outline: FloatArray, radii: FloatArray, heights: FloatArray) -> FloatArray:
    """Rings (R, C, 3): the outline (C, 2), or one for each ring, at sizes and heights (R,)."""
    flat = radii[:, None, None] * outline
    return np.concatenate([flat, np.broadcast_to(heights[:, None, None], (*flat.shape[:2], 1))], 2)


def _prism(
    outline: FloatArray, height: float, rows: int, core: tuple[float, float] = (0.0, 0.0)
) -> _Skin:
    """core: a point from which the whole outline (C, 2) is seen."""
    heights = np.linspace(0, height, rows)
    return _Skin(_stack(outline, np.ones(rows), heights), np.array([[*core, 0.0], [*core, height]]))


def _rectangle(width: float, depth: float) -> FloatArray:
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, depth / 2)


def _box(rng: np.random.Generator) -> _Skin:
    return _prism(_rectangle(rng.uniform(0.2, 1), rng.uniform(0.2, 1)), rng.uniform(0.1, 1), 9)


def _cylinder(rng: np.random.Generator) -> _Skin:
    return _prism(_circle(), math.exp(rng.uniform(math.log(0.2), math.log(10))), 13)


def _cone(rng: np.random.Generator) -> _Skin:
    """Pointed, or cut off."""
    height, top = rng.uniform(0.7, 4), float(rng.choice([0, rng.uniform(0.2, 0.8)]))
    share = np.linspace(0, 1, 10)[: 9 if top == 0 else 10]
    rings = _stack(_circle(), 1 - share * (1 - top), share * height)
    return _Skin(rings, np.array([[0, 0, 0], [0, 0, height]]))


def _sphere(rng: np.random.Generator) -> _Skin:
    """A ball, sometimes a flattened one."""
    upright = _circle(28)[1:14]  # half a circle without its ends
    squash = float(rng.choice([1, rng.uniform(0.5, 1)]))
    rings = _stack(_circle(24), upright[:, 1], -squash * upright[:, 0])
    return _Skin(rings, np.array([[0, 0, -squash], [0, 0, squash]]))


def _ring(rng: np.random.Generator) -> _Skin:
    """A torus, or a ring of rectangular section."""
    thick = rng.uniform(0.08, 0.45)
    section = _circle(16) if rng.random() < 0.5 else 0.9 * _rectangle(2, rng.uniform(0.4, 4))
    outward = 1 + thick * section[:, 0]
    rings = np.empty((SEGMENTS, len(section), 3))
    rings[..., :2] = _circle()[:, None] * outward[:, None]
    rings[..., 2] = thick * section[:, 1]
    return _Skin(rings, None)


def _angle(rng: np.random.Generator) -> _Skin:
    """An L-profile."""
    x, y, thick = rng.uniform(0.5, 1), rng.uniform(0.5, 1), rng.uniform(0.06, 0.2)
    outline = np.array([[0, 0], [x, 0], [x, thick], [thick, thick], [thick, y], [0, y]])
    return _prism(outline, rng.uniform(0.3, 3), 9, (thick / 2, thick / 2))


def _plate(rng: np.random.Generator) -> _Skin:
    """A rectangular plate with a round hole in its middle."""
    side = np.linspace(-1, 1, 11)[:-1]
    one = np.ones(10)
    edges = [(side, -one), (one, side), (-side, one), (-one, -side)]
    depth = rng.uniform(0.4, 1)
    outer = np.concatenate([np.stack(edge, axis=1) for edge in edges]) * (1, depth)
    inner = outer / np.linalg.norm(outer, axis=1, keepdims=True) * depth * rng.uniform(0.2, 0.85)
    thick = rng.uniform(0.03, 0.25)
    rings = _stack(
        np.stack([outer, outer, inner, inner]), np.ones(4), np.array([0, thick, thick, 0])
    )
    return _Skin(rings, None)


def _ruler(rng: np.random.Generator) -> _Skin:
    return _prism(_rectangle(rng.uniform(0.04, 0.15), rng.uniform(0.004, 0.03)), 1.0, 61)


def _screw(rng: np.random.Generator) -> _Skin:
    """A threaded shaft with a hexagonal head."""
    circle, turns = _circle(24), 18
    within = np.arange(24) % 4 / 4 * (math.pi / 3) - math.pi / 6
    head = rng.uniform(1.4, 2.2)
    hexagon = circle * (head / np.cos(within) * math.cos(math.pi / 6))[:, None]
    length, deep = rng.uniform(1.5, 9), rng.uniform(0, 0.1)
    thread = np.where(np.arange(turns) % 2, 1.0 - deep, 1.0)
    shaft = _stack(circle, thread, np.linspace(0, length, turns))
    top = _stack(hexagon, np.ones(2), length + np.array([0, rng.uniform(0.6, 1.4)]))
    return _Skin(np.concatenate([shaft, top]), np.array([[0, 0, 0], [0, 0, float(top[1, 0, 2])]]))


def _cable(rng: np.random.Generator) -> _Skin:
    """A round cable along a smooth random curve that lies on the ground."""
    count = int(rng.integers(5, 16))
    heading = np.cumsum(rng.normal(0, 0.55, count)) + rng.uniform(0, 2 * math.pi)
    steps = rng.uniform(0.7, 1.3, count)[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
    path = _through(np.cumsum(steps, axis=0), 96)
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.column_stack([-tangent[:, 1], tangent[:, 0], np.zeros(len(path))])
    radius = rng.uniform(0.06, 0.25)
    section = radius * _circle(9)
    middle = np.column_stack([path, np.zeros(len(path))])
    rings = middle[:, None] + section[:, :1] * across[:, None] + section[:, 1:] * (0.0, 0.0, 1.0)
    return _Skin(rings, middle[[0, -1]])


def _through(points: FloatArray, count: int) -> FloatArray:
    """`count` places (count, 2) along a smooth curve through (K, 2) points (Catmull and Rom)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    where = np.linspace(0, len(points) - 1, count)
    piece = np.minimum(where.astype(int), len(points) - 2)
    t = (where - piece)[:, None]
    a, b, c, d = (padded[piece + k] for k in range(4))
    cubic = 3 * (b - c) + d - a
    return np.asarray(b + t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * cubic)) / 2)


_MAKERS: Mapping[str, Callable[[np.random.Generator], _Skin]] = {
    "angle": _angle,
    "box": _box,
    "cable": _cable,
    "cone": _cone,
    "cylinder": _cylinder,
    "plate": _plate,
    "ring": _ring,
    "ruler": _ruler,
    "screw": _screw,
    "sphere": _sphere,
}

KINDS = tuple(_MAKERS)
"""The simple solids, sorted."""

ALL_KINDS = (*KINDS, *gadgets.KINDS)
"""What `shape` can make: the simple solids, then the gadgets."""
