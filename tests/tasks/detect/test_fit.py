"""Training a detector: through interruptions, without a network, and never by code of a file."""

from __future__ import annotations

import csv
import os
import random
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from detectors import write_detector
from PIL import Image
from training import SMALL, Host, add_frame, contents, finish_set, write_set

from vqc import lineage, runs, ultra
from vqc.errors import InputError, VqcError
from vqc.runs import WEIGHTS
from vqc.tasks.detect import Detect
from vqc.tasks.learning.weights import seen_by
from vqc.types import Annotation

EPOCHS = 6
KILLS = int(os.environ.get("VQC_KILLS", "10"))
MOMENTS = 75
"""Of a process that is killed: up to 45 it begins, then ten or so are an epoch."""
LONGER = {**SMALL, "epochs": EPOCHS}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# In processes that are watched ----------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory in which files are called like modules; each leaves a mark if it runs."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("torch", "yaml", "numpy", "ultralytics", "cv2", "tensorboard", "psutil", "polars"):
        (folder / f"{name}.py").write_text("open('ran', 'a').write(__name__)\n")
    return folder


@pytest.fixture(scope="module")
def dataset(place):
    return write_set(place / "datasets" / "squares")


@pytest.fixture(scope="module")
def host(place, tmp_path_factory):
    made = Host(tmp_path_factory.mktemp("host"), place)
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(host, dataset, place):
    """A training that nothing interrupts: its folder, its process, the set before it."""
    before = contents(dataset.folder)
    asked = {"dataset": str(dataset.folder), "root": str(place / "runs"), "settings": LONGER}
    pid = host.start(**asked, name="whole")
    assert host.wait(pid) == 0, host.said(pid, "broken")
    return place / "runs" / "detect" / "whole", pid, before


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / runs.METRICS).open() as lines:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(lines)]


def state_of(folder: Path):
    return ultra.load_detector(folder / WEIGHTS).state_dict()


def test_every_epoch_has_a_row_and_the_best_on_val_counts(whole):
    folder = whole[0]
    assert [row["epoch"] for row in table_of(folder)] == [str(n + 1) for n in range(EPOCHS)]
    run = runs.read_run(folder)
    assert (run.epochs, run.chosen_on) == (EPOCHS, "val") and 1 <= run.best_epoch <= EPOCHS
    assert {p.name for p in folder.iterdir()} == {
        ".lock", "fitted.json", "ultralytics", runs.ASKED, runs.DATASET, runs.LINEAGE,
        runs.ENVIRONMENT, runs.METRICS, runs.WEIGHTS, runs.RESULT,
    }  # fmt: skip
    assert not (folder / "ultralytics" / "weights").exists()


def test_no_connection_is_tried(host, whole):
    assert host.said(whole[1], "open"), "nothing was watched"
    assert host.said(what="network") == []


def test_test_pictures_are_not_opened_once_they_are_verified(host, whole, dataset):
    rows = host.said(whole[1])
    last = max(i for i, row in enumerate(rows) if row["what"] == "verified")
    opened = [row["value"] for row in rows[last:] if row["what"] == "open"]
    for split, times in (("train", True), ("val", True), ("test", False)):
        for frame in dataset.frames(split):
            assert (str(dataset.path(frame)) in opened) == times, frame.image
    assert [
        path for path in opened if "/labels/" in path or path.endswith((".npy", ".cache"))
    ] == []


def test_nothing_is_written_into_the_set(whole, dataset):
    assert contents(dataset.folder) == whole[2]


def test_files_of_the_working_directory_are_no_modules(whole, place):
    assert not (place / "ran").exists()


def test_two_trainings_share_a_set_and_come_out_as_one_alone(host, whole, dataset, place):
    asked = {"dataset": str(dataset.folder), "root": str(place / "runs"), "settings": LONGER}
    pids = [host.start(**asked, name=name) for name in ("left", "right")]
    begun, deadline = place / "runs" / "detect" / "left" / runs.ASKED, time.monotonic() + 300
    while not begun.is_file() and time.monotonic() < deadline:
        time.sleep(0.01)  # or the second one might come first
    second = host.start(**asked, name="left")
    assert host.wait(second) == 2
    (message,) = host.said(second, "message")
    assert "left is being trained by another command" in message["value"]
    assert [host.wait(pid) for pid in pids] == [0, 0]
    wanted = state_of(whole[0])
    for name in ("left", "right"):
        folder = place / "runs" / "detect" / name
        assert table_of(folder) == table_of(whole[0])
        found = state_of(folder)
        assert all((found[key] == wanted[key]).all() for key in wanted)
    assert contents(dataset.folder) == whole[2]


