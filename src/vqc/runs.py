"""Run folders: what a training leaves behind, and what the other commands read.

runs/<task>/<name>/
  run.yaml          what was asked: task, settings, dataset; the run's identity
  dataset.jsonl     the manifest it trains on, byte for byte
  lineage.json      the sets behind it, up to the STEP files and photos
  seen.jsonl.gz     what trained the weights that it started from, where that is known
  environment.json  versions and machine
  metrics.csv       a row an epoch
  best.pt           the weights that count
  run.json          the result; appears last, so a folder without it is unfinished
  eval/<set>-<split>/evaluation.json, predictions.jsonl and pictures
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.dataset import Dataset, dataset_from, open_dataset
from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.manifest import FILE_NAME

ASKED = "run.yaml"
DATASET = "dataset.jsonl"
LINEAGE = "lineage.json"
SEEN = "seen.jsonl.gz"
ENVIRONMENT = "environment.json"
METRICS = "metrics.csv"
WEIGHTS = "best.pt"
LAST = "last.pt"
"""What a task may keep there to go on from, until it is done."""
RESULT = "run.json"
ANEW = "its vqc train command with --fresh trains again"
"""What to do about a file of a run that is damaged."""
EVALUATIONS = "eval"
VERSION = 1

SETS = Path("datasets")
"""Where training sets lie, from the working folder and from the folder that holds runs/."""
CELLS = "cells"
"""The folder in runs/ and in datasets/ that holds what grids and searches made."""


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
    record = read_json(folder / RESULT, ANEW)
    try:
        if record["vqc_run"] != VERSION:
            raise InputError(
                f"{folder}/{RESULT}: expected version {VERSION}, got {record['vqc_run']}: another "
                f"vqc wrote it; use that one, or {ANEW}"
            )
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
        raise InputError(
            f"{folder}/{RESULT}: not the result of a run ({error!r}); {ANEW}"
        ) from None
    if not run.weights.is_file():
        raise InputError(f"{run.weights} is missing; {ANEW}")
    return run


def dataset_of(run: Run) -> Dataset:
    """What a run was trained on, as its own copy of the manifest says; no pictures are needed."""
    file = run.folder / DATASET
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; {_copy_of(run)}") from None
    if hashlib.sha256(data).hexdigest() != run.manifest_sha256:
        raise InputError(
            f"{file} was changed: its sha256 is not the one in {RESULT}; {_copy_of(run)}"
        )
    dataset = dataset_from(data, run.folder)
    return dataset


def _copy_of(run: Run) -> str:
    return f"put the {FILE_NAME} of the set {run.dataset_name} there again, or {ANEW}"


def own_dataset(run: Run) -> Dataset | None:
    """The set that a run was trained on, by the hash of its manifest; None where it is not here."""
    return find_set(run.dataset_name, run.manifest_sha256, set_roots(run.folder))


def find_set(name: str, sha256: str, roots: Sequence[Path]) -> Dataset | None:
    """The set with that name and that manifest, in whichever folder it lies; None if nowhere.

    roots: sets, or folders that hold sets or the folder CELLS; see `set_roots`.
    """
    for folder in set_folders(name, roots):
        file = folder / FILE_NAME
        try:
            with file.open("rb") as lines:
                head = json.loads(lines.readline())
                if not isinstance(head, dict) or head.get("name") != name:
                    continue
                lines.seek(0)
                if hashlib.file_digest(lines, "sha256").hexdigest() == sha256:
                    return open_dataset(folder)
        except (OSError, ValueError, RecursionError):
            continue
    return None


def set_roots(run_folder: Path, names: Sequence[Path] = (SETS,)) -> list[Path]:
    """Where sets lie, beside the runs/ of this run and in the working folder; each once.

    names: of the folders that hold sets.
    """
    project = project_of(run_folder)
    places = [path for name in names for path in (project / name, name)]
    return list({path.resolve(): path for path in places}.values())


def project_of(run_folder: Path) -> Path:
    """The folder that holds runs/: of runs/<task>/<name> and of runs/cells/<task>/<name>."""
    above = run_folder.resolve().parent.parent
    runs = above.parent if above.name == CELLS else above
    return Path(os.path.relpath(runs.parent))


def set_folders(name: str, roots: Sequence[Path]) -> Iterator[Path]:
    """Folders that may be sets, each once: in every root those of that name first."""
    seen: set[Path] = set()
    for root in roots:
        places = [root, root / name, root / CELLS / name, *_inside(root), *_inside(root / CELLS)]
        for folder in places:
            if folder not in seen:
                seen.add(folder)
                yield folder


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name[:1] != ".")
    except OSError:
        return []


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


def read_json(file: Path, remedy: str = "") -> dict[str, Any]:
    """A JSON object of a run folder; InputError for anything else. remedy: what makes it anew."""
    advice = f"; {remedy}" if remedy else ""
    try:
        record = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}{advice}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON: {error}{advice}") from None
    if not isinstance(record, dict):
        raise InputError(f"{file}: expected a JSON object{advice}")
    return record


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """A JSON object as it lies in a run folder."""
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()


def write_file(file: Path, content: bytes) -> None:
    """A file of a run folder, whole or not at all; OutputError where it cannot be written."""
    try:
        replace_file(file, content)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}") from None


class MetricsTable:
    """metrics.csv: one row an epoch, never two, whatever interrupts; seconds are of training.

    Raises InputError for a file that is no such table.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: list[dict[str, Any]] = []
        try:
            with file.open(encoding="utf-8", newline="") as lines:
                self._rows = list(csv.DictReader(lines))
            for row in self._rows:
                int(row["epoch"]), float(row["seconds"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, csv.Error):
            raise InputError(f"{file}: cannot be read; --fresh trains again") from None

    @property
    def epochs(self) -> int:
        """The last epoch in the table; 0 for an empty one."""
        return int(self._rows[-1]["epoch"]) if self._rows else 0

    @property
    def seconds(self) -> float:
        return float(self._rows[-1]["seconds"]) if self._rows else 0.0

    def add(self, epoch: int, seconds: float, metrics: Mapping[str, float]) -> None:
        """One more epoch, in place of what the table says of it and of later ones."""
        self.cut(epoch - 1)
        values = {key: f"{value:.6g}" for key, value in metrics.items()}
        self._rows.append({"epoch": epoch, "seconds": f"{seconds:.2f}", **values})
        self._write()

    def cut(self, epochs: int) -> None:
        """Forget what comes after this epoch."""
        self._rows = [row for row in self._rows if int(row["epoch"]) <= epochs]

    def _write(self) -> None:
        columns = list(dict.fromkeys(key for row in self._rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_file(self._file, text.getvalue().encode())
