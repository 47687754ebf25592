"""Frames as Ultralytics reads them: every one, as the manifest has it, and nothing beside it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training import CLASSES, SIDE, add_frame, contents, finish_set, write_set

from vqc import ultra
from vqc.pictures import read_picture
from vqc.types import Annotation
from vqc.verify import verify


@pytest.fixture(scope="module", autouse=True)
def ultralytics():
    ultra.prepare()


def build(dataset, scratch: Path, augment=False, split="train", **settings):
    from ultralytics.cfg import get_cfg

    from vqc.tasks.detect import data

    args = get_cfg(overrides={"imgsz": SIDE, "mosaic": 0.0, **settings})
    return data.build(dataset, dataset.frames(split), args, 32, 2, augment, scratch)


class Exploit:
    def __reduce__(self):
        return (Path("ran").touch, ())


def note_at(*box, name="blue", **fields) -> Annotation:
    return Annotation(name, instance=1, box_xyxy=box, **fields)


# Labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("box", ["modal", "amodal"])
def test_boxes_are_those_of_the_manifest(tmp_path, box):
    from vqc.tasks.detect.data import label_of

    dataset = write_set(tmp_path / "set", box=box)
    for frame in dataset.manifest.frames:
        label = label_of(dataset, frame)
        assert label["im_file"] == str(dataset.path(frame)) and label["shape"] == (SIDE, SIDE)
        assert len(label["cls"]) == len(label["bboxes"]) == len(frame.objects)
        for note, number, shares in zip(frame.objects, label["cls"], label["bboxes"], strict=True):
            assert CLASSES[int(number[0])] == note.class_name
            chosen = note.box_xyxy if box == "modal" else note.amodal_box_xyxy
            x0, y0, x1, y1 = np.clip(chosen, 0, SIDE)
            middle = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
            assert shares * SIDE == pytest.approx(middle, abs=1e-3)


def test_labels_are_what_the_label_files_say(tmp_path):
    """So that a training is the same as Ultralytics' own on the exported set."""
    from vqc.tasks.detect.data import label_of

    dataset = write_set(tmp_path / "set")
    for frame in dataset.manifest.frames:
        file = dataset.folder / frame.image.replace("images", "labels").replace(".png", ".txt")
        rows = np.array([line.split() for line in file.read_text().splitlines()], np.float64)
        label = label_of(dataset, frame)
        both = np.concatenate([label["cls"], label["bboxes"]], 1)
        assert both == pytest.approx(rows.reshape(-1, 5), abs=1e-5)


def test_objects_without_a_box_are_left_out(tmp_path):
    from vqc.tasks.detect.data import label_of

    hidden = Annotation("red", instance=2, box_xyxy=None, amodal_box_xyxy=(1, 1, 9, 9))
    shown = note_at(8, 8, 40, 40)
    frame = add_frame(
        tmp_path, "images/train/a.png", Image.new("RGB", (SIDE, SIDE)), (shown, hidden)
    )
    dataset = finish_set(tmp_path, [frame])
    assert verify(tmp_path) == []
    assert label_of(dataset, frame)["cls"].tolist() == [[0.0]]


# Pictures -------------------------------------------------------------------------------------


def test_every_frame_is_there_backgrounds_too(tmp_path):
    dataset = write_set(tmp_path / "set", {"train": 7, "val": 2}, empty=(0, 3, 4))
    for augment in (True, False):
        built = build(dataset, tmp_path / "scratch", augment)
        assert len(built) == 7
        files = {built[i]["im_file"] for i in range(7)}
        assert files == {str(dataset.path(frame)) for frame in dataset.frames("train")}
        counts = sorted(len(built[i]["cls"]) for i in range(7))
        assert counts.count(0) == 3


def odd_pictures() -> dict[str, tuple[Image.Image, dict]]:
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8))
    smooth = Image.linear_gradient("L").resize((60, 40))
    deep = Image.fromarray(np.asarray(smooth).astype(np.uint16) * 257)
    return {
        "colour.png": (colours, {}),
        "colour.bmp": (colours, {}),
        "colour.tif": (colours, {}),
        "grey.png": (smooth, {}),
        "grey.jpg": (smooth, {"quality": 95}),
        "grey.tif": (smooth, {}),
        "deep.png": (deep, {}),
        "deep.tif": (deep, {}),
        "clear.png": (colours.convert("RGBA"), {}),
        "palette.png": (colours.convert("P"), {}),
        "bits.png": (smooth.convert("1"), {}),
        "lossless.webp": (colours, {"lossless": True}),
        "wide.png": (Image.new("RGB", (300, 4), "red"), {}),
        "dot.png": (Image.new("RGB", (1, 1), "red"), {}),
        "print.jpg": (smooth.convert("CMYK"), {"quality": 95}),
    }