def test_kill_minus_nine_costs_an_epoch_at_most(host, whole, dataset, place):
    """Killed again and again at random moments, a training still comes to its end."""
    asked = {"dataset": str(dataset.folder), "root": str(place / "runs"), "settings": LONGER}
    asked["name"] = "killed"
    folder, rng, told, killed = place / "runs" / "detect" / "killed", random.Random(0), 0, 0
    while killed < KILLS:
        pid = host.start(die_at=rng.randint(1, MOMENTS), **asked)
        ended = host.wait(pid)
        assert ended in (0, -9), host.said(pid)
        told, killed = went_on(host, pid, told), killed + (ended == -9)
        if (folder / runs.RESULT).is_file():  # it was through before it was killed often enough
            shutil.rmtree(folder)
            told = 0
    pid = host.start(**asked)
    assert host.wait(pid) == 0, host.said(pid, "broken")
    went_on(host, pid, told)
    assert [row["epoch"] for row in table_of(folder)] == [str(n + 1) for n in range(EPOCHS)]
    run = runs.read_run(folder)
    assert run.run_id == runs.read_run(whole[0]).run_id and run.epochs == EPOCHS
    assert state_of(folder).keys() == state_of(whole[0]).keys()
    assert [p for p in folder.rglob("*") if p.name.endswith(".tmp")] == []
    assert contents(dataset.folder) == whole[2] and host.said(what="network") == []


def went_on(host: Host, pid: int, told: int) -> int:
    """The last epoch that was told, by this process or one before it; it went on in time."""
    rows = host.said(pid)
    assert [row for row in rows if row["what"] in ("broken", "message")] == []
    begun = [row["value"] for row in rows if row["what"] == "resumed"]
    epochs = [row["value"] for row in rows if row["what"] == "epoch"]
    if epochs or begun:
        start = begun[0] if begun else 0
        assert start >= told - 1, "more than one epoch is lost"
        assert epochs == list(range(start + 1, start + 1 + len(epochs)))
    return epochs[-1] if epochs else told


# In this process --------------------------------------------------------------------------------


@dataclass
class Listener:
    on_epoch: object = None
    epochs: dict[int, Mapping[str, float]] = field(default_factory=dict)
    seen: list[tuple[int, int]] = field(default_factory=list)
    resumed_after: list[int] = field(default_factory=list)

    def progress(self, done, total):
        self.seen.append((done, total))

    def epoch(self, number, metrics):
        self.epochs[number] = metrics
        if self.on_epoch:
            self.on_epoch(number)

    def resumed(self, epochs_done):
        self.resumed_after.append(epochs_done)


@pytest.fixture
def offline(monkeypatch):
    """Every try to reach a network fails the test."""
    tries = []

    def refuse(*arguments, **_):
        tries.append(arguments)
        raise OSError("no network in tests")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert tries == []


def fit(dataset, folder: Path, heard=None, **settings):
    task = Detect()
    config = task.configure({**SMALL, **settings})
    folder.mkdir(exist_ok=True)
    return task.fit(dataset, config, folder, heard or Listener())


def refused(dataset, folder: Path, **settings) -> str:
    """The one message of a training that does not start."""
    heard = Listener()
    with pytest.raises(InputError) as caught:
        fit(dataset, folder, heard, **settings)
    assert heard.epochs == {} and not (folder / WEIGHTS).exists()
    return str(caught.value)


@pytest.fixture
def fitness(monkeypatch):
    """Validation says 0.2, 0.6, 0.4, 0.3, … of the epochs, whatever was learnt."""
    ultra.prepare()
    from ultralytics.engine.trainer import BaseTrainer

    def validate(trainer):
        found = [0.2, 0.6, 0.4, 0.3, 0.2, 0.1][trainer.epoch]
        trainer.best_fitness = max(found, trainer.best_fitness or 0.0)
        keys = ("precision", "recall", "mAP50", "mAP50-95")
        return {f"metrics/{key}(B)": found for key in keys}, found

    monkeypatch.setattr(BaseTrainer, "validate", validate)


