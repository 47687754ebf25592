"""Trackers: none by accident, one run through interruptions, and never the end of a training."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from vqc import trackers
from vqc.errors import InputError
from vqc.trackers import open_tracker

CONFIG = {"epochs": 4, "others": {"lr0": 0.01}}


@pytest.fixture(autouse=True)
def own_variables(tmp_path):
    """A home of its own, and no variable left behind."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
        del os.environ[name]
    os.environ.update(HOME=str(tmp_path / "home"), WANDB_MODE="offline", WANDB_SILENT="true")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def tracked(name, run_dir, first, last, end=True, note=None):
    """Tell a tracker the epochs from first to last, as one go of a training does."""
    notes: list[str] = []
    names = [name] if isinstance(name, str) else name
    with open_tracker(names, run_dir, "0123456789ab", "x", CONFIG, first - 1, notes.append) as told:
        for epoch in range(first, last + 1):
            told.log(epoch, {"val/mAP50": epoch / 10, "loss (B)": 1 / epoch})
        if not end:
            raise KeyboardInterrupt
        told.end({"mAP50": 0.9})
    return notes


def interrupted(name, run_dir, first, last):
    with pytest.raises(KeyboardInterrupt):
        tracked(name, run_dir, first, last, end=False)


# Which ones


def test_an_unknown_tracker_is_an_error_that_names_the_known(run_dir):
    with pytest.raises(InputError, match="there is no such tracker; did you mean 'wandb'") as got:
        tracked(["wand", "comet"], run_dir, 1, 1)
    assert "--tracker comet" in str(got.value) and "mlflow, tensorboard, wandb" in str(got.value)


