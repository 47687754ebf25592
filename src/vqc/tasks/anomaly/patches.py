"""Pictures → features of their patches, by a detector's backbone. Import this late: it loads torch.

Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022: features of the
middle of a network, averaged over 3×3 neighbours, its scales joined. Theirs are joined as they
are; ours are each divided by its spread first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vqc.tasks.learning.augment import fit
from vqc.tasks.learning.backbone import STRIDES, Backbone, from_plan, load_backbone
from vqc.tasks.learning.weights import find_architecture, is_architecture, plan_of
from vqc.types import ByteArray, FloatArray

_DEEPEST = STRIDES[-1]
_MARGIN_PX = 32
_ABOUT_PX = 320
"""Longer side at which frames are described as a whole, to tell groups."""
_NO_SPREAD = 1e-6
"""As a share of the features' size: below it there is nothing but rounding."""


def start_backbone(weights: str, seed: int) -> Backbone:
    """The backbone of a detector's file, or of an architecture with weights from the seed.

    Raises InputError for weights that are missing or unsafe, or hold no backbone.
    """
    if not is_architecture(weights):
        return load_backbone(weights)
    torch.manual_seed(seed)
    return from_plan(find_architecture(weights))


def stored_backbone(plan: Mapping[str, Any], file: str) -> Backbone:
    """A backbone of a run's file, its weights still to be set.

    Raises InputError where its plan names layers that no detector has.
    """
    return from_plan(plan_of(SimpleNamespace(yaml=plan), file))


def spreads_of(features: Tensor, widths: Sequence[int]) -> tuple[float, ...]:
    """How far the patches (N, C) spread at each scale: root of the mean squared distance from
    their mean. 1 for a scale at which they are all the same.

    widths: the channels of each scale, C together.
    """
    found = []
    for part in features.split(list(widths), 1):
        spread = float(part.var(0, correction=0).double().sum().sqrt())
        size = float(part.square().mean(0).double().sum().sqrt())
        found.append(spread if spread > _NO_SPREAD * size else 1.0)
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Seer:
    """A backbone that looks at pictures; its layers are on the device, and stay as they are.

    patch: the side of a patch in pixels of what the backbone sees, a multiple of every stride.
    Finer scales are averaged over it: what is thin still shows, in few patches.
    spreads: of good patches at each scale; see `divided`.
    """

    backbone: Backbone
    device: torch.device
    imgsz: int
    strides: tuple[int, ...]
    patch: int
    spreads: tuple[float, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels of each scale."""
        return tuple(self.backbone.channels[STRIDES.index(stride)] for stride in self.strides)

    def divided(self, features: Tensor) -> Tensor:
        """Features (..., C) as the backbone gives them, each scale divided by its spread.

        How loud a scale is differs from backbone to backbone and has nothing to do with defects.
        Undivided, a loud one drowns the others in the distances.
        """
        units = torch.tensor(self.spreads).repeat_interleave(torch.tensor(self.widths))
        return features / units.to(features.device)

    def patches(self, rgb: ByteArray) -> Tensor:
        """(h, w, C): features of the patches of a picture (H, W, 3), divided by the spreads."""
        maps = self._maps(rgb, self.imgsz, self.patch, self.strides[-1])
        found = []
        for stride in self.strides:
            features = maps[STRIDES.index(stride)]
            features = functional.avg_pool2d(features, 3, 1, 1, count_include_pad=False)
            found.append(functional.avg_pool2d(features, self.patch // stride))
        scaled = _scaled(rgb, self.imgsz)
        high, wide = (_whole(side, self.patch) // self.patch for side in scaled)
        skip = _whole(_MARGIN_PX, self.patch) // self.patch
        inner = torch.cat(found, 1)[0, :, skip : skip + high, skip : skip + wide]
        return self.divided(inner.permute(1, 2, 0))

    def covers(self, rgb: ByteArray) -> tuple[float, float]:
        """How far the patches reach, in heights and widths of the picture: the last ones of a
        row and a column may lie beyond it in part."""
        high, wide = _scaled(rgb, self.imgsz)
        return _whole(high, self.patch) / high, _whole(wide, self.patch) / wide

    def whole(self, rgb: ByteArray) -> FloatArray:
        """(D,): what a picture looks like as a whole, its features' means and spreads."""
        deep = self._maps(rgb, _ABOUT_PX, _DEEPEST, _DEEPEST)[-2:]
        found = [value for m in deep for value in (m.mean((2, 3))[0], m.std((2, 3))[0])]
        return np.asarray(torch.cat(found).double().cpu().numpy(), np.float64)

    def _maps(self, rgb: ByteArray, imgsz: int, patch: int, deepest: int) -> Sequence[Tensor]:
        pixels = torch.from_numpy(padded(rgb, imgsz, patch)).to(self.device)
        with torch.inference_mode():
            return self.backbone.maps(pixels.permute(2, 0, 1)[None].float() / 255, deepest)


def padded(rgb: ByteArray, imgsz: int, patch: int) -> ByteArray:
    """The picture with its longer side at `imgsz`, mirrored beyond its border.

    By _MARGIN_PX at least, lest the network sees the zeros that it fills up with, and to whole
    patches: the picture begins where one begins.
    """
    import cv2

    height, width = _scaled(rgb, imgsz)
    scaled, _ = fit(rgb, None, (width, height))
    before = _whole(_MARGIN_PX, patch)
    below, beside = (
        _whole(before + _whole(side, patch) + _MARGIN_PX, _DEEPEST) - before - side
        for side in (height, width)
    )
    mirrored = cv2.copyMakeBorder(scaled, before, below, before, beside, cv2.BORDER_REFLECT)
    return np.ascontiguousarray(mirrored, np.uint8)


def _whole(side: int, step: int) -> int:
    """The side in pixels, lengthened to a multiple of `step`."""
    return -(-side // step) * step


def _scaled(rgb: ByteArray, imgsz: int) -> tuple[int, int]:
    height, width = rgb.shape[:2]
    scale = imgsz / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
