"""A dataset → the weights of a detector, through Ultralytics, and through interruptions."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vqc import ultra
from vqc.dataset import Dataset
from vqc.errors import InputError, OutputError, VqcError
from vqc.files import replace_file
from vqc.runs import WEIGHTS, json_bytes, read_json
from vqc.tasks.contract import Fitted, Monitor
from vqc.tasks.detect.config import DetectConfig
from vqc.tasks.detect.weights import find_architecture, find_weights, is_architecture

FOLDER = "ultralytics"
FITTED = "fitted.json"
_PLACES = ("model", "data", "save_dir", "project", "name", "device", "resume")


def fit(dataset: Dataset, config: DetectConfig, run_dir: Path, monitor: Monitor) -> Fitted:
    """Train until the epochs are done or val gains no more; goes on where it was cut off.

    Leaves best.pt in run_dir. Raises InputError for weights that are missing or unsafe, and
    VqcError where training fails.
    """
    folder = run_dir / FOLDER
    if (run_dir / FITTED).is_file() and (run_dir / WEIGHTS).is_file():
        return Fitted(**read_json(run_dir / FITTED))
    ultra.prepare()
    last = _checkpoint(folder / "weights" / "last.pt")
    if last is not None:
        monitor.resumed(last["epoch"] + 1)
        if last["train_metrics"]["fitness"] == last["best_fitness"]:  # cut off between the two
            replace_file(folder / "weights" / "best.pt", (folder / "weights/last.pt").read_bytes())
    if last is None or not _is_over(last, config):
        start = None if last is not None else _start(config)
        _train(dataset, config, folder, start, last, monitor)
    last = _checkpoint(folder / "weights" / "last.pt")
    best = _checkpoint(folder / "weights" / "best.pt")
    if last is None or best is None:
        raise VqcError(f"{folder}: training ended without saving anything")
    fitted = _fitted(dataset, last, best)
    try:
        replace_file(run_dir / WEIGHTS, _stripped(best, config))
        replace_file(run_dir / FITTED, json_bytes(asdict(fitted)))
    except OSError as error:
        raise OutputError(f"{run_dir}: cannot be written: {error.strerror or error}") from None
    shutil.rmtree(folder / "weights", ignore_errors=True)
    return fitted


def _start(config: DetectConfig) -> Any:
    """The network to start from, or the plan of one."""
    if is_architecture(config.weights):
        return find_architecture(config.weights)
    return ultra.load_detector(find_weights(config.weights))


def _checkpoint(file: Path) -> Mapping[str, Any] | None:
    if not file.is_file():
        return None
    content = ultra.load_file(file)
    if content.get("ema") is None or not isinstance(content.get("epoch"), int):
        raise InputError(f"{file}: not a checkpoint of a training; --fresh trains again")
    return content


def _is_over(last: Mapping[str, Any], config: DetectConfig) -> bool:
    """Whether the checkpoint is the last one that this training would have written."""
    done = last["epoch"] + 1
    best = last["stopper"]["best_epoch"]
    return done >= config.epochs or (config.patience > 0 and done - best >= config.patience)


def _train(
    dataset: Dataset,
    config: DetectConfig,
    folder: Path,
    start: Any,
    last: Mapping[str, Any] | None,
    monitor: Monitor,
) -> None:
    from vqc.tasks.detect.trainer import Trainer

    try:
        trainer = Trainer(
            dataset, start, last, folder, config.epoch_images, config.arguments(), monitor
        )
        trainer.train()
    except OSError as error:
        where = error.filename or folder
        raise OutputError(f"{where}: {error.strerror or error}") from None
    except (RuntimeError, ValueError, AssertionError, FloatingPointError) as error:
        raise VqcError(f"training failed: {error}") from error


def _fitted(dataset: Dataset, last: Mapping[str, Any], best: Mapping[str, Any]) -> Fitted:
    from vqc.tasks.detect.trainer import plain_metrics

    chosen_on = "val" if dataset.frames("val") else None
    metrics = plain_metrics(best["train_metrics"]) if chosen_on else {}
    return Fitted(last["epoch"] + 1, best["epoch"] + 1, metrics, chosen_on)


def _stripped(best: Mapping[str, Any], config: DetectConfig) -> bytes:
    """What is needed to predict, as Ultralytics saves it; half the precision, no places."""
    import torch

    network = best["ema"].half()
    for parameter in network.parameters():
        parameter.requires_grad = False
    arguments = {k: v for k, v in best["train_args"].items() if k not in _PLACES}
    network.args = arguments
    kept = {
        "epoch": -1,
        "ema": None,
        "optimizer": None,
        "best_fitness": None,
        "updates": None,
        "model": network,
        "train_args": arguments | {"model": config.weights},
        "train_metrics": dict(best["train_metrics"]),
        **{key: best.get(key) for key in ("version", "license", "docs")},
    }
    buffer = io.BytesIO()
    torch.save(kept, buffer)
    return buffer.getvalue()
