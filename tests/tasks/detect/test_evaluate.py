"""Scoring a detector: the numbers of Ultralytics' own val, and the threshold from val alone."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sets import CLASSES, finish

from vqc import ultra
from vqc.dataset import Dataset, open_dataset
from vqc.errors import InputError
from vqc.formats import yolo
from vqc.runs import Run, json_bytes, read_json
from vqc.tasks.detect import evaluate as scoring
from vqc.tasks.detect.findings import Boxes
from vqc.types import Annotation, Frame

IMGSZ = 96
SIZES = ((96, 64), (64, 96), (120, 90))


def write_weights(file: Path, names: tuple[str, ...] = CLASSES) -> Path:
    """A detector that was never trained, but sees many boxes of all sizes, surely and unsurely."""
    ultra.prepare()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    network = DetectionModel("yolov8n.yaml", nc=len(names), verbose=False)
    network.names = dict(enumerate(names))
    network.args = {"imgsz": IMGSZ, "task": "detect"}
    head = network.model[-1]
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        like_ours = torch.rand(16, 3, IMGSZ // 8, IMGSZ // 8).repeat_interleave(8, 2)
        network.train()(like_ours.repeat_interleave(8, 3))  # so that no layer silences the next
        for box, kind, bias in zip(head.cv2, head.cv3, (-2.0, -3.0, -9.0), strict=True):
            box[-1].weight.mul_(0.2)
            box[-1].bias.view(4, 16)[:, 1] += 3.0
            kind[-1].weight.mul_(2)
            kind[-1].bias.fill_(bias)
    content = {"epoch": -1, "ema": None, "model": network.half(), "train_args": network.args}
    torch.save(content, file)
    return file


def write_set(root: Path, objects: dict[str, tuple[Annotation, ...]] | None = None) -> Dataset:
    """Nine pictures of three sizes for test, three for val, two for train.

    objects: what the pictures show, by image; without them, nothing.
    """
    rng = np.random.default_rng(3)
    frames = []
    for number, split in enumerate(["test"] * 9 + ["val"] * 3 + ["train"] * 2):
        width, height = SIZES[number % 3]
        pixels = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
        name = f"images/{split}/p{number:02d}.png"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / name)
        shown = (objects or {}).get(name, ())
        labels = root / yolo.label_path(name)
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text(yolo.label_text(shown, CLASSES, width, height))
        digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
        frames.append(
            Frame(
                name, digest, digest[:16], width, height, "real", f"{split}-shoot",
                split=split, objects=shown,
            )
        )  # fmt: skip
    finish(root, "mix", frames)
    return open_dataset(root)


def objects_near(boxes: Boxes, frame: Frame, rng: np.random.Generator) -> tuple[Annotation, ...]:
    """Objects where the surest boxes are, a little beside them, some of them misnamed."""
    notes = []
    for k in rng.permutation(min(4, len(boxes.scores)))[:3]:
        box = boxes.boxes_xyxy[k] + rng.uniform(-1, 1, 4)
        x0, y0, x1, y1 = np.clip(box, 0, [frame.width, frame.height] * 2).tolist()
        if x1 - x0 >= 4 and y1 - y0 >= 4:
            name = CLASSES[(boxes.classes[k] + (rng.random() < 0.33)) % 2]
            notes.append(Annotation(name, instance=len(notes) + 1, box_xyxy=(x0, y0, x1, y1)))
    return tuple(notes)


def run_of(folder: Path, dataset: Dataset, weights: Path) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        folder, "0123456789ab", "detect", folder.name, {"imgsz": IMGSZ}, 0, CLASSES,
        dataset.manifest.name, dataset.sha256, {}, 1, 1, "val", 1.0, weights,
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    import torch

    torch.set_num_threads(1)
    return write_weights(tmp_path_factory.mktemp("weights") / "best.pt")


@pytest.fixture(scope="module")
def scored(tmp_path_factory, weights):
    """A set whose objects lie near what the network sees, and its evaluation."""
    from vqc.tasks.detect.validator import measure

    root = tmp_path_factory.mktemp("sets")
    bare, rng = write_set(root / "bare"), np.random.default_rng(5)
    network, objects = ultra.load_detector(weights), {}
    for split in ("test", "val"):
        boxes = measure(network, bare, split, "cpu").boxes
        for frame, of in zip(bare.frames(split), boxes, strict=True):
            objects[frame.image] = objects_near(of, frame, rng)
    dataset = write_set(root / "near", objects)
    run = run_of(root / "runs" / "detect" / "near", dataset, weights)
    kept = {"run_id": run.run_id, "manifest_sha256": run.manifest_sha256, "threshold": 0.01}
    (run.folder / scoring.THRESHOLD).write_bytes(json_bytes(kept))
    before = {path: path.stat().st_mtime_ns for path in dataset.folder.rglob("*")}
    evaluation = scoring.evaluate(run, dataset, "test", "cpu")
    assert {path: path.stat().st_mtime_ns for path in dataset.folder.rglob("*")} == before
    return run, dataset, evaluation


@pytest.fixture(scope="module")
def plain(tmp_path_factory, scored):
    """What Ultralytics says by itself, of a copy of the set."""
    run, dataset, _ = scored
    from ultralytics import YOLO

    root = tmp_path_factory.mktemp("plain")
    shutil.copytree(dataset.folder, root / "set")
    return YOLO(str(run.weights)).val(
        data=str(root / "set" / "data.yaml"), split="test", device="cpu", project=str(root)
    )


def test_metrics_are_those_of_ultralytics(scored, plain):
    metrics = scored[2].metrics
    names = ("precision", "recall", "mAP50", "mAP50-95")
    assert [metrics[name] for name in names] == pytest.approx(plain.box.mean_results(), abs=1e-6)
    assert 0.02 < metrics["mAP50-95"] < metrics["mAP50"] < 0.98
    both = metrics["precision"], metrics["recall"]
    assert metrics["F1"] == pytest.approx(2 * both[0] * both[1] / sum(both))


def test_metrics_of_each_class_are_those_of_ultralytics(scored, plain):
    per_class = scored[2].per_class
    assert list(per_class) == list(CLASSES)
    for k, number in enumerate(plain.box.ap_class_index):
        row = list(per_class[CLASSES[number]].values())
        assert row == pytest.approx([*plain.box.class_result(k), plain.box.f1[k]], abs=1e-6)


def test_curves_are_those_of_ultralytics(scored, plain):
    curves = {curve.name: curve for curve in scored[2].curves}
    assert list(curves) == [
        "precision-recall", "F1-confidence", "precision-confidence", "recall-confidence"
    ]  # fmt: skip
    assert curves["F1-confidence"].lines["all"] == pytest.approx(plain.box.f1_curve.mean(0))
    assert curves["precision-recall"].lines["qf"] == pytest.approx(plain.box.prec_values[1])
    assert curves["recall-confidence"].x_label == "confidence"


def test_answers_are_in_pixels_of_the_pictures_in_the_manifests_order(scored):
    _, dataset, evaluation = scored
    frames = dataset.frames("test")
    assert [answer.image for answer in evaluation.predictions] == [f.image for f in frames]
    for frame, answer in zip(frames, evaluation.predictions, strict=True):
        assert (answer.boxes_xyxy >= 0).all()
        assert (answer.boxes_xyxy <= [frame.width, frame.height] * 2).all()
        assert (np.diff(answer.scores) <= 0).all()


def test_objects_are_found_where_they_are(scored):
    """Boxes in pixels: they could not lie on the objects if they were moved or scaled."""
    _, dataset, evaluation = scored
    objects = sum(len(frame.objects) for frame in dataset.frames("test"))
    assert evaluation.confusion.counts[:-1].sum() == objects
    assert evaluation.confusion.counts[:-1, :-1].sum() > objects / 2


# The threshold, on answers made up ---------------------------------------------------------


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A run and its set; every split has its own best confidence, and asking is noted."""
    ultra.prepare()
    from vqc.tasks.detect import validator

    dataset = write_set(tmp_path / "datasets" / "magnets")
    run = run_of(tmp_path / "runs" / "detect" / "near", dataset, tmp_path / "best.pt")
    asked = []

    def measure(network, on, split, device):
        asked.append(split)
        nothing = Boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
        best = {"val": 0.4, "test": 0.7, "train": 0.9}[split]
        return validator.Measured({}, {}, (), best, (nothing,) * len(on.frames(split)))

    monkeypatch.setattr(validator, "measure", measure)
    monkeypatch.setattr(scoring, "_network", lambda run, classes: None)
    monkeypatch.chdir(tmp_path)
    return run, dataset, asked


