import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqc.errors import InputError
from vqc.geometry import (
    bounding_sphere,
    box_of_mask,
    box_of_points,
    boxes_overlap,
    crop,
    distance_for_fill,
    intrinsics_from_fov,
    project,
    transform,
    world2cam,
)
from vqc.types import CameraPose, Intrinsics

angles = st.floats(-360, 360)
poses = st.builds(
    CameraPose,
    angles,
    st.floats(-90, 90),
    angles,
    st.floats(1, 1e5),
    st.tuples(*[st.floats(-1e3, 1e3)] * 3),
)


@given(poses)
def test_world2cam_is_a_rigid_motion_that_looks_at_the_target(pose):
    matrix = world2cam(pose)
    rotation = matrix[:3, :3]
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    target = transform(matrix, np.array([pose.target_mm]))[0]
    assert np.allclose(target, [0, 0, pose.distance_mm], atol=1e-9 * pose.distance_mm + 1e-9)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"),
    [
        (0, 0, (1, 0, 0)),
        (90, 0, (0, 1, 0)),
        (180, 0, (-1, 0, 0)),
        (0, 90, (0, 0, 1)),
        (7, -90, (0, 0, -1)),
    ],
)
def test_the_camera_stands_where_the_angles_say(azimuth, elevation, expected):
    matrix = world2cam(CameraPose(azimuth, elevation, 0, 5))
    position = -matrix[:3, :3].T @ matrix[:3, 3]
    assert np.allclose(position, 5 * np.array(expected), atol=1e-12)


def test_up_in_the_world_is_up_in_the_picture_and_azimuth_goes_from_x_to_y():
    k = intrinsics_from_fov(30, 200, 100)
    seen = project(
        transform(world2cam(CameraPose(0, 0, 0, 10)), np.array([[0, 0, 1.0], [0, 1, 0]])), k
    )
    assert seen[0, 0] == pytest.approx(100) and seen[0, 1] < 50
    assert seen[1, 0] > 100 and seen[1, 1] == pytest.approx(50)


def test_positive_tilt_turns_the_camera_clockwise_so_the_picture_turns_the_other_way():
    k = intrinsics_from_fov(30, 200, 200)
    upright = np.array([[0, 0, 1.0]])
    seen = project(transform(world2cam(CameraPose(0, 0, 90, 10)), upright), k)
    assert seen[0, 0] < 100 and seen[0, 1] == pytest.approx(100)


@given(angles, st.sampled_from([-1, 1]))
def test_no_flip_over_the_pole(azimuth, sign):
    before = world2cam(CameraPose(azimuth, sign * 89.9999, 0, 1))
    at_pole = world2cam(CameraPose(azimuth, sign * 90, 0, 1))
    assert np.allclose(before, at_pole, atol=1e-5)


def test_a_sphere_fills_the_share_that_was_asked_for():
    k = intrinsics_from_fov(40, 640, 480)
    distance = distance_for_fill(7.0, 0.5, k)
    outline = k.fy * math.tan(math.asin(7.0 / distance))
    assert 2 * outline == pytest.approx(0.5 * 480)


@given(
    st.integers(0, 50), st.integers(0, 50), st.integers(1, 8), st.floats(-1, 1), st.floats(-1, 1)
)
def test_crop_and_zoom_move_pixels_linearly(x0, y0, zoom, x, y):
    k = Intrinsics(300, 310, 100, 80, 200, 160)
    point = np.array([[x, y, 4.0]])
    plain, cut = project(point, k)[0], project(point, crop(k, x0, y0, 60, 50, zoom))[0]
    assert np.allclose(cut, (plain - [x0, y0]) * zoom, atol=1e-9)


@given(st.lists(st.tuples(*[st.floats(-100, 100)] * 3), min_size=1, max_size=40))
def test_the_bounding_sphere_holds_every_point(points):
    cloud = np.array(points)
    center, radius = bounding_sphere(cloud)
    assert (np.linalg.norm(cloud - center, axis=1) <= radius * (1 + 1e-9)).all()
    box_half = np.linalg.norm(np.ptp(cloud, axis=0)) / 2
    assert radius <= box_half * (1 + 1e-6) + 1e-9


def test_the_bounding_sphere_is_the_smallest():
    corners = np.array([[x, y, z] for x in (0, 4) for y in (0, 6) for z in (0, 12.0)])
    center, radius = bounding_sphere(corners)
    assert np.allclose(center, [2, 3, 6]) and radius == pytest.approx(7)
    triangle = np.array([[0, 0, 0], [2, 0, 0], [1, 0.2, 0.0]])
    assert bounding_sphere(triangle)[1] == pytest.approx(1)
    rng = np.random.default_rng(3)
    directions = rng.normal(size=(5000, 3))
    ball = 3 * directions / np.linalg.norm(directions, axis=1, keepdims=True) + [5, 6, 7]
    center, radius = bounding_sphere(ball)
    assert np.allclose(center, [5, 6, 7], atol=0.01) and radius == pytest.approx(3, abs=0.01)


def test_box_arithmetic():
    assert box_of_points(np.array([[1, 5], [3, 2.0]])) == (1, 2, 3, 5)
    assert boxes_overlap((0, 0, 2, 2), (1, 1, 3, 3))
    assert not boxes_overlap((0, 0, 2, 2), (2, 0, 3, 2))


def test_the_box_of_a_mask_is_half_open():
    mask = np.zeros((6, 8), bool)
    assert box_of_mask(mask) is None
    mask[2, 3:5] = True
    assert box_of_mask(mask, 10, 20) == (13, 22, 15, 23)


def test_impossible_cameras_are_refused():
    with pytest.raises(InputError, match="elevation"):
        CameraPose(0, 91, 0, 1)
    with pytest.raises(InputError, match="distance"):
        CameraPose(0, 0, 0, 0)
    with pytest.raises(InputError, match="focal"):
        Intrinsics(0, 1, 0, 0, 1, 1)
