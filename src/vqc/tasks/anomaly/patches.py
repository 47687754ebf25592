"""Pictures → features of their patches, by a detector's backbone. Import this late: it loads torch.

Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022: features of the
middle of a network, averaged over 3×3 neighbours, its scales joined.
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


@dataclass(frozen=True, slots=True, eq=False)
class Seer:
    """A backbone that looks at pictures; its layers are on the device, and stay as they are."""

    backbone: Backbone
    device: torch.device
    imgsz: int
    strides: tuple[int, ...]

    @property
    def base(self) -> int:
        """The side of a patch in pixels of what the backbone sees: that of the coarsest scale.

        Finer scales are averaged over it: what is thin still shows, in few patches.
        """
        return self.strides[-1]

    def patches(self, rgb: ByteArray) -> Tensor:
        """(h, w, C): features of the patches of a picture (H, W, 3)."""
        maps = self._maps(rgb, self.imgsz)
        found = []
        for stride in self.strides:
            features = maps[STRIDES.index(stride)]
            features = functional.avg_pool2d(features, 3, 1, 1, count_include_pad=False)
            found.append(functional.avg_pool2d(features, self.base // stride))
        scaled = _scaled(rgb, self.imgsz)
        high, wide = (self._whole_px(side) // self.base for side in scaled)
        skip = _MARGIN_PX // self.base
        inner = torch.cat(found, 1)[0, :, skip : skip + high, skip : skip + wide]
        return inner.permute(1, 2, 0)

    def covers(self, rgb: ByteArray) -> tuple[float, float]:
        """How far the patches reach, in heights and widths of the picture: the last ones of a
        row and a column may lie beyond it in part."""
        high, wide = _scaled(rgb, self.imgsz)
        return self._whole_px(high) / high, self._whole_px(wide) / wide

    def _whole_px(self, side: int) -> int:
        return -(-side // self.base) * self.base

    def whole(self, rgb: ByteArray) -> FloatArray:
        """(D,): what a picture looks like as a whole, its features' means and spreads."""
        deep = self._maps(rgb, _ABOUT_PX)[-2:]
        found = [value for m in deep for value in (m.mean((2, 3))[0], m.std((2, 3))[0])]
        return np.asarray(torch.cat(found).double().cpu().numpy(), np.float64)

    def _maps(self, rgb: ByteArray, imgsz: int) -> Sequence[Tensor]:
        pixels = torch.from_numpy(padded(rgb, imgsz)).to(self.device)
        with torch.inference_mode():
            return self.backbone.maps(pixels.permute(2, 0, 1)[None].float() / 255)


def padded(rgb: ByteArray, imgsz: int) -> ByteArray:
    """The picture with its longer side at `imgsz`, mirrored beyond its border.

    By _MARGIN_PX, lest the network sees the zeros that it fills up with, and to whole patches.
    """
    import cv2

    height, width = _scaled(rgb, imgsz)
    scaled, _ = fit(rgb, None, (width, height))
    below, beside = -height % _DEEPEST, -width % _DEEPEST
    edges = (_MARGIN_PX, _MARGIN_PX + below, _MARGIN_PX, _MARGIN_PX + beside)
    mirrored = cv2.copyMakeBorder(scaled, *edges, cv2.BORDER_REFLECT)
    return np.ascontiguousarray(mirrored, np.uint8)


def _scaled(rgb: ByteArray, imgsz: int) -> tuple[int, int]:
    height, width = rgb.shape[:2]
    scale = imgsz / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