def other_set(tmp_path: Path) -> Dataset:
    """The same pictures under another manifest."""
    write_set(tmp_path / "other")
    dataset = open_dataset(tmp_path / "other")
    return replace(dataset, sha256="f" * 64)


def test_the_threshold_is_the_one_of_val_and_is_kept(measured):
    run, dataset, asked = measured
    assert scoring.evaluate(run, dataset, "test").threshold == 0.4
    kept = read_json(run.folder / scoring.THRESHOLD)
    assert (kept["threshold"], kept["chosen_on"]) == (0.4, "val")
    assert kept["manifest_sha256"] == run.manifest_sha256
    assert scoring.evaluate(run, dataset, "train").threshold == 0.4
    assert asked == ["test", "val", "train"]


def test_scoring_val_takes_its_threshold_without_another_look(measured):
    run, dataset, asked = measured
    assert scoring.evaluate(run, dataset, "val").threshold == 0.4
    assert asked == ["val"]


def test_on_another_set_the_runs_own_val_still_counts(measured, tmp_path):
    run, _, asked = measured
    assert scoring.evaluate(run, other_set(tmp_path), "val").threshold == 0.4
    assert asked == ["val", "val"]
    assert (run.folder / scoring.THRESHOLD).is_file()


def test_without_the_runs_own_val_the_default_counts_and_is_not_kept(measured, tmp_path):
    run, dataset, asked = measured
    next((dataset.folder / "images" / "val").iterdir()).unlink()
    assert scoring.evaluate(run, dataset, "test").threshold == scoring.DEFAULT_THRESHOLD
    shutil.rmtree(dataset.folder)
    other = other_set(tmp_path)
    assert scoring.evaluate(run, other, "test").threshold == scoring.DEFAULT_THRESHOLD
    assert asked == ["test", "test"]
    assert not (run.folder / scoring.THRESHOLD).exists()


