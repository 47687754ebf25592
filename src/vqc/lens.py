"""Lens distortion after Brown: what a real lens makes of a pinhole's picture.

Source: D. C. Brown, "Decentering distortion of lenses", 1966, in the form and the order of OpenCV,
so coefficients of an OpenCV calibration can be used as they are. On normalised coordinates
x = X / Z, y = Y / Z with r² = x² + y²:

    x' = x (1 + k1 r² + k2 r⁴ + k3 r⁶) + 2 p1 x y + p2 (r² + 2 x²)
    y' = y (1 + k1 r² + k2 r⁴ + k3 r⁶) + p1 (r² + 2 y²) + 2 p2 x y

Towards the border of what a lens shows, the formula may turn back ("fold over"): two directions
then land on one point. Only the part around the axis, up to where it first does so, is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.types import FloatArray, Intrinsics

Coefficients = tuple[float, float, float, float, float]
"""k1, k2, p1, p2, k3: OpenCV's order."""

GridArray = NDArray[np.float32]
"""(rows, columns) of samples; one coordinate of each, in pixels."""

_TOLERANCE = 1e-10  # of normalised coordinates
_NEWTON_STEPS = 50
_HALVINGS = 8
_WAY = np.linspace(0.05, 1, 20)  # where the way out to a point is looked at for a fold
_FOLD = 1e-3  # the mapping squeezes areas to less than that: next to a fold
_GRID_PX = 0.002  # how far an interpolated position may be off at the points looked at
_MOST_NODES = 256


@dataclass(frozen=True, slots=True, eq=False)
class Glass:
    """How one camera's frame follows from a pinhole's larger one.

    pinhole: its intrinsics. picture_at: x and y, (H, W) float32, where OpenCV's `remap` finds each
    pixel's centre in it. samples_at: rows and columns, (H · aa, W · aa), the sample of the
    pinhole that each sample shows. offset: of the lens's frame in the pinhole's, x and y in pixels.
    """

    pinhole: Intrinsics
    picture_at: tuple[GridArray, GridArray]
    samples_at: tuple[NDArray[np.intp], NDArray[np.intp]]
    offset: tuple[int, int]


def glass(k: Intrinsics, aa: int) -> Glass:
    """The glass before a camera with distortion; aa: samples a pixel along each axis.

    Raises InputError where the formula folds over inside the frame.
    """
    assert k.distortion is not None
    left, top, right, bottom = (gap + 1 for gap in margins(k, k.distortion))
    pinhole = Intrinsics(
        k.fx, k.fy, k.cx + left, k.cy + top, k.width + left + right, k.height + top + bottom
    )
    x, y = undistorted_grid(k, k.distortion, 1)
    fine_x, fine_y = undistorted_grid(k, k.distortion, aa)
    rows = np.clip(np.floor((fine_y + top) * aa), 0, pinhole.height * aa - 1).astype(np.intp)
    cols = np.clip(np.floor((fine_x + left) * aa), 0, pinhole.width * aa - 1).astype(np.intp)
    return Glass(
        pinhole,
        (x + np.float32(left - 0.5), y + np.float32(top - 0.5)),
        (rows, cols),
        (left, top),
    )


def project_bent(points_cam: FloatArray, k: Intrinsics) -> FloatArray:
    """(N, 3) points in camera axes, all in front of it → (N, 2) pixels through the lens."""
    assert k.distortion is not None
    bent = distort_beyond(points_cam[:, :2] / points_cam[:, 2:], k.distortion)
    return _to_pixels(bent, k)