@pytest.mark.parametrize("name", sorted(odd_pictures()))
def test_pixels_are_those_that_every_other_stage_sees(tmp_path, name):
    """Grey, 16 bits, palettes, print colours: as `pictures` opens them, in BGR."""
    picture, options = odd_pictures()[name]
    frame = add_frame(tmp_path, f"images/train/{name}", picture, (), **options)
    dataset = finish_set(tmp_path, [frame])
    assert verify(tmp_path) == []
    width, height = picture.size
    built = build(dataset, tmp_path / "scratch", imgsz=max(width, height))
    pixels, size, _ = built.load_image(0)
    assert size == (height, width)
    seen = np.asarray(read_picture(dataset.path(frame)))[..., ::-1].astype(int)
    assert np.abs(pixels.astype(int) - seen).max() <= (8 if name.endswith("jpg") else 1)


def test_a_turned_picture_is_taken_as_it_lies(tmp_path):
    """A tag may ask viewers to turn a picture; boxes are those of the pixels as they are stored."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20] = 200
    tag = Image.Exif()
    tag[0x0112] = 6  # turn it by 90 degrees
    frame = add_frame(
        tmp_path, "images/train/a.jpg", Image.fromarray(pixels), (note_at(0, 0, 60, 20),), exif=tag
    )
    dataset = finish_set(tmp_path, [frame])
    assert verify(tmp_path) == []
    seen, size, _ = build(dataset, tmp_path / "scratch", imgsz=60).load_image(0)
    assert size == (40, 60)
    assert seen[:18].mean() > 190 and seen[22:].mean() < 10


# Nothing beside a picture ----------------------------------------------------------------------


def test_nothing_beside_a_picture_is_read_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = write_set(tmp_path / "set")
    sound = [build(dataset, tmp_path / "scratch")[i]["img"] for i in range(5)]
    for file in (dataset.folder / "images" / "train").iterdir():
        with file.with_suffix(".npy").open("wb") as planted:
            np.save(planted, np.array([Exploit()], object), allow_pickle=True)
    for name in ("train", "val"):
        (dataset.folder / "labels" / f"{name}.cache").write_bytes(pickle.dumps(Exploit()))
    before = contents(dataset.folder)
    for cache in (False, "disk", "ram"):
        for augment in (True, False):
            built = build(dataset, tmp_path / "scratch" / str(augment), augment, cache=cache)
            found = [built[i]["img"] for i in range(5)]
            if not augment:
                assert all((a == b).all() for a, b in zip(found, sound, strict=True))
    assert contents(dataset.folder) == before
    assert sorted(p.name for p in (tmp_path / "scratch" / "False").iterdir()) == [
        f"{i}.npy" for i in range(5)
    ]
    assert not Path("ran").exists()
    pickle.loads((dataset.folder / "labels" / "train.cache").read_bytes())
    assert Path("ran").exists(), "the planted file would have done no harm"


# Equal epochs -----------------------------------------------------------------------------------


def test_over_all_epochs_no_picture_is_seen_twice_more_than_another():
    from vqc.tasks.detect.data import EqualEpochs

    for count in (1, 4, 5, 7, 10, 23):  # below, at and above the five frames
        order, again = EqualEpochs(5, count, seed=3), EqualEpochs(5, count, seed=3)
        seen: list[int] = []
        for epoch in range(6):
            shown = list(order)
            again.epoch = epoch  # as a training does that goes on
            assert len(order) == len(shown) == count and shown == list(again)
            seen += shown
            times = [seen.count(frame) for frame in range(5)]
            assert max(times) - min(times) <= 1
    assert list(EqualEpochs(5, 3, seed=1)) != list(EqualEpochs(5, 3, seed=2))


def test_a_dataset_is_as_long_as_its_epoch(tmp_path):
    from ultralytics.cfg import get_cfg

    from vqc.tasks.detect import data

    dataset = write_set(tmp_path / "set")
    args = get_cfg(overrides={"imgsz": SIDE, "mosaic": 0.0})
    frames = dataset.frames("train")
    made = data.build(dataset, frames, args, 32, 2, True, tmp_path / "scratch", len(frames) + 2)
    assert len(made) == len(frames) + 2
    first, again = (made.get_image_and_label(i)["im_file"] for i in (1, len(frames) + 1))
    assert first == again == str(dataset.path(frames[1]))
