"""Brown's distortion against OpenCV's, against itself backwards, and where it has no meaning."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.errors import InputError
from vqc.lens import distort, margins, require_usable, undistort, undistorted_grid
from vqc.types import Intrinsics

CAMERA = Intrinsics(700.0, 705.0, 322.0, 237.0, 640, 480)
WIDE = Intrinsics(420.0, 420.0, 320.0, 240.0, 640, 480)

NONE = (0.0, 0.0, 0.0, 0.0, 0.0)
BARREL = (-0.3, 0.1, 0.0, 0.0, 0.0)
PINCUSHION = (0.2, 0.05, 0.0, 0.0, 0.02)
CROOKED = (-0.25, 0.08, 0.004, -0.006, -0.01)
USABLE = [BARREL, PINCUSHION, CROOKED, (0.05, -0.02, -0.01, 0.01, 0.0)]


def directions(intrinsics, count=2000, seed=0):
    """Normalised coordinates all over the frame, its corners too."""
    k = intrinsics
    share = np.random.default_rng(seed).random((count, 2))
    share[:4] = [[0, 0], [0, 1], [1, 0], [1, 1]]
    return (share * [k.width, k.height] - [k.cx, k.cy]) / [k.fx, k.fy]


def pinhole_positions(samples, intrinsics, coefficients):
    """Pixels of the lens's frame → pixels of the pinhole's, exactly."""
    k = intrinsics
    scale, centre = np.array([k.fx, k.fy]), np.array([k.cx, k.cy])
    return undistort((samples - centre) / scale, coefficients) * scale + centre


@pytest.mark.parametrize("coefficients", USABLE)
def test_distort_is_opencvs(coefficients):
    import cv2

    points = directions(CAMERA)
    solid = np.column_stack([points, np.ones(len(points))])
    wanted, _ = cv2.projectPoints(
        solid, np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients)
    )
    assert np.allclose(distort(points, coefficients), wanted[:, 0], atol=1e-13)


@pytest.mark.parametrize("coefficients", USABLE)
def test_undistort_is_opencvs(coefficients):
    import cv2

    points = directions(CAMERA)
    steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-14)
    # OpenCV 4 has another name for the one that goes on until it is exact.
    to_the_end = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)
    eye = np.eye(3)
    wanted = to_the_end(points[:, None], eye, np.array(coefficients), R=eye, P=eye, criteria=steps)
    assert np.allclose(undistort(points, coefficients), wanted[:, 0], atol=1e-8)


@pytest.mark.parametrize("camera", [CAMERA, WIDE])
@pytest.mark.parametrize("coefficients", USABLE)
def test_there_and_back_is_where_it_began(camera, coefficients):
    points = directions(camera)
    assert np.abs(distort(undistort(points, coefficients), coefficients) - points).max() < 1e-10


def test_barrel_pulls_in_and_pincushion_pushes_out():
    corner = np.array([[0.4, 0.3]])
    assert np.hypot(*distort(corner, (-0.2, 0, 0, 0, 0))[0]) == pytest.approx(0.5 * 0.95)
    assert np.hypot(*distort(corner, (0.2, 0, 0, 0, 0))[0]) == pytest.approx(0.5 * 1.05)
    assert np.array_equal(distort(corner, NONE), corner)
    assert np.allclose(undistort(corner, NONE), corner, atol=1e-15)
    assert undistort(np.zeros((0, 2)), BARREL).shape == (0, 2)


def test_a_point_that_no_direction_reaches_is_refused():
    # r (1 - 0.3 r²) is largest at r² = 1 / 0.9, where it is 0.7027.
    inside, outside = np.array([[0.70, 0.0]]), np.array([[0.0, 0.71]])
    k1 = (-0.3, 0.0, 0.0, 0.0, 0.0)
    assert undistort(inside, k1)[0, 0] < np.sqrt(1 / 0.9)
    with pytest.raises(InputError, match=r"k1 -0\.3.*1 of 2 points.*folds over"):
        undistort(np.vstack([inside, outside]), k1)


def test_a_solution_beyond_the_fold_is_none():
    # r (1 - r² + 0.3 r⁴) rises to 0.410 at r = 0.650, falls to 0.212 at 1.256 and rises again.
    coefficients = (-1.0, 0.3, 0.0, 0.0, 0.0)
    for beyond in ([[1.8, 0.0]], [[-0.96, -1.28]]):
        with pytest.raises(InputError, match="folds over"):
            undistort(distort(np.array(beyond), coefficients), coefficients)
    for share in np.linspace(0, 1, 30):  # reached from three places; the first is meant
        first = 0.64 * np.array([[np.cos(share), np.sin(share)]]) * share
        assert np.allclose(undistort(distort(first, coefficients), coefficients), first, atol=1e-8)


@pytest.mark.parametrize("camera", [CAMERA, WIDE])
@pytest.mark.parametrize("coefficients", [NONE, *USABLE])
def test_ordinary_lenses_are_usable(camera, coefficients):
    require_usable(camera, coefficients)


@pytest.mark.parametrize(
    "coefficients",
    [(-0.4, 0, 0, 0, 0), (-1, 0.3, 0, 0, 0), (0, 0, 0, 0.9, 0), (0.1, 0, 0, 0, -1)],
)
def test_a_distortion_that_folds_over_in_the_frame_is_refused(coefficients):
    with pytest.raises(InputError, match=r"k1 .*640x480 px.*folds over.*calibration"):
        require_usable(WIDE, coefficients)


def test_a_coefficient_that_is_no_number_is_refused():
    with pytest.raises(InputError, match=r"k2 nan.*finite"):
        require_usable(CAMERA, (0.0, float("nan"), 0.0, 0.0, 0.0))


def test_what_folds_over_outside_the_frame_only_is_usable():
    require_usable(CAMERA, (-0.4, 0, 0, 0, 0))
    with pytest.raises(InputError, match="corner"):
        require_usable(WIDE, (-0.4, 0, 0, 0, 0))


@pytest.mark.parametrize("zoom", [1, 2, 3])
@pytest.mark.parametrize("camera", [CAMERA, WIDE])
@pytest.mark.parametrize("coefficients", USABLE)
def test_the_grid_is_the_exact_mapping_at_sample_centres(coefficients, camera, zoom):
    x, y = undistorted_grid(camera, coefficients, zoom)
    assert x.shape == y.shape == (480 * zoom, 640 * zoom) and x.dtype == y.dtype == np.float32
    rng = np.random.default_rng(1)
    rows, cols = rng.integers(0, len(x), 3000), rng.integers(0, x.shape[1], 3000)
    rows[:4], cols[:4] = [0, 0, -1, -1], [0, -1, 0, -1]
    samples = (np.stack([cols % x.shape[1], rows % len(x)], axis=1) + 0.5) / zoom
    exact = pinhole_positions(samples, camera, coefficients)
    assert np.abs(np.stack([x[rows, cols], y[rows, cols]], axis=1) - exact).max() < 0.005


def test_the_grid_is_exact_next_to_a_fold():
    # At this k1 the corners of the frame are just inside of what the lens shows.
    corner = 0.5 * np.hypot(640, 480) / 420
    most = -4 / 27 / corner**2
    coefficients = (most * 0.999, 0.0, 0.0, 0.0, 0.0)
    require_usable(WIDE, coefficients)
    x, y = undistorted_grid(WIDE, coefficients, 1)
    rows, cols = (a.ravel() for a in np.mgrid[:40, :40])
    exact = pinhole_positions(np.stack([cols, rows], axis=1) + 0.5, WIDE, coefficients)
    assert np.abs(np.stack([x[rows, cols], y[rows, cols]], axis=1) - exact).max() < 0.01
    with pytest.raises(InputError):
        require_usable(WIDE, (most * 1.001, 0.0, 0.0, 0.0, 0.0))


def test_without_distortion_every_sample_looks_at_its_own_place():
    x, y = undistorted_grid(CAMERA, NONE, 2)
    assert np.array_equal(x[5], ((np.arange(1280) + 0.5) / 2).astype(np.float32))
    assert np.array_equal(y[:, 7], ((np.arange(960) + 0.5) / 2).astype(np.float32))
    assert margins(CAMERA, NONE) == (0, 0, 0, 0)


@pytest.mark.parametrize("camera", [CAMERA, WIDE])
@pytest.mark.parametrize("coefficients", USABLE)
def test_the_margins_hold_every_sample_and_no_more(camera, coefficients):
    left, top, right, bottom = margins(camera, coefficients)
    x, y = undistorted_grid(camera, coefficients, 2)
    outside = -x.min(), -y.min(), x.max() - 640, y.max() - 480
    for margin, reach in zip((left, top, right, bottom), outside, strict=True):
        assert margin >= max(0.0, reach)
        assert margin - max(0.0, reach) < 2.5  # from the outermost sample to its whole pixel


def test_barrel_needs_margins_on_all_sides_and_pincushion_on_none():
    assert min(margins(CAMERA, BARREL)) > 10
    assert margins(CAMERA, PINCUSHION) == (0, 0, 0, 0)


def test_the_same_grid_every_time():
    first, second = (undistorted_grid(CAMERA, CROOKED, 2) for _ in range(2))
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