def distort(points: FloatArray, coefficients: Coefficients) -> FloatArray:
    """(N, 2) normalised pinhole coordinates → (N, 2) where the lens puts them."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = points[:, 0], points[:, 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    across = 2 * x * y
    return np.stack(
        [
            x * radial + p1 * across + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + p2 * across,
        ],
        axis=1,
    )


def undistort(points: FloatArray, coefficients: Coefficients) -> FloatArray:
    """(N, 2) normalised coordinates in the lens's picture → (N, 2) those of the pinhole.

    Damped Newton steps to 1e-10. Raises InputError where the lens puts nothing there: no solution,
    or only one beyond the fold.
    """
    found, is_good = _solve(np.asarray(points, dtype=np.float64), coefficients)
    if not is_good.all():
        far = points[~is_good][0]
        raise InputError(
            f"{_named(coefficients)}: {int((~is_good).sum())} of {len(points)} points have no "
            f"place in a picture without distortion, such as ({far[0]:.4g}, {far[1]:.4g}) in "
            f"units of the focal length: the formula folds over there; {_ADVICE}"
        )
    return found


def distort_beyond(points: FloatArray, coefficients: Coefficients) -> FloatArray:
    """As `distort`, but beyond the fold, where the formula has no meaning, straight on outwards.

    For what reaches far over the border of the frame, such as the whole of a part that is cut off.
    """
    far = ~_is_before_fold(points, coefficients)
    if not far.any():
        return distort(points, coefficients)
    low, high = np.zeros(far.sum()), np.ones(far.sum())
    for _ in range(20):
        middle = (low + high) / 2
        good = _is_before_fold(points[far] * middle[:, None], coefficients)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    last = points[far] * low[:, None]
    found = distort(points, coefficients)
    found[far] = distort(last, coefficients) + points[far] - last
    return found


def area_scale(pixels: FloatArray, k: Intrinsics) -> FloatArray:
    """(N,) how much larger the lens shows what lies at (N, 2) pixels of the pinhole's frame.

    0 beyond the fold, where the lens shows nothing.
    """
    assert k.distortion is not None
    points = _normalise(pixels, k)
    scale: FloatArray = np.maximum(_jacobian(points, k.distortion)[3], 0.0)
    return scale * _is_before_fold(points, k.distortion)


def _is_before_fold(points: FloatArray, coefficients: Coefficients) -> NDArray[np.bool_]:
    back, is_good = _solve(distort(points, coefficients), coefficients)
    same: NDArray[np.bool_] = np.linalg.norm(back - points, axis=1) < 1e-6
    return is_good & same


def require_usable(intrinsics: Intrinsics, coefficients: Coefficients) -> None:
    """Raises InputError unless the distortion is one-to-one over the whole frame.

    Looked at are a grid of 33 by 33 positions and the border, pixel by pixel.
    """
    if not all(math.isfinite(c) for c in coefficients):
        raise InputError(f"{_named(coefficients)}: every coefficient must be a finite number")
    rows, cols = np.linspace(0, intrinsics.height, 33), np.linspace(0, intrinsics.width, 33)
    x, y = (axis.ravel() for axis in np.meshgrid(cols, rows))
    pixels = np.concatenate([_border(intrinsics), np.stack([x, y], axis=1)])
    _, is_good = _solve(_normalise(pixels, intrinsics), coefficients)
    if not is_good.all():
        u, v = pixels[~is_good][0]
        raise InputError(
            f"{_named(coefficients)} cannot be the distortion of a camera of {intrinsics.width}x"
            f"{intrinsics.height} px with fx {intrinsics.fx:.6g}, fy {intrinsics.fy:.6g}: at "
            f"{(~is_good).sum()} of {len(pixels)} positions looked at, such as pixel ({u:.0f}, "
            f"{v:.0f}), the formula folds over, so what is seen there is not defined; {_ADVICE}"
        )


def undistorted_grid(
    intrinsics: Intrinsics, coefficients: Coefficients, zoom: int
) -> tuple[GridArray, GridArray]:
    """Where the samples of the lens's frame look to, in pixels of the pinhole's frame.

    Returns x and y, each (height · zoom, width · zoom) float32, for sample centres, zoom by zoom
    in each pixel. The pinhole has the same fx, fy, cx and cy, so positions may lie outside the
    frame; see `margins`. Within 0.01 px of `undistort`. Raises InputError as `undistort` does.

    The mapping is smooth, so exact values at a few Chebyshev nodes give all others, by
    polynomials (the barycentric formula: Berrut and Trefethen, "Barycentric Lagrange
    interpolation", 2004). Nodes are doubled until points in between agree.
    """
    width, height = intrinsics.width, intrinsics.height
    nodes = 16
    while True:
        across, down = _chebyshev(nodes, width), _chebyshev(nodes, height)
        shift = _shift(across, down, intrinsics, coefficients)
        if nodes >= _MOST_NODES or _agrees(shift, across, down, intrinsics, coefficients):
            break
        nodes *= 2
    x = (np.arange(width * zoom) + 0.5) / zoom
    y = (np.arange(height * zoom) + 0.5) / zoom
    spread_x = _interpolation(across, x).astype(np.float32)
    spread_y = _interpolation(down, y).astype(np.float32)
    shift_x, shift_y = (spread_y @ part.astype(np.float32) @ spread_x.T for part in shift)
    shift_x += x.astype(np.float32)
    shift_y += y.astype(np.float32)[:, None]
    return shift_x, shift_y


def margins(intrinsics: Intrinsics, coefficients: Coefficients) -> tuple[int, int, int, int]:
    """Left, top, right, bottom: whole pixels that the pinhole's frame lacks for the lens's.

    What the border of the lens's frame looks to bounds what all of it does, since the mapping
    is one-to-one. Raises InputError as `undistort` does.
    """
    size = intrinsics.width, intrinsics.height
    border = _border(intrinsics)
    pinhole = _to_pixels(undistort(_normalise(border, intrinsics), coefficients), intrinsics)
    low, high = -pinhole.min(axis=0), pinhole.max(axis=0) - size
    # Samples lie inside the border, so what is left of rounding may be dropped.
    left, top, right, bottom = (max(0, math.ceil(gap - 1e-4)) for gap in (*low, *high))
    return left, top, right, bottom


_ADVICE = (
    "check their order (k1, k2, p1, p2, k3), and that the calibration was made for this frame and "
    "lens, with points up to the corners; or use smaller values"
)


def _named(coefficients: Coefficients) -> str:
    names = ("k1", "k2", "p1", "p2", "k3")
    return ", ".join(f"{n} {c:.6g}" for n, c in zip(names, coefficients, strict=True))


def _border(k: Intrinsics) -> FloatArray:
    """(N, 2): a position for each pixel all along the frame's border."""
    x, y = np.arange(k.width + 1.0), np.arange(k.height + 1.0)
    rows = [np.stack([x, np.full_like(x, edge)], axis=1) for edge in (0, k.height)]
    cols = [np.stack([np.full_like(y, edge), y], axis=1) for edge in (0, k.width)]
    return np.concatenate(rows + cols)


def _normalise(pixels: FloatArray, k: Intrinsics) -> FloatArray:
    normalised: FloatArray = (pixels - (k.cx, k.cy)) / (k.fx, k.fy)
    return normalised


def _to_pixels(points: FloatArray, k: Intrinsics) -> FloatArray:
    pixels: FloatArray = points * (k.fx, k.fy) + (k.cx, k.cy)
    return pixels


def _jacobian(points: FloatArray, coefficients: Coefficients) -> tuple[FloatArray, ...]:
    """dx'/dx, dx'/dy = dy'/dx, dy'/dy at (N, 2) points, and the determinant; each (N,)."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = points[:, 0], points[:, 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))  # of `radial`, divided by r
    xx = radial + slope * x * x + 2 * p1 * y + 6 * p2 * x
    xy = slope * x * y + 2 * p1 * x + 2 * p2 * y
    yy = radial + slope * y * y + 6 * p1 * y + 2 * p2 * x
    return xx, xy, yy, xx * yy - xy * xy


def _solve(points: FloatArray, coefficients: Coefficients) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Pinhole coordinates of (N, 2) points, and which of them (N,) are right."""
    found = np.zeros_like(points)  # the axis: never beyond a fold
    miss = distort(found, coefficients) - points
    for _ in range(_NEWTON_STEPS):
        if np.abs(miss).max(initial=0.0) < _TOLERANCE / 10:
            break
        found, miss = _newton_step(found, miss, points, coefficients)
    is_good = np.abs(miss).max(axis=1) < _TOLERANCE
    for part in _WAY:
        xx, _, _, area = _jacobian(found * part, coefficients)
        is_good &= (area > _FOLD) & (xx > 0)
    return found, is_good


def _newton_step(
    at: FloatArray, miss: FloatArray, points: FloatArray, coefficients: Coefficients
) -> tuple[FloatArray, FloatArray]:
    """One step for each point, halved until it misses by less and stays before the fold."""
    xx, xy, yy, area = _jacobian(at, coefficients)
    area = np.maximum(area, _FOLD / 10)
    step = np.stack(
        [
            (yy * miss[:, 0] - xy * miss[:, 1]) / area,
            (xx * miss[:, 1] - xy * miss[:, 0]) / area,
        ],
        axis=1,
    )
    length = np.hypot(miss[:, 0], miss[:, 1])
    for _ in range(_HALVINGS):
        there = at - step
        missed = distort(there, coefficients) - points
        is_worse = (np.hypot(missed[:, 0], missed[:, 1]) > length) & (length > _TOLERANCE / 10)
        is_worse |= _jacobian(there, coefficients)[3] <= 0
        if not is_worse.any():
            break
        step[is_worse] /= 2
    stays = is_worse[:, None]
    return np.where(stays, at, there), np.where(stays, miss, missed)


def _chebyshev(count: int, size: float) -> FloatArray:
    """(count,) positions from 0 to size, both among them, denser towards the ends."""
    nodes: FloatArray = (1 - np.cos(np.pi * np.arange(count) / (count - 1))) * (size / 2)
    return nodes


def _interpolation(nodes: FloatArray, at: FloatArray) -> FloatArray:
    """(len(at), len(nodes)): weights that turn values at Chebyshev nodes into values at `at`."""
    signs = np.where(np.arange(len(nodes)) % 2, -1.0, 1.0)
    signs[[0, -1]] /= 2
    gaps = at[:, None] - nodes
    on_node = np.abs(gaps) < 1e-9
    weights = signs / np.where(on_node, 1, gaps)
    hits = on_node.any(axis=1)
    weights[hits] = on_node[hits]
    normalised: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def _shift(
    x: FloatArray, y: FloatArray, intrinsics: Intrinsics, coefficients: Coefficients
) -> FloatArray:
    """(2, len(y), len(x)): pinhole position minus position in the lens's frame, in pixels."""
    across, down = np.meshgrid(x, y)
    pixels = np.stack([across.ravel(), down.ravel()], axis=1)
    pinhole = _to_pixels(undistort(_normalise(pixels, intrinsics), coefficients), intrinsics)
    shift: FloatArray = (pinhole - pixels).T.reshape(2, len(y), len(x))
    return shift


def _agrees(
    shift: FloatArray,
    across: FloatArray,
    down: FloatArray,
    intrinsics: Intrinsics,
    coefficients: Coefficients,
) -> bool:
    """Whether the polynomials are right half-way between their nodes, too."""
    x, y = ((nodes[1:] + nodes[:-1])[::2] / 2 for nodes in (across, down))
    exact = _shift(x, y, intrinsics, coefficients)
    smooth = _interpolation(down, y) @ shift @ _interpolation(across, x).T
    return bool(np.abs(smooth - exact).max() < _GRID_PX)
