"""Batch normalisation that was folded into the convolutions, taken out again.

Exported networks keep no statistics of their layers: they are folded into the weights. Such a
network predicts as before, but the first step of training normalises every layer anew, and
what it had learnt is lost. Measuring the statistics on training pictures and setting them
where they belong leaves its predictions as they are, in training too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def is_folded(network: nn.Module) -> bool:
    """Whether no layer has statistics of its own, and some layer says it has learnt something."""
    import torch

    norms = _norms(network)
    return bool(norms) and all(
        not norm.running_mean.any()
        and torch.allclose(norm.running_var, torch.ones_like(norm.running_var))
        and norm.bias.any()
        for norm in norms
    )


def unfold(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give every layer the statistics that it has on these pictures; predictions stay.

    batches: (N, 3, H, W) in [0, 1]. A layer y = w (x - 0) / sqrt(1 + e) + b becomes the same
    line through the mean and the variance of its own x.
    """
    import torch

    sums: dict[nn.Module, list[Tensor]] = {}

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach().double()
        found = [x.new_tensor(x.numel() / x.shape[1]), x.sum((0, 2, 3)), (x * x).sum((0, 2, 3))]
        kept = sums.get(norm)
        sums[norm] = found if kept is None else [a + b for a, b in zip(kept, found, strict=True)]

    norms = _norms(network)
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                network(batch)
            for norm, (count, total, squares) in sums.items():
                mean = total / count
                variance = (squares / count - mean * mean).clamp_min(0)
                before = (1.0 + norm.eps) ** 0.5
                slope = norm.weight.double() / before
                norm.bias.copy_(norm.bias + slope * mean)
                norm.weight.copy_(slope * (variance + norm.eps).sqrt())
                norm.running_mean.copy_(mean)
                norm.running_var.copy_(variance)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(was_training)


def _norms(network: nn.Module) -> list[nn.Module]:
    from torch import nn

    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
