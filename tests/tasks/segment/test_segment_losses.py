"""Losses on made-up logits whose answers are known."""

from __future__ import annotations

import math

import pytest

from vqc.tasks.segment.losses import bce, dice, focal, loss_of

SURE = 40.0


@pytest.fixture(scope="module")
def truth():
    """(2, 2, 4, 4): the first class on the left half, the second nowhere."""
    import torch

    truth = torch.zeros(2, 2, 4, 4)
    truth[:, 0, :, :2] = 1
    return truth


def test_a_perfect_answer_costs_nothing(truth):
    logits = (2 * truth - 1) * SURE
    for name in ("bce", "dice", "focal", "bce-dice"):
        assert float(loss_of(name, logits, truth, 1.1, 0.9)) == pytest.approx(0, abs=1e-6)


def test_dice_stays_in_0_to_1_however_wrong(truth):
    import torch

    wrong = (1 - 2 * truth) * SURE
    assert 0.9 < float(dice(wrong, truth)) <= 1
    torch.manual_seed(0)
    for scale in (0.1, 10, 1e6):
        assert 0 <= float(dice(torch.randn(truth.shape) * scale, truth)) <= 1


def test_dice_of_half_the_probability_is_known(truth):
    """p = 1/2 everywhere: 2 * 8 / (8 + 16) of the first class, 0 of the second, smoothed by 1."""
    import torch

    expected = 1 - ((2 * 8 + 1) / (8 + 16 + 1) + (0 + 1) / (8 + 0 + 1)) / 2
    assert float(dice(torch.zeros(truth.shape), truth)) == pytest.approx(expected)


def test_nothing_against_nothing_is_no_loss():
    import torch

    empty = torch.zeros(1, 1, 4, 4)
    assert float(dice(empty - SURE, empty)) == pytest.approx(0, abs=1e-6)


def test_focal_is_cross_entropy_at_gamma_0_and_less_above(truth):
    import torch

    torch.manual_seed(1)
    logits = torch.randn(truth.shape)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth)
    assert float(focal(logits, truth, gamma=0.0)) == pytest.approx(float(expected))
    assert float(focal(logits, truth)) < float(expected)
    quarter = torch.zeros(truth.shape)  # (1 - 1/2)^2 of ln 2
    assert float(focal(quarter, truth)) == pytest.approx(math.log(2) / 4)


def test_weights_of_the_crack_paper(truth):
    """Positive 1.1 on a quarter of the pixels, negative 0.9 on the others, ln 2 each."""
    import torch

    found = float(bce(torch.zeros(truth.shape), truth, 1.1, 0.9))
    assert found == pytest.approx(math.log(2) * (1.1 / 4 + 0.9 * 3 / 4))
