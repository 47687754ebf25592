"""What a training step sees, what a set must say, and which settings fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from segment_sets import CLASSES, SIDE, masked_set, note, square

from vqc.errors import InputError
from vqc.tasks.learning.augment import NOTHING
from vqc.tasks.segment import Segment, data
from vqc.tasks.segment.config import SegmentConfig


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return masked_set(tmp_path_factory.mktemp("sets") / "squares")


def with_objects(dataset, **objects):
    """The set with other objects in the frames whose names end like these."""
    frames = tuple(
        replace(f, objects=objects.get(f"f{f.image[-7:-4]}", f.objects))
        for f in dataset.manifest.frames
    )
    return replace(dataset, manifest=replace(dataset.manifest, frames=frames))


def test_objects_of_one_class_are_joined_and_classes_may_overlap(dataset):
    frame = dataset.frames("train")[0]
    notes = (
        note("bright", square(0, 0, 8)), note("bright", square(4, 4, 8)),
        note("red", square(4, 4, 4)),
    )  # fmt: skip
    masks = data.masks_of(replace(frame, objects=notes), CLASSES)
    assert masks.shape == (SIDE, SIDE, 2) and masks.max() == 1
    assert masks[:, :, 0].sum() == 64 + 64 - 16 and masks[:, :, 1].sum() == 16
    assert not data.masks_of(replace(frame, objects=()), CLASSES).any()


def test_all_faults_of_a_set_are_told_at_once(dataset):
    box_only = replace(note("red", square(0, 0, 8)), mask=None)
    other_size = note("red", square(0, 0, 4, (8, 8)))
    broken = with_objects(dataset, f000=None, f001=(box_only,), f007=(other_size,))
    with pytest.raises(InputError) as caught:
        Segment().check(broken)
    said = str(caught.value)
    assert "3 frames" in said and "000.png: nobody labelled it" in said
    assert "001.png: 1 objects with a box and no mask (red)" in said
    assert "007.png: a mask of red is 8x8, the picture 64x64" in said


def test_empty_pictures_are_fine_but_not_all_of_those_that_train(dataset):
    Segment().check(with_objects(dataset, f000=()))
    empty = {f"f{number:03d}": () for number in range(6)}
    with pytest.raises(InputError, match="no training frame shows any class"):
        Segment().check(with_objects(dataset, **empty))


def test_crops_of_large_pictures_hold_what_is_rare():
    rgb, masks = np.zeros((300, 900, 3), np.uint8), np.zeros((300, 900, 1), np.uint8)
    masks[200:204, 700:704] = 1
    rgb[:, :, 0] = np.arange(900) % 256
    shown = 0
    for number in range(40):
        rng = np.random.default_rng(number)
        cut, mask = data.sample(rgb, masks, None, (128, 96), NOTHING, rng)
        assert cut.shape == (96, 128, 3) and mask.shape == (96, 128, 1)
        assert (np.diff(cut[0, :, 0].astype(int)) % 256 == 1).all()
        shown += bool(mask.any())
    assert 15 <= shown <= 35  # half of the crops are about a pixel of a class


def test_small_pictures_are_continued_by_their_mirror():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    masks = (rgb[:, :, :2] > 128).astype(np.uint8)
    rng = np.random.default_rng(0)
    cut, mask = data.sample(rgb, masks, None, (64, 64), NOTHING, rng)
    assert np.array_equal(cut[:40, :50], rgb) and np.array_equal(mask, cut[:, :, :2] > 128)
    assert np.array_equal(cut[40:, :50], rgb[15:39][::-1])


def test_masks_follow_their_pictures():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[10:30, 20:50] = 255
    masks = (rgb[:, :, :1] > 0).astype(np.uint8)
    augment = replace(data.AUGMENTS["full"], light=0, contrast=0, noise=0)
    for number in range(5):
        rng = np.random.default_rng(number)
        cut, mask = data.sample(rgb, masks, None, (64, 64), augment, rng)
        assert ((cut[:, :, 0] > 127) == (mask[:, :, 0] > 0)).mean() > 0.97


def test_a_step_shows_multiples_of_32_up_to_the_tile(dataset):
    frames = [replace(f, width=w, height=h) for f, w, h in zip(
        dataset.frames("train"), (200, 100), (90, 200), strict=False
    )]  # fmt: skip
    assert data.training_size(frames, SegmentConfig()) == (224, 224)
    assert data.training_size(frames, SegmentConfig(tile=128)) == (128, 128)
    assert data.training_size(frames[:1], SegmentConfig(imgsz=100)) == (128, 64)


# Settings ---------------------------------------------------------------------------------------


def test_what_the_model_would_set_is_the_same_run():
    task = Segment()
    plain = task.configure({"model": "unet-crack"})
    said = task.configure({"model": "unet-crack", "loss": "bce", "batch": 20, "device": "cpu"})
    assert plain.identity() == said.identity()
    assert "device" not in plain.identity() and "weights" not in plain.identity()
    assert plain.identity() != task.configure({"model": "unet-steel"}).identity()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": 100, "overlap": 40}, "tile: expected a multiple of 32, got 100\noverlap:"),
        ({"tile": 128, "overlap": 96}, r"half of the tile \(64\), got 96; give --overlap 64"),
        ({"tile": 64}, r"half of the tile \(32\), the default is 64; give --overlap 32"),
        ({"tolerance": 101}, "tolerance: expected a number from 0 to 100, got 101"),
        ({"device": "gpu"}, "device: expected cpu or the number of a GPU"),
        ({"model": "unet-steel", "weights": "yolov8n.pt"}, "unet-steel starts from nothing"),
        ({"sead": 1, "tile": 100, "device": "gpu"}, "sead: .*\ntile: .*100\n.*\ndevice: "),
        ({"tile": "5l2", "overlap": 512}, "^tile: expected a whole number from 64, got 5l2$"),
        ({"loss": "l2"}, "loss: expected one of bce, dice, focal, bce-dice"),
        ({"weights": "nowhere.pt"}, "nowhere.pt is not here"),
    ],
)
def test_settings_that_do_not_fit(settings, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        Segment().configure(settings)
