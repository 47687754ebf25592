"""Tasks that train at once, to a score that follows from the mix and the settings."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from vqc.errors import InputError, VqcError
from vqc.files import replace_file
from vqc.tasks.contract import Fitted, Headline
from vqc.tasks.settings import parse

BEST_CAD, BEST_LR0 = 12, 1e-3


def score_of(cad: int, lr0: float, freeze: int) -> float:
    """At most 0.9: with 12 renders, lr0 = 0.001 and no layer frozen."""
    bowl = 2 * ((cad - BEST_CAD) / 16) ** 2 + 0.5 * math.log10(lr0 / BEST_LR0) ** 2
    return 0.9 / (1 + bowl + freeze / 100)


def _setting(default):
    return field(default=default, metadata={"help": "for tests"})


@dataclass(frozen=True)
class Settings:
    """fails, kills: values of freeze that raise, that end their process each time. slow: seconds
    an epoch."""

    epochs: int = _setting(2)
    lr0: float = _setting(0.01)
    freeze: int = _setting(0)
    seed: int = _setting(0)
    device: str = _setting("")
    epoch_images: int | None = _setting(None)
    fails: str = _setting("")
    kills: str = _setting("")
    slow: float = _setting(0.0)

    def identity(self):
        record = asdict(self)
        for key in ("device", "slow"):
            record.pop(key)
        return record


class Tuned:
    name = "tuned"
    headline = Headline("mAP50")
    config = Settings

    def configure(self, settings):
        return Settings(**parse(Settings, settings))

    def check(self, dataset): ...

    def fit(self, dataset, config, run_dir, monitor):
        if str(config.freeze) in config.fails.split(","):
            raise VqcError("CUDA out of memory")
        if str(config.freeze) in config.kills.split(","):
            os.kill(os.getpid(), signal.SIGKILL)
        state = run_dir / "state.json"
        done = json.loads(state.read_bytes()) if state.is_file() else 0
        if done:
            monitor.resumed(done)
        frames = dataset.frames("train")
        images = config.epoch_images or len(frames)
        score = self.score(sum(f.source == "cad" for f in frames), config.lr0, config.freeze)
        for epoch in range(done + 1, config.epochs + 1):
            note(run_dir, f"epoch {epoch} seen {images}")
            time.sleep(config.slow)
            monitor.progress(epoch * images, config.epochs * images)
            monitor.epoch(epoch, {"val/mAP50": score})
            replace_file(state, json.dumps(epoch).encode())
        (run_dir / "best.pt").write_text("weights")
        return Fitted(config.epochs, config.epochs, {self.headline.metric: score}, "val")

    def score(self, cad, lr0, freeze):
        return score_of(cad, lr0, freeze)

    def evaluate(self, run, dataset, split, device=""): ...

    def predict(self, run, pictures, settings): ...

    def draw(self, picture, prediction): ...


class Lossy(Tuned):
    """Less is better, and nothing is known of epoch_images."""

    name = "lossy"
    headline = Headline("loss", higher_is_better=False)

    def configure(self, settings):
        if "epoch_images" in settings:
            raise InputError("epoch_images: there is no such setting")
        return LossySettings(**parse(Settings, settings))

    def score(self, cad, lr0, freeze):
        return 1 - score_of(cad, lr0, freeze)


class LossySettings(Settings):
    def identity(self):
        record = super().identity()
        del record["epoch_images"]
        return record


def note(run_dir: Path, line: str) -> None:
    """What was really done, for tests to read."""
    with (run_dir.parents[2] / "done.log").open("a") as log:
        log.write(f"{run_dir.name} {line}\n")
