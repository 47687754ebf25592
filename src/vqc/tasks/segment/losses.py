"""Losses on logits; each is bounded from below by 0, and 0 is a perfect answer.

logits, truth: (N, C, H, W), truth 0 or 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SMOOTHING_PX = 1.0
"""Added to both sides of Dice's fraction, so that nothing against nothing is 1."""
FOCUS = 2.0
"""Gamma of the focal loss (Lin et al. 2017)."""


def bce(logits: Tensor, truth: Tensor, positive: float = 1.0, negative: float = 1.0) -> Tensor:
    """Mean weighted binary cross-entropy. positive, negative: weights of a class's pixels and of
    the others."""
    return focal(logits, truth, positive, negative, gamma=0.0)


def focal(
    logits: Tensor,
    truth: Tensor,
    positive: float = 1.0,
    negative: float = 1.0,
    gamma: float = FOCUS,
) -> Tensor:
    """Cross-entropy times (1 - p)^gamma, p the probability of what is true; gamma 0 is `bce`."""
    import torch.nn.functional as F

    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    if gamma:
        each = each * (1 - (-each).exp()).clamp_min(0) ** gamma
    return (each * (truth * positive + (1 - truth) * negative)).mean()


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - Dice of the probabilities, in [0, 1]: of each class over the batch, then their mean.

    Over the batch and not by picture: a class that a picture lacks then teaches by what the
    others show, not by a single stray pixel.
    """
    probability = logits.sigmoid()
    over = (0, 2, 3)
    both = (probability * truth).sum(over)
    # Squares (Milletari et al. 2016): 0 for a perfect answer, and steeper far from it.
    size = (probability * probability).sum(over) + truth.sum(over)
    return (1 - (2 * both + SMOOTHING_PX) / (size + SMOOTHING_PX)).mean()


def loss_of(name: str, logits: Tensor, truth: Tensor, positive: float, negative: float) -> Tensor:
    """The loss by its name in the settings."""
    if name == "dice":
        return dice(logits, truth)
    if name == "focal":
        return focal(logits, truth, positive, negative)
    found = bce(logits, truth, positive, negative)
    return found + dice(logits, truth) if name == "bce-dice" else found
