"""Where the camera must stand so that a part has the wanted size and place in the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vqc.geometry import box_of_points, project, transform, world2cam
from vqc.types import Box, CameraPose, FloatArray, Intrinsics

_STEPS = 12
_NEAREST = 1.15
"""Distance of the camera from the part's centre, at least, in radii of the part."""


def aim(
    points: FloatArray,
    angles: tuple[float, float, float],
    k: Intrinsics,
    size: float,
    place: tuple[float, float],
    may_cut: bool,
) -> CameraPose:
    """A pose from which (N, 3) points, in mm, are seen as wanted.

    angles: azimuth, elevation, tilt in degrees. size: longer side of their box ÷ shorter side of
    the frame. place: centre of their box ÷ width and height of the frame. may_cut: whether the box
    may reach over the border; else its place gives way as far as it fits.
    Distortion is left out of account. A size that would need the camera inside the part is not
    reached.
    """
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.linalg.norm(points - center, axis=1).max()) or 1.0
    side = min(k.width, k.height)
    distance = max(radius * 2 * min(k.fx, k.fy) / (size * side), _NEAREST * radius)
    x, y, z = center.tolist()
    pose = CameraPose(*angles, distance, (x, y, z))
    wanted = np.array([place[0] * k.width, place[1] * k.height])
    for _ in range(_STEPS):
        x0, y0, x1, y1 = seen_box(points, pose, k)
        half = np.array([x1 - x0, y1 - y0]) / 2
        if not may_cut:
            middle = np.array([k.width / 2, k.height / 2])
            room = np.maximum(middle - half, 0.0)
            wanted = np.clip(np.array(place) * middle * 2, middle - room, middle + room)
        ratio = 2 * float(half.max()) / (size * side)
        distance = max(pose.distance_mm * ratio, _NEAREST * radius)
        off = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - wanted
        camera = world2cam(pose)
        shift = off[0] / k.fx * camera[0, :3] + off[1] / k.fy * camera[1, :3]
        x, y, z = (np.asarray(pose.target_mm) + shift * distance).tolist()
        pose = replace(pose, distance_mm=distance, target_mm=(x, y, z))
    return pose


def seen_box(points: FloatArray, pose: CameraPose, k: Intrinsics) -> Box:
    """Box of (N, 3) points in pixels; a point behind the camera counts as just before it."""
    seen = transform(world2cam(pose), points)
    seen[:, 2] = np.maximum(seen[:, 2], pose.distance_mm * 0.01)
    return box_of_points(project(seen, k))


def at_pixel(
    pixel: tuple[float, float], depth_mm: float, pose: CameraPose, k: Intrinsics
) -> FloatArray:
    """(3,) the place in the world that a pixel shows at a depth along the optical axis."""
    u, v = pixel
    seen = np.array([(u - k.cx) / k.fx, (v - k.cy) / k.fy, 1.0]) * depth_mm
    camera = world2cam(pose)
    found: FloatArray = camera[:3, :3].T @ (seen - camera[:3, 3])
    return found
