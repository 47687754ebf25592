import itertools
import math

import numpy as np
import pytest
import shapes

from vqc.errors import InputError
from vqc.look.rest import (
    MAX_POSES,
    RestPose,
    center_of_mass,
    stable_poses,
)
from vqc.look.room import apart, footprint

CUBE = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))


def moved(points, *shift):
    return points + np.array(shift)


def circle(count, radius=1.0, z=0.0):
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(count, z)], 1)


def cylinder(radius, height, count=200):
    return np.concatenate([circle(count, radius, z) for z in (-height / 2, height / 2)])


def ball(count, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def ups(poses: tuple[RestPose, ...]):
    """Which direction of the model points up in each pose."""
    return np.array([pose.rotation[2] for pose in poses])


def probabilities(poses):
    return np.array([pose.probability for pose in poses])


BODIES = {
    "cube": moved(CUBE, 5, -3, 2),
    "board": CUBE * (80, 50, 0.8),
    "foil": CUBE * (50, 50, 1e-4),
    "needle": CUBE * (100, 0.05, 0.05),
    "cylinder": cylinder(1, 2),
    "coin": cylinder(10, 2),
    "ball": ball(1000),
    "egg": ball(800) * (3, 2, 1.5),
    "far away": CUBE + 1e5,
    "tetrahedron": np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.1, 0.7]]),
    "flat": CUBE * (3, 2, 0),
    "triangle": np.array([[0.0, 0, 0], [4, 0, 3], [0, 4, 1]]),
    "line": np.linspace(0, 1, 7)[:, None] * (1.0, 2.0, 3.0),
    "point": np.ones((5, 3)),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_pose_is_a_proper_rotation_that_puts_the_lowest_point_on_the_plane(name):
    points = BODIES[name]
    poses = stable_poses(points, points.mean(axis=0))
    assert 1 <= len(poses) <= MAX_POSES
    assert probabilities(poses).sum() == pytest.approx(1)
    assert (np.diff(probabilities(poses)) <= 1e-8).all()
    for pose in poses:
        assert pose.rotation @ pose.rotation.T == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(pose.rotation) == pytest.approx(1)
        lowest = (points @ pose.rotation.T)[:, 2].min() + pose.lift_mm
        assert lowest == pytest.approx(0, abs=1e-9 * np.abs(points).max())


@pytest.mark.parametrize("name", [n for n in BODIES if n not in ("line", "point")])
def test_in_every_pose_the_centre_of_mass_is_above_what_touches_the_plane(name):
    points = BODIES[name]
    center = points.mean(axis=0)
    size = np.ptp(points, axis=0).max()
    for pose in stable_poses(points, center):
        placed = points @ pose.rotation.T
        touching = placed[placed[:, 2] + pose.lift_mm < 1e-5 * size]
        assert len(touching) >= 3
        foot = (pose.rotation @ center)[None, :2]
        assert not apart(footprint(touching), foot, 1e-6 * size)


@pytest.mark.parametrize("name", BODIES)
def test_the_same_body_gives_the_same_bytes(name):
    points = BODIES[name]
    first, second = (stable_poses(points.copy(), points.mean(axis=0)) for _ in range(2))
    assert [p.rotation.tobytes() for p in first] == [p.rotation.tobytes() for p in second]
    assert [(p.lift_mm, p.probability) for p in first] == [
        (p.lift_mm, p.probability) for p in second
    ]


def test_a_cube_rests_on_each_of_its_six_faces_alike():
    poses = stable_poses(CUBE, np.zeros(3))
    assert probabilities(poses) == pytest.approx(np.full(6, 1 / 6))
    assert sorted(map(tuple, np.round(ups(poses)).astype(int).tolist())) == sorted(
        tuple((sign * np.eye(3, dtype=int)[axis]).tolist()) for axis in range(3) for sign in (-1, 1)
    )
    assert {round(pose.lift_mm, 9) for pose in poses} == {1.0}


def test_points_within_a_face_and_its_triangles_do_not_matter():
    rng = np.random.default_rng(3)
    on_faces = rng.uniform(-1, 1, (300, 3))
    on_faces[np.arange(300), rng.integers(3, size=300)] = rng.choice([-1.0, 1.0], 300)
    poses = stable_poses(np.concatenate([on_faces, CUBE]), np.zeros(3))
    assert probabilities(poses) == pytest.approx(np.full(6, 1 / 6))


def test_a_flat_box_lies_mostly_on_its_large_faces():
    poses = stable_poses(CUBE * (5, 2.5, 0.5), np.zeros(3))
    assert [round(pose.lift_mm, 9) for pose in poses] == [0.5, 0.5, 2.5, 2.5, 5, 5]
    large, middle, small = probabilities(poses)[::2]
    # The solid angle of a rectangle 2a × 2b at distance d is 4 atan(ab / (d √(a² + b² + d²))).
    diagonal = math.sqrt(5**2 + 2.5**2 + 0.5**2)
    assert large == pytest.approx(math.atan(5 * 2.5 / (0.5 * diagonal)) / math.pi, rel=1e-6)
    assert middle == pytest.approx(math.atan(5 * 0.5 / (2.5 * diagonal)) / math.pi, rel=1e-6)
    assert small == pytest.approx(math.atan(2.5 * 0.5 / (5 * diagonal)) / math.pi, rel=1e-6)


