"""One test of the contract over every registered task, and over the example of docs/tasks.md."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from plugins import install_package, on_path

from vqc import tasks
from vqc.dataset import Dataset, open_dataset
from vqc.errors import InputError
from vqc.formats import rle, yolo
from vqc.manifest import write_manifest
from vqc.runs import DATASET, RESULT, WEIGHTS, Run, json_bytes, read_run, result_record
from vqc.tasks.contract import Fitted, Picture, Task
from vqc.tasks.settings import describe_fields, parse
from vqc.types import Annotation, Frame, Manifest
from vqc.verify import verify

EPOCHS = 2
SMALLEST: dict[str, dict[str, Any]] = {
    "anomaly": {"weights": "yolov8n.yaml", "imgsz": 64, "bank": 50, "device": "cpu"},
    "detect": {
        "weights": "yolov8n.yaml", "imgsz": 64, "batch": 4, "epochs": EPOCHS,
        "device": "cpu", "workers": 0,
    },
    "segment": {
        "weights": "yolov8n.yaml", "tile": 64, "overlap": 0, "batch": 4, "epochs": EPOCHS,
        "device": "cpu",
    },
    "classify": {
        "weights": "none", "imgsz": 64, "batch": 4, "epochs": EPOCHS, "device": "cpu",
    },
    "thumbnail": {"epochs": EPOCHS},
}  # fmt: skip
"""Settings with which each task is through in seconds."""

DOCS = Path(__file__).parents[2] / "docs" / "tasks.md"
NAMES = sorted({row.name for row in tasks.listed()} | {"thumbnail"})
CLASSES = ("blue", "red")
SIDE = 64
SPLITS = ("train",) * 4 + ("val",) * 4 + ("test",) * 2


# A tiny set that has everything a task may ask for


def tiny_frame(root: Path, number: int, split: str) -> Frame:
    """A red or blue square on grey noise; every second val and test one has a scratch."""
    rng = np.random.default_rng(number)
    kind = CLASSES[number % 2]
    pixels = rng.integers(100, 140, (SIDE, SIDE, 3), np.uint8)
    x, y = (int(v) for v in rng.integers(4, SIDE - 36, 2))
    pixels[y : y + 32, x : x + 32] = (220, 30, 30) if kind == "red" else (30, 30, 220)
    scratched = split != "train" and number % 4 < 2
    if scratched:
        pixels[y + 15 : y + 17, x : x + 32] = 255
    name = f"images/{split}/{number:03d}.png"
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + 32, x : x + 32] = True
    note = Annotation(kind, instance=1, box_xyxy=(x, y, x + 32, y + 32), mask=rle.encode(mask))
    labels = root / yolo.label_path(name)
    labels.parent.mkdir(parents=True, exist_ok=True)
    labels.write_text(yolo.label_text((note,), CLASSES, SIDE, SIDE))
    return Frame(
        image=name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        phash=f"{number:016x}",
        width=SIDE,
        height=SIDE,
        source="real",
        session=split,
        split=split,
        label=kind,
        condition="scratch" if scratched else "good",
        objects=(note,),
    )


def tiny_set(root: Path) -> Dataset:
    """Four pictures that train, four to choose by, two to test on."""
    frames = tuple(tiny_frame(root, number, split) for number, split in enumerate(SPLITS))
    recipe = b"vqc_recipe: 1\nkind: mix\nname: tiny\n"
    (root / "recipe.yaml").write_bytes(recipe)
    (root / "classes.txt").write_text(yolo.names_text(CLASSES))
    (root / "data.yaml").write_text(yolo.data_yaml(CLASSES, set(SPLITS)))
    digest = hashlib.sha256(recipe).hexdigest()
    ordered = tuple(sorted(frames, key=lambda f: f.image))
    write_manifest(root, Manifest("mix", "tiny", CLASSES, ordered, digest, "vqc 0.1.0"))
    assert verify(root) == []
    return open_dataset(root)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: when it was changed, and what it holds."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# A training of every task


@dataclass
class Listener:
    """A monitor that remembers, and that stops the training in an epoch if told to."""

    stop_in: int = 0
    seen: list[tuple[int, int]] = field(default_factory=list)
    epochs: dict[int, Mapping[str, float]] = field(default_factory=dict)
    resumed_after: list[int] = field(default_factory=list)

    def progress(self, done: int, total: int) -> None:
        self.seen.append((done, total))

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        assert number not in self.epochs, "an epoch is told twice"
        self.epochs[number] = dict(metrics)
        if number == self.stop_in:
            raise KeyboardInterrupt

    def resumed(self, epochs_done: int) -> None:
        self.resumed_after.append(epochs_done)


@dataclass
class Case:
    """One task, trained on the tiny set whose test pictures were deleted before."""

    task: Task
    dataset: Dataset
    before: dict[str, tuple[int, bytes]]
    run: Run
    fitted: Fitted
    heard: Listener


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory):
    """The plugin of docs/tasks.md, built and installed as its page says, but into a folder."""
    page = DOCS.read_text()
    package, site = tmp_path_factory.mktemp("package"), tmp_path_factory.mktemp("site")
    for name, language in (("vqc_thumbnail.py", "python"), ("pyproject.toml", "toml")):
        (text,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
        (package / name).write_text(text)
    install_package(package, site)
    with on_path(site):
        yield


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Trainings are compared, and other tests run beside this one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def config_of(task: Task, **more: Any) -> Any:
    assert task.name in SMALLEST, f"give the smallest settings of {task.name} in SMALLEST"
    return task.configure({**SMALLEST[task.name], **more})


def fit(task: Task, dataset: Dataset, folder: Path, heard: Listener) -> Fitted:
    folder.mkdir(exist_ok=True)
    return task.fit(dataset, config_of(task), folder, heard)


def run_of(task: Task, dataset: Dataset, folder: Path, fitted: Fitted) -> Run:
    """The run as the core leaves it and reads it again."""
    run = Run(
        folder=folder,
        run_id="0123456789ab",
        task=task.name,
        name="tiny",
        config=config_of(task).identity(),
        seed=0,
        classes=CLASSES,
        dataset_name="tiny",
        manifest_sha256=dataset.sha256,
        metrics=fitted.metrics,
        epochs=fitted.epochs,
        best_epoch=fitted.best_epoch,
        chosen_on=fitted.chosen_on,
        seconds=1.0,
        weights=folder / WEIGHTS,
    )
    (folder / DATASET).write_bytes((dataset.folder / "manifest.jsonl").read_bytes())
    (folder / RESULT).write_bytes(json_bytes(result_record(run)))
    return read_run(folder)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The tiny set without its test pictures: who looks at one fails."""
    made = tiny_set(tmp_path_factory.mktemp("tiny"))
    for frame in made.frames("test"):
        made.path(frame).unlink()
    return made


