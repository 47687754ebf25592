"""Run folders: what a training leaves behind, and what the other commands read.

runs/<task>/<name>/
  run.yaml          what was asked: task, settings, dataset; the run's identity
  dataset.jsonl     the manifest it trains on, byte for byte
  lineage.json      the sets behind it, up to the STEP files and photos
  environment.json  versions and machine
  metrics.csv       a row an epoch
  best.pt           the weights that count
  run.json          the result; appears last, so a folder without it is unfinished
  eval/<set>-<split>/evaluation.json, predictions.jsonl and pictures
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.dataset import Dataset, dataset_from
from vqc.errors import InputError

ASKED = "run.yaml"
DATASET = "dataset.jsonl"
LINEAGE = "lineage.json"
ENVIRONMENT = "environment.json"
METRICS = "metrics.csv"
WEIGHTS = "best.pt"
RESULT = "run.json"
EVALUATIONS = "eval"
VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One training, as its folder tells; weights: the file to predict with."""

    folder: Path
    run_id: str
    task: str
    name: str
    config: Mapping[str, Any]
    seed: int
    classes: tuple[str, ...]
    dataset_name: str
    manifest_sha256: str
    metrics: Mapping[str, float]
    epochs: int
    best_epoch: int
    chosen_on: str | None
    seconds: float
    weights: Path


def read_run(folder: Path) -> Run:
    """A finished run; InputError where there is none, or where it is not finished."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such run; vqc train makes one under runs/")
    if not (folder / RESULT).is_file():
        if (folder / ASKED).is_file():
            raise InputError(f"{folder} is not finished: give its vqc train command again")
        raise InputError(f"{folder} is no run: it holds no {RESULT}")
    record = read_json(folder / RESULT)
    try:
        if record["vqc_run"] != VERSION:
            raise InputError(f"{folder}/{RESULT}: expected version {VERSION}")
        run = Run(
            folder=folder,
            run_id=str(record["run_id"]),
            task=str(record["task"]),
            name=str(record["name"]),
            config=dict(record["config"]),
            seed=int(record["seed"]),
            classes=tuple(map(str, record["classes"])),
            dataset_name=str(record["dataset"]["name"]),
            manifest_sha256=str(record["dataset"]["sha256"]),
            metrics={str(k): float(v) for k, v in record["metrics"].items()},
            epochs=int(record["epochs"]),
            best_epoch=int(record["best_epoch"]),
            chosen_on=record["chosen_on"],
            seconds=float(record["seconds"]),
            weights=folder / WEIGHTS,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}/{RESULT}: not the result of a run ({error!r})") from None
    if not run.weights.is_file():
        raise InputError(f"{run.weights} is missing; vqc train --fresh trains again")
    return run


def dataset_of(run: Run) -> Dataset:
    """What a run was trained on, as its own copy of the manifest says; no pictures are needed."""
    file = run.folder / DATASET
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    dataset = dataset_from(data, run.folder)
    if dataset.sha256 != run.manifest_sha256:
        raise InputError(f"{file} was changed: its sha256 is not the one in {RESULT}")
    return dataset


def result_record(run: Run) -> dict[str, Any]:
    """The content of run.json."""
    return {
        "vqc_run": VERSION,
        "run_id": run.run_id,
        "task": run.task,
        "name": run.name,
        "config": dict(run.config),
        "seed": run.seed,
        "classes": list(run.classes),
        "dataset": {"name": run.dataset_name, "sha256": run.manifest_sha256},
        "metrics": dict(run.metrics),
        "epochs": run.epochs,
        "best_epoch": run.best_epoch,
        "chosen_on": run.chosen_on,
        "seconds": round(run.seconds, 3),
    }


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of a run folder; InputError for anything else."""
    try:
        record = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{file}: not JSON: {error}") from None
    if not isinstance(record, dict):
        raise InputError(f"{file}: expected a JSON object")
    return record


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """A JSON object as it lies in a run folder."""
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