def test_a_pose_as_in_the_model_is_the_identity():
    poses = stable_poses(CUBE * (5, 2.5, 0.5), np.zeros(3))
    assert any(np.allclose(pose.rotation, np.eye(3)) for pose in poses)


@pytest.mark.parametrize("count", [24, 200, 1000])
def test_a_cylinder_stands_on_its_ends_or_lies_whatever_its_facets_are(count):
    poses = stable_poses(cylinder(1, 2, count), np.zeros(3))
    up, share = ups(poses), probabilities(poses)
    stands = np.abs(up[:, 2]) > 0.99
    assert stands.sum() == 2
    # Each end is seen from the middle under 45°: a share of (1 - cos 45°) / 2.
    assert share[stands].sum() == pytest.approx(1 - math.sqrt(0.5), abs=0.01)
    assert np.abs(up[~stands, 2]).max() < 1e-6
    assert len(poses) == min(count + 2, MAX_POSES)
    # It lies on all of its sides, not on some only.
    assert np.linalg.norm((share[~stands, None] * up[~stands]).sum(axis=0)) < 0.02


def test_a_ball_lies_in_poses_of_all_directions():
    poses = stable_poses(BODIES["ball"], np.zeros(3))
    assert len(poses) == MAX_POSES
    directions = ball(500, seed=1)
    assert np.degrees(np.arccos((directions @ ups(poses).T).max(axis=1))).max() < 40


def test_a_leaning_prism_tips_over():
    base = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    points = np.concatenate([base, moved(base, 3, 0, 2)])
    poses = stable_poses(points, points.mean(axis=0))
    assert np.abs(ups(poses)[:, 2]).max() < 0.99  # neither end holds it
    assert probabilities(poses).sum() == pytest.approx(1)


def test_a_heavy_foot_makes_it_stand_up():
    even = stable_poses(cylinder(1, 4, 60), np.zeros(3))
    heavy = stable_poses(cylinder(1, 4, 60), np.array([0, 0, -1.8]))
    share = [
        p[ups(q)[:, 2] > 0.99].sum() for q, p in ((q, probabilities(q)) for q in (even, heavy))
    ]
    assert share[0] < 0.06 < 0.4 < share[1]


def test_flat_bodies_have_two_sides():
    poses = stable_poses(BODIES["flat"], np.zeros(3))
    assert probabilities(poses).tolist() == [0.5, 0.5]
    assert sorted(ups(poses)[:, 2].round(9).tolist()) == [-1, 1]


def test_a_line_lies_level():
    (pose,) = stable_poses(BODIES["line"], BODIES["line"].mean(axis=0))
    assert np.ptp(BODIES["line"] @ pose.rotation[2]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("points", [np.zeros((2, 3)), np.zeros((5, 2)), np.full((4, 3), np.nan)])
def test_what_is_no_body_is_refused(points):
    with pytest.raises(InputError, match="a body at rest"):
        stable_poses(points, np.zeros(3))


def test_a_centre_of_mass_that_lies_outside_gives_poses_nevertheless():
    poses = stable_poses(CUBE, np.array([0.0, 0, 9]))
    assert probabilities(poses).sum() == pytest.approx(1)


@pytest.mark.parametrize("shift", [(0, 0, 0), (1e4, -3e3, 50)])
def test_the_centre_of_mass_is_that_of_the_volume(shift):
    cone = shapes.cone(height=10.0, radius=1.0)
    center = center_of_mass(cone.vertices_mm + shift, cone.faces)
    assert center == pytest.approx(np.array([0, 0, 2.5]) + shift, abs=1e-6)
    plate = shapes.plate_with_hole()
    assert center_of_mass(plate.vertices_mm, plate.faces) == pytest.approx(np.zeros(3), abs=1e-9)


def test_where_there_is_no_volume_the_hull_gives_the_centre():
    cone = shapes.cone(height=10.0, radius=1.0)
    inside_out = center_of_mass(cone.vertices_mm, cone.faces[:, ::-1])
    without_foot = center_of_mass(cone.vertices_mm, cone.faces[:60])
    assert inside_out == pytest.approx([0, 0, 2.5], abs=1e-6)
    assert without_foot == pytest.approx([0, 0, 2.5], abs=1e-6)


def test_the_centre_of_a_flat_body_is_that_of_its_area():
    corners = np.array([[0.0, 0, 1], [3, 0, 1], [0, 3, 1], [1, 1, 1]])
    assert center_of_mass(corners, np.array([[0, 1, 2]])) == pytest.approx([1, 1, 1])
