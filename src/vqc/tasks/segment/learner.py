"""A network of `segment` with what it learns from, as `vqc.tasks.learning.epochs` wants it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vqc.dataset import Dataset
from vqc.tasks.learning.epochs import Seen
from vqc.tasks.learning.norms import is_folded, unfold
from vqc.tasks.learning.reading import batches, epoch_order
from vqc.tasks.segment import data
from vqc.tasks.segment.config import BACKBONE, SegmentConfig
from vqc.tasks.segment.losses import loss_of
from vqc.tasks.segment.scoring import answer_of, counts_of, summary
from vqc.tasks.segment.thresholds import middle
from vqc.tasks.segment.tiles import Tiling
from vqc.types import ByteArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_MEASURED = 128
"""Pictures on which folded batch normalisation is measured."""
_WARM_UP = 0.05
"""Share of the steps in which the rate rises to its full height."""
_LEAST_RATE = 0.01
"""Of the full rate; where the cosine ends."""
_DECAY = 0.02


class Learner:
    """network: on `device`, as `networks.build` made it. config: resolved."""

    def __init__(
        self, network: nn.Module, dataset: Dataset, config: SegmentConfig, device: torch.device
    ) -> None:
        import torch

        self.network = network
        self._dataset, self._config, self._device = dataset, config, device
        self._frames = dataset.frames("train")
        self._size = data.training_size(self._frames, config)
        self.pictures = config.epoch_images or len(self._frames)
        of = (torch.optim.AdamW, {"weight_decay": _DECAY})
        kind, more = of if config.model == BACKBONE else (torch.optim.Adam, {})
        self.optimizer = kind(network.parameters(), lr=config.rate or 0.0, **more)

    def unfold(self) -> None:
        """Measure folded batch normalisation on training pictures; else a step would forget."""
        encoder: Any = getattr(self.network, "encoder", None)
        if encoder is not None and is_folded(encoder):
            count = min(_MEASURED, len(self._frames))
            unfold(encoder, (pictures for pictures, _ in self._batches(0, count)))

    def learn(self, epoch: int, seen: Seen) -> Mapping[str, float]:
        import torch

        config = self._config
        steps = math.ceil(self.pictures / (config.batch or 1))
        losses = []
        for step, (pictures, truth) in enumerate(self._batches(epoch, self.pictures)):
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate(epoch + step / steps)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=config.amp == "bf16"):
                logits = self.network(pictures)
            loss = loss_of(
                config.loss or "bce", logits.float(), truth,
                config.positive_weight or 0.0, config.negative_weight or 0.0,
            )  # fmt: skip
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(float(loss.detach()) * len(pictures))
            seen(len(pictures))
        return {"train/loss": sum(losses) / self.pictures}

    def rate(self, epoch: float) -> float:
        """The learning rate after so many epochs: constant for the originals, else a cosine."""
        full, done = self._config.rate or 0.0, epoch / self._config.epochs
        if self._config.model != BACKBONE:
            return full
        if done < _WARM_UP:
            return full * (done + 0.001) / (_WARM_UP + 0.001)
        fall = (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2
        return full * (_LEAST_RATE + (1 - _LEAST_RATE) * fall)

    def validate(self) -> Mapping[str, float]:
        """Dice, IoU and F1 on val, at half the probability."""
        if not self._dataset.frames("val"):
            return {}
        answer = answer_of(self.network, halved=self._config.amp == "bf16")
        counts = counts_of(answer, self._dataset, "val", tiling_of(self._config))
        at = middle(counts.true.shape[1])
        found = summary(counts.at(at.hundredths, at.least_px))
        return {f"val/{name}": v for name, v in found.items() if math.isfinite(v)}

    def _batches(self, epoch: int, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(N, 3, H, W) pictures in [0, 1] and (N, C, H, W) truth, `count` pictures in all."""
        import torch

        order = epoch_order(len(self._frames), count, self._config.seed, epoch)

        def load(place: int) -> tuple[ByteArray, ByteArray]:
            frame = self._frames[order[place]]
            # By place and not by frame: in one epoch a frame may come twice.
            rng = np.random.default_rng([self._config.seed, epoch, place])
            rgb = data.picture_of(self._dataset, frame)
            masks = data.masks_of(frame, self._dataset.manifest.classes)
            augment = data.AUGMENTS[self._config.augment or "none"]
            return data.sample(rgb, masks, self._config.imgsz, self._size, augment, rng)

        for loaded in batches(load, range(count), self._config.batch or 1):
            pictures, truth = (
                torch.from_numpy(np.stack(each)).to(self._device).permute(0, 3, 1, 2).float()
                for each in zip(*loaded, strict=True)
            )
            yield (pictures / 255).contiguous(memory_format=torch.channels_last), truth


def tiling_of(config: SegmentConfig, batch: int = 4) -> Tiling:
    """How whole pictures are answered by what was trained like this."""
    return Tiling(config.imgsz, config.tile, config.overlap, batch)