@pytest.fixture(scope="module", params=NAMES)
def case(request, dataset, example, one_thread, tmp_path_factory):
    task = tasks.find(request.param)
    before, heard = contents(dataset.folder), Listener()
    folder = tmp_path_factory.mktemp(request.param) / "run"
    fitted = fit(task, dataset, folder, heard)
    return Case(task, dataset, before, run_of(task, dataset, folder, fitted), fitted, heard)


def pictures(dataset: Dataset) -> list[Picture]:
    """Two of the set, and one of another size and shape."""
    wide = Picture("wide", np.full((40, 90, 3), 128, np.uint8))
    files = [dataset.path(frame) for frame in dataset.frames("val")[:2]]
    return [*(Picture(f.name, np.array(Image.open(f))) for f in files), wide]


# What every task promises


@pytest.fixture(params=NAMES)
def task(request, example):
    return tasks.find(request.param)


def test_every_default_fits_its_setting(task):
    settings = describe_fields(task.config)
    assert "seed" in [s.name for s in settings]
    defaults = {s.name: s.default for s in settings}
    assert parse(task.config, defaults) == defaults


def test_text_and_values_make_the_same_config(task):
    text = {name: str(value) for name, value in SMALLEST[task.name].items()}
    config = config_of(task, seed=7)
    assert config == task.configure({**text, "seed": "7"})
    assert config.seed == 7
    assert json.loads(json.dumps(config.identity())) == config.identity()
    assert config_of(task, seed=8).identity() != config.identity()


def test_all_wrong_settings_are_told_at_once_with_the_nearest_name(task):
    with pytest.raises(InputError, match=r"did you mean.*seed") as caught:
        task.configure({**SMALLEST[task.name], "sead": 1, "seed": "many", "device": "gpu"})
    assert re.search(r"seed: expected a whole number.*got many", str(caught.value))
    assert re.search(r"^device: ", str(caught.value), re.MULTILINE)


def test_a_set_without_labels_is_refused_with_every_frame(task, dataset):
    bare = {frame.image for frame in dataset.frames("train")[:3]}
    frames = tuple(
        replace(f, objects=None, label=None, condition=None) if f.image in bare else f
        for f in dataset.manifest.frames
    )
    with pytest.raises(InputError) as caught:
        task.check(replace(dataset, manifest=replace(dataset.manifest, frames=frames)))
    assert [image for image in bare if image not in str(caught.value)] == []


