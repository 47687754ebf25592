"""Where the camera must stand: sizes and places that are known, and such as cannot be."""

import itertools

import numpy as np
import pytest

from vqc.geometry import intrinsics_from_fov, transform, world2cam
from vqc.look.aim import aim, at_pixel, seen_box
from vqc.types import CameraPose, Intrinsics

K = intrinsics_from_fov(30, 320, 240)
CUBE = np.array(list(itertools.product((-5.0, 5.0), repeat=3)))
BODIES = {"cube": CUBE, "plate": CUBE * (2, 2, 0.05), "needle": CUBE * (10, 0.1, 0.1)}


def box_of(points, angles, size, place, may_cut, k=K):
    """Centre ÷ frame, longer side ÷ shorter side of the frame, the box, and the pose."""
    pose = aim(points, angles, k, size, place, may_cut)
    x0, y0, x1, y1 = box = seen_box(points, pose, k)
    center = ((x0 + x1) / 2 / k.width, (y0 + y1) / 2 / k.height)
    return center, max(x1 - x0, y1 - y0) / min(k.width, k.height), box, pose


def test_a_cube_seen_face_on_stands_where_its_near_face_has_the_size():
    _, size, _, pose = box_of(CUBE, (0, 0, 0), 0.5, (0.5, 0.5), False)
    assert size == pytest.approx(0.5, rel=1e-6)
    assert pose.distance_mm == pytest.approx(5 + K.fx * 10 / 120)
    assert pose.target_mm == pytest.approx((0, 0, 0), abs=1e-6)


def test_a_part_beside_the_origin_is_as_large_as_one_there():
    poses = [aim(CUBE + far, (20, 30, 10), K, 0.4, (0.3, 0.6), True) for far in (0, [90, 7, 400])]
    assert poses[0].distance_mm == pytest.approx(poses[1].distance_mm)
    shift = np.subtract(poses[1].target_mm, poses[0].target_mm)
    assert shift == pytest.approx([90, 7, 400], abs=1e-5)


@pytest.mark.parametrize("may_cut", [True, False])
@pytest.mark.parametrize("body", BODIES)
def test_size_and_place_are_what_was_asked(body, may_cut):
    rng = np.random.default_rng(1)
    for number in range(60):
        spread = 4 if number % 2 else 90  # along a needle is what is hard
        angles = tuple((rng.uniform(-1, 1, 3) * spread).tolist())
        place = tuple(rng.uniform(0.1, 0.9, 2).tolist())
        wanted = float(rng.uniform(0.1, 0.95))
        center, size, box, pose = box_of(BODIES[body], angles, wanted, place, may_cut)
        half = np.linalg.norm(BODIES[body], axis=1).max()
        if pose.distance_mm > 1.16 * half:
            assert size == pytest.approx(wanted, rel=1e-5)
        if may_cut:
            assert center == pytest.approx(place, abs=1e-5)
        else:
            assert min(box) >= 0 and box[2] <= 320 and box[3] <= 240


def test_a_place_gives_way_only_as_far_as_the_box_needs():
    center, _, box, _ = box_of(CUBE, (30, 20, 0), 0.5, (0.0, 0.4), False)
    assert 0 < box[0] <= 1.5 and center[1] == pytest.approx(0.4, abs=1e-4)


def test_what_cannot_fit_is_centred():
    center, size, _, _ = box_of(CUBE, (30, 20, 0), 1.2, (0.9, 0.9), False)
    assert size == pytest.approx(1.2, rel=1e-4) and center[1] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [0.01, 4.0])
@pytest.mark.parametrize("place", [(-0.5, -0.5), (1.5, 0.5), (0.5, 0.5)])
def test_extremes_end_outside_of_the_part(body, size, place):
    for angles, fov in itertools.product(((0, 0, 0), (90, 0, 0), (10, 89, 170)), (1, 30, 120)):
        k = intrinsics_from_fov(fov, 320, 240)
        for may_cut in (True, False):
            pose = aim(BODIES[body], angles, k, size, place, may_cut)
            assert np.isfinite([pose.distance_mm, *pose.target_mm]).all()
            assert transform(world2cam(pose), BODIES[body])[:, 2].min() > 0


def test_a_camera_with_its_centre_aside_still_hits():
    k = Intrinsics(500.0, 450.0, 100.0, 150.0, 320, 240)
    center, size, _, _ = box_of(CUBE, (50, 20, 5), 0.6, (0.6, 0.4), True, k)
    assert center == pytest.approx((0.6, 0.4), abs=1e-5) and size == pytest.approx(0.6, rel=1e-5)


def test_a_point_has_a_place_too():
    pose = aim(np.zeros((3, 3)), (0, 0, 0), K, 0.5, (0.25, 0.5), True)
    assert np.isfinite(pose.distance_mm) and pose.distance_mm > 0


def test_the_place_that_a_pixel_shows_is_seen_there():
    pose = CameraPose(40, 25, 10, 100, (3, -2, 8))
    found = at_pixel((80, 200), 55, pose, K)
    x, y, z = transform(world2cam(pose), found[None])[0]
    assert (x / z * K.fx + K.cx, y / z * K.fy + K.cy, z) == pytest.approx((80, 200, 55))
