"""Thresholds on made-up distances, and scores that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.errors import InputError
from vqc.tasks.anomaly.thresholds import (
    SLACK,
    Held,
    Scale,
    choose,
    limit_of,
    read_rule,
    require,
    scale_of,
)

NOTHING = np.empty(0)


def held(good=(), defects=(), train=()):
    val = np.array([*good, *defects], float)
    return Held(val, np.arange(len(val)) >= len(good), np.array(train, float))


def test_f1_lies_halfway_below_the_last_defect_that_counts():
    found = held(good=[1, 2, 3], defects=[5, 6])
    for rule in ("auto", "f1"):
        assert choose(read_rule(rule), found) == 4.0


def test_auto_without_defects_is_the_quantile_of_good_frames():
    good = np.arange(1.0, 102)
    at = choose(read_rule("auto"), held(good=good))
    assert at == pytest.approx(100) and (good >= at).sum() == 1


def test_a_rate_of_false_alarms_is_kept():
    good = np.arange(100.0)
    for rate, alarms in ((0.0, 0), (0.01, 1), (0.05, 5), (1.0, 100)):
        at = choose(read_rule(f"false-alarms:{rate}"), held(good=good, defects=[200]))
        assert (good >= at).sum() == alarms


def test_few_good_frames_in_val_are_joined_by_training_frames():
    train = np.arange(50.0)
    assert choose(read_rule("quantile:0.5"), held(train=train)) == pytest.approx(24.5)
    assert choose(read_rule("quantile:0.5"), held(good=[100] * 9, train=train)) > 24.5
    assert choose(read_rule("quantile:0.5"), held(good=[100] * 10, train=train)) == pytest.approx(
        100
    )


@pytest.mark.parametrize(
    "text", ["", "best", "f1:0.5", "quantile", "quantile:2", "false-alarms:x", "quantile:nan"]
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(InputError, match=r"expected auto, f1, false-alarms:0\.01"):
        read_rule(text)


@pytest.mark.parametrize(
    ("rule", "good", "defects", "lacks"),
    [
        ("f1", 3, 0, "f1 needs frames with a defect in val"),
        ("f1", 0, 0, "f1 needs good frames and frames with a defect"),
        ("false-alarms:0.1", 0, 4, "false-alarms needs good frames in val"),
    ],
)
def test_a_rule_says_what_val_lacks(rule, good, defects, lacks):
    with pytest.raises(InputError, match=lacks):
        require(read_rule(rule), good, defects)


def test_every_other_rule_needs_nothing():
    for rule in ("auto", "quantile:0.9"):
        require(read_rule(rule), 0, 0)


def test_scores_are_a_tenth_at_the_median_and_a_half_at_the_threshold():
    scale = scale_of(4.0, np.array([1.0, 2.0, 3.0]), np.array([5.0]), 0.0)
    assert scale.score(2.0) == pytest.approx(0.1) and scale.score(4.0) == pytest.approx(0.5)
    scores = [scale.score(d) for d in (0, 1, 2, 3, 4, 8, 1e9)]
    assert scores == sorted(scores) and scores[0] < 1e-9 and 0 <= scores[-1] <= 1
    assert scale.hot == 5.0


def test_margins_rise_where_scores_are_rounded_to_1():
    scale = Scale(threshold=1.0, power=64.0, hot=1.0, limit=0.0)
    assert scale.score(9.0) == scale.score(10.0) == 1.0
    assert scale.margin(9.0) < scale.margin(10.0)


def test_frames_without_any_distance_still_have_a_scale():
    scale = scale_of(0.0, np.zeros(3), np.zeros(3), 0.0)
    assert 0 <= scale.score(0.0) < scale.score(1.0) <= 1


def test_what_is_usual_for_a_frame_is_taken_off_up_to_the_limit():
    limit = limit_of(np.array([1.0, 2.0, 1.5]))
    assert limit == 2 * SLACK and 1.25 <= SLACK <= 1.5
    scale = Scale(threshold=1.0, power=3.0, hot=1.0, limit=limit)
    assert scale.distance(3.0, 1.0) == 2.0, "what stands out of what is usual"
    assert scale.distance(9.0, 8.5) == 9.0 - limit, "odd all over, as no good frame is"
    assert scale.distance(1.0, 2.0) == 0.0
    assert Scale(1.0, 3.0, 1.0, limit=0.0).distance(3.0, 1.0) == 3.0, "absolute"


def test_good_frames_that_are_odd_all_over_do_not_widen_the_limit():
    even = np.linspace(1.0, 1.2, 21)  # quartiles near 1.05 and 1.15
    assert limit_of(np.append(even, [9.0, 1.6, 1.7])) == pytest.approx(1.2 * SLACK)
    assert limit_of(np.append(even, 1.44)) == pytest.approx(1.44 * SLACK), "odd, not far out"


def test_frames_that_hardly_differ_do_not_rule_each_other_out():
    same = np.full(12, 2.0)
    assert limit_of(same) == 2 * SLACK
    assert limit_of(np.append(same, 2.19)) == pytest.approx(2.19 * SLACK), "within a tenth"
    assert limit_of(np.append(same, 2.21)) == 2 * SLACK
    assert limit_of(np.array([1.0])) == SLACK and limit_of(np.zeros(3)) == 0.0


def test_a_second_batch_of_more_than_a_quarter_widens_the_limit():
    usuals = np.repeat([1.0, 2.0], [7, 3])
    assert limit_of(usuals) == 2 * SLACK
