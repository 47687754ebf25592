"""What trains a classifier, epoch by epoch, and what reads its answers.

Import this late: it loads torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from vqc.tasks.classify.config import LEGO_CNN, ClassifyConfig
from vqc.tasks.classify.samples import Pixels
from vqc.tasks.learning.augment import vary
from vqc.tasks.learning.epochs import Seen
from vqc.tasks.learning.reading import batches, epoch_order
from vqc.types import ByteArray, FloatArray, IntArray

_DECAY = 0.01
_WARM = 0.05
"""Share of all steps in which the learning rate rises."""
_LOWEST = 0.01
"""Where it ends, as a share of its highest."""
_AT_ONCE = 64
"""Pictures a batch where nothing is learnt."""


class ClassifyLearner:
    """A network with what it learns from; a `vqc.tasks.learning.epochs.Learner`.

    train, val: pictures with (N,) class numbers; val may be empty. The original learns with
    Adam at one rate, as Keras does; the backbone with AdamW at a rate that falls as a cosine.
    """

    def __init__(
        self,
        network: nn.Module,
        train: tuple[Pixels, IntArray],
        val: tuple[Pixels, IntArray],
        config: ClassifyConfig,
        device: torch.device,
    ) -> None:
        self.network, self._config, self._device = laid_out(network, device), config, device
        self._train, self._val = train, val
        self.pictures = config.epoch_images or len(train[0])
        self.optimizer: optim.Optimizer
        rate = config.recipe.rate
        if config.model == LEGO_CNN:
            self.optimizer = optim.Adam(network.parameters(), rate, eps=1e-7)
        else:
            self.optimizer = optim.AdamW(_groups(network), rate)

    def learn(self, epoch: int, seen: Seen) -> Mapping[str, float]:
        pixels, truth = self._train
        recipe = self._config.recipe
        order = epoch_order(len(pixels), self.pictures, self._config.seed, epoch)
        steps = math.ceil(len(order) / recipe.batch)
        load = self._varied(pixels, order, epoch)
        loss_sum, right = 0.0, 0
        for step, pictures in enumerate(batches(load, range(len(order)), recipe.batch)):
            places = order[step * recipe.batch : step * recipe.batch + len(pictures)]
            wanted = torch.from_numpy(truth[places]).to(self._device)
            self._set_rate(epoch * steps + step, steps * recipe.epochs)
            logits = self.network(to_batch(pictures, self._device))
            loss = functional.cross_entropy(logits, wanted)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            loss_sum += float(loss.detach()) * len(pictures)
            right += int((logits.detach().argmax(1) == wanted).sum())
            seen(len(pictures))
        return {"train/loss": loss_sum / len(order), "train/accuracy": right / len(order)}

    def validate(self) -> Mapping[str, float]:
        pixels, truth = self._val
        if not len(pixels):
            return {}
        logits = torch.from_numpy(logits_of(self.network, pixels, self._device))
        wanted = torch.from_numpy(truth)
        loss = float(functional.cross_entropy(logits, wanted))
        return {
            "val/loss": loss,
            "val/accuracy": float((logits.argmax(1) == wanted).double().mean()),
        }

    def _varied(
        self, pixels: Pixels, order: IntArray, epoch: int
    ) -> Callable[[int], ByteArray]:  # fmt: skip
        """By the place in the epoch's order; what is drawn follows from seed, epoch and place."""
        size, variation = self._config.recipe.imgsz, self._config.variation
        seed = self._config.seed

        def load(place: int) -> ByteArray:
            rng = np.random.default_rng([seed, epoch, place])
            return vary(pixels.load(int(order[place])), None, (size, size), variation, rng)[0]

        return load

    def _set_rate(self, step: int, steps: int) -> None:
        if self._config.model == LEGO_CNN:
            return
        for group in self.optimizer.param_groups:
            group["lr"] = self._config.recipe.rate * rate_share(step, steps)


def rate_share(step: int, steps: int) -> float:
    """Of the highest rate: a short rise, then half a cosine down (Loshchilov and Hutter 2017)."""
    warm = max(1, round(_WARM * steps))
    if step < warm:
        return (step + 1) / warm
    along = (step - warm) / max(1, steps - warm)
    return _LOWEST + (1 - _LOWEST) * (1 + math.cos(math.pi * along)) / 2


def logits_of(network: nn.Module, pixels: Pixels, device: torch.device) -> FloatArray:
    """(N, K) float64: what the network says of every picture."""
    found = []
    network.eval()
    with torch.inference_mode():
        for pictures in batches(pixels.load, range(len(pixels)), _AT_ONCE):
            found.append(network(to_batch(pictures, device)).double().cpu().numpy())
    logits: FloatArray = np.concatenate(found)
    return logits


def to_batch(pictures: Sequence[ByteArray], device: torch.device) -> Tensor:
    """(N, 3, H, W) in [0, 1], laid out as convolutions are fastest."""
    batch = torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2)
    return batch.float().div_(255).contiguous(memory_format=torch.channels_last)


def laid_out(network: nn.Module, device: torch.device) -> nn.Module:
    """On its device, and laid out as `to_batch` does."""
    return network.to(device).to(memory_format=torch.channels_last)


def _groups(network: nn.Module) -> list[dict[str, object]]:
    """Weights of layers decay; biases and what normalisation scales by do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": _DECAY},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
