"""Differences of two networks' answers, where they are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.predict.agreement import compare


def proposals(seed=0):
    """(20, 6): centre, width, height and two scores."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(10, 50, (20, 4)), rng.uniform(0, 1, (20, 2))], axis=1)


def test_equal_answers_do_not_differ():
    assert compare([proposals()], [proposals()], False) == (20, 0.0, 0.0)


def test_a_moved_centre_and_a_wider_box_are_seen_at_the_corners():
    other = proposals()
    other[3, 0] += 0.5
    other[3, 2] += 0.5  # moves the right edge by three quarters
    assert compare([proposals()], [other], False) == pytest.approx((20, 0.75, 0))


def test_scores_of_all_proposals_count():
    other = proposals()
    other[:, 5] -= 0.25
    assert compare([proposals()], [other], False) == pytest.approx((20, 0, 0.25))


def test_the_largest_of_all_pictures_counts():
    other = proposals(1)
    other[0, 1] += 2
    mine, theirs = [proposals(), proposals(1)], [proposals(), other]
    assert compare(mine, theirs, False) == pytest.approx((40, 2, 0))


def test_not_a_number_and_another_shape_are_no_agreement():
    other = proposals()
    other[0, 4] = np.nan
    assert np.isnan(compare([proposals()], [other], False)[2])
    assert compare([proposals()], [proposals()[:5]], False)[1:] == (np.inf, np.inf)


def test_merged_boxes_may_come_in_another_order():
    mine = np.array([[0, 0, 10, 10, 0.9, 0], [20, 20, 30, 30, 0.9, 0], [0, 0, 10, 10, 0.5, 1]])
    other = mine[[1, 0, 2]].copy()
    other[1, 2] += 0.5
    assert compare([mine], [other], True) == pytest.approx((3, 0.5, 0))
    other[2, 5] = 0
    assert compare([mine], [other], True)[1:] == (np.inf, np.inf)
