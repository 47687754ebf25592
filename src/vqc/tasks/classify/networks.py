"""The networks of the classifier: a detector's backbone with a head, and the small one.

Pictures go in as (N, 3, H, W) in [0, 1], RGB; (N, K) logits come out. Import this late: it loads
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from vqc.tasks.classify.config import BACKBONE, SCRATCH, ClassifyConfig
from vqc.tasks.learning.backbone import Backbone, from_plan, load_backbone
from vqc.tasks.learning.weights import find_architecture, is_architecture, plan_of

_FILTERS, _DENSE = 128, 64
_MOMENTUM = 0.1
"""Of batch normalisation; a detector's 0.03 lags behind in a training of few steps."""
_LUMA = (0.299, 0.587, 0.114)
"""Of ITU-R BT.601, by which Pillow and OpenCV turn colours into grey."""
_POOLED = 2
"""The deepest scales that are pooled: strides 16 and 32."""


class LegoCnn(nn.Module):  # type: ignore[misc]
    """The original: grey, twice 3×3 convolution of 128 and 2×2 pooling, dropout, dense 64.

    As Keras builds it: no padding, Glorot's uniform weights, biases of 0. At 32 px and four
    classes it has 444,100 parameters. The softmax is in the loss.
    """

    def __init__(self, classes: int, imgsz: int, dropout: float) -> None:
        super().__init__()
        side = ((imgsz - 2) // 2 - 2) // 2
        self.layers = nn.Sequential(
            nn.Conv2d(1, _FILTERS, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(_FILTERS, _FILTERS, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Dropout(dropout), nn.Flatten(),
            nn.Linear(_FILTERS * side * side, _DENSE), nn.ReLU(),
            nn.Linear(_DENSE, classes),
        )  # fmt: skip
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, batch: Tensor) -> Tensor:
        luma = batch.new_tensor(_LUMA).view(1, 3, 1, 1)
        logits: Tensor = self.layers((batch * luma).sum(1, keepdim=True))
        return logits


class BackboneClassifier(nn.Module):  # type: ignore[misc]
    """A detector's features, averaged over the picture at its two deepest scales, and a line."""

    def __init__(self, backbone: Backbone, classes: int, dropout: float) -> None:
        super().__init__()
        self._backbone = backbone
        self.layers = backbone.layers
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(sum(backbone.channels[-_POOLED:]), classes)

    @property
    def plan(self) -> Mapping[str, Any]:
        return self._backbone.plan

    def forward(self, batch: Tensor) -> Tensor:
        maps = self._backbone.maps(batch)[-_POOLED:]
        pooled = torch.cat([features.mean((2, 3)) for features in maps], 1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def build(config: ClassifyConfig, classes: int) -> nn.Module:
    """The network that training starts from; its random weights follow from torch's seed.

    Raises InputError for weights that are missing or unsafe, or hold no backbone.
    """
    recipe = config.recipe
    if config.model != BACKBONE:
        return LegoCnn(classes, recipe.imgsz, recipe.dropout)
    if is_architecture(config.start):
        backbone = from_plan(find_architecture(config.start))
    else:
        backbone = load_backbone(config.start)
    for parameter in backbone.layers.parameters():
        parameter.requires_grad = True  # files of weights may say otherwise
    for layer in backbone.layers.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = _MOMENTUM
    return BackboneClassifier(backbone, classes, recipe.dropout)


def described(network: nn.Module) -> dict[str, Any]:
    """Plain values from which `rebuilt` makes the same network."""
    plan = dict(network.plan) if isinstance(network, BackboneClassifier) else None
    return {"plan": plan}


def rebuilt(about: Mapping[str, Any], classes: int, file: str) -> nn.Module:
    """The network of a file that says this of it; its weights are still to be set.

    Raises InputError where its plan names layers that no detector has.
    """
    if about["model"] != BACKBONE:
        return LegoCnn(classes, int(about["imgsz"]), 0.0)
    plan = plan_of(SimpleNamespace(yaml=about["plan"] or find_architecture(SCRATCH)), file)
    return BackboneClassifier(from_plan(plan), classes, 0.0)
