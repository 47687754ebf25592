"""A bank of patches of good frames: how far a patch is from the nearest it knows.

Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.tasks.anomaly.coreset import k_center

_AT_ONCE = 4096
"""Patches whose distances to the whole bank are held at a time."""
_TOP_SHARE = 0.01
_USUAL = 0.75
"""The quantile of a frame's own distances that counts as usual for it."""
_LEAST_SIDE = 6
_SMOOTH = 1.0
"""Standard deviation of the smoothing of a heat map, in patches."""


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """features: (M, C). owners: (M,), the number of the training frame that each came from."""

    features: Tensor
    owners: Tensor

    def distances(self, patches: Tensor, without: int | None = None) -> NDArray[np.float32]:
        """(h, w): of each patch of (h, w, C) from the nearest one in the bank.

        without: a frame whose own patches do not count, as long as others are there.
        """
        high, wide, channels = patches.shape
        known = self.features
        if without is not None and bool((self.owners != without).any()):
            known = known[(self.owners != without).to(known.device)]
        squares = (known * known).sum(1)
        rows = patches.reshape(-1, channels)
        found = []
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            apart = torch.addmm(squares[None], some, known.T, alpha=-2).min(1).values
            found.append((apart + (some * some).sum(1)).clamp_min(0).sqrt())
        return np.asarray(torch.cat(found).reshape(high, wide).cpu().numpy(), np.float32)


def make_bank(features: Tensor, owners: Tensor, count: int, seed: int) -> Bank:
    """Up to `count` of the patches, spread as evenly over all of them as greedy k-center does."""
    chosen = k_center(features, count, seed)
    return Bank(features[chosen.to(features.device)], owners[chosen])


def sample(patches: Tensor, count: int, seed: Sequence[int]) -> Tensor:
    """(n, C): some of the (h, w, C) patches of a frame, all where they are no more than count."""
    rows = patches.reshape(-1, patches.shape[-1])
    picked = np.sort(np.random.default_rng(list(seed)).permutation(len(rows))[:count])
    return rows[torch.from_numpy(picked).to(rows.device)]


def without_border(apart: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same (h, w), the outermost patches replaced by their neighbours.

    What lies beyond the border is made up, so these patches look odd on good frames too. Maps
    with a side of less than _LEAST_SIDE stay as they are.
    """
    if min(apart.shape) < _LEAST_SIDE:
        return apart
    return np.pad(apart[1:-1, 1:-1], 1, mode="edge")


def peak_of(apart: NDArray[np.float32]) -> float:
    """Of the frame: the mean of the highest hundredth of its patches' distances."""
    rising = np.sort(apart, axis=None).astype(np.float64)
    count = max(1, round(len(rising) * _TOP_SHARE))
    return float(rising[-count:].mean())


def usual_of(apart: NDArray[np.float32]) -> float:
    """Of the frame: the upper quartile of its patches' distances.

    What lies above it stands out in the frame. A frame that differs a little all over, as
    surfaces of another batch do, is then not taken for one with a defect.
    """
    return float(np.quantile(apart.astype(np.float64), _USUAL))


def smoothed(apart: NDArray[np.float32]) -> NDArray[np.float32]:
    """The heat map: distances smoothed over neighbouring patches."""
    import cv2

    heat = cv2.GaussianBlur(apart, (0, 0), _SMOOTH, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(heat, np.float32).reshape(apart.shape)
