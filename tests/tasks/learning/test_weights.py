"""Where a training starts: files by name, architectures from the package, and no others."""

from __future__ import annotations

import hashlib
import os

import pytest
from detectors import write_detector

from vqc import ultra
from vqc.errors import InputError
from vqc.tasks.learning import weights


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working directory, without $VQC_WEIGHTS."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(weights.VARIABLE, raising=False)
    return tmp_path


def told(name: str, find=weights.find_weights) -> str:
    with pytest.raises(InputError) as caught:
        find(name)
    return str(caught.value)


# Files --------------------------------------------------------------------------------------


def test_a_path_counts_first_then_the_folder_then_the_variable(place, monkeypatch):
    elsewhere = place / "elsewhere"
    monkeypatch.setenv(weights.VARIABLE, str(elsewhere))
    found = []
    for folder in (elsewhere, place / "weights", place):
        folder.mkdir(exist_ok=True)
        (folder / "best.pt").touch()
        found.append(weights.find_weights("best.pt").resolve())
    assert found == [
        elsewhere / "best.pt", place / "weights" / "best.pt", place / "best.pt"
    ]  # fmt: skip
    assert weights.find_weights(str(elsewhere / "best.pt")) == elsewhere / "best.pt"


def test_a_published_model_comes_with_the_line_that_fetches_it(place):
    said = told("yolov8n.pt")
    assert "vqc downloads nothing" in said and "$VQC_WEIGHTS" in said
    line = said.splitlines()[1].strip()
    assert line.startswith("mkdir -p weights && curl -L -o weights/yolov8n.pt https://")
    assert line.endswith("/yolov8n.pt")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "name, says",
    [
        ("yolov8m.pth", "is not here .* Did you mean yolov8m.pt?"),
        ("mine.pt", "is not here"),
        ("yolov8n-seg.pt", "is not here"),
        ("runs/best.pt", "there is no such file$"),
        ("", "is not here"),
        ("n" * 300, "is not here"),
        ("a\0b", "is not here"),
    ],
)
def test_files_that_are_not_there_are_told(name, says):
    import re

    assert re.search(says, told(name))


def test_a_folder_is_told(place):
    (place / "best.pt").mkdir()
    assert "is a folder; expected a file" in told("best.pt")


def test_the_hash_is_the_files(place):
    (place / "best.pt").write_bytes(b"abc")
    assert weights.sha256_of("best.pt") == hashlib.sha256(b"abc").hexdigest()
    assert weights.sha256_of("yolov8n.yaml") is None


# Architectures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["yolov8n.yaml", "yolov8x.yml", "yolo11s.yaml", "yolo26n.yaml", "yolov8s-p2.yaml",
     "yolov10b.yaml", "yolov9t.yaml", "yolov8.yaml", "yolov3-tiny.yaml"],
)  # fmt: skip
def test_architectures_are_those_of_ultralytics(name):
    ultra.prepare()
    from ultralytics.nn.tasks import yaml_model_load

    plan = weights.find_architecture(name)
    theirs = yaml_model_load(name.replace(".yml", ".yaml"))
    assert plan["scale"] == (theirs["scale"] or next(iter(theirs.get("scales", ())), ""))
    for key in ("backbone", "head", "scales", "nc"):
        assert plan.get(key) == theirs.get(key)


@pytest.mark.parametrize(
    "name",
    ["yolov8.y.yaml", "yolov8q.yaml", "yolov8n-seg.yaml", "yolo11n-cls.yaml", "rtdetr-l.yaml",
     "mine.yaml", "./yolov8n.yaml", "cfg/yolov8n.yaml", ".yaml", "yolov8n-world.yaml"],
)  # fmt: skip
def test_other_architectures_are_told(name):
    said = told(name, weights.find_architecture)
    assert f"--weights {name}: no such architecture" in said and "yolov8" in said


def test_a_yaml_of_the_working_directory_is_not_read(place):
    """It might ask for layers that fetch files, or hold code."""
    for name in ("yolov8n.yaml", "yolov8.yaml", "mine.yaml"):
        (place / name).write_text(
            "nc: 1\nactivation: __import__('os').system('touch ran')\n"
            "backbone: [[-1, 1, TorchVision, [512, resnet18, DEFAULT]]]\nhead: []\n"
        )
    assert len(weights.find_architecture("yolov8n.yaml")["backbone"]) == 10
    assert "no such architecture" in told("mine.yaml", weights.find_architecture)
    assert not (place / "ran").exists()


def test_plans_are_copies():
    weights.find_architecture("yolov8n.yaml")["backbone"].clear()
    assert weights.find_architecture("yolov8n.yaml")["backbone"]


# What a file of weights may ask for ---------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return ultra.load_detector(write_detector(tmp_path_factory.mktemp("weights") / "best.pt"))


def with_plan(network, **changes):
    import copy

    found = copy.deepcopy(network)
    found.yaml.update(changes)
    return found


def test_the_plan_of_a_sound_file_is_its_own(network):
    assert weights.plan_of(network, "best.pt") == network.yaml


@pytest.mark.parametrize("layer", ["TorchVision", "nn.Module", "Index", "os.system", 7])
def test_layers_of_no_detector_are_refused(network, layer):
    """TorchVision fetches a model from the network as soon as it is built."""
    rows = [[-1, 1, layer, [64, "resnet18", "DEFAULT"]], *network.yaml["backbone"][1:]]
    with pytest.raises(InputError, match=rf"best\.pt: asks for layers .*: {layer}$"):
        weights.plan_of(with_plan(network, backbone=rows), "best.pt")


def test_other_tasks_are_refused(network):
    head = [*network.yaml["head"][:-1], [[15, 18, 21], 1, "Segment", ["nc", 32, 256]]]
    with pytest.raises(InputError, match="expected a detector of boxes, got one with a Segment"):
        weights.plan_of(with_plan(network, head=head), "best.pt")


@pytest.mark.parametrize(
    "plan", [None, {}, {"backbone": 1, "head": 2}, {"backbone": [[]], "head": []}]
)
def test_a_file_without_a_plan_is_refused(network, plan):
    found = with_plan(network)
    found.yaml = plan
    with pytest.raises(InputError, match="no plan to build it by"):
        weights.plan_of(found, "best.pt")


def test_unreadable_weights_are_told(place):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (place / "best.pt").write_bytes(b"abc")
    (place / "best.pt").chmod(0)
    assert "cannot be read" in told("best.pt", weights.sha256_of)
