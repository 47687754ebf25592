"""Run folders: written, read back, and refused with words where something is wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
from training import write_set

from vqc import runs
from vqc.dataset import open_dataset
from vqc.errors import InputError, OutputError
from vqc.runs import MetricsTable, Run


@pytest.fixture
def project(tmp_path):
    """A folder with datasets/squares and an empty runs/detect/."""
    write_set(tmp_path / "datasets" / "squares")
    return tmp_path


@pytest.fixture
def run(project):
    """A finished run on squares, as it lies on disk."""
    dataset = open_dataset(project / "datasets" / "squares")
    folder = project / "runs" / "detect" / "first"
    folder.mkdir(parents=True)
    made = Run(
        folder, "0123456789ab", "detect", "first", {"epochs": 3, "others": {}}, 5,
        dataset.manifest.classes, "squares", dataset.sha256, {"mAP50": 0.5}, 3, 2, "val", 1.25,
        folder / runs.WEIGHTS,
    )  # fmt: skip
    made.weights.write_bytes(b"weights")
    (folder / runs.DATASET).write_bytes((dataset.folder / "manifest.jsonl").read_bytes())
    (folder / runs.RESULT).write_bytes(runs.json_bytes(runs.result_record(made)))
    return made


# A run ------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was(run):
    again = runs.read_run(run.folder)
    for field in fields(Run):
        assert getattr(again, field.name) == getattr(run, field.name)


def test_what_is_no_run_is_told(run, tmp_path):
    with pytest.raises(InputError, match="no such run"):
        runs.read_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no run: it holds no run\.json"):
        runs.read_run(tmp_path)
    (run.folder / runs.ASKED).touch()
    (run.folder / runs.RESULT).unlink()
    with pytest.raises(InputError, match="not finished: give its vqc train command again"):
        runs.read_run(run.folder)


def test_weights_that_are_gone_are_told(run):
    run.weights.unlink()
    with pytest.raises(InputError, match=r"best\.pt is missing; its vqc train .* --fresh"):
        runs.read_run(run.folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 9999, "[]", "\xff", '{"vqc_run": 9}', "9" * 5000])
def test_a_spoilt_result_is_told(run, text):
    (run.folder / runs.RESULT).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"(?s)run\.json: .*--fresh trains again$"):
        runs.read_run(run.folder)


@pytest.mark.parametrize("key", ["run_id", "config", "seed", "classes", "dataset", "metrics"])
def test_a_field_that_is_missing_is_told(run, key):
    record = runs.read_json(run.folder / runs.RESULT)
    del record[key]
    (run.folder / runs.RESULT).write_bytes(runs.json_bytes(record))
    with pytest.raises(InputError, match=rf"run\.json: not the result of a run .*{key}.*--fresh"):
        runs.read_run(run.folder)


@pytest.mark.parametrize("key", ["config", "seed", "dataset", "metrics", "epochs"])
def test_a_field_of_another_kind_is_told(run, key):
    record = runs.read_json(run.folder / runs.RESULT) | {key: "x"}
    (run.folder / runs.RESULT).write_bytes(runs.json_bytes(record))
    with pytest.raises(InputError, match=r"run\.json: not the result of a run"):
        runs.read_run(run.folder)


# What it was trained on ---------------------------------------------------------------------


def test_the_runs_own_manifest_needs_no_pictures(run, project):
    shutil.rmtree(project / "datasets")
    dataset = runs.dataset_of(run)
    assert dataset.sha256 == run.manifest_sha256
    assert [len(dataset.frames(split)) for split in ("train", "val", "test")] == [5, 3, 2]


def test_a_manifest_that_was_changed_is_refused(run):
    file = run.folder / runs.DATASET
    file.write_text(file.read_text().replace('"squares"', '"circles"', 1))
    with pytest.raises(InputError, match=r"dataset\.jsonl was changed.*; put the manifest\.jsonl"):
        runs.dataset_of(run)
    file.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        runs.dataset_of(run)


def test_the_set_is_found_by_its_hash_under_another_name_and_from_elsewhere(
    run, project, monkeypatch
):
    monkeypatch.chdir(project)
    (project / "datasets" / "odd").mkdir()
    (project / "datasets" / "odd" / "manifest.jsonl").write_bytes(b"\xff[[[")
    write_set(project / "datasets" / "another")
    (project / "datasets" / "squares").rename(project / "datasets" / "zz")
    assert runs.own_dataset(run).folder.resolve() == project / "datasets" / "zz"
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert runs.own_dataset(run).folder.resolve() == project / "datasets" / "zz"
    shutil.rmtree(project / "datasets" / "zz")
    assert runs.own_dataset(run) is None


def test_a_set_of_that_name_with_another_manifest_is_not_taken(run, project, monkeypatch):
    monkeypatch.chdir(project)
    shutil.rmtree(project / "datasets" / "squares")
    write_set(project / "datasets" / "squares", {"train": 3, "test": 2})
    assert runs.own_dataset(run) is None


@pytest.mark.parametrize("name", ["squares", "renamed"])
def test_the_set_of_a_cell_is_found(run, project, monkeypatch, name):
    """Grids and searches keep runs in runs/cells and sets in datasets/cells."""
    (project / "datasets" / "cells").mkdir()
    (project / "datasets" / "squares").rename(project / "datasets" / "cells" / name)
    (project / "runs" / "cells" / "detect").mkdir(parents=True)
    cell = run.folder.rename(project / "runs" / "cells" / "detect" / "first")
    for here in (project, project / "runs"):
        monkeypatch.chdir(here)
        found = runs.own_dataset(runs.read_run(cell))
        assert found is not None
        assert found.folder.resolve() == project / "datasets" / "cells" / name
        assert runs.project_of(cell).resolve() == project


# metrics.csv --------------------------------------------------------------------------------


def rows(file: Path) -> list[list[str]]:
    return [line.split(",") for line in file.read_text().splitlines()]


def test_epochs_stand_in_the_table_once(tmp_path):
    file = tmp_path / "metrics.csv"
    table = MetricsTable(file)
    assert (table.epochs, table.seconds) == (0, 0.0)
    for epoch in (1, 2, 3):
        table.add(epoch, epoch * 1.5, {"loss": 1 / epoch})
    again = MetricsTable(file)
    assert (again.epochs, again.seconds) == (3, 4.5)
    again.add(2, 9.0, {"loss": 0.25})
    again.add(3, 10.0, {"loss": 0.125})
    assert rows(file) == [
        ["epoch", "seconds", "loss"], ["1", "1.50", "1"], ["2", "9.00", "0.25"],
        ["3", "10.00", "0.125"],
    ]  # fmt: skip


def test_metrics_that_come_late_get_a_column(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    table.add(1, 1, {"loss": 2.0})
    table.add(2, 2, {"loss": 1.0, "mAP50": 0.5})
    assert rows(tmp_path / "metrics.csv")[1:] == [["1", "1.00", "2", ""], ["2", "2.00", "1", "0.5"]]


def test_what_is_cut_is_gone_with_the_next_epoch(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    for epoch in (1, 2, 3):
        table.add(epoch, epoch, {"loss": 1.0})
    table.cut(1)
    assert table.epochs == 1
    table.add(2, 7.0, {"loss": 3.0})
    assert [row[0] for row in rows(tmp_path / "metrics.csv")] == ["epoch", "1", "2"]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "epoch,seconds\nx,1\n", "epoch,seconds\n1\n", "\xff"]
)
def test_what_is_no_table_is_told(tmp_path, text):
    file = tmp_path / "metrics.csv"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"metrics\.csv: cannot be read; --fresh"):
        MetricsTable(file)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/metrics\.csv: cannot be written: Not a directory"):
        runs.write_file(tmp_path / "file" / "metrics.csv", b"")


def test_json_of_a_run_folder_reads_back(tmp_path):
    record = {"name": "größe", "values": [1, None, 0.5]}
    runs.write_file(tmp_path / "a.json", runs.json_bytes(record))
    assert (
        runs.read_json(tmp_path / "a.json")
        == record
        == json.loads((tmp_path / "a.json").read_text())
    )
