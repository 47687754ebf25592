"""Shapes whose answers are known, as parts and scenes."""

from __future__ import annotations

import numpy as np

from vqc.geometry import distance_for_fill, intrinsics_from_fov
from vqc.scene import LabelRules, build_scene
from vqc.types import Assembly, CameraPose, Part, Scene, View

RED, GREEN, BLUE = (200, 40, 40, 255), (40, 200, 40, 255), (40, 40, 200, 255)


def at(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """A placement without rotation."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def flat_part(corners: np.ndarray, name: str | None, rgba=RED, placements=None) -> Part:
    """Triangles (F, 3, 3), each with its own corners and flat normal."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    count = len(corners)
    return Part(
        name,
        corners.reshape(-1, 3).astype(float),
        np.repeat(normals, 3, axis=0).astype(np.float32),
        np.arange(3 * count).reshape(-1, 3),
        np.tile(np.array(rgba, np.uint8), (count, 1)),
        np.stack(placements or [np.eye(4)]),
    )


def box(size=(10.0, 10.0, 10.0), name: str | None = "box", rgba=RED, placements=None) -> Part:
    """A closed cuboid around the origin."""
    faces = []
    for axis in range(3):
        for sign in (-1, 1):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            quad = np.zeros((4, 3))
            quad[:, axis] = sign
            quad[:, u], quad[:, v] = (-1, 1, 1, -1), (-1, -1, 1, 1)
            if sign < 0:
                quad = quad[::-1]
            faces += [quad[[0, 1, 2]], quad[[0, 2, 3]]]
    return flat_part(np.array(faces) * np.array(size) / 2, name, rgba, placements)


def sphere(radius=5.0, name: str | None = "sphere", rgba=BLUE, placements=None, n=96) -> Part:
    """A closed sphere around the origin with exact normals."""
    azimuth = np.linspace(0, 2 * np.pi, 2 * n, endpoint=False)
    polar = np.linspace(0, np.pi, n + 1)[1:-1]
    ring = np.stack(
        [
            np.outer(np.sin(polar), np.cos(azimuth)),
            np.outer(np.sin(polar), np.sin(azimuth)),
            np.outer(np.cos(polar), np.ones_like(azimuth)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    points = np.concatenate([ring, [[0, 0, 1], [0, 0, -1]]])
    k, faces = 2 * n, []
    for row in range(n - 2):
        a = row * k + np.arange(k)
        b = row * k + np.roll(np.arange(k), -1)
        faces += [np.stack([a, a + k, b], 1), np.stack([b, a + k, b + k], 1)]
    first, last = np.arange(k), (n - 2) * k + np.arange(k)
    faces += [np.stack([np.full(k, len(ring)), first, np.roll(first, -1)], 1)]
    faces += [np.stack([np.full(k, len(ring) + 1), np.roll(last, -1), last], 1)]
    triangles = np.concatenate(faces)
    colours = np.tile(np.array(rgba, np.uint8), (len(triangles), 1))
    normals = points.astype(np.float32)
    return Part(
        name, points * radius, normals, triangles, colours, np.stack(placements or [np.eye(4)])
    )


def plate_with_hole(side=20.0, hole=8.0, thick=4.0, name: str | None = "plate") -> Part:
    """A square plate in the xy plane with a square hole: four cuboids that touch."""
    rim = (side - hole) / 2
    pieces = [
        box((rim, side, thick), placements=[at(sign * (hole + rim) / 2)]) for sign in (-1, 1)
    ] + [box((hole, rim, thick), placements=[at(0, sign * (hole + rim) / 2)]) for sign in (-1, 1)]
    corners = np.concatenate([(p.vertices_mm + p.placements[0][:3, 3])[p.faces] for p in pieces])
    return flat_part(corners, name)


def cone(height=10.0, radius=1.0, name: str | None = "cone", n=60) -> Part:
    """A closed cone along z with its tip upwards."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    rim = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(n)], 1)
    following = np.roll(rim, -1, axis=0)
    tip, foot = np.tile([0, 0, height], (n, 1)), np.zeros((n, 3))
    sides = np.stack([rim, following, tip], 1)
    return flat_part(np.concatenate([sides, np.stack([following, rim, foot], 1)]), name)


def assembly(*parts: Part, name: str = "thing") -> Assembly:
    return Assembly(name, f"{name}.step", "0" * 64, parts, "mm", True)


def scene(*parts: Part, by: str = "file", **rules) -> Scene:
    return build_scene(assembly(*parts), "thing", LabelRules(by, **rules)).scene


def view(
    of: Scene, azimuth=0.0, elevation=0.0, tilt=0.0, size=(320, 240), fill=0.8, fov=30.0
) -> View:
    intrinsics = intrinsics_from_fov(fov, *size)
    distance = distance_for_fill(of.radius_mm, fill, intrinsics)
    target = tuple(of.center_mm.tolist())
    return View(0, CameraPose(azimuth, elevation, tilt, distance, target), intrinsics, 0)