def test_one_that_is_not_installed_gives_the_line_that_installs_it(run_dir, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as got:
        tracked(["tensorboard", "mlflow"], run_dir, 1, 1)
    assert "pip install 'vqc[tensorboard]'" in str(got.value)
    assert "pip install 'vqc[mlflow]'" in str(got.value)
    assert list(run_dir.iterdir()) == []


def test_without_a_name_nothing_is_imported_started_or_written(run_dir):
    code = f"""
import os, sys
from pathlib import Path
before = dict(os.environ)
from vqc.trackers import open_tracker
with open_tracker([], Path({str(run_dir)!r}), "id", "name", {{}}, 0) as told:
    told.log(1, {{"loss": 0.5}})
    told.end({{"loss": 0.5}})
assert dict(os.environ) == before
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "vqc" in loaded and not {"wandb", "mlflow", "tensorboard", "torch"} & loaded
    assert list(run_dir.iterdir()) == []


# What a tracker is told, by one that only listens


class Listening(types.ModuleType):
    """A stand-in for wandb; `fail` names the call that raises."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.__spec__ = ModuleSpec("wandb", None)
        self.fail = ""
        self.opened: list[dict] = []
        self.told: list[tuple] = []
        self.summary: dict = {}

    def init(self, **options):
        self._maybe_fail("init")
        self.opened.append(options)
        self.id = options["id"]
        return self

    def log(self, metrics, step, commit):
        self._maybe_fail("log")
        self.told.append((step, metrics["val/mAP50"]))

    def finish(self, exit_code):
        self._maybe_fail("finish")
        self.told.append(("finish", exit_code))

    def _maybe_fail(self, call):
        if call == self.fail:
            raise ConnectionError("the network is gone\nin many lines")


@pytest.fixture
def wandb(monkeypatch):
    module = Listening()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_a_training_that_goes_on_is_the_same_run_without_repeated_epochs(wandb, run_dir):
    interrupted("wandb", run_dir, 1, 2)
    tracked("wandb", run_dir, 2, 3)
    assert wandb.told == [(1, 0.1), (2, 0.2), ("finish", 1), (3, 0.3), ("finish", 0)]
    first, second = wandb.opened
    assert first["id"] == second["id"] and first["id"].startswith("0123456789ab-")
    assert first["resume"] == "allow" and first["dir"] == str(run_dir)
    assert first["config"] == CONFIG and first["project"] == "vqc"
    assert wandb.summary == {"result/mAP50": 0.9}


def test_a_training_that_begins_anew_is_another_run(wandb, run_dir, tmp_path):
    tracked("wandb", run_dir, 1, 1)
    (tmp_path / "fresh").mkdir()
    tracked("wandb", tmp_path / "fresh", 1, 1)
    assert wandb.opened[0]["id"] != wandb.opened[1]["id"]


def test_the_users_own_variables_win(wandb, run_dir):
    os.environ.update(WANDB_DIR="/elsewhere", WANDB_PROJECT="magnets", WANDB_ERROR_REPORTING="true")
    tracked("wandb", run_dir, 1, 1)
    assert wandb.opened[0]["dir"] is None and wandb.opened[0]["project"] == "magnets"
    assert os.environ["WANDB_ERROR_REPORTING"] == "true"


def test_nothing_is_reported_to_the_makers(wandb, run_dir):
    tracked("wandb", run_dir, 1, 1)
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    assert os.environ["WANDB_DISABLE_GIT"] == "true"


@pytest.mark.parametrize("call", ["log", "finish"])
def test_a_tracker_that_fails_costs_one_note(wandb, run_dir, call):
    wandb.fail = call
    (note,) = tracked("wandb", run_dir, 1, 3)
    assert "wandb" in note and "the network is gone" in note and "\n" not in note


def test_the_others_hear_what_one_that_failed_does_not(wandb, run_dir, monkeypatch):
    class Deaf:
        def log(self, epoch, metrics):
            raise OSError("no space left")

    real = trackers._backend
    monkeypatch.setattr(
        trackers, "_backend", lambda name: (lambda _: Deaf()) if name == "mlflow" else real(name)
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    (note,) = tracked(["mlflow", "wandb"], run_dir, 1, 2)
    assert "mlflow" in note and wandb.told == [(1, 0.1), (2, 0.2), ("finish", 0)]


def test_one_that_does_not_start_stops_a_new_training_but_not_one_that_goes_on(wandb, run_dir):
    wandb.fail = "init"
    with pytest.raises(InputError, match="--tracker wandb does not start: ConnectionError") as got:
        tracked("wandb", run_dir, 1, 1)
    assert "WANDB_MODE=offline" in str(got.value)
    (note,) = tracked("wandb", run_dir, 5, 6)
    assert "goes on without it" in note


def test_an_error_of_the_training_is_passed_on_and_the_run_is_closed(wandb, run_dir):
    with (
        pytest.raises(ZeroDivisionError),
        open_tracker(["wandb"], run_dir, "id", "x", {}, 0) as told,
    ):
        told.log(1 // 0, {})
    assert wandb.told == [("finish", 1)]


# The real ones, where they are installed


def real(name):
    """The installed package, not the stand-in; a skip says how to get it."""
    return pytest.importorskip(name, reason=f"not installed: pip install 'vqc[{name}]'")


def test_tensorboard(run_dir):
    real("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    interrupted("tensorboard", run_dir, 1, 3)
    assert tracked("tensorboard", run_dir, 2, 4) == []
    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("val/mAP50")] == [1, 2, 3, 4]
    assert [round(e.value, 3) for e in events.Scalars("val/mAP50")] == [0.1, 0.2, 0.3, 0.4]
    assert [(e.step, round(e.value, 3)) for e in events.Scalars("result/mAP50")] == [(4, 0.9)]
    assert [path.name for path in run_dir.iterdir()] == ["tensorboard"]


def test_wandb_offline(run_dir):
    real("wandb")
    interrupted("wandb", run_dir, 1, 2)
    assert tracked("wandb", run_dir, 2, 3) == []
    run = json.loads((run_dir / "trackers.json").read_text())["wandb"]
    assert run["epoch"] == 3
    kept = sorted((run_dir / "wandb").glob("offline-run-*/*.wandb"))
    assert kept and {path.name for path in kept} == {f"run-{run['run']}.wandb"}
    assert {path.name for path in run_dir.iterdir()} == {"trackers.json", "wandb"}


def test_mlflow(run_dir, capfd):
    real("mlflow")
    real("sqlalchemy")
    from mlflow.tracking import MlflowClient

    interrupted("mlflow", run_dir, 1, 2)
    client = MlflowClient(f"sqlite:///{run_dir}/mlflow/mlflow.db")
    run = json.loads((run_dir / "trackers.json").read_text())["mlflow"]["run"]
    assert client.get_run(run).info.status == "KILLED"
    assert tracked("mlflow", run_dir, 2, 3) == []
    found = client.get_run(run)
    assert found.info.status == "FINISHED" and found.info.run_name == "x"
    assert found.data.params == {"epochs": "4", "others.lr0": "0.01"}
    history = client.get_metric_history(run, "val/mAP50")
    assert [(m.step, m.value) for m in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert client.get_metric_history(run, "loss _B_") and found.data.metrics["result/mAP50"] == 0.9
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert capfd.readouterr().out == ""
    assert not Path("mlruns").exists() and not Path("mlflow.db").exists()
