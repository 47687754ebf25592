"""Tiny sets with masks: bright and red squares on noise, which may overlap."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from training import add_frame, finish_set

from vqc.dataset import Dataset
from vqc.formats import rle
from vqc.runs import WEIGHTS, Run
from vqc.tasks.contract import Fitted
from vqc.types import Annotation, Frame

CLASSES = ("bright", "red")
SIDE = 64
SMALL: dict[str, Any] = {
    "weights": "yolov8n.yaml", "epochs": 2, "batch": 4, "device": "cpu", "tile": 64, "overlap": 0,
}  # fmt: skip


def note(name: str, mask: np.ndarray) -> Annotation:
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return Annotation(name, box_xyxy=tuple(float(v) for v in box), mask=rle.encode(mask))


def square(x: int, y: int, side: int, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """A mask; size: height and width."""
    mask = np.zeros(size, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def masked_frame(root: Path, split: str, number: int) -> Frame:
    """A bright square, on odd numbers a red one over its corner; every fourth shows nothing."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(40, 80, (SIDE, SIDE, 3), np.uint8)
    notes = []
    if number % 4 != 3:
        x, y = (int(v) for v in rng.integers(2, SIDE - 40, 2))
        bright = square(x, y, 24)
        pixels[bright] += 120
        notes.append(note("bright", bright))
        if number % 2:
            red = square(x + 12, y + 12, 24)
            pixels[red, 0] = 250
            notes.append(note("red", red))
    image = f"images/{split}/{number:03d}.png"
    return add_frame(root, image, Image.fromarray(pixels), tuple(notes), CLASSES)


def masked_set(root: Path, splits: Mapping[str, int] | None = None) -> Dataset:
    frames, number = [], 0
    for split, count in (splits or {"train": 6, "val": 4, "test": 2}).items():
        for _ in range(count):
            frames.append(masked_frame(root, split, number))
            number += 1
    return finish_set(root, frames, CLASSES)


def run_of(folder: Path, dataset: Dataset, fitted: Fitted, config: Any) -> Run:
    return Run(
        folder=folder, run_id="0123456789ab", task="segment", name="tiny",
        config=config.identity(), seed=0, classes=CLASSES, dataset_name=dataset.manifest.name,
        manifest_sha256=dataset.sha256, metrics=fitted.metrics, epochs=fitted.epochs,
        best_epoch=fitted.best_epoch, chosen_on=fitted.chosen_on, seconds=1.0,
        weights=folder / WEIGHTS,
    )  # fmt: skip


class Heard:
    """A monitor; stop_in: the epoch in which it interrupts."""

    def __init__(self, stop_in: int = 0) -> None:
        self.epochs: dict[int, dict[str, float]] = {}
        self.resumed_after: list[int] = []
        self.stop_in = stop_in

    def progress(self, done: int, total: int) -> None:
        assert 0 < done <= total

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        self.epochs[number] = dict(metrics)
        if number == self.stop_in:
            raise KeyboardInterrupt

    def resumed(self, epochs_done: int) -> None:
        self.resumed_after.append(epochs_done)
