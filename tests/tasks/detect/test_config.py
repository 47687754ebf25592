"""Settings of a detector: ours by name, Ultralytics' checked against their own list."""

from __future__ import annotations

import inspect
import json
import re

import pytest
from detectors import write_detector

from vqc import ultra
from vqc.errors import InputError
from vqc.tasks.detect.config import CHOICES, configure

SCRATCH = {"weights": "yolov8n.yaml"}


def told(**settings) -> str:
    with pytest.raises(InputError) as caught:
        configure({**SCRATCH, **settings})
    return str(caught.value)


def test_pictures_of_one_shape_together_cannot_be_chosen():
    with pytest.raises(InputError, match="rect: puts pictures of one shape together"):
        configure({**SCRATCH, "epoch_images": 8, "rect": True})


def test_text_and_values_are_the_same():
    text = configure({"weights": "yolov8n.yaml", "epochs": "7", "lr0": "0.005", "cos_lr": "true"})
    assert text == configure({**SCRATCH, "epochs": 7, "lr0": 0.005, "cos_lr": True})
    assert (text.epochs, text.imgsz, text.others) == (7, 640, {"cos_lr": True, "lr0": 0.005})


@pytest.mark.parametrize(
    "text, value",
    [("1e-3", 0.001), ("1E-3", 0.001), ("0.001", 0.001), (".5e-2", 0.005), ("1", 1)],
)
def test_numbers_may_be_written_as_people_do(text, value):
    assert configure({**SCRATCH, "lr0": text}).others == {"lr0": value}


def test_all_that_is_wrong_is_told_at_once():
    said = told(epochz="3", lr="0.1", batch="many", lr0="fast", imgsz="8", data="x.yaml")
    assert len(said.splitlines()) == 6
    assert "epochz: Ultralytics has no such setting; did you mean epochs" in said
    assert "lr: Ultralytics has no such setting; did you mean lrf" in said
    assert "batch: expected a whole number from 1, got many" in said
    assert "lr0: 'lr0=fast' is of invalid type str" in said
    assert "imgsz: expected a whole number from 32, got 8" in said
    assert "data cannot be set: vqc mix decides what trains" in said


@pytest.mark.parametrize(
    "name, value",
    [
        ("epochs", "0"), ("epochs", "2.5"), ("epochs", "nan"), ("epochs", ""), ("imgsz", "31"),
        ("batch", "0"), ("batch", "-1"), ("freeze", "-1"), ("seed", "-1"), ("seed", str(2**32)),
        ("patience", "-1"), ("epoch_images", "0"),
    ],
)  # fmt: skip
def test_numbers_out_of_bounds_are_told(name, value):
    assert f"{name}: expected a whole number from " in told(**{name: value})


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "nan", "inf", float("nan")])
def test_what_is_no_finite_number_is_told(value):
    assert "lr0: " in told(lr0=value)


@pytest.mark.parametrize("value", ["[", "{a: 1}", "2020-01-01", "!!python/object:os.system x"])
def test_what_is_no_plain_value_is_told(value):
    """Also where Ultralytics does not look at the type, as with tracker."""
    assert told(tracker=value).startswith("tracker: expected a ")


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("optimizer", "Foo", "expected auto, SGD, Adam, "),
        ("optimizer", "AdamWW", "MuSGD, got AdamWW; did you mean AdamW?"),
        ("optimizer", "", "None"),
        ("copy_paste_mode", "flipp", "expected flip, mixup, got flipp; did you mean flip?"),
        ("cache", "disc", "expected ram, disk, got disc; did you mean disk?"),
    ],
)
def test_words_that_ultralytics_does_not_take_are_told(name, value, says):
    said = told(**{name: value})
    assert said.startswith(f"{name}: ") and says in said


def test_words_are_spelled_as_ultralytics_does():
    found = configure({**SCRATCH, "optimizer": "adamw", "cache": "True"}).others
    assert found == {"optimizer": "AdamW", "cache": True}


def test_the_optimizers_are_those_of_ultralytics():
    ultra.prepare()
    from ultralytics.engine.trainer import BaseTrainer

    code = inspect.getsource(BaseTrainer.build_optimizer)
    theirs = re.search(r"optimizers = \{(.*?)\}", code)[1]
    assert sorted(re.findall(r'"(\w+)"', theirs)) == sorted(CHOICES["optimizer"])


@pytest.mark.parametrize(
    "device, says",
    [
        ("0,1", "expected one, such as 0 or cpu, got 0,1; vqc grid"),
        ("gpu", "expected cpu or the number of a GPU"),
        ("-1", "expected cpu or the number of a GPU"),
        ("²", "expected cpu or the number of a GPU"),
        ("cuda:0", "expected cpu or the number of a GPU"),
    ],
)
def test_devices_that_cannot_be_are_told(device, says):
    assert f"device: {says}" in told(device=device)


@pytest.mark.parametrize(
    "name",
    [
        "data", "fraction", "model", "pretrained", "project", "name", "save_dir", "exist_ok",
        "val", "split", "task", "mode", "resume", "save", "cfg", "time", "verbose",
        "distill_model", "single_cls", "classes",
    ],
)  # fmt: skip
def test_what_vqc_decides_cannot_be_set(name):
    assert told(**{name: "1"}).startswith(f"{name} cannot be set: ")


# What a run is ------------------------------------------------------------------------------


def test_the_identity_holds_what_decides_the_result():
    plain = configure(SCRATCH).identity()
    assert json.loads(json.dumps(plain)) == plain
    for speed in ({"device": "cpu"}, {"workers": 3}, {"cache": "disk"}, {"plots": True}):
        assert configure({**SCRATCH, **speed}).identity() == plain
    for more in (
        {"epochs": 3}, {"imgsz": 64}, {"batch": 3}, {"freeze": 2}, {"seed": 4}, {"patience": 5},
        {"epoch_images": 9}, {"lr0": 0.5}, {"weights": "yolov8s.yaml"},
    ):  # fmt: skip
        assert configure({**SCRATCH, **more}).identity() != plain


def test_weights_count_by_their_content_and_not_by_their_place(tmp_path):
    (tmp_path / "a").mkdir()
    first = write_detector(tmp_path / "a" / "one.pt")
    second = tmp_path / "two.pt"
    second.write_bytes(first.read_bytes())
    configs = [configure({"weights": str(file)}) for file in (first, second)]
    assert configs[0].identity() == configs[1].identity()
    assert str(tmp_path) not in json.dumps(configs[0].identity())
    second.write_bytes(first.read_bytes() + b"\0")
    assert configure({"weights": str(second)}).identity() != configs[0].identity()


def test_arguments_are_those_of_ultralytics():
    from ultralytics.utils import DEFAULT_CFG_DICT

    found = configure({**SCRATCH, "epoch_images": 8, "mosaic": 0, "seed": 3}).arguments()
    assert set(found) <= set(DEFAULT_CFG_DICT)
    assert (found["seed"], found["mosaic"], found["plots"]) == (3, 0, False)
