"""Settings of the classifier: each model's own values, and what does not fit together."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from vqc.errors import InputError
from vqc.tasks.classify import Classify
from vqc.tasks.classify.config import BACKBONE, LEGO_CNN, RECIPES, ClassifyConfig, Recipe
from vqc.tasks.settings import describe_fields

SCRATCH = {"weights": "none"}


def configure(**settings):
    return Classify().configure(settings)


def test_a_model_brings_its_own_values_and_given_ones_win():
    small = configure(model="lego-cnn", epochs=5).recipe
    assert (small.imgsz, small.epochs, small.batch, small.dropout) == (32, 5, 32, 0.25)
    assert (small.augment, small.turn_deg) == (0, 0)
    large = configure(**SCRATCH, imgsz=96).recipe
    assert large.imgsz == 96 and large.augment == 1


def test_given_or_taken_values_are_one_training():
    assert configure(model="lego-cnn").identity() == (
        configure(model="lego-cnn", epochs=3, imgsz=32, device="cpu").identity()
    )
    record = configure(**SCRATCH).identity()
    assert record["weights"] == "yolov8n.yaml" and "device" not in record
    assert record == configure(weights="yolov8n.yaml").identity()
    assert json.loads(json.dumps(record)) == record


def test_the_small_network_needs_no_weights_and_takes_none():
    assert configure(model="lego-cnn").weights is None
    with pytest.raises(InputError, match=r"weights: lego-cnn starts from nothing, got a\.pt"):
        configure(model="lego-cnn", weights="a.pt")


@pytest.mark.parametrize("side", [32, 100])
def test_the_backbone_takes_multiples_of_its_stride(side):
    with pytest.raises(InputError, match=f"imgsz: expected a multiple of 32 from 64.*got {side}"):
        configure(**SCRATCH, imgsz=side)


def test_an_absurd_side_is_refused():
    with pytest.raises(InputError, match=r"imgsz: expected .*4096 or none, got 100000000"):
        configure(**SCRATCH, imgsz="100000000")


def test_weights_that_are_missing_say_how_to_fetch_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VQC_WEIGHTS", raising=False)
    with pytest.raises(InputError, match="curl"):
        configure()


def test_all_that_does_not_fit_is_told_at_once():
    with pytest.raises(InputError) as told:
        configure(sead=1, imgsz=100, device="gpu", rate="fast")
    begun = [line.partition(":")[0] for line in str(told.value).splitlines()]
    assert begun == ["sead", "rate", "device", "imgsz"]


def test_of_a_model_that_is_none_nothing_more_is_told():
    with pytest.raises(InputError) as told:
        configure(model="lego", imgsz=32)
    assert str(told.value) == "model: expected one of backbone, lego-cnn, got lego"


def test_the_help_says_what_each_model_brings():
    said = {setting.name: setting.help for setting in describe_fields(ClassifyConfig)}
    assert said["epochs"].endswith("; none: 10, or 3") and said["rate"].endswith("; none: 0.001")
    for own in fields(Recipe):
        for model in (BACKBONE, LEGO_CNN):
            value = getattr(RECIPES[model], own.name)
            assert f"{value:g}" in said[own.name].partition("; none: ")[2].split(", or ")


def test_no_augmentation_leaves_pictures_as_they_are():
    from vqc.tasks.learning.augment import NOTHING

    assert configure(model="lego-cnn").variation == NOTHING
    assert configure(**SCRATCH, augment=2).variation.light == pytest.approx(0.6)
