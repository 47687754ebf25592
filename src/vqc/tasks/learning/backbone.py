"""The backbone of a YOLO detector as an extractor of features, at every scale.

In: a file of weights, or the plan of its network. Out: a network that turns pictures into maps
of features at strides 2, 4, 8, 16 and 32.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

STRIDES = (2, 4, 8, 16, 32)
_PROBE_PX = 64


class Backbone:
    """Layers of a detector up to its neck, each fed by the one before.

    layers: an `nn.Sequential`, to be put into a network. taps: the layer whose output is the last
    at each of STRIDES. channels: of these outputs. plan: from which `from_plan` builds it again.
    """

    def __init__(self, layers: nn.Sequential, plan: Mapping[str, Any]) -> None:
        self.layers, self.plan = layers, dict(plan)
        self.taps, self.channels = _taps(layers)

    def maps(self, batch: Tensor, deepest: int = STRIDES[-1]) -> list[Tensor]:
        """Features at every stride up to `deepest`: (N, C, H / stride, W / stride) each.

        batch: (N, 3, H, W) in [0, 1], RGB; H and W multiples of `deepest`.
        """
        found = []
        last = self.taps[STRIDES.index(deepest)]
        for number, layer in enumerate(self.layers[: last + 1]):
            batch = layer(batch)
            if number in self.taps:
                found.append(batch)
        return found


def load_backbone(weights: str) -> Backbone:
    """The backbone of a detector's file, found as `vqc.tasks.learning.weights.find_weights` does.

    Raises InputError where there is no such file, or no backbone of that kind in it.
    """
    from vqc import ultra
    from vqc.tasks.learning.weights import find_weights, plan_of

    file = find_weights(weights)
    network = ultra.load_detector(file)
    return _cut(network, plan_of(network, str(file)), file)


def from_plan(plan: Mapping[str, Any]) -> Backbone:
    """A backbone that knows nothing yet; its weights come from a run's file."""
    from vqc import ultra

    ultra.prepare()
    from ultralytics.nn.tasks import DetectionModel

    network = DetectionModel(copy.deepcopy(dict(plan)), verbose=False)
    return _cut(network, plan, Path("the run's plan"))


def _cut(network: Any, plan: Mapping[str, Any], file: Path) -> Backbone:
    from torch import nn

    layers = list(network.model)[: len(plan["backbone"])]
    for layer in layers:
        if layer.f != -1:
            raise InputError(
                f"{file}: its backbone branches; expected one such as YOLOv8's or YOLO11's"
            )
    return Backbone(nn.Sequential(*layers), plan)


def _taps(layers: nn.Sequential) -> tuple[list[int], list[int]]:
    import torch

    was_training = layers.training
    layers.eval()
    strides, channels = [], []
    with torch.no_grad():
        batch = torch.zeros(1, 3, _PROBE_PX, _PROBE_PX)
        for layer in layers:
            batch = layer(batch)
            strides.append(_PROBE_PX // batch.shape[-1])
            channels.append(batch.shape[1])
    layers.train(was_training)
    if not set(STRIDES) <= set(strides):
        wanted = ", ".join(map(str, STRIDES))
        raise InputError(f"the backbone has strides {sorted(set(strides))}; expected {wanted}")
    taps = [max(k for k, found in enumerate(strides) if found == stride) for stride in STRIDES]
    return taps, [channels[tap] for tap in taps]
