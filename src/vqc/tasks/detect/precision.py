"""Mixed precision of training, also on a processor, where Ultralytics offers none.

`amp=bf16` lets convolutions compute in bfloat16; weights, loss and optimiser stay in float32. On a
processor with bfloat16 instructions a step takes about half as long (docs/performance.md).

Import this after `vqc.ultra.prepare()`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import ultralytics.engine.trainer as engine
from torch import nn


@contextmanager
def mixed_precision() -> Iterator[None]:
    """Ultralytics' training with `amp=bf16` on a processor too; with fp16 where it has CUDA."""
    kept = engine.check_amp, engine.autocast

    def autocast(enabled: bool | torch.dtype, device: str = "cuda") -> Any:
        if device == "cpu":
            return torch.autocast("cpu", torch.bfloat16, enabled=enabled is torch.bfloat16)
        return kept[1](enabled, device)

    # Its own test of mixed precision would load a file of weights by name.
    engine.check_amp = lambda model: next(model.parameters()).is_cuda
    engine.autocast = autocast
    try:
        yield
    finally:
        engine.check_amp, engine.autocast = kept


def suit_processor(network: nn.Module) -> None:
    """Lay a network out as convolutions on a processor are fastest, its loss in float32.

    Box coordinates in bfloat16 would be a quarter of a grid cell off.
    """
    network.to(memory_format=torch.channels_last)
    network.criterion = Float32Loss(network.init_criterion())


class Float32Loss:
    """A loss of Ultralytics that is computed in float32, whatever the network computed in."""

    def __init__(self, loss: Any) -> None:
        self._loss = loss

    def __call__(self, predictions: Any, batch: Mapping[str, Any]) -> Any:
        with torch.autocast("cpu", enabled=False):
            return self._loss(_float32(predictions), batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loss, name)


def _float32(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return {key: _float32(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_float32, value))
    return value
