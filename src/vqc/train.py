"""A training set → a run: what every task gets from the core around its own fitting.

The set is verified first, the run folder is claimed, lineage and settings are written down, and
the same command goes on after any interruption.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vqc.contract import SET_NAME, is_set_name
from vqc.dataset import Dataset, open_dataset
from vqc.errors import InputError, OutputError, RecipeError
from vqc.files import LOCK, held
from vqc.manifest import find_manifest
from vqc.runs import (
    ASKED,
    DATASET,
    ENVIRONMENT,
    LINEAGE,
    METRICS,
    RESULT,
    VERSION,
    WEIGHTS,
    MetricsTable,
    Run,
    json_bytes,
    read_json,
    read_run,
    result_record,
    write_file,
)  # fmt: skip
from vqc.soundness import require_sound
from vqc.tasks import find
from vqc.tasks.contract import Config, Fitted, Monitor, Task
from vqc.types import Frame, Progress

ROOT = Path("runs")
_LAST_COUNTS = "the last epoch counts, and training never stops early"


@dataclass(frozen=True, slots=True)
class Training:
    """What is asked for. settings: as --set gives them. root: holds <task>/<name>."""

    dataset: Path
    task: str = "detect"
    settings: Mapping[str, Any] = field(default_factory=dict)
    root: Path = ROOT
    name: str | None = None
    fresh: bool = False
    trackers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """What became of it. was_there: the run was finished before, nothing was trained."""

    run: Run
    was_there: bool
    notes: tuple[str, ...]


class Quiet:
    """A monitor that says nothing."""

    def progress(self, done: int, total: int) -> None: ...

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None: ...

    def resumed(self, epochs_done: int) -> None: ...


def train(
    asked: Training,
    monitor: Monitor | None = None,
    on_verify: Progress = lambda done, total: None,
) -> Trained:
    """Train, or go on with what was cut off, or give back what is finished.

    Raises InputError where the set or a setting cannot be used, RecipeError where another
    training has that name, LeakError where val or test hold a picture that trains. A training
    that `fresh` is to replace stays until the set was found to be usable.
    """
    from vqc.trackers import require_usable

    task = find(asked.task)
    require_usable(asked.trackers)
    dataset = open_dataset(asked.dataset)
    config = task.configure(asked.settings)
    name = dataset.manifest.name if asked.name is None else asked.name
    if not is_set_name(name):
        raise InputError(f"--name: expected {SET_NAME}, got {name[:80]!r}")
    folder = asked.root / task.name / name
    identity = _identity(task, config, dataset)
    busy = f"{folder} is being trained by another command; wait for it, or give another --name"
    notes: list[str] | None = None
    if not _is_there(folder):  # what is refused then leaves no folder behind
        notes = _check(task, config, dataset, on_verify)
    with held(folder, busy):
        is_same = _require_usable(folder, identity, asked.fresh)
        if is_same and (folder / RESULT).is_file():
            return Trained(read_run(folder), True, ())
        if notes is None:
            notes = _check(task, config, dataset, on_verify)
        manifest = _same_manifest(dataset)
        _tidy(folder, everything=not is_same)
        _write_down(folder, identity, dataset, manifest)
        run = _fit(task, config, dataset, folder, identity, monitor or Quiet(), asked.trackers)
    if run.chosen_on is None and _is_empty(dataset.frames("val")):
        notes = [f"val shows no object, so it chose nothing: {_LAST_COUNTS}"]
    return Trained(run, False, tuple(notes))


def _identity(task: Task, config: Config, dataset: Dataset) -> dict[str, Any]:
    """What a run is: equal for equal work, wherever and on whatever it is done."""
    settings = config.identity()
    what = {"task": task.name, "settings": settings, "dataset": dataset.sha256}
    text = json.dumps(what, sort_keys=True, ensure_ascii=False)
    return {
        "vqc_run": VERSION,
        "run_id": hashlib.sha256(text.encode()).hexdigest()[:12],
        "task": task.name,
        "dataset": {"name": dataset.manifest.name, "sha256": dataset.sha256},
        "settings": settings,
    }


def _is_there(folder: Path) -> bool:
    """Whether anything lies in the folder, if only what other commands lock it by."""
    return folder.is_dir() and any(folder.iterdir())


def _content(folder: Path) -> list[Path]:
    """What lies in a run folder, but for its lock and what a killed writer left."""
    return [path for path in folder.iterdir() if path.name != LOCK and not _is_left_over(path)]


def _is_left_over(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _tidy(folder: Path, everything: bool) -> None:
    """Remove what killed writers left, or the whole run.

    What says that it is finished goes first, and what says which run it is last: killed here, it
    is an unfinished run.
    """
    order = {RESULT: 0, WEIGHTS: 1, METRICS: 3, ASKED: 4}
    paths = [
        path for path in folder.iterdir()
        if _is_left_over(path) or (everything and path.name != LOCK)
    ]  # fmt: skip
    try:
        for path in sorted(paths, key=lambda path: order.get(path.name, 2)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be emptied: {error.strerror or error}") from None


def _require_usable(folder: Path, identity: Mapping[str, Any], fresh: bool) -> bool:
    """Whether what is in the folder is this training; otherwise it may be removed.

    Raises RecipeError where it holds another training of which an epoch is done, and InputError
    where it holds something else.
    """
    import yaml

    file = folder / ASKED
    if not file.is_file():
        if _content(folder):
            raise InputError(f"{folder} is there and is no run; choose another --name")
        return False
    if fresh:
        return False
    try:
        old = yaml.safe_load(file.read_bytes())
        same = old["run_id"] == identity["run_id"]
        before = {"dataset": old["dataset"]["sha256"], **old["settings"]}
    except (OSError, ValueError, TypeError, KeyError, RecursionError, yaml.YAMLError):
        raise InputError(f"{file}: cannot be read; --fresh trains again") from None
    if same or not (folder / METRICS).is_file():
        return bool(same)
    now = {"dataset": identity["dataset"]["sha256"], **identity["settings"]}
    changed = [
        f"  {key}: {before.get(key)} there, {now.get(key)} asked for"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    raise RecipeError(
        "\n".join([f"{folder} holds another training; these differ:", *changed])
        + "\nGive another --name, or --fresh to train again in its place"
    )


def _check(task: Task, config: Config, dataset: Dataset, on_verify: Progress) -> list[str]:
    """The machine can do it, and the set is sound and fits the task; notes on it."""
    check_machine = getattr(task, "check_machine", None)
    if check_machine is not None:
        check_machine(config)
    require_sound(dataset, on_verify)
    task.check(dataset)
    same = sum(frame.same_shoot for frame in dataset.frames("val"))
    if not dataset.frames("val"):
        return [f"no val split: {_LAST_COUNTS}"]
    if same:
        return [f"{same} val pictures are of shoots that also train: they choose, no more"]
    return []


def _is_empty(frames: Sequence[Frame]) -> bool:
    """Whether frames are there, and somebody has said of all that they show nothing."""
    return bool(frames) and all(f.objects == () and f.label is None for f in frames)


def _write_down(
    folder: Path, identity: Mapping[str, Any], dataset: Dataset, manifest: bytes
) -> None:
    """Settings, manifest, lineage and environment, before the first epoch."""
    import yaml

    from vqc import environment, lineage

    text = yaml.safe_dump(dict(identity), sort_keys=False, allow_unicode=True, width=100)
    files = {
        ASKED: text.encode(),  # first: it makes the folder a run, which the same command mends
        DATASET: manifest,
        LINEAGE: json_bytes(lineage.trace(dataset)),
        ENVIRONMENT: json_bytes(environment.describe()),
    }
    for name, content in files.items():
        write_file(folder / name, content)


def _same_manifest(dataset: Dataset) -> bytes:
    """The manifest as it was read; InputError where a mix has put another one there meanwhile."""
    file = find_manifest(dataset.folder)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None
    if hashlib.sha256(data).hexdigest() != dataset.sha256:
        raise InputError(f"{file} was changed while it was verified; give the command again")
    return data


def _fit(
    task: Task,
    config: Config,
    dataset: Dataset,
    folder: Path,
    identity: Mapping[str, Any],
    monitor: Monitor,
    trackers: Sequence[str],
) -> Run:
    from vqc.trackers import open_tracker

    table = MetricsTable(folder / METRICS)
    run_id, name = identity["run_id"], folder.name
    settings = identity["settings"]
    with open_tracker(trackers, folder, run_id, name, settings, table.epochs) as tracker:
        started, before = time.monotonic(), table.seconds

        class Both:
            """Tells the table and the trackers what the monitor hears."""

            def progress(self, done: int, total: int) -> None:
                monitor.progress(done, total)

            def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
                table.add(number, before + time.monotonic() - started, metrics)
                tracker.log(number, metrics)
                monitor.epoch(number, metrics)

            def resumed(self, epochs_done: int) -> None:
                table.cut(epochs_done)
                monitor.resumed(epochs_done)

        fitted = task.fit(dataset, config, folder, Both())
        run = _run(identity, config, dataset, folder, fitted, before + time.monotonic() - started)
        if not run.weights.is_file():
            raise OutputError(f"{run.weights}: the task {task.name} left no weights there")
        _note_ancestors(folder)
        write_file(folder / RESULT, json_bytes(result_record(run)))
        tracker.end(run.metrics)
    return run


def _note_ancestors(folder: Path) -> None:
    """What trained the start weights, as the task has told it, into the run's lineage."""
    from vqc import lineage

    if started_from := lineage.ancestors(folder):
        record = read_json(folder / LINEAGE)
        record["weights"] = lineage.ancestor_records(started_from)
        write_file(folder / LINEAGE, json_bytes(record))


def _run(
    identity: Mapping[str, Any],
    config: Config,
    dataset: Dataset,
    folder: Path,
    fitted: Fitted,
    seconds: float,
) -> Run:
    return Run(
        folder=folder,
        run_id=identity["run_id"],
        task=identity["task"],
        name=folder.name,
        config=identity["settings"],
        seed=config.seed,
        classes=dataset.manifest.classes,
        dataset_name=dataset.manifest.name,
        manifest_sha256=dataset.sha256,
        metrics=fitted.metrics,
        epochs=fitted.epochs,
        best_epoch=fitted.best_epoch,
        chosen_on=fitted.chosen_on,
        seconds=seconds,
        weights=folder / WEIGHTS,
    )
