import itertools
import math

import numpy as np
import pytest

from vqc.look.room import apart, find_place, footprint

CUBE = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))


def moved(points, *shift):
    return points + np.array(shift)


def circle(count, radius=1.0, z=0.0):
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(count, z)], 1)


def test_a_footprint_is_the_outline_from_above():
    outline = footprint(np.concatenate([CUBE * (3, 2, 7), np.zeros((1, 3))]))
    assert sorted(map(tuple, outline.tolist())) == [(-3, -2), (-3, 2), (3, -2), (3, 2)]
    x, y = outline.T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2 == pytest.approx(24)


def test_a_footprint_may_be_a_line_or_a_point():
    upright = np.array([[0.0, 1, z] for z in range(5)])
    assert footprint(upright).tolist() == [[0, 1]]
    line = footprint(np.array([[1.0, 1, 0], [3, 3, 1], [2, 2, 5], [0, 0, 2]]))
    assert sorted(line.tolist()) == [[0, 0], [3, 3]]


SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


@pytest.mark.parametrize(
    "shift, distance",
    [((3, 0), 2), ((2, 3), math.hypot(1, 2)), ((1, 0), 0), ((-4, -5), 5), ((0.2, 1.5), 0.5)],
)
def test_polygons_are_apart_by_their_distance(shift, distance):
    other = SQUARE + shift
    assert apart(SQUARE, other, distance - 1e-9) and apart(other, SQUARE, distance - 1e-9)
    assert not apart(SQUARE, other, distance + 1e-9)
    assert not apart(other, SQUARE, distance + 1e-9)


def test_overlapping_polygons_are_not_apart():
    assert not apart(SQUARE, SQUARE, 0)
    assert not apart(SQUARE * 0.1 + 0.4, SQUARE, 0)
    assert not apart(SQUARE, SQUARE + 0.9, -1)


def test_lines_and_points_are_apart_by_their_distance():
    line, point = np.array([[0.0, 0], [2, 0]]), np.array([[5.0, 4]])
    assert apart(line, point, 5 - 1e-9) and not apart(line, point, 5 + 1e-9)
    assert apart(line, moved(line, 3, 0), 1) and not apart(line, moved(line, 3, 0), 1.1)
    assert not apart(line, moved(line, 1, 0), 0.1)
    assert apart(point, point, 0) and not apart(point, point, 0.1)
    assert not apart(SQUARE, np.array([[0.5, 0.5]]), 0)


def _sampled_distance(a, b):
    """Between the borders, and 0 where a corner of one is in the other or borders cross."""
    share = np.linspace(0, 1, 60)[:, None, None]
    a, b = (p + share * (np.roll(p, -1, axis=0) - p) for p in (a, b))
    return np.linalg.norm(a.reshape(-1, 1, 2) - b.reshape(1, -1, 2), axis=2).min()


def test_apart_agrees_with_sampling_on_random_polygons():
    rng = np.random.default_rng(5)
    seen = {True: 0, False: 0}
    for _ in range(150):
        a, b = (footprint(rng.normal(size=(int(rng.integers(3, 12)), 3))) for _ in range(2))
        b = b + rng.uniform(2, 6) * np.array([math.cos(t := rng.uniform(0, 7)), math.sin(t)])
        sampled = _sampled_distance(a, b)
        sides = max(np.linalg.norm(np.roll(p, -1, axis=0) - p, axis=1).max() for p in (a, b))
        slack = sides / 59  # half a step on either border
        gap = rng.uniform(0.05, 3)
        if abs(sampled - gap) > slack and sampled > slack:
            assert apart(a, b, gap) == (sampled > gap)
            seen[sampled > gap] += 1
    assert min(seen.values()) > 20


def test_a_place_is_free_near_and_at_random():
    fixed = [SQUARE * 4 + (x, y) for x in (-9, 0, 9) for y in (-9, 0, 9)]
    moving = SQUARE * 2 + 50
    shifts = []
    for seed in range(20):
        shift = find_place(fixed, moving, (2.0, 2.0), 15.0, 0.5, np.random.default_rng(seed))
        assert shift is not None
        assert all(apart(moving + shift, polygon, 0.5) for polygon in fixed)
        assert math.dist((moving + shift).mean(axis=0), (2, 2)) <= 15
        shifts.append(tuple(shift))
    assert len(set(shifts)) == 20
    again = find_place(fixed, moving, (2.0, 2.0), 15.0, 0.5, np.random.default_rng(0))
    assert tuple(again) == shifts[0]


def test_an_empty_plane_has_a_place_right_where_it_is_asked_for():
    shift = find_place([], SQUARE, (7.0, 8.0), 10.0, 1.0, np.random.default_rng(0))
    assert math.dist(SQUARE.mean(axis=0) + shift, (7, 8)) <= 10 / 50


def test_no_place_is_none():
    everywhere = [SQUARE * 100 - 50]
    assert find_place(everywhere, SQUARE, (0, 0), 10.0, 0.1, np.random.default_rng(0)) is None


def test_finding_a_place_draws_the_same_number_of_values_always():
    after = []
    for fixed in ([], [SQUARE * 100 - 50]):
        rng = np.random.default_rng(1)
        find_place(fixed, SQUARE, (0, 0), 10.0, 0.1, rng)
        after.append(rng.random())
    assert after[0] == after[1]