def test_a_sound_set_passes(task, dataset):
    task.check(dataset)


def test_fit_leaves_weights_and_tells_every_epoch(case):
    fitted, heard = case.fitted, case.heard
    assert case.run.weights.stat().st_size > 0
    assert list(heard.epochs) == list(range(1, fitted.epochs + 1)) and heard.resumed_after == []
    assert 1 <= fitted.best_epoch <= fitted.epochs <= EPOCHS
    assert fitted.chosen_on in (None, "val")
    if fitted.chosen_on is None:
        assert fitted.best_epoch == fitted.epochs
    for metrics in [*heard.epochs.values(), fitted.metrics]:
        assert all(isinstance(v, float) and math.isfinite(v) for v in metrics.values())
    done = [number for number, _ in heard.seen]
    assert done == sorted(done) and len({total for _, total in heard.seen}) == 1
    assert heard.seen[-1] == (heard.seen[0][1],) * 2


def test_fitting_a_finished_run_again_changes_nothing(case):
    before, heard = contents(case.run.folder), Listener()
    again = case.task.fit(case.dataset, config_of(case.task), case.run.folder, heard)
    assert again == case.fitted and heard.epochs == {}
    assert case.run.weights.read_bytes() == before[WEIGHTS][1]


def test_a_training_that_was_cut_off_goes_on_to_the_same_result(case, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(case.task, case.dataset, tmp_path / "run", Listener(stop_in=EPOCHS))
    assert not (tmp_path / "run" / WEIGHTS).exists()
    heard = Listener()
    fitted = fit(case.task, case.dataset, tmp_path / "run", heard)
    assert heard.resumed_after == [EPOCHS - 1], "more than one epoch is lost"
    assert list(heard.epochs) == [EPOCHS]
    assert fitted == case.fitted


def test_equal_trainings_give_equal_metrics(case, tmp_path):
    heard = Listener()
    fitted = fit(case.task, case.dataset, tmp_path / "run", heard)
    assert fitted == case.fitted and heard.epochs == case.heard.epochs


def test_evaluate_gives_the_headline(case):
    found = case.task.evaluate(case.run, case.dataset, "val", "cpu")
    assert 0 <= found.metrics[case.task.headline.metric] <= 1
    assert (found.split, found.frames) == ("val", len(case.dataset.frames("val")))
    assert 0 <= found.threshold <= 1
    images = [frame.image for frame in case.dataset.frames("val")]
    assert sorted(p.image for p in found.predictions) == images
    assert set(found.per_class) <= set(CLASSES)
    json.dumps([dict(found.metrics), {k: dict(v) for k, v in found.per_class.items()}])
    for image, drawn in found.drawn.items():
        assert image in images and drawn.dtype == np.uint8 and drawn.shape[2:] == (3,)
    if found.confusion is not None:
        size = len(found.confusion.names)
        assert found.confusion.counts.shape == (size, size)


def test_predict_answers_every_picture_in_order(case):
    asked = pictures(case.dataset)
    answers = list(case.task.predict(case.run, iter(asked), {}))
    assert [picture for picture, _ in answers] == asked
    for picture, prediction in answers:
        record = json.loads(json.dumps(prediction.record(), allow_nan=False))
        assert record["image"] == prediction.image == picture.name
        assert record["score"] == prediction.score and 0 <= prediction.score <= 1


def test_draw_leaves_the_picture_and_gives_one_size_for_one_size(case):
    sizes: dict[tuple[int, ...], tuple[int, ...]] = {}
    for picture, prediction in case.task.predict(case.run, iter(pictures(case.dataset)), {}):
        before = picture.rgb.copy()
        drawn = case.task.draw(picture, prediction)
        assert drawn.dtype == np.uint8 and drawn.shape[2:] == (3,)
        assert sizes.setdefault(before.shape, drawn.shape) == drawn.shape
        assert case.task.name != "detect" or drawn.shape == before.shape
        assert np.array_equal(picture.rgb, before)


def test_rows_have_the_same_keys_whatever_the_picture(case):
    if not hasattr(case.task, "rows"):
        pytest.skip(f"{case.task.name} gives no rows")
    answers = case.task.predict(case.run, iter(pictures(case.dataset)), {})
    rows = [row for _, prediction in answers for row in case.task.rows(prediction)]
    assert len({tuple(row) for row in rows}) <= 1
    assert all(isinstance(value, str | int | float) for row in rows for value in row.values())


def test_nothing_is_written_into_the_set(case):
    """The case was fitted, and may have been scored; here it is in any event."""
    case.task.evaluate(case.run, case.dataset, "val", "cpu")
    assert contents(case.dataset.folder) == case.before
