"""How a rigid body of even density can lie on the plane z = 0.

Poses and their probabilities are those of a body that is let go slowly in a random attitude: the
facet of its convex hull that gravity points at from the centre of mass comes down, and where the
centre is not above that facet, the body tips over an edge to the next (Goldberg et al., "Part pose
statistics: estimators and experiments", IEEE Transactions on Robotics and Automation, 1999).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.types import FloatArray, IntArray

MAX_POSES = 64
"""Round bodies have one for each facet; those left out hand on their share to the nearest."""

SMALL = 1 / 6400
"""Poses less probable than this are left out; all of them together are less than 1 %."""

FLAT = 1e-6
"""A body that is thinner than this, relative to its longest side, has no volume."""

SAME_PLANE = 1e-3
"""Facets side by side whose normals differ by less than this angle (radians) are one."""


@dataclass(frozen=True, slots=True, eq=False)
class RestPose:
    """One way to lie still.

    rotation: (3, 3) model2world, proper. lift_mm: what to add to z so that the lowest point lies
    on z = 0. probability: of all poses of the body; they sum to 1.
    """

    rotation: FloatArray
    lift_mm: float
    probability: float


def stable_poses(hull_points: FloatArray, center_of_mass: FloatArray) -> tuple[RestPose, ...]:
    """Every pose in which the body comes to rest, the most probable first; at most MAX_POSES.

    hull_points: (N, 3) mm, the corners of the convex hull or more. A flat body has two poses, one
    that is a line or a point has one. Raises InputError for fewer than 3 points, and for numbers
    that are not finite.
    """
    points = np.asarray(hull_points, float)
    if points.ndim != 2 or points.shape[1:] != (3,) or len(points) < 3:
        raise InputError(f"a body at rest needs at least 3 points (N, 3), not {points.shape}")
    center = np.asarray(center_of_mass, float)
    if not (np.isfinite(points).all() and np.isfinite(center).all()):
        raise InputError("a body at rest: its points or its centre of mass are not finite")
    down, shares = _lowest_sides(points, center)
    keys = np.round(np.column_stack([-shares, down]), 9)  # equal shares: by direction
    order = np.lexsort(keys.T[::-1])
    down, shares = _thinned(down[order], shares[order])
    order = np.argsort(-np.round(shares, 9), kind="stable")
    order = order[shares[order] >= SMALL]
    total = float(shares[order].sum())
    poses = []
    for chosen in order:
        rotation = _turned_down(down[chosen])
        lift = 0.0 - float(_dot(points, rotation[2]).min())
        poses.append(RestPose(rotation, lift, float(shares[chosen]) / total))
    return tuple(poses)


def _lowest_sides(points: FloatArray, center: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(K, 3) directions in the body that can end up pointing down, and their (K,) shares."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    size = float(np.ptp(points, axis=0).max())
    if size == 0:
        return np.array([[0.0, 0.0, -1.0]]), np.ones(1)
    unit = (points - middle) / size
    level = unit - unit.mean(axis=0)
    spread, axes = np.linalg.eigh((level[:, :, None] * level[:, None]).mean(axis=0))
    if spread[1] < FLAT**2:  # a line
        across = np.cross(axes[:, 2], np.eye(3)[np.abs(axes[:, 2]).argmin()])
        return (across / np.linalg.norm(across))[None], np.ones(1)
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(unit) if spread[0] > FLAT**2 else None
    except QhullError:  # flat to Qhull's own tolerance
        hull = None
    if hull is None:
        return np.stack([axes[:, 0], -axes[:, 0]]), np.full(2, 0.5)
    relative = unit - (center - middle) / size
    return _stable_facets(relative, hull.simplices, hull.neighbors, hull.equations[:, :3])


def _stable_facets(
    points: FloatArray, triangles: IntArray, neighbors: IntArray, normals: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Outward normals (K, 3) and shares (K,) of the facets that the body comes to rest on.

    points: relative to the centre of mass. neighbors: of each triangle, opposite its corners.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, slot = np.repeat(np.arange(len(triangles)), 3), np.tile(np.arange(3), len(triangles))
    other = neighbors.ravel()
    flush = np.linalg.norm(normals[first] - normals[other], axis=1) < SAME_PLANE
    ones = np.ones(flush.sum(), np.int8)
    links = coo_array((ones, (first[flush], other[flush])), shape=2 * (len(triangles),))
    count, facet = connected_components(links, directed=False)

    corners = points[triangles]
    areas = np.linalg.norm(np.cross(*(corners[:, 1:] - corners[:, :1]).transpose(1, 0, 2)), axis=1)
    weights = areas + areas.max() * 1e-12
    total = _sums(facet, weights, count)
    down = np.stack([_sums(facet, weights * n, count) for n in normals.T], axis=1)
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    middle = np.stack([_sums(facet, weights * c, count) for c in corners.mean(axis=1).T], axis=1)
    middle /= total[:, None]
    height = _dot(down, middle)
    shares = _sums(facet, _solid_angles(corners), count)

    outer = facet[first] != facet[other]
    first, slot, other = first[outer], slot[outer], other[outer]
    here, there = facet[first], facet[other]
    start, end = corners[first, (slot + 1) % 3], corners[first, (slot + 2) % 3]
    onto = _tips_to(start, end, middle[here], down[here], here, there, height)
    for one in np.argsort(-height, kind="stable"):
        if one in onto:
            shares[onto[one]] += shares[one]
            shares[one] = 0
    still = np.array([one for one in range(count) if one not in onto])
    return down[still], shares[still] / shares[still].sum()


def _tips_to(
    start: FloatArray,
    end: FloatArray,
    middle: FloatArray,
    down: FloatArray,
    here: IntArray,
    there: IntArray,
    height: FloatArray,
) -> dict[int, int]:
    """Facet → the one that the body tips to from it; facets that it rests on are left out.

    For every border (E, …): its ends, the middle and normal of its facet, that facet and the one
    beyond. height: (F,) of the centre of mass, the origin, above each facet.
    """
    along = end - start
    out = np.cross(along, down)
    out *= np.sign(_dot(out, start - middle))[:, None]
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-300)
    beyond = -_dot(out, start)  # how far the foot of the centre lies outside of this border
    foot = down * height[here][:, None]
    part = np.clip(_dot(foot - start, along) / np.maximum(_dot(along, along), 1e-300), 0, 1)
    gap = np.linalg.norm(start + part[:, None] * along - foot, axis=1)
    # Tipping always lowers the centre; asking for it keeps rounding from going in a circle.
    tips = (beyond > 1e-9) & (height[there] < height[here])
    order = np.lexsort((there, -np.round(beyond, 9), np.round(gap, 9)))
    onto: dict[int, int] = {}
    for border in order[tips[order]].tolist():
        onto.setdefault(int(here[border]), int(there[border]))
    return onto


def _solid_angles(corners: FloatArray) -> FloatArray:
    """Shares (F,) of all directions from the origin that go through triangles (F, 3, 3).

    Van Oosterom and Strackee, "The solid angle of a plane triangle", 1983.
    """
    a, b, c = corners.transpose(1, 0, 2)
    la, lb, lc = np.linalg.norm(corners, axis=2).T
    width = la * lb * lc + _dot(a, b) * lc + _dot(b, c) * la + _dot(c, a) * lb
    return np.asarray(np.arctan2(np.abs(_boxes(corners)), width) / (2 * math.pi))


def _thinned(down: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """At most MAX_POSES of the (K, 3) directions, the most probable first among the input.

    Stay: those with more than an even share, then always the one farthest from all that stay.
    """
    if len(down) <= MAX_POSES:
        return down, shares
    kept = [int(k) for k in np.flatnonzero(shares >= 1 / MAX_POSES)[:MAX_POSES]] or [0]
    near = np.max(down @ down[kept].T, axis=1)
    while len(kept) < MAX_POSES:
        kept.append(int(np.round(near, 9).argmin()))
        near = np.maximum(near, _dot(down, down[kept[-1]]))
    nearest = np.round(down @ down[kept].T, 9).argmax(axis=1)
    return down[kept], _sums(nearest, shares, len(kept))


def _turned_down(down: FloatArray) -> FloatArray:
    """The smallest rotation (3, 3) that turns a unit vector to -z, or half a turn more about x."""
    over = np.diag([1.0, -1.0, -1.0]) if down[2] > 0 else np.eye(3)
    x, y, z = over @ down
    cross = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])
    return np.asarray((np.eye(3) + cross + cross @ cross / (1 - z)) @ over)


def center_of_mass(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """(3,) of a body of even density with these triangles, counter-clockwise from outside.

    Where they enclose no sensible volume (open, inside out, or more than the hull holds), that of
    the hull; of a flat body, that of its triangles.
    """
    from scipy.spatial import ConvexHull, QhullError

    vertices = np.asarray(vertices, float)
    origin, size = vertices.mean(axis=0), float(np.ptp(vertices, axis=0).max())
    unit = (vertices - origin) / (size or 1.0)
    triangles = unit[faces]
    sides = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    areas = np.linalg.norm(sides, axis=1)
    try:
        corners = unit[ConvexHull(unit).simplices]
    except (QhullError, ValueError):  # flat, or fewer than four points
        weights = areas if areas.sum() > 0 else np.ones(len(areas))
        middle = (weights[:, None] * triangles.mean(axis=1)).sum(axis=0) / weights.sum()
        return np.asarray(origin + size * middle)
    whole, room = _moment(corners, np.abs(_boxes(corners)))
    center, volume = _moment(triangles, _boxes(triangles))
    closed = float(np.linalg.norm(sides.sum(axis=0))) < 1e-4 * areas.sum()
    inside = bool((center > unit.min(axis=0)).all() and (center < unit.max(axis=0)).all())
    sensible = closed and inside and 1e-4 * room < volume < 1.001 * room
    return np.asarray(origin + size * (center if sensible else whole))


def _boxes(triangles: FloatArray) -> FloatArray:
    """Six times the signed volumes (F,) between the origin and triangles (F, 3, 3)."""
    return _dot(triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2]))


def _moment(triangles: FloatArray, boxes: FloatArray) -> tuple[FloatArray, float]:
    """Centre and volume of the pyramids between the origin and triangles (F, 3, 3)."""
    total = float(boxes.sum())
    center = (boxes[:, None] * triangles.sum(axis=1)).sum(axis=0) / (4 * (total or 1.0))
    return center, total / 6


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Row by row, in an order that does not depend on threads."""
    return np.asarray((a * b).sum(axis=-1))


def _sums(index: NDArray[np.integer], values: FloatArray, count: int) -> FloatArray:
    return np.bincount(index, values, count).astype(float)
