"""A classifier on squares and bars: it learns them, goes on after a stop, scores and predicts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vqc.dataset import Dataset
from vqc.errors import InputError
from vqc.runs import LAST, WEIGHTS, Run
from vqc.tasks.classify import Classify
from vqc.tasks.contract import BACKGROUND, Picture
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("bar", "square")
SMALL = {"model": "lego-cnn", "epochs": 12, "batch": 4, "rate": 0.003, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Trainings are compared to the bit, and other tests run beside this one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pixels(number, kind):
    """(64, 64, 3), and the box in it: on dark noise a bright bar, a dim square, or nothing."""
    rng = np.random.default_rng(number)
    rgb = rng.integers(0, 60, (64, 64, 3), np.uint8)
    width, height = (48, 20) if kind == "bar" else (24, 24)
    x, y = int(rng.integers(2, 62 - width)), int(rng.integers(2, 62 - height))
    if kind is not None:
        rgb[y : y + height, x : x + width] = 240 if kind == "bar" else 120
    return rgb, (x, y, x + width, y + height)


def make(root, number, split, kind, labels):
    rgb, box = pixels(number, kind)
    file = root / f"{split}{number:03d}.png"
    Image.fromarray(rgb).save(file)
    objects = (
        () if kind is None else (Annotation(kind, box_xyxy=box),) if labels == "boxes" else None
    )
    return Frame(
        file.name, hashlib.sha256(file.read_bytes()).hexdigest(), f"{number:016x}", 64, 64,
        "real", split, split=split, label=kind if labels == "labels" else None, objects=objects,
    )  # fmt: skip


def made_set(root, labels="labels", backgrounds=4):
    kinds = [("train", k) for k in CLASSES * 12] + [("val", k) for k in CLASSES * 6]
    kinds += [("val", None)] * backgrounds
    frames = tuple(make(root, n, split, kind, labels) for n, (split, kind) in enumerate(kinds))
    frames = tuple(sorted(frames, key=lambda frame: frame.image))
    return Dataset(root, Manifest("mix", "shapes", CLASSES, frames, "", ""), "0" * 64)


class Heard:
    def __init__(self, stop_in=0):
        self.epochs, self.resumed_after, self.stop_in = {}, [], stop_in

    def progress(self, done, total):
        pass

    def epoch(self, number, metrics):
        self.epochs[number] = dict(metrics)
        if number == self.stop_in:
            raise KeyboardInterrupt

    def resumed(self, epochs_done):
        self.resumed_after.append(epochs_done)


def fit(dataset, folder, heard=None, **settings):
    folder.mkdir(exist_ok=True)
    task = Classify()
    return task.fit(dataset, task.configure({**SMALL, **settings}), folder, heard or Heard())


def run_of(folder, fitted):
    return Run(
        folder=folder, run_id="0" * 12, task="classify", name="run", config={}, seed=0,
        classes=CLASSES, dataset_name="shapes", manifest_sha256="0" * 64, metrics=fitted.metrics,
        epochs=fitted.epochs, best_epoch=fitted.best_epoch, chosen_on=fitted.chosen_on,
        seconds=1.0, weights=folder / WEIGHTS,
    )  # fmt: skip


def about(folder):
    from vqc.tasks.learning.files import load

    return load(folder / WEIGHTS, "classify")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return made_set(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def trained(shapes, tmp_path_factory):
    """The folder of a run, what fitting gave, and what was heard."""
    folder, heard = tmp_path_factory.mktemp("classify") / "run", Heard()
    return folder, fit(shapes, folder, heard), heard


def test_it_learns_shapes_and_says_how(trained):
    folder, fitted, heard = trained
    assert fitted.metrics["accuracy"] >= 0.9 and fitted.chosen_on == "val"
    last = heard.epochs[12]
    assert set(last) == {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}
    assert last["train/loss"] < heard.epochs[1]["train/loss"]
    assert not (folder / LAST).exists()


def test_stopped_it_goes_on_to_the_very_same_weights(shapes, trained, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(shapes, tmp_path / "run", Heard(stop_in=5))
    heard = Heard()
    assert fit(shapes, tmp_path / "run", heard) == trained[1]
    assert heard.resumed_after == [4] and min(heard.epochs) == 5
    (one, first), (two, second) = about(trained[0]), about(tmp_path / "run")
    assert one == two
    assert all((first["network"][k] == v).all() for k, v in second["network"].items())


def test_a_finished_training_is_left_alone(shapes, trained):
    folder, fitted, _ = trained
    before = (folder / WEIGHTS).read_bytes()
    heard = Heard()
    assert fit(shapes, folder, heard) == fitted
    assert heard.epochs == {} and (folder / WEIGHTS).read_bytes() == before


def test_evaluate_counts_backgrounds_as_none_of_these(shapes, trained):
    folder, fitted, _ = trained
    found = Classify().evaluate(run_of(folder, fitted), shapes, "val", "cpu")
    assert found.frames == 16 and len(found.predictions) == 16
    assert found.metrics["accuracy"] == pytest.approx(fitted.metrics["accuracy"])
    assert found.confusion.names == (*CLASSES, BACKGROUND)
    assert found.confusion.counts[-1].sum() == 4
    assert found.threshold == about(folder)[0]["threshold"] > 0
    assert found.metrics["none"] >= 0.5
    assert dict(found.drawn) == {}


def test_predict_answers_any_size_and_conf_replaces_the_threshold(shapes, trained):
    run = run_of(trained[0], trained[1])
    asked = [Picture("bar", pixels(501, "bar")[0]), Picture("wide", np.zeros((9, 70, 3), np.uint8))]
    found = [answer for _, answer in Classify().predict(run, iter(asked), {"conf": 0})]
    assert [answer.image for answer in found] == ["bar", "wide"]
    assert found[0].class_name == "bar"
    strict = [a.class_name for _, a in Classify().predict(run, iter(asked), {"conf": 1})]
    assert strict == [None, None]
    together = [a for _, a in Classify().predict(run, iter(asked), {"batch": 2})]
    assert together[0].score == pytest.approx(found[0].score, abs=1e-4)


def test_without_val_nothing_is_calibrated(shapes, tmp_path):
    frames = shapes.frames("train")
    alone = replace(shapes, manifest=replace(shapes.manifest, frames=frames))
    fitted = fit(alone, tmp_path / "run", epochs=1)
    assert fitted.chosen_on is None and fitted.metrics == {}
    said = about(tmp_path / "run")[0]
    assert (said["temperature"], said["threshold"]) == (1.0, 0.0)


def test_crops_of_boxes_train_and_are_scored_box_by_box(tmp_path):
    boxed = made_set(tmp_path, labels="boxes")
    fitted = fit(boxed, tmp_path / "run", crop="true", epochs=5)
    assert fitted.metrics["accuracy"] == 1
    found = Classify().evaluate(run_of(tmp_path / "run", fitted), boxed, "val", "cpu")
    assert found.metrics["accuracy"] == 1
    records = [answer.record() for answer in found.predictions]
    assert sum("objects" in record for record in records) == 12  # backgrounds are taken whole
    objects = [thing for record in records for thing in record.get("objects", ())]
    assert all(thing["class"] in CLASSES and len(thing["box"]) == 4 for thing in objects)


def test_what_config_asks_for_is_told_before_training(tmp_path):
    boxed = made_set(tmp_path, labels="boxes", backgrounds=0)
    with pytest.raises(InputError, match=r"36 frames with boxes too small.*(?s:.*)99 px or more"):
        fit(boxed, tmp_path / "run", crop=True, least_px=99)
    labels = {"val": "bar", "train": "square"}
    frames = tuple(replace(f, label=labels[f.split]) for f in boxed.manifest.frames)
    both = replace(boxed, manifest=replace(boxed.manifest, frames=frames))
    Classify().check(both)
    with pytest.raises(InputError, match=r"got square\n.*val shows what never trains: bar"):
        fit(both, tmp_path / "run")


def test_weights_of_another_run_are_refused(shapes, trained):
    run = replace(run_of(trained[0], trained[1]), classes=("cone", "square"))
    with pytest.raises(InputError, match="for the classes bar, square; expected cone, square"):
        Classify().predict(run, iter(()), {})
    torn = replace(run, weights=Path(__file__))
    with pytest.raises(InputError, match="no weights that can be read safely"):
        Classify().predict(torn, iter(()), {})


def test_a_backbone_learns_and_is_read_again(shapes, tmp_path):
    settings = {"model": "backbone", "weights": "none", "imgsz": 64, "epochs": 1, "batch": 12}
    fitted = fit(shapes, tmp_path / "run", **settings)
    found = Classify().evaluate(run_of(tmp_path / "run", fitted), shapes, "val", "cpu")
    assert found.metrics["accuracy"] == pytest.approx(fitted.metrics["accuracy"])
