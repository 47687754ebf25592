"""A grid of every built-in task that does not detect, on real trainings of a few seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sets import CLASSES, HEIGHT, WIDTH, finish, frame
from typed import typed

from vqc.formats import rle
from vqc.types import Annotation

SMALLEST = {
    "classify": ("--model", "lego-cnn"),
    "anomaly": ("--weights", "yolov8n.yaml", "--imgsz", "64", "--bank", "50"),
    "segment": ("--model", "unet-steel", "--tile", "64", "--overlap", "0", "--epochs", "1"),
}
EPOCHS = {"classify": 3, "anomaly": 2, "segment": 1}
HEADLINE = {"classify": "accuracy", "anomaly": "AUROC", "segment": "Dice"}


def shown(number):
    """One object with its box and its mask, and whether the part is good."""
    x0, y0 = 2 + number % 7, 3 + number % 5
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0 : y0 + 20, x0 : x0 + 30] = True
    note = Annotation(
        CLASSES[number % 2], box_xyxy=(x0, y0, x0 + 30, y0 + 20), visibility=1.0,
        mask=rle.encode(mask),
    )  # fmt: skip
    return {"objects": (note,), "condition": "good" if number % 4 < 2 else "bent"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = [frame(Path("renders/r"), k, **{**shown(k), "condition": "good"}) for k in range(8)]
    finish(Path("renders/r"), "render", good, name="r")
    photos = []
    for k in range(100, 124):
        name, session = f"images/000/p_{k:06d}.png", "shop" if k < 112 else "hall"
        made = frame(Path("datasets/p"), k, name, **shown(k), session=session, seed=None)
        photos.append(replace(made, source="real", view=None, phash=f"{k * 2**40:016x}"))
    finish(Path("datasets/p"), "intake", photos, name="p")


@pytest.mark.parametrize("task", SMALLEST)
def test_a_grid_trains_chooses_scores_and_draws(task, project, capsys):
    said = typed(
        capsys, "grid", "--task", task, "--cad", "8", "--real", "4", "--repeats", "1",
        "--val-fraction", "0.3", "--test", "hall", "--device", "cpu", "--allow-short", "--json",
        *SMALLEST[task],
    )  # fmt: skip
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["metric"] == HEADLINE[task]
    (cell,) = found["cells"]
    (trained,) = cell["repeats"]
    assert trained["state"] == "done" and 0 <= trained["metrics"][HEADLINE[task]] <= 1
    assert trained["epochs"] == EPOCHS[task]
    (tested,) = found["chosen"]["test"]
    assert found["chosen"]["cell"] == cell["name"] and tested["mark"] == ""
    assert 0 <= tested["metrics"][HEADLINE[task]] <= 1
    assert list(Path(found["folder"]).glob("*.png"))


def test_a_plan_of_a_model_without_epochs_shows_none(project, capsys):
    said = typed(
        capsys, "grid", "--task", "anomaly", "--cad", "8", "--real", "4", "--repeats", "1",
        "--val-fraction", "0.3", "--test", "hall", "--device", "cpu", "--allow-short",
        "--dry-run", *SMALLEST["anomaly"],
    )  # fmt: skip
    assert said.code == 0, said.err
    (row,) = [line.split() for line in said.out.splitlines() if "cad8-real4" in line][-1:]
    assert "–" in row and "None" not in said.out


def test_a_plan_counts_the_epochs_that_a_model_brings(project, capsys):
    said = typed(
        capsys, "grid", "--task", "classify", "--cad", "0,8", "--real", "4", "--repeats", "1",
        "--val-fraction", "0.3", "--test", "hall", "--device", "cpu", "--allow-short", "--json",
        "--dry-run", *SMALLEST["classify"],
    )  # fmt: skip
    assert said.code == 0, said.err
    cells = json.loads(said.out)["cells"]
    assert {cell["epochs"] for cell in cells} == {3}
    assert {cell["seen"] for cell in cells} == {3 * max(cell["train"] for cell in cells)}
