"""A task that trains at once, to a score that follows from its set; importable from a worker."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace

from vqc.errors import InputError, VqcError
from vqc.files import replace_file
from vqc.tasks.contract import Evaluation, Fitted, Headline
from vqc.tasks.settings import parse

if Path(sys.argv[0]).name == "engines.py":
    # Every worker would spend seconds on torch, only to write down its version.
    none = SimpleNamespace(device_count=lambda: 0, is_initialized=lambda: False)
    sys.modules["torch"] = SimpleNamespace(cuda=none, get_num_threads=lambda: 1, Tensor=int)

ON_TEST = 0.125
"""A run is so much worse on test than on val."""


def setting(default):
    return field(default=default, metadata={"help": "as for vqc train"})


@dataclass(frozen=True)
class Settings:
    """fails, kills, dies: cells, such as cad4-real1, that raise, that end their process each
    time, or after their first epoch once. slow: seconds a batch."""

    epochs: int = setting(2)
    batch: int = setting(4)
    imgsz: int = setting(64)
    freeze: int | None = setting(None)
    seed: int = setting(0)
    device: str = setting("")
    epoch_images: int | None = setting(None)
    fails: str = setting("")
    kills: str = setting("")
    dies: str = setting("")
    slow: float = setting(0.0)

    def identity(self):
        """Trouble is no part of what a training is, so that it can be mended."""
        record = asdict(self)
        for key in ("device", "fails", "kills", "dies", "slow"):
            record.pop(key)
        return record


def score_of(cad: int, real: int) -> float:
    """Rises with both, and photos count for more."""
    return 1 - 1 / (1 + 0.02 * cad + 0.1 * real)


class Fake:
    name = "fake"
    headline = Headline("mAP50")
    config = Settings

    def configure(self, settings):
        return Settings(**parse(Settings, settings))

    def check(self, dataset): ...

    def fit(self, dataset, config, run_dir, monitor):
        cell = "-".join(run_dir.name.split("-")[:2])
        if cell in config.fails.split(","):
            raise VqcError(f"{cell} is not liked")
        if cell in config.kills.split(","):
            os.kill(os.getpid(), signal.SIGKILL)
        state = run_dir / "state.json"
        done = json.loads(state.read_bytes()) if state.is_file() else 0
        if done:
            monitor.resumed(done)
        frames = dataset.frames("train")
        images = config.epoch_images or len(frames)
        score = score_of(*(sum(f.source == kind for f in frames) for kind in ("cad", "real")))
        for epoch in range(done + 1, config.epochs + 1):
            for seen in range(config.batch, images + config.batch, config.batch):
                time.sleep(config.slow)
                monitor.progress((epoch - 1) * images + min(seen, images), config.epochs * images)
            monitor.epoch(epoch, {"train/loss": 1 / epoch, "val/mAP50": score})
            run_dir.mkdir(parents=True, exist_ok=True)
            replace_file(state, json.dumps(epoch).encode())
            note(run_dir, f"{run_dir.name} epoch {epoch} seen {images} device {config.device}")
            if cell in config.dies.split(",") and epoch == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        (run_dir / "best.pt").write_text("weights")
        metrics = dict.fromkeys(("mAP50", "precision", "recall", "F1", "loss"), score)
        return Fitted(config.epochs, config.epochs, metrics, "val")

    def evaluate(self, run, dataset, split, device=""):
        frames = len(dataset.frames(split))
        metrics = {name: value - ON_TEST for name, value in run.metrics.items()}
        note(run.folder, f"{run.name} scored on {split}")
        return Evaluation(split, frames, metrics, {}, 0.5)

    def predict(self, run, pictures, settings): ...

    def draw(self, picture, prediction): ...


class PlainSettings(Settings):
    def identity(self):
        record = super().identity()
        del record["epoch_images"]
        return record


class Plain(Fake):
    """Knows no epoch_images, and less is better; its loss is the other one's score."""

    name = "plain"
    headline = Headline("loss", higher_is_better=False)
    config = PlainSettings

    def configure(self, settings):
        if "epoch_images" in settings:
            raise InputError("epoch_images: there is no such setting")
        return PlainSettings(**parse(Settings, settings))


def note(run_dir: Path, line: str) -> None:
    """What was really done, for tests to read; trial trainings are elsewhere and not noted."""
    if "cells" in run_dir.parts:
        with Path(*run_dir.parts[: run_dir.parts.index("cells")], "done.log").open("a") as log:
            log.write(f"{line} pid {os.getpid()}\n")