def test_val_chooses_the_epoch_and_ends_the_training_after_an_interruption_too(
    dataset, fitness, tmp_path
):
    kept = {}

    def interrupt(number):
        if number == 3:
            best = ultra.load_file(tmp_path / "run" / "ultralytics" / "weights" / "best.pt")
            kept.update(best["ema"].state_dict())
            raise KeyboardInterrupt

    settings = {"epochs": 6, "patience": 2}
    with pytest.raises(KeyboardInterrupt):
        fit(dataset, tmp_path / "run", Listener(interrupt), **settings)
    heard = Listener()
    fitted = fit(dataset, tmp_path / "run", heard, **settings)
    assert heard.resumed_after == [2] and list(heard.epochs) == [3, 4]
    assert (fitted.epochs, fitted.best_epoch, fitted.chosen_on) == (4, 2, "val")
    assert fitted.metrics["mAP50"] == 0.6 and heard.epochs[4]["val/mAP50"] == 0.3
    found = state_of(tmp_path / "run")
    assert kept and all((found[key] == kept[key].float()).all() for key in kept)


@pytest.mark.parametrize("val", [0, 2])
def test_without_objects_in_val_the_last_epoch_counts_and_nothing_stops_early(tmp_path, val):
    dataset = write_set(tmp_path / "set", {"train": 3, "val": val, "test": 1}, empty=(1, 3, 4))
    dataset.path(dataset.frames("test")[0]).unlink()
    heard = Listener()
    fitted = fit(dataset, tmp_path / "run", heard, epochs=3, patience=1)
    assert not any(name.startswith("val/") for name in heard.epochs[3])
    assert (fitted.epochs, fitted.best_epoch, fitted.chosen_on) == (3, 3, None)
    assert fitted.metrics == {}


def test_a_device_that_is_not_there_is_told_before_anything_goes():
    task = Detect()
    with pytest.raises(InputError, match="--device 99: cannot be used here"):
        task.check_machine(task.configure({**SMALL, "device": "99"}))
    task.check_machine(task.configure(SMALL))


def test_odd_sets_train(tmp_path):
    """Grey pictures of many sizes, a class that nothing shows, batches of two, equal epochs."""
    rng, frames, classes = np.random.default_rng(0), [], ("blue", "green", "red")
    for number, (width, height) in enumerate([(64, 64), (90, 40), (33, 96), (70, 70)]):
        pixels = rng.integers(0, 256, (height, width), np.uint8)
        note = Annotation(classes[number % 2 * 2], instance=1, box_xyxy=(4, 4, 30, 30))
        split = "val" if number == 3 else "train"
        image = f"images/{split}/{number}.png"
        frames.append(
            add_frame(
                tmp_path / "set", image, Image.fromarray(pixels), (note,) * (number != 1), classes
            )
        )
    dataset, heard = finish_set(tmp_path / "set", frames, classes), Listener()
    fit(dataset, tmp_path / "run", heard, epochs=1, batch=2, epoch_images=8, imgsz=64)
    assert heard.seen == [(2, 8), (4, 8), (6, 8), (8, 8)]
    network = ultra.load_detector(tmp_path / "run" / WEIGHTS)
    assert network.names == {0: "blue", 1: "green", 2: "red"}


def test_every_frame_is_trained_on_once_an_epoch(dataset, tmp_path, monkeypatch):
    from vqc.tasks.detect.trainer import Trainer

    seen, preprocess = [], Trainer.preprocess_batch

    def note(trainer, batch):
        seen.extend(batch["im_file"])
        return preprocess(trainer, batch)

    monkeypatch.setattr(Trainer, "preprocess_batch", note)
    fit(dataset, tmp_path / "run", epochs=2, mosaic=0.0)
    assert sorted(seen) == sorted([str(dataset.path(f)) for f in dataset.frames("train")] * 2)