def test_a_threshold_of_another_training_is_not_taken(measured):
    run, dataset, _ = measured
    kept = {"run_id": "another", "manifest_sha256": run.manifest_sha256, "threshold": 0.9}
    (run.folder / scoring.THRESHOLD).write_bytes(json_bytes(kept))
    assert scoring.evaluate(run, dataset, "test").threshold == 0.4


@pytest.mark.parametrize("kept", ["[]", "{", "3", "{}", "THRESHOLD-less", "odd"])
def test_a_threshold_that_cannot_be_read_is_measured_again(measured, kept):
    run, dataset, _ = measured
    key = {"run_id": run.run_id, "manifest_sha256": run.manifest_sha256}
    made = {"THRESHOLD-less": json_bytes(key), "odd": json_bytes({**key, "threshold": "high"})}
    (run.folder / scoring.THRESHOLD).write_bytes(made.get(kept, kept.encode()))
    assert scoring.evaluate(run, dataset, "test").threshold == 0.4


# What may go wrong ---------------------------------------------------------------------------


def test_a_split_without_objects_has_no_score(tmp_path, weights):
    dataset = write_set(tmp_path / "set")
    run = run_of(tmp_path / "run", dataset, weights)
    evaluation = scoring.evaluate(run, dataset, "test", "cpu")
    assert np.isnan(list(evaluation.metrics.values())).all()
    assert evaluation.curves == ()
    assert evaluation.threshold == scoring.DEFAULT_THRESHOLD
    assert evaluation.confusion.counts[:-1].sum() == 0


def test_weights_of_other_classes_are_refused(tmp_path):
    dataset = write_set(tmp_path / "set")
    strange = write_weights(tmp_path / "best.pt", ("qd", "cog"))
    with pytest.raises(InputError, match=r"qd, cog.*\n?.*qd, qf"):
        scoring.evaluate(run_of(tmp_path / "run", dataset, strange), dataset, "test", "cpu")


def test_a_set_of_other_classes_is_refused(tmp_path, weights):
    dataset = write_set(tmp_path / "set")
    run = run_of(tmp_path / "run", dataset, weights)
    swapped = replace(dataset, manifest=replace(dataset.manifest, classes=CLASSES[::-1]))
    with pytest.raises(InputError, match="knows the classes qd, qf, the set has qf, qd"):
        scoring.evaluate(run, swapped, "test", "cpu")


def test_a_device_that_is_not_there_is_refused(tmp_path, weights):
    dataset = write_set(tmp_path / "set")
    with pytest.raises(InputError, match="--device 97"):
        scoring.evaluate(run_of(tmp_path / "run", dataset, weights), dataset, "test", "97")
