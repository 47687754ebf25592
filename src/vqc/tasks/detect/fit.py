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
from vqc.runs import ANEW, WEIGHTS, json_bytes, read_json
from vqc.tasks.contract import Fitted, Monitor
from vqc.tasks.detect.config import DetectConfig
from vqc.tasks.learning.weights import (
    find_architecture,
    find_weights,
    inherit,
    is_architecture,
    plan_of,
    seen_tensor,
)

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
        return _read_fitted(run_dir / FITTED)
    ultra.prepare()
    ultra.require_device(config.device)
    inherit(config.weights, run_dir)
    last = _checkpoint(folder / "weights" / "last.pt")
    if last is not None:
        monitor.resumed(last["epoch"] + 1)
        if last["train_metrics"]["fitness"] == last["best_fitness"]:  # cut off between the two
            replace_file(folder / "weights" / "best.pt", (folder / "weights/last.pt").read_bytes())
    if last is None or not _is_over(last, config):
        start = _start(config) if last is None else (plan_of(last["ema"], "last.pt"), last["ema"])
        _train(dataset, config, folder, start, last, monitor)
    last = _checkpoint(folder / "weights" / "last.pt")
    best = _checkpoint(folder / "weights" / "best.pt")
    if last is None or best is None:
        raise VqcError(f"{folder}: training ended without saving anything")
    fitted = _fitted(dataset, last, best)
    try:
        replace_file(run_dir / WEIGHTS, _stripped(best, config, seen_tensor(run_dir)))
        replace_file(run_dir / FITTED, json_bytes(asdict(fitted)))
    except OSError as error:
        raise OutputError(f"{run_dir}: cannot be written: {error.strerror or error}") from None
    for scratch in ("weights", "cache"):
        shutil.rmtree(folder / scratch, ignore_errors=True)
    return fitted


def _read_fitted(file: Path) -> Fitted:
    try:
        return Fitted(**read_json(file, ANEW))
    except TypeError:
        raise InputError(f"{file}: cannot be read; {ANEW}") from None


def _start(config: DetectConfig) -> tuple[dict[str, Any], Any]:
    """The plan of the network to start from, and that network, or None from scratch."""
    if is_architecture(config.weights):
        return find_architecture(config.weights), None
    file = find_weights(config.weights)
    network = ultra.load_detector(file)
    return plan_of(network, str(file)), network


def _checkpoint(file: Path) -> Mapping[str, Any] | None:
    """What an earlier training saved; InputError where somebody else wrote it."""
    if not file.is_file():
        return None
    content = ultra.load_file(file)
    try:
        plan_of(content["ema"], str(file))
        numbers = [content["epoch"], content["stopper"]["best_epoch"]]
        numbers += [content["best_fitness"], content["train_metrics"]["fitness"]]
        known = all(isinstance(number, int | float) for number in numbers)
    except (KeyError, TypeError):
        known = False
    if not known or not isinstance(content.get("train_args"), dict):
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
    start: tuple[dict[str, Any], Any],
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
    except (RuntimeError, ValueError, TypeError, AssertionError, ImportError) as error:
        raise VqcError(f"training failed: {error}") from error


def _fitted(dataset: Dataset, last: Mapping[str, Any], best: Mapping[str, Any]) -> Fitted:
    from vqc.tasks.detect.data import choosing
    from vqc.tasks.detect.trainer import plain_metrics

    chosen_on = "val" if choosing(dataset) else None
    metrics = plain_metrics(best["train_metrics"]) if chosen_on else {}
    return Fitted(last["epoch"] + 1, best["epoch"] + 1, metrics, chosen_on)


def _stripped(best: Mapping[str, Any], config: DetectConfig, seen: Mapping[str, Any]) -> bytes:
    """What is needed to predict, as Ultralytics saves it; half the precision, no places.

    seen: what trained these weights, to be known again wherever the file is copied to.
    """
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
    kept |= seen
    buffer = io.BytesIO()
    torch.save(kept, buffer)
    return buffer.getvalue()