def test_short_epochs_take_turns_with_a_large_set(tmp_path, monkeypatch):
    """Also where weights are measured first, mosaic is closed, and training goes on."""
    from vqc.tasks.detect.trainer import Trainer

    dataset = write_set(tmp_path / "set", {"train": 6, "val": 1})
    seen, preprocess = [], Trainer.preprocess_batch

    def note(trainer, batch):
        seen.extend(batch["im_file"])
        return preprocess(trainer, batch)

    def interrupt(number):
        if number == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "preprocess_batch", note)
    settings = {"epochs": 3, "epoch_images": 4, "batch": 2, "mosaic": 1.0, "close_mosaic": 1}
    with pytest.raises(KeyboardInterrupt):
        fit(dataset, tmp_path / "run", Listener(interrupt), **settings)
    del seen[4:]  # the second epoch was not saved
    fit(dataset, tmp_path / "run", **settings)
    assert len(seen) == 12
    times = [seen.count(str(dataset.path(frame))) for frame in dataset.frames("train")]
    assert times == [2] * 6


def test_one_class_from_weights_of_others(tmp_path, offline):
    weights = write_detector(tmp_path / "start.pt")
    dataset = write_set(tmp_path / "set", {"train": 3, "val": 1}, classes=("red",), empty=())
    fit(dataset, tmp_path / "run", epochs=1, weights=str(weights), freeze=10)
    network = ultra.load_detector(tmp_path / "run" / WEIGHTS)
    assert network.names == {0: "red"}
    start = ultra.load_detector(weights).state_dict()
    key = "model.0.conv.weight"
    assert (network.state_dict()[key] == start[key]).all(), "a frozen layer has moved"


def test_weights_say_what_they_have_seen_wherever_they_go(dataset, tmp_path):
    """A run from copied weights of a run from weights of a run knows both of these sets."""
    others = write_set(tmp_path / "others", {"train": 3, "val": 1})
    third = write_set(tmp_path / "third", {"train": 3, "val": 1}, empty=())
    first = write_detector(tmp_path / "start.pt")
    told = []
    for name, each in (("a", dataset), ("b", others), ("c", third)):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copyfile(each.folder / "manifest.jsonl", folder / runs.DATASET)
        fit(each, folder, epochs=1, weights=str(first))
        told.append([each.sha256 for each in lineage.ancestors(folder)])
        first = shutil.copyfile(folder / WEIGHTS, tmp_path / f"elsewhere-{name}.pt")
        shutil.rmtree(folder)
    assert told == [[], [dataset.sha256], [others.sha256, dataset.sha256]]
    assert ultra.load_detector(first).names == {0: "blue", 1: "red"}


def test_weights_that_say_nonsense_of_what_they_have_seen_are_refused(dataset, tmp_path):
    import torch

    file = write_detector(tmp_path / "start.pt")
    content = torch.load(file, weights_only=False)
    torch.save({**content, "vqc_seen": torch.arange(9, dtype=torch.uint8)}, file)
    said = refused(dataset, tmp_path / "run", weights=str(file))
    assert said.startswith("--weights: what it says of the pictures that trained it does not read")


def test_weights_that_say_nothing_are_known_by_the_run_they_lie_in(dataset, tmp_path):
    run = tmp_path / "run"
    (run / "ultralytics" / "weights").mkdir(parents=True)
    weights = write_detector(run / "ultralytics" / "weights" / "last.pt")
    assert seen_by(weights) is None
    (run / runs.ASKED).touch()
    shutil.copyfile(dataset.folder / "manifest.jsonl", run / runs.DATASET)
    assert seen_by(weights) == lineage.seen(run)


def test_a_last_batch_of_one_is_explained(dataset, tmp_path):
    with pytest.raises(VqcError, match="training failed: final batch=1 training at imgsz=32"):
        fit(dataset, tmp_path / "run", batch=2)


def test_a_loss_that_is_no_number_ends_the_training(dataset, tmp_path):
    import torch

    file = write_detector(tmp_path / "start.pt")
    content = torch.load(file, weights_only=False)
    with torch.no_grad():
        content["model"].model[0].conv.weight.fill_(float("nan"))
    torch.save(content, file)
    with pytest.raises(VqcError, match="the loss of epoch 1 is nan; a smaller learning rate"):
        fit(dataset, tmp_path / "run", weights=str(file))
    assert not (tmp_path / "run" / WEIGHTS).exists()


