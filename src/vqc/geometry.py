"""Camera pose ↔ matrices, projection, box arithmetic: pure functions on NumPy arrays.

Camera axes are OpenCV's: x right, y down, z forward. Pixel (i, j) covers
[i, i+1) × [j, j+1), so a centred principal point is (W/2, H/2).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from vqc.types import Box, CameraPose, FloatArray, Intrinsics


def intrinsics_from_fov(fov_deg: float, width: int, height: int) -> Intrinsics:
    """Square pixels, centred principal point; `fov_deg` spans the frame's height."""
    focal = height / (2.0 * math.tan(math.radians(fov_deg) / 2.0))
    return Intrinsics(focal, focal, width / 2.0, height / 2.0, width, height)


def world2cam(pose: CameraPose) -> FloatArray:
    """(4, 4) matrix from world to camera axes.

    The view-up at elevation ±90 is the limit for the same azimuth, so the camera
    never flips on its way over a pole.
    """
    azimuth, elevation, tilt = (
        math.radians(a) for a in (pose.azimuth_deg, pose.elevation_deg, pose.tilt_deg)
    )
    ca, sa = math.cos(azimuth), math.sin(azimuth)
    ce, se = math.cos(elevation), math.sin(elevation)
    outward = np.array([ce * ca, ce * sa, se])
    right = np.array([-sa, ca, 0.0])
    down = np.array([se * ca, se * sa, -ce])
    ct, st = math.cos(tilt), math.sin(tilt)
    rotation = np.stack([ct * right + st * down, -st * right + ct * down, -outward])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -rotation @ (np.asarray(pose.target_mm) + pose.distance_mm * outward)
    return matrix


def distance_for_fill(radius_mm: float, fill: float, intrinsics: Intrinsics) -> float:
    """Distance at which a centred sphere's outline is `fill` × the frame's shorter side wide."""
    outline_px = fill * min(intrinsics.width, intrinsics.height) / 2.0
    focal = min(intrinsics.fx, intrinsics.fy)
    return radius_mm * math.hypot(1.0, focal / outline_px)


def transform(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Apply a (4, 4) affine matrix to (N, 3) points."""
    moved: FloatArray = points @ matrix[:3, :3].T + matrix[:3, 3]
    return moved


def project(points_cam: FloatArray, intrinsics: Intrinsics) -> FloatArray:
    """(N, 3) points in camera axes, all in front of it → (N, 2) pixels of the pinhole.

    A distortion is left out of account; see `vqc.lens`.
    """
    x, y, z = points_cam.T
    u = intrinsics.fx * x / z + intrinsics.cx
    v = intrinsics.fy * y / z + intrinsics.cy
    return np.stack([u, v], axis=1)


def crop(
    intrinsics: Intrinsics, x0: int, y0: int, width: int, height: int, zoom: int
) -> Intrinsics:
    """The camera that sees only that part of the frame, `zoom` times larger."""
    return Intrinsics(
        intrinsics.fx * zoom,
        intrinsics.fy * zoom,
        (intrinsics.cx - x0) * zoom,
        (intrinsics.cy - y0) * zoom,
        width * zoom,
        height * zoom,
    )


def bounding_sphere(points: FloatArray) -> tuple[FloatArray, float]:
    """Centre (3,) and radius of the smallest sphere around (N, 3) points.

    Grows a support set by the farthest point until none is outside (the scheme of Gärtner,
    "Fast and robust smallest enclosing balls", 1999, with the small problem by enumeration).
    """
    support = points[:1]
    center, radius = points[0], 0.0
    for _ in range(1000):
        gaps = np.linalg.norm(points - center, axis=1)
        far = int(np.argmax(gaps))
        if gaps[far] <= radius * (1 + 1e-9):
            break
        support, center, grown = _smallest_ball(np.vstack([support, points[far]]))
        if grown <= radius:  # only rounding is left
            break
        radius = grown
    return center, float(np.linalg.norm(points - center, axis=1).max())


def _smallest_ball(points: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Support, centre and radius of the smallest sphere around at most five points."""
    best = points, points.mean(axis=0), np.inf
    for size in range(1, min(len(points), 4) + 1):
        for chosen in itertools.combinations(range(len(points)), size):
            corners = points[list(chosen)]
            edges = corners[1:] - corners[0]
            # Equally far from all corners, and in the plane that they span.
            weights = np.linalg.lstsq(2 * edges @ edges.T, (edges**2).sum(axis=1), rcond=None)[0]
            center = corners[0] + weights @ edges
            reach = float(np.linalg.norm(corners - center, axis=1).max())
            gaps = np.linalg.norm(points - center, axis=1)
            if gaps.max() <= reach * (1 + 1e-9) and reach < best[2]:
                best = corners, center, reach
    return best


def box_of_points(pixels: FloatArray) -> Box:
    """Tight box around (N, 2) pixel positions."""
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def box_of_mask(mask: NDArray[np.bool_], x0: int = 0, y0: int = 0) -> Box | None:
    """Half-open box of an (H, W) mask whose upper left pixel is (x0, y0); None if it is empty."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    left, top = float(x0 + cols[0]), float(y0 + rows[0])
    return left, top, float(x0 + cols[-1] + 1), float(y0 + rows[-1] + 1)


def boxes_overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
