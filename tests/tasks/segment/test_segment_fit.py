"""Training, scoring and predicting on a tiny set, through interruptions."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from segment_sets import CLASSES, SMALL, Heard, masked_set, run_of

from vqc.errors import InputError
from vqc.formats import rle
from vqc.runs import LAST, WEIGHTS
from vqc.tasks.contract import Picture
from vqc.tasks.segment import Segment, foreground, trained


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return masked_set(tmp_path_factory.mktemp("sets") / "squares")


@pytest.fixture(scope="module")
def steel(dataset, tmp_path_factory):
    """The original for steel, trained until it has learnt the squares."""
    config = Segment().configure(
        {"model": "unet-steel", "epochs": 15, "epoch_images": 24, "batch": 4, "rate": 0.005,
         "tile": 64, "overlap": 0, "device": "cpu"}
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("steel") / "run"
    folder.mkdir()
    fitted = Segment().fit(dataset, config, folder, Heard())
    return run_of(folder, dataset, fitted, config)


def weights_of(folder):
    return trained.read(folder / WEIGHTS, "cpu").network.state_dict()


def test_a_training_that_was_cut_off_comes_to_the_same_weights(dataset, tmp_path):
    import torch

    config = Segment().configure(SMALL)
    folders = tmp_path / "whole", tmp_path / "cut"
    for folder in folders:
        folder.mkdir()
    whole = Segment().fit(dataset, config, folders[0], Heard())
    with pytest.raises(KeyboardInterrupt):
        Segment().fit(dataset, config, folders[1], Heard(stop_in=2))
    assert (folders[1] / LAST).is_file() and not (folders[1] / WEIGHTS).exists()
    heard = Heard()
    assert Segment().fit(dataset, config, folders[1], heard) == whole
    assert heard.resumed_after == [1] and list(heard.epochs) == [2]
    one, other = map(weights_of, folders)
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert sorted(p.name for p in folders[1].iterdir()) == [WEIGHTS]
    again = Heard()
    assert Segment().fit(dataset, config, folders[1], again) == whole and again.epochs == {}


def test_it_learns_and_scores_what_it_learnt(steel, dataset):
    found = Segment().evaluate(steel, dataset, "val", "cpu")
    assert found.metrics["Dice"] > 0.7 and found.metrics["IoU"] > 0.4
    assert found.metrics["F1-tolerant"] >= found.metrics["F1"]
    assert set(found.per_class) == set(CLASSES)
    assert found.per_class["bright"]["Dice-present"] > 0.7
    names = {curve.name: curve for curve in found.curves}
    assert set(names) == {"F1", "precision-recall"}
    at = round(found.per_class["bright"]["threshold"] * 100)
    line = names["F1"].lines["bright"]
    assert line[at - 1] == pytest.approx(found.per_class["bright"]["F1"])  # no minimum area
    for curve in found.curves:
        for values in curve.lines.values():
            assert values.shape == curve.x.shape and values.min() >= 0 and values.max() <= 1
    assert found.groups["defect area"]["large (over 5 %)"]["frames"] >= 1
    severities = [m.severity for m in found.mistakes]
    assert severities == sorted(severities, reverse=True)
    assert {m.image for m in found.mistakes} <= set(found.drawn)
    assert all(v.shape == (64, 3 * 64 + 12, 3) for v in found.drawn.values())


def test_answers_are_the_masks_that_were_scored(steel, dataset):
    (frame, *_) = frames = dataset.frames("test")
    rgb = np.zeros((64, 64, 3), np.uint8)
    scored = Segment().evaluate(steel, dataset, "test", "cpu").predictions
    from vqc.tasks.segment.data import picture_of

    pictures = [Picture(f.image, picture_of(dataset, f)) for f in frames]
    pairs = list(Segment().predict(steel, iter([*pictures, Picture("black", rgb)]), {}))
    for (_, answer), before in zip(pairs, scored, strict=False):
        assert answer.record() == before.record()
    assert pairs[0][1].image == frame.image
    rows = [row for _, answer in pairs for row in Segment().rows(answer)]
    assert len(rows) == 3 * len(CLASSES)


def test_settings_of_predict(steel, dataset, tmp_path, monkeypatch):
    wide = Picture("wide", np.random.default_rng(0).integers(0, 200, (96, 300, 3), np.uint8))
    settings = {"conf": "0", "tile": "64", "overlap": "32", "batch": "3"}
    ((_, everywhere),) = Segment().predict(steel, [wide], settings)
    areas = [mask.area_px for mask in everywhere.masks]
    assert everywhere.size == (300, 96) and max(areas) > 1000
    json.dumps(everywhere.record(), allow_nan=False)
    with pytest.raises(InputError, match="overlap: expected at most half"):
        Segment().predict(steel, [wide], {"tile": "64", "overlap": "64"})

    kept = trained.read(steel.weights, "cpu")
    kept = replace(kept, config=replace(kept.config, overlap=64))
    with monkeypatch.context() as patch, pytest.raises(InputError, match="the run's own is 64"):
        patch.setattr(trained, "read", lambda *file: kept)
        Segment().predict(steel, [wide], {"tile": "64"})

    def segmenter(path, kind, device):
        return lambda rgb, points: np.stack([np.indices(rgb.shape[:2])[1] < 100])

    monkeypatch.setattr(foreground, "_segmenter", segmenter)
    (tmp_path / "sam_b.pt").write_bytes(b"")
    isolated = {**settings, "foreground": str(tmp_path / "sam_b.pt")}
    ((_, left),) = Segment().predict(steel, [wide], isolated)
    for mask in left.masks:
        assert not rle.decode(mask.code)[:, 100:].any()


def test_a_run_of_other_classes_or_of_something_else_is_told(steel, dataset, tmp_path):
    other = replace(dataset, manifest=replace(dataset.manifest, classes=("red", "bright")))
    with pytest.raises(InputError, match="expected the same in the same order"):
        Segment().evaluate(steel, other, "val", "cpu")
    (tmp_path / WEIGHTS).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="holds no weights that can be read safely"):
        Segment().evaluate(replace(steel, weights=tmp_path / WEIGHTS), dataset, "val", "cpu")


def test_without_val_the_last_epoch_counts(tmp_path):
    dataset = masked_set(tmp_path / "plain", {"train": 3})
    settings = {k: v for k, v in SMALL.items() if k != "weights"}
    config = Segment().configure({**settings, "model": "unet-crack", "epochs": 1})
    fitted = Segment().fit(dataset, config, tmp_path, Heard())
    assert fitted.chosen_on is None and fitted.metrics == {}
    assert trained.read(tmp_path / WEIGHTS, "cpu").thresholds.hundredths == (50, 50)


def test_folded_normalisation_of_a_given_detector_is_unfolded(dataset, tmp_path):
    """Its statistics become those of the training pictures; the answers stay."""
    import torch
    from detectors import write_detector

    from vqc.tasks.learning.device import device_of
    from vqc.tasks.segment import networks
    from vqc.tasks.segment.learner import Learner

    config = Segment().configure({**SMALL, "weights": str(write_detector(tmp_path / "d.pt"))})
    network, _ = networks.build(config.resolved(), 2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.bias.data.fill_(0.01)
    batch = torch.rand(1, 3, 64, 64)
    network.eval()
    with torch.no_grad():
        before = network(batch)
        Learner(network, dataset, config.resolved(), device_of("cpu")).unfold()
        after = network(batch)
    norms = [m for m in network.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.running_mean.any() for norm in norms)
    assert float((after - before).abs().max()) < 1e-3


def test_the_rate_rises_and_falls_and_is_constant_for_originals(dataset):
    from vqc.tasks.segment.learner import Learner

    class Network:
        def parameters(self):
            import torch

            return [torch.nn.Parameter(torch.zeros(1))]

    def rates(model):
        settings = {**SMALL, "epochs": 100, "model": model}
        if model != "backbone":
            settings.pop("weights")
        config = Segment().configure(settings).resolved()
        learner = Learner(Network(), dataset, config, None)
        return [learner.rate(epoch) for epoch in (0, 5, 50, 100)]

    low, full, half, end = rates("backbone")
    assert low < 0.05 * full and full == pytest.approx(2e-3)
    assert end < 0.02 * full < half < full
    assert rates("unet-crack") == [1e-4] * 4
    assert all(math.isfinite(rate) for rate in rates("unet-steel"))