def test_a_device_that_is_not_there_is_told(dataset, tmp_path):
    said = refused(dataset, tmp_path / "run", device="7")
    assert said.startswith("--device 7: cannot be used here") and "vqc doctor" in said
    assert "\n" not in said


# Files that would do harm ---------------------------------------------------------------------


class Exploit:
    """Leaves a mark where it is unpickled without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def hostile(file: Path, mark: Path, plan: Mapping | None = None, **more) -> Path:
    """A file of weights that runs code as it is opened, or as its network is built again."""
    import torch

    content = torch.load(write_detector(file), weights_only=False)
    if plan is None:
        content["train_args"] = Exploit(mark)
    else:
        content["model"].yaml |= plan
    if more:
        content |= {"ema": content["model"], "model": None, **more}
    torch.save(content, file)
    return file


FETCHES = [[-1, 1, "TorchVision", [512, "resnet18", "DEFAULT"]]]
CHECKPOINT = {
    "epoch": 0, "best_fitness": 0.5, "stopper": {"best_fitness": 0.5, "best_epoch": 1},
    "train_metrics": {"fitness": 0.5}, "updates": 1,
}  # fmt: skip


def plans(mark: Path) -> list[Mapping | None]:
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    return [None, {"backbone": FETCHES}, {"activation": code}]


@pytest.mark.parametrize("way", range(3))
def test_hostile_weights_run_nothing_and_fetch_nothing(dataset, tmp_path, offline, way):
    mark = tmp_path / "ran"
    file = hostile(tmp_path / "start.pt", mark, plans(mark)[way])
    assert refused(dataset, tmp_path / "run", weights=str(file))
    assert not mark.exists()


@pytest.mark.parametrize("way", range(3))
def test_a_hostile_checkpoint_runs_nothing_and_fetches_nothing(dataset, tmp_path, offline, way):
    mark, places = tmp_path / "ran", tmp_path / "run" / "ultralytics" / "weights"
    places.mkdir(parents=True)
    more = CHECKPOINT | ({"train_args": Exploit(mark)} if way == 0 else {"train_args": {}})
    hostile(places / "last.pt", mark, plans(mark)[way], **more)
    assert refused(dataset, tmp_path / "run")
    assert not mark.exists()


def test_the_planted_exploit_would_have_worked(tmp_path):
    import torch

    mark = tmp_path / "ran"
    torch.load(hostile(tmp_path / "start.pt", mark), weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize("content", [{}, {"ema": 1, "epoch": 3}, CHECKPOINT, [1]])
def test_a_checkpoint_of_something_else_is_told(dataset, tmp_path, content):
    import torch

    places = tmp_path / "run" / "ultralytics" / "weights"
    places.mkdir(parents=True)
    torch.save(content, places / "last.pt")
    assert "last.pt: " in refused(dataset, tmp_path / "run")


def test_a_spoilt_result_of_the_task_is_told(dataset, tmp_path):
    (tmp_path / WEIGHTS).touch()
    for text in ("{", "[]", '{"epochs": 3}'):
        (tmp_path / "fitted.json").write_text(text)
        with pytest.raises(InputError, match=r"fitted\.json: "):
            fit(dataset, tmp_path)


# What is asked of a set ---------------------------------------------------------------------------


def test_frames_without_boxes_are_told_all_of_them(dataset):
    frames = tuple(replace(f, objects=None) for f in dataset.manifest.frames)
    bare = replace(dataset, manifest=replace(dataset.manifest, frames=frames))
    with pytest.raises(InputError) as caught:
        Detect().check(bare)
    assert all(frame.image in str(caught.value) for frame in frames)


def test_training_objects_are_asked_for_only_where_something_trains(tmp_path):
    dataset = write_set(tmp_path / "set", empty=range(5))
    with pytest.raises(InputError, match="no training frame shows any object"):
        Detect().check(dataset)
    scored = replace(dataset, manifest=replace(dataset.manifest, frames=dataset.frames("test")))
    Detect().check(scored)
