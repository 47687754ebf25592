"""The original: a convolutional autoencoder on grey pictures of 256×256, and how it learns.

Encoder of 32, 32 and 16 filters of 5×5, each with a pooling of 2×2, so the bottleneck has 16 maps
of 32×32; the decoder mirrors it. The score is the Euclidean distance between input and
reconstruction. Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, optim

from vqc.tasks.learning.augment import fit
from vqc.tasks.learning.reading import batches, epoch_order
from vqc.types import ByteArray, FloatArray, IntArray

if TYPE_CHECKING:
    from vqc.tasks.anomaly.config import AnomalyConfig
    from vqc.tasks.learning.epochs import Seen

SIDE = 256
BOTTLENECK = 16
_FILTERS = (32, 32, BOTTLENECK)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Of ITU-R BT.601, by which Pillow and OpenCV turn colours into grey."""


class Autoencoder(nn.Module):  # type: ignore[misc]
    """(N, 1, 256, 256) in [0, 1] → the same shape."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = _FILTERS
        self.encoder = nn.Sequential(
            _conv(1, first), nn.ReLU(), nn.MaxPool2d(2),
            _conv(first, second), nn.ReLU(), nn.MaxPool2d(2),
            _conv(second, third), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            _conv(third, third), nn.ReLU(), nn.Upsample(scale_factor=2),
            _conv(third, second), nn.ReLU(), nn.Upsample(scale_factor=2),
            _conv(second, first), nn.ReLU(), nn.Upsample(scale_factor=2),
            _conv(first, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, batch: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(batch))
        return found


class Autoencoders(nn.Module):  # type: ignore[misc]
    """One for each group; kept: (N,), the training frames that are not left out."""

    kept: Tensor

    def __init__(self, groups: int, frames: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(Autoencoder() for _ in range(groups))
        self.register_buffer("kept", torch.ones(frames, dtype=torch.bool))

    def judge(
        self, grey: ByteArray, group: int
    ) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
        """Distance, heat map (256, 256) and bottleneck (16, 32, 32) of a (256, 256) picture."""
        member: Any = self.members[group]
        batch = to_batch([grey], self.kept.device)
        with torch.inference_mode():
            maps = member.encoder(batch)
            error = (member.decoder(maps) - batch)[0, 0]
        heat = error.abs().cpu().numpy().astype(np.float32)
        distance = float(np.sqrt((heat.astype(np.float64) ** 2).sum()))
        return distance, heat, maps[0].cpu().numpy().astype(np.float32)


def grey_of(rgb: ByteArray) -> ByteArray:
    """(256, 256): what the autoencoder sees of a picture (H, W, 3)."""
    small, _ = fit(rgb, None, (SIDE, SIDE))
    grey: ByteArray = np.rint(small.astype(np.float32) @ _LUMA).clip(0, 255).astype(np.uint8)
    return grey


def to_batch(greys: list[ByteArray], device: torch.device) -> Tensor:
    """(N, 1, 256, 256) in [0, 1]."""
    return torch.from_numpy(np.stack(greys)).to(device)[:, None].float() / 255


class AeLearner:
    """Learns to repeat good frames. See `vqc.tasks.learning.epochs.Learner`.

    load: the (256, 256) grey picture of a training frame by its number. groups: (N,), of each
    training frame. measure: metrics on val, of the network as it is.
    With contamination, the frames that it repeats worst are left out from half of the epochs on;
    val judges no epoch before, lest the weights that count be of one that learnt from all.
    """

    def __init__(
        self,
        network: Autoencoders,
        load: Callable[[int], ByteArray],
        groups: IntArray,
        config: AnomalyConfig,
        measure: Callable[[], Mapping[str, float]],
    ) -> None:
        self.network: Autoencoders = network
        self.optimizer = optim.Adam(network.parameters(), lr=config.rate)
        self.pictures = len(groups)
        self._load, self._groups, self._config, self._measure = load, groups, config, measure
        self._leaves_out_at = max(1, config.epochs // 2) if config.contamination > 0 else 0
        self._epoch = 0

    def learn(self, epoch: int, seen: Seen) -> Mapping[str, float]:
        self._epoch, count = epoch, self.pictures
        if 0 < self._leaves_out_at == epoch:
            self._leave_out()
        order = epoch_order(count, None, self._config.seed, epoch)
        order = order[self.network.kept.cpu().numpy()[order]]
        total = 0.0
        for numbers, greys in self._read(order):
            loss = self._step(numbers, greys)
            total += loss * len(numbers)
            seen(len(numbers))
        seen(count - len(order))
        return {"train/loss": total / len(order)}

    def validate(self) -> Mapping[str, float]:
        return self._measure() if self._epoch >= self._leaves_out_at else {}

    def _step(self, numbers: IntArray, greys: list[ByteArray]) -> float:
        """One step of all groups; gives the mean squared error of a pixel."""
        batch = to_batch(greys, self.network.kept.device)
        groups = self._groups[numbers]
        loss = batch.new_zeros(())
        for group in np.unique(groups).tolist():
            mine = batch[torch.from_numpy(groups == group).to(batch.device)]
            loss = loss + ((self.network.members[group](mine) - mine) ** 2).mean((1, 2, 3)).sum()
        loss = loss / len(batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def _read(self, order: IntArray) -> Any:
        at = 0
        for greys in batches(self._load, order, self._config.batch):
            yield order[at : at + len(greys)], greys
            at += len(greys)

    def _leave_out(self) -> None:
        """Frames that are repeated worst, of each group its share."""
        self.network.eval()
        distances = np.zeros(self.pictures)
        for numbers, greys in self._read(np.arange(self.pictures)):
            for number, grey in zip(numbers.tolist(), greys, strict=True):
                distances[number] = self.network.judge(grey, int(self._groups[number]))[0]
        kept = lowest(distances, self._groups, self._config.contamination)
        self.network.kept.copy_(torch.from_numpy(kept))
        self.network.train()


def lowest(distances: FloatArray, groups: IntArray, contamination: float) -> NDArray[np.bool_]:
    """(N,): the frames that stay when the highest share of each group is left out."""
    kept = np.ones(len(distances), bool)
    for group in np.unique(groups):
        mine = np.flatnonzero(groups == group)
        falling = mine[np.argsort(-distances[mine], kind="stable")]
        kept[falling[: min(round(contamination * len(mine)), len(mine) - 1)]] = False
    return kept


def _conv(inputs: int, filters: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, filters, 5, padding=2)
