"""Temperatures and thresholds that are known beforehand are found again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vqc.tasks.classify.calibration import (
    calibration_error,
    choose_threshold,
    fit_temperature,
    log_loss,
    probabilities,
    reliability,
)


def made_up(temperature, count=20_000):
    """Logits, and truth drawn with the probabilities that they have at that temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (count, 4))
    shares = probabilities(logits, temperature).cumsum(1)
    truth = (rng.random((count, 1)) > shares).sum(1).clip(0, 3)
    return logits, truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_and_calibrates(temperature):
    logits, truth = made_up(temperature)
    found = fit_temperature(logits, truth)
    assert found == pytest.approx(temperature, rel=0.05)
    shares = probabilities(logits, found)
    right = shares.argmax(1) == truth
    assert calibration_error(shares.max(1), right) < 0.02
    assert log_loss(shares, truth) <= log_loss(probabilities(logits), truth)


def test_where_every_answer_is_right_probabilities_stay_below_one():
    logits = np.array([[2.0, 0.0], [0.0, 2.0]] * 10)
    found = fit_temperature(logits, np.array([0, 1] * 10))
    assert 0.05 < found < 2
    assert probabilities(logits, found).max() == pytest.approx(1 - 1 / 22, abs=1e-4)


def test_probabilities_of_huge_logits_sum_up_to_one():
    shares = probabilities(np.array([[1e4, -1e4, 0.0]]))
    assert shares.tolist() == [[1, 0, 0]]


def test_with_backgrounds_the_threshold_parts_them():
    scores = np.array([0.9, 0.8, 0.7, 0.5, 0.3])
    known = np.array([True, True, True, False, False])
    assert choose_threshold(scores, known, known, 0.99) == pytest.approx(0.6, abs=1e-5)
    # One background is sure: refusing it would cost two of three right answers.
    sure = np.array([0.9, 0.8, 0.7, 0.85, 0.3])
    assert choose_threshold(sure, known, known, 0.99) == pytest.approx(0.5, abs=1e-5)


def test_without_backgrounds_a_share_of_right_answers_is_kept():
    scores = np.linspace(0.01, 1, 100)
    known = np.ones(100, bool)
    right = np.ones(100, bool)
    found = choose_threshold(scores, known, right, 0.99)
    assert (scores >= found).sum() == 99
    assert (scores >= choose_threshold(scores, known, right, 1.0)).all()
    right[:50] = False
    assert choose_threshold(scores, known, right, 1.0) == pytest.approx(0.51, abs=1e-5)


def test_where_nothing_can_be_chosen_everything_counts():
    nothing = np.zeros(3, bool)
    assert choose_threshold(np.ones(3), ~nothing, nothing, 0.99) == 0
    assert choose_threshold(np.ones(3), nothing, nothing, 0.99) == 0


def test_calibration_error_by_hand():
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    right = np.array([True, True, True, False, False, False])
    assert calibration_error(confidence, right) == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.5)
    assert math.isnan(calibration_error(confidence[:0], right[:0]))
    assert math.isnan(log_loss(np.empty((0, 2)), np.empty(0, np.int64)))


def test_reliability_is_of_groups_that_hold_equally_many():
    x, y = reliability(np.array([0.4, 0.9, 0.6, 0.7]), np.array([False, True, True, False]), 2)
    assert x == pytest.approx([0.5, 0.8]) and y == pytest.approx([0.5, 0.5])
    assert len(reliability(np.array([0.4]), np.array([True]))[0]) == 1
