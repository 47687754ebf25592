"""Where the camera must stand so that a part has the wanted size and place in the frame."""

from __future__ import annotations

import math

import numpy as np

from vqc.geometry import box_of_points, project, transform, world2cam
from vqc.types import Box, CameraPose, FloatArray, Intrinsics

_STEPS, _SHIFTS, _PLACES = 40, 8, 6
_NEAREST = 1.15
"""Distance of the camera from the part's centre, at least, in radii of the part."""
_MARGIN_PX = 1.0
"""What stays free at the border, so that rounding puts nothing over it."""


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

    Seen along a needle, the size changes far faster than the distance, so that is searched between
    bounds: Newton's step of 1 ÷ size where it stays within them, else their geometric mean.
    """
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.linalg.norm(points - center, axis=1).max()) or 1.0
    turn = world2cam(CameraPose(*angles, 1.0))[:3, :3]
    seen = (points - center) @ turn.T
    frame = np.array([k.width, k.height])
    wanted = np.array(place) * frame
    for _ in range(_PLACES):
        distance, shift, half = _solve(seen, radius, k, size * float(frame.min()), wanted)
        room = np.maximum(frame / 2 - half - _MARGIN_PX, 0.0)
        inside = np.clip(wanted, frame / 2 - room, frame / 2 + room)
        if may_cut or np.abs(inside - wanted).max() < _MARGIN_PX / 4:
            break
        wanted = inside
    x, y, z = (center + turn[:2].T @ shift).tolist()
    return CameraPose(*angles, distance, (x, y, z))


def _solve(
    seen: FloatArray, radius: float, k: Intrinsics, size_px: float, wanted: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Distance, shift (2,) and half the box (2,) in pixels with that longer side and centre.

    seen: (N, 3) points around the part's centre in camera axes; the shift is along them.
    """
    nearest, farthest = _NEAREST * radius, math.inf
    distance = max(radius * 2 * min(k.fx, k.fy) / size_px, nearest)
    for _ in range(_STEPS):
        shift, half, depth = _placed(seen, distance, k, wanted)
        ratio = 2 * float(half.max()) / size_px
        if abs(ratio - 1) < 1e-9 or farthest - nearest < 1e-9 * radius:
            break
        nearest, farthest = (distance, farthest) if ratio > 1 else (nearest, distance)
        better = distance + depth * (ratio - 1)
        if not nearest < better < farthest:
            better = math.sqrt(nearest * farthest)
        distance = better
    shift, half, _ = _placed(seen, distance, k, wanted)
    return distance, shift, half


def _placed(
    seen: FloatArray, distance: float, k: Intrinsics, wanted: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """How far the camera must move in its own plane so that the box's centre is where wanted.

    Also returns half the box, and the mean depth of the two points that its longer side joins.
    """
    focal, axes = np.array([k.fx, k.fy]), np.arange(2)
    depths, shift = seen[:, 2] + distance, np.zeros(2)
    for _ in range(_SHIFTS):
        pixels = focal * (seen[:, :2] - shift) / depths[:, None] + (k.cx, k.cy)
        ends = np.stack([pixels.argmin(axis=0), pixels.argmax(axis=0)])
        low, high = pixels[ends, axes]
        off = (low + high) / 2 - wanted
        if np.abs(off).max() < 1e-7:
            break
        shift = shift + off / (focal * (1 / depths[ends]).mean(axis=0))
    longer = int((high - low).argmax())
    return shift, (high - low) / 2, float(depths[ends[:, longer]].mean())


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
