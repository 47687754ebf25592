"""Metrics on made-up masks, and thresholds swept on made-up probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.tasks.segment.counts import Counts, histogram, hundredths, mean
from vqc.tasks.segment.findings import curves
from vqc.tasks.segment.scoring import by_class, summary
from vqc.tasks.segment.thresholds import choose, middle
from vqc.tasks.segment.tolerance import metrics, near


def counts_of(pairs):
    """pairs: (C, H, W) probabilities and (H, W, C) truth of every picture."""
    return Counts.of([histogram(hundredths(np.float32(p)), np.uint8(t)) for p, t in pairs])


def line(*shown, length=10):
    """A picture of one row and one class; the numbers are the pixels that are set."""
    mask = np.zeros((1, length, 1), np.uint8)
    mask[0, list(shown), 0] = 1
    return mask


def sure(mask):
    return mask.transpose(2, 0, 1) * 0.98 + 0.01


def test_hundredths_count_as_the_threshold_does():
    found = hundredths(np.array([0, 0.295, 0.3, 0.999, 1], np.float32))
    assert found.tolist() == [0, 29, 30, 99, 100]


def test_counts_are_those_of_the_masks_at_every_threshold():
    rng = np.random.default_rng(0)
    p, t = rng.random((2, 6, 7)).astype(np.float32), rng.integers(0, 2, (6, 7, 2))
    counts = counts_of([(p, t)])
    for threshold in (0, 1, 37, 50, 100):
        found = hundredths(p) >= threshold
        true = t.transpose(2, 0, 1) > 0
        chosen = counts.at((threshold,) * 2, (0, 0))
        assert chosen.found[0].tolist() == found.sum((1, 2)).tolist()
        assert chosen.both[0].tolist() == (found & true).sum((1, 2)).tolist()
        assert chosen.true[0].tolist() == true.sum((1, 2)).tolist()


def test_nothing_against_nothing_is_1_and_something_against_nothing_0():
    nothing, some = line(), line(1, 2)
    pairs = [(sure(nothing), nothing), (sure(some), nothing), (sure(nothing), some)]
    chosen = counts_of([*pairs, (sure(some), some)]).at((50,), (0,))
    assert chosen.dice()[:, 0].tolist() == [1, 0, 0, 1]
    assert summary(chosen)["Dice"] == 0.5
    assert summary(chosen)["Dice-present"] == 0.5  # of the last two


def test_metrics_of_known_masks():
    """Predicted 0-3, true 2-5: two of six pixels in both."""
    chosen = counts_of([(sure(line(0, 1, 2, 3)), line(2, 3, 4, 5))]).at((50,), (0,))
    found = summary(chosen)
    assert found["IoU"] == pytest.approx(2 / 6)
    assert found["precision"] == found["recall"] == found["F1"] == found["Dice"] == 0.5
    assert by_class(chosen, ("a",))["a"] == pytest.approx(found)


def test_iou_is_over_the_set_and_not_the_mean_of_pictures():
    small, large = line(0), line(*range(8))
    chosen = counts_of([(sure(line()), small), (sure(large), large)]).at((50,), (0,))
    assert chosen.iou()[0] == pytest.approx(8 / 9)
    assert chosen.dice()[:, 0].tolist() == [0, 1]


def test_a_class_that_is_not_there_is_undefined_and_does_not_count():
    absent = counts_of([(sure(line()), line())]).at((50,), (0,))
    assert np.isnan(absent.iou()).all() and np.isnan(absent.recall()).all()
    assert np.isnan(mean(absent.f1())) and absent.dice().mean() == 1
    false = counts_of([(sure(line(1)), line())]).at((50,), (0,))
    assert false.iou().tolist() == [0] and false.f1().tolist() == [0]


# Thresholds -------------------------------------------------------------------------------------


def test_the_threshold_lies_in_the_middle_of_the_best():
    """True pixels have 0.8, others 0.4: everything from 0.41 to 0.8 is perfect."""
    truth = line(1, 2, 3, 4, 5)
    counts = counts_of([(truth.transpose(2, 0, 1) * 0.4 + 0.4, truth)])
    (threshold,) = choose(counts).hundredths
    assert threshold == 60
    assert counts.at((threshold,), (0,)).dice().tolist() == [[1.0]]


def test_equally_good_thresholds_that_rounding_tells_apart_are_one_plateau():
    """Mean Dice is 8/9 from 2/3 + 1 + 1 and from 1 + 2/3 + 1: the last bit depends on the order."""
    both_found, one_found = np.float32([0.9, 0.3] + [0] * 8), np.float32([0.9] * 2 + [0] * 8)
    one, two = line(0), line(0, 1)
    for rest in range(9):
        wide = np.float32([0.99] * (1 + rest) + [0] * (9 - rest))[None, None]
        pair = [(both_found[None, None], one), (both_found[None, None], two)]
        for order in (pair, pair[::-1]):
            for times in (1, 2, 3):
                counts = counts_of([*[(wide, one)] * times, *order])
                assert 5 <= choose(counts).hundredths[0] <= 90
    assert choose(counts_of([(one_found[None, None], two)])).hundredths[0] == 47


def test_every_class_has_a_threshold_of_its_own():
    truth = np.concatenate([line(1, 2), line(3, 4)], axis=2)
    maps = truth.transpose(2, 0, 1) * np.array([0.1, 0.7])[:, None, None] + 0.1
    low, high = choose(counts_of([(maps, truth)])).hundredths
    assert 11 <= low <= 20 and 11 <= high <= 80 and low < high


def test_a_minimum_area_counts_where_it_helps():
    """Empty pictures with three stray pixels as sure as the real ones."""
    real, stray = line(*range(9), length=12), line(0, 1, 2, length=12)
    empty = line(length=12)
    chosen = choose(counts_of([(sure(real), real), (sure(stray), empty)]))
    assert chosen.least_px == (4,)
    assert choose(counts_of([(sure(real), real)])).least_px == (0,)


def test_without_val_half_the_probability():
    assert middle(2).hundredths == (50, 50) and middle(2).least_px == (0, 0)


# Curves -----------------------------------------------------------------------------------------


def test_thresholds_at_which_nothing_is_found_have_no_precision():
    """Four of five predicted pixels are right up to a threshold of 0.6, and above nothing."""
    found = np.float32([0.6] * 5 + [0] * 5)[None, None]
    counts = counts_of([(found, line(0, 1, 2, 3))])
    _, curve = curves(counts, ("a",))
    assert curve.lines["a"].tolist() == [0.8] * 101
    _, blind = curves(counts_of([(found * 0, line(0))]), ("a",))
    assert blind.lines["a"].tolist() == [0] * 101


# Tolerance --------------------------------------------------------------------------------------


def bar(column, height=20):
    mask = np.zeros((height, 20), bool)
    mask[:, column] = True
    return mask


def test_a_line_two_pixels_beside_the_truth_is_right_and_three_is_not():
    assert near(bar(5), bar(7), 2) == (20, 20)
    assert near(bar(5), bar(8), 2) == (0, 0)
    assert near(bar(5), bar(5), 0) == (20, 20)
    assert near(bar(5), bar(5) & False, 2) == (0, 0)


def test_tolerance_is_a_disc():
    one, diagonal = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    one[4, 4], diagonal[6, 6] = True, True
    assert near(one, diagonal, 2) == (0, 0)  # 2.8 px away
    assert near(one, diagonal, 3) == (1, 1)


def test_tolerant_metrics_sum_counts_over_the_set():
    """30 of 40 predicted pixels are near, 30 of 60 true ones: 0.75, 0.5, F1 0.6."""
    counts = [np.array(v)[:, None] for v in ([10, 20], [10, 20], [15, 25], [20, 40])]
    precision, recall, f1 = metrics(*counts)
    assert (precision[0], recall[0], f1[0]) == (0.75, 0.5, pytest.approx(0.6))


def test_tolerant_metrics_where_nothing_is_or_was_found():
    nothing, some = np.zeros((1, 1), np.int64), np.ones((1, 1), np.int64)
    assert np.isnan(np.array(metrics(nothing, nothing, nothing, nothing))).all()
    assert [float(v[0]) for v in metrics(nothing, nothing, nothing, some)] == [0, 0, 0]
    assert metrics(nothing, nothing, some, nothing)[2].tolist() == [0]
