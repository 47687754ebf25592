"""Matching: cases by hand, and random pictures against a checker that tries everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.tasks.detect.matching import IOU_FROM, NOTHING, greedy, match, overlaps


def boxes(*rows):
    return np.array(rows, float).reshape(-1, 4)


def matched(found, scores, classes, objects, true_classes):
    return match(
        overlaps(boxes(*found), boxes(*objects)),
        np.array(scores, float),
        np.array(classes, int),
        np.array(true_classes, int),
    ).tolist()


@pytest.mark.parametrize(
    "a, b, share",
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (0, 0, 5, 10), 0.5),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((3, 3, 3, 9), (3, 3, 3, 9), 0.0),
    ],
)
def test_overlap_of_two_boxes(a, b, share):
    assert overlaps(boxes(a), boxes(b)) == pytest.approx(share)
    assert overlaps(boxes(b), boxes(a)) == pytest.approx(share)


def test_no_boxes_or_no_objects_match_nothing():
    assert overlaps(boxes(), boxes((0, 0, 1, 1))).shape == (0, 1)
    assert matched([], [], [], [(0, 0, 10, 10)], [0]) == []
    assert matched([(0, 0, 10, 10)], [0.9], [0], [], []) == [NOTHING]


def test_half_an_overlap_is_enough_and_less_is_not():
    assert matched([(0, 0, 5, 10)], [0.9], [0], [(0, 0, 10, 10)], [0]) == [0]
    assert matched([(0, 0, 4.9, 10)], [0.9], [0], [(0, 0, 10, 10)], [0]) == [NOTHING]


def test_of_two_boxes_on_one_object_the_surer_one_counts():
    twice = [(0, 0, 10, 10), (0, 0, 10, 9)]
    assert matched(twice, [0.3, 0.8], [0, 0], [(0, 0, 10, 10)], [0]) == [NOTHING, 0]


def test_a_box_takes_the_object_it_lies_on_best():
    objects = [(0, 0, 10, 10), (2, 0, 12, 10)]
    assert matched([(2, 0, 12, 10)], [0.9], [0], objects, [0, 0]) == [1]


def test_a_less_sure_box_takes_the_object_that_is_left():
    objects = [(0, 0, 10, 10), (2, 0, 12, 10)]
    both = [(1.5, 0, 11.5, 10), (2, 0, 12, 10)]
    assert matched(both, [0.9, 0.5], [0, 0], objects, [0, 0]) == [1, 0]


def test_a_right_answer_is_not_lost_to_a_surer_wrong_one():
    same_place = [(0, 0, 10, 10), (0, 0, 10, 10)]
    assert matched(same_place, [0.9, 0.4], [1, 0], [(0, 0, 10, 10)], [0]) == [NOTHING, 0]


def test_a_box_of_another_class_on_an_object_is_confused():
    assert matched([(0, 0, 10, 10)], [0.9], [1], [(0, 0, 10, 10)], [0]) == [0]


@st.composite
def pictures(draw):
    """Few boxes on a coarse grid, so that they often overlap, often equally."""
    place = st.tuples(*[st.integers(0, 4)] * 2, *[st.integers(1, 4)] * 2)
    rows = st.lists(place, max_size=6)
    found, objects = (boxes(*[(x, y, x + w, y + h) for x, y, w, h in draw(rows)]) for _ in range(2))
    scores = [draw(st.sampled_from([0.1, 0.5, 0.5, 0.9])) for _ in found]
    kinds = ([draw(st.integers(0, 2)) for _ in side] for side in (found, objects))
    classes, true_classes = (np.array(kind, int) for kind in kinds)
    return overlaps(found, objects), np.array(scores), classes, true_classes


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_greedy_gives_every_box_its_best_free_object(picture):
    iou, scores, _, _ = picture
    taken: set[int] = set()
    expected = []
    order = sorted(range(len(scores)), key=lambda k: (-scores[k], k))
    for box in order:
        free = [(-iou[box, k], k) for k in range(iou.shape[1]) if k not in taken]
        best = min((pair for pair in free if -pair[0] >= IOU_FROM), default=(0, NOTHING))[1]
        taken.add(best)
        expected.append((box, best))
    assert greedy(iou, scores).tolist() == [best for _, best in sorted(expected)]


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_what_is_matched_lies_there_once_and_nothing_that_lies_there_is_left(picture):
    iou, scores, classes, true_classes = picture
    found = match(iou, scores, classes, true_classes)
    pairs = [(box, k) for box, k in enumerate(found) if k != NOTHING]
    assert all(iou[pair] >= IOU_FROM for pair in pairs)
    assert len({k for _, k in pairs}) == len(pairs)
    idle_boxes = [box for box, k in enumerate(found) if k == NOTHING]
    idle_objects = set(range(len(true_classes))) - {k for _, k in pairs}
    assert not any(iou[box, k] >= IOU_FROM for box in idle_boxes for k in idle_objects)


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_right_answers_are_those_that_each_class_gives_alone(picture):
    iou, scores, classes, true_classes = picture
    found = match(iou, scores, classes, true_classes)
    right = sum(k != NOTHING and classes[box] == true_classes[k] for box, k in enumerate(found))
    alone = 0
    for name in range(3):
        mine, theirs = classes == name, true_classes == name
        alone += int((greedy(iou[np.ix_(mine, theirs)], scores[mine]) != NOTHING).sum())
    assert right == alone
