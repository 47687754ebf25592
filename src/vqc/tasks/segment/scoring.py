"""A network on a split: counts for every threshold, and the metrics that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqc.dataset import Dataset
from vqc.tasks.learning.reading import batches
from vqc.tasks.segment import data
from vqc.tasks.segment.counts import Chosen, Counts, histogram, hundredths, mean
from vqc.tasks.segment.tiles import Answer, Maps, Tiling, maps
from vqc.types import ByteArray, Frame

if TYPE_CHECKING:
    from torch import nn


def answer_of(network: nn.Module, halved: bool = False) -> Answer:
    """Pictures → probabilities, by a network that is ready to evaluate, where it lies.

    halved: in bfloat16, which is faster and a little less exact.
    """
    import torch

    device = next(network.parameters()).device

    def answer(rgbs: NDArray[np.uint8]) -> Maps:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=halved),
        ):
            pictures = torch.from_numpy(rgbs).to(device).permute(0, 3, 1, 2).float() / 255
            found: Maps = network(pictures).float().sigmoid().cpu().numpy()
        return found

    return answer


def answered(
    answer: Answer, dataset: Dataset, split: str, tiling: Tiling
) -> Iterator[tuple[Frame, ByteArray, Maps]]:
    """Every frame of a split with its picture and its (C, H, W) probabilities, in order."""
    frames = dataset.frames(split)

    def load(number: int) -> tuple[Frame, ByteArray]:
        return frames[number], data.picture_of(dataset, frames[number])

    for loaded in batches(load, range(len(frames)), tiling.batch):
        for some in alike(loaded):
            found = maps(answer, [rgb for _, rgb in some], tiling)
            for (frame, rgb), each in zip(some, found, strict=True):
                yield frame, rgb, each


def alike(loaded: Iterable[tuple[Frame, ByteArray]]) -> Iterator[list[tuple[Frame, ByteArray]]]:
    """Neighbours of one size."""
    for _, some in groupby(loaded, key=lambda each: each[1].shape):
        yield list(some)


def counts_of(answer: Answer, dataset: Dataset, split: str, tiling: Tiling) -> Counts:
    """The counts of a split. Only one batch of pictures is in memory at a time."""
    classes = dataset.manifest.classes
    return Counts.of(
        [
            histogram(hundredths(found), data.masks_of(frame, classes))
            for frame, _, found in answered(answer, dataset, split, tiling)
        ]
    )


def summary(chosen: Chosen) -> dict[str, float]:
    """Metrics of all classes: Dice by picture, the others are means over classes."""
    return {
        "Dice": float(chosen.dice().mean()),
        "Dice-present": mean(chosen.dice_present()),
        "IoU": mean(chosen.iou()),
        "precision": mean(chosen.precision()),
        "recall": mean(chosen.recall()),
        "F1": mean(chosen.f1()),
    }


def by_class(chosen: Chosen, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """The same of each class; Dice over all pictures."""
    columns = {
        "Dice": chosen.dice().mean(0), "Dice-present": chosen.dice_present(),
        "IoU": chosen.iou(), "precision": chosen.precision(), "recall": chosen.recall(),
        "F1": chosen.f1(),
    }  # fmt: skip
    return {
        name: {metric: float(values[k]) for metric, values in columns.items()}
        for k, name in enumerate(classes)
    }
