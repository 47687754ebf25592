"""Pictures with mask pictures: paired by name, their values read, written and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outside import by_file, expected, exported, faults, read, source
from PIL import Image
from sets import CLASSES, boxed, finish, frame

from vqc.errors import InputError, ManifestError
from vqc.formats import rle
from vqc.formats.masks import (
    condition_of,
    names_of_values,
    objects_of_mask,
    to_mask,
    values_of_mask,
)
from vqc.types import Frame

SIZE = (12, 8)


def masked(reading: Any) -> dict[str, list[str]]:
    return {item.file: [mask.file for mask in item.masks] for item in reading.items}


@pytest.mark.parametrize(
    "pairs",
    [
        {"images/a.jpg": "masks/a.png", "images/b.jpg": "masks/b.png"},
        {"imgs/a.jpg": "ground_truth/a_mask.png"},
        {"train/images/a.jpg": "train/masks/a.png", "test/images/a.jpg": "test/masks/a.png"},
        {"images/train/a.jpg": "labels/train/a.bmp", "images/val/a.jpg": "labels/val/a.bmp"},
        {"train/images/a.jpg": "masks/a.png", "val/images/b.jpg": "masks/b.png"},
        {"train_images/a.jpg": "train_masks/a.png", "val_images/a.jpg": "val_masks/a.png"},
        {"a.jpg": "masks/a.png"},
        {"a.jpg": "a_mask.png", "b.jpg": "b_GT.png"},
        {"part1/x.jpg": "part1/x_label.bmp", "part2/x.jpg": "part2/x_label.bmp"},
        {"images/a_gt.jpg": "masks/a_gt.png", "images/a.jpg": "masks/a.png"},
        {"crack_masks/images/a.jpg": "crack_masks/masks/a.png"},
    ],
)
def test_pairs(pairs: dict[str, str], tmp_path: Path) -> None:
    files = dict.fromkeys((*pairs, *pairs.values()), SIZE)
    reading = read(source(tmp_path, files), "masks")
    assert faults(reading) == []
    assert masked(reading) == {picture: [mask] for picture, mask in pairs.items()}
    assert {item.objects for item in reading.items} == {None}


def test_splits_are_the_folders(tmp_path: Path) -> None:
    names = [
        f"{split}/{kind}/a.png" for split in ("train", "valid") for kind in ("images", "masks")
    ]
    reading = read(source(tmp_path, dict.fromkeys(names, SIZE)), "masks")
    assert [item.split for item in reading.items] == ["train", "val"]


def test_rows_of_a_table(tmp_path: Path) -> None:
    files = dict.fromkeys(
        ("images/000.jpg", "images/001.jpg", "masks/000.png", "masks/001.png"), SIZE
    )
    table = "id,source,defect\n000,kos27/Part4.jpg,0\n001,kos28/Part1.jpg,1\n"
    reading = read(source(tmp_path, {**files, "index.csv": table}), "masks")
    assert faults(reading) == []
    assert reading.items[1].row == {"id": "001", "source": "kos28/Part1.jpg", "defect": "1"}


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no mask": ({"images/b.jpg": SIZE}, "images/b.jpg: no label: expected a mask of the same name"),
    "no picture": ({"masks/b.png": SIZE}, "masks/b.png: a mask without picture"),
    "another size": (
        {"images/b.jpg": SIZE, "masks/b.png": (8, 12)},
        "masks/b.png: expected 12 x 8 as images/b.jpg has, got 8 x 12",
    ),
    "no picture inside": (
        {"images/b.jpg": SIZE, "masks/b.png": b"nothing"},
        "masks/b.png: cannot be read as a picture",
    ),
    "one mask of two": (
        {"images/b.jpg": SIZE, "images/b.png": SIZE, "masks/b.png": SIZE},
        "masks/b.png: the mask of several pictures: images/b.jpg, images/b.png",
    ),
    "a split's mask": (
        {"train/images/b.jpg": SIZE, "test/masks/b.png": SIZE},
        "test/masks/b.png: a mask without picture",
    ),
    "rows": (
        {"index.csv": "file,x\na.jpg,1\na.jpg,2\n"},
        "index.csv:3: a second row for images/a.jpg",
    ),
    "row of which": (
        {"index.csv": "id,x\nc,1\n", "u/c.jpg": SIZE, "v/c.jpg": SIZE},
        "index.csv:2: id 'c' may be u/c.jpg or v/c.jpg",
    ),
    "columns": ({"index.csv": "file,x\na.jpg,1,2\n"}, "index.csv:2: expected 2 columns (file,x)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_sources(name: str, tmp_path: Path) -> None:
    files, message = BROKEN[name]
    listing = source(tmp_path, {"images/a.jpg": SIZE, "masks/a.png": SIZE, **files})
    reading = read(listing, "masks")
    assert any(message in fault for fault in faults(reading))
    assert not by_file(reading)["images/a.jpg"].faults


def test_a_picture_without_mask_may_be_empty(tmp_path: Path) -> None:
    files = dict.fromkeys(("images/a.jpg", "masks/a.png", "images/b.jpg"), SIZE)
    reading = read(source(tmp_path, files), "masks", unlabelled_is_empty=True)
    assert (faults(reading), by_file(reading)["images/b.jpg"].objects) == ([], ())


def test_a_mask_may_be_of_the_picture_as_it_is_shown(tmp_path: Path) -> None:
    """A phone held upright stores the picture on its side and says so in EXIF."""
    listing = source(tmp_path, {"images/a.jpg": SIZE, "masks/a.png": (8, 12)})
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", SIZE).save(tmp_path / "images/a.jpg", exif=exif)
    assert faults(read(listing, "masks")) == []


GREY = np.array([[0, 3, 3], [1, 0, 255]], np.uint8)
COLOUR = np.zeros((2, 3, 3), np.uint8)
COLOUR[0, 1] = (255, 128, 0)
ALPHA = np.dstack([COLOUR, np.full((2, 3), 255, np.uint8)])
ALPHA[0, 1, 3] = 0
ALPHA[1, 1] = (0, 0, 255, 255)


@pytest.mark.parametrize(
    ("pixels", "values"),
    [
        (GREY, {"1", "3", "255"}),
        (GREY.astype(np.uint16) * 200, {"200", "600", "51000"}),
        (GREY.astype(np.int32), {"1", "3", "255"}),
        (GREY > 0, {"1"}),
        (GREY * 0, set()),
        (COLOUR, {"#ff8000"}),
        (ALPHA, {"#0000ff"}),
        (np.dstack([GREY, (GREY != 3) * np.uint8(9)]), {"1", "255"}),
    ],
)
def test_values(pixels: np.ndarray, values: set[str]) -> None:
    assert values_of_mask(pixels) == values
    names = {value: f"class {value}" for value in values}
    found = objects_of_mask(pixels, names)
    assert set(found) == set(names.values())
    covered = sum(mask.astype(int) for mask in found.values()) if found else 0
    assert np.max(covered) == (1 if values else 0)


def test_a_smoothed_mask_is_refused() -> None:
    ramp = np.arange(60, dtype=np.uint8).reshape(6, 10)
    for pixels in (ramp, np.dstack([ramp] * 3), ramp.astype(np.uint16)):
        with pytest.raises(InputError, match="60 different values, expected at most 32"):
            values_of_mask(pixels)
    values_of_mask(ramp % 33)
    with pytest.raises(InputError, match="expected whole numbers"):
        values_of_mask(ramp.astype(float))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["255"], {"255": "defect"}),
        (["#ff0000"], {"#ff0000": "defect"}),
        (["10", "2", "1"], {"1": "1", "2": "2", "10": "10"}),
        (["#010101", "#020202"], {"#010101": "1", "#020202": "2"}),
        (["#ff0000", "#020202"], {"#ff0000": "#ff0000", "#020202": "#020202"}),
        ([], {}),
    ],
)
def test_names(values: list[str], names: dict[str, str]) -> None:
    assert names_of_values(values) == names


def test_names_of_a_list_of_classes() -> None:
    assert names_of_values(["2", "1"], ("qd", "qf")) == {"1": "qd", "2": "qf"}
    with pytest.raises(InputError, match=r"masks hold 3, 255; classes\.txt names 1 to 2 only"):
        names_of_values(["1", "3", "255"], ("qd", "qf"))


def test_conditions() -> None:
    small, large = np.eye(4, dtype=bool), np.ones((4, 4), bool)
    assert condition_of({}) == "good"
    assert condition_of({"a": small, "b": large, "c": small}) == "b"
    assert objects_of_mask(GREY * 0, "crack") == {}
    assert objects_of_mask(GREY, "crack")["crack"].sum() == 4


def masks_of(note_masks: dict[str, np.ndarray]) -> Frame:
    notes = tuple(
        replace(boxed(2, 1), class_name=name, mask=rle.encode(mask))
        for name, mask in note_masks.items()
    )
    return Frame("images/a.png", "", "", 3, 2, "cad", "s", objects=notes)


def test_class_numbers_as_pixels() -> None:
    left, right = np.array([[1, 0, 0], [1, 0, 0]], bool), np.array([[0, 0, 1], [0, 0, 0]], bool)
    assert to_mask(masks_of({"qf": left, "qd": right}), CLASSES).tolist() == [[2, 0, 1], [2, 0, 0]]
    with pytest.raises(ManifestError, match="two classes share pixels"):
        to_mask(masks_of({"qf": left, "qd": left}), CLASSES)
    with pytest.raises(ManifestError, match="255 classes"):
        to_mask(masks_of({"qf": left}), [*CLASSES, *map(str, range(300))])
    with pytest.raises(ManifestError, match="nobody labelled"):
        to_mask(replace(masks_of({}), objects=None), CLASSES)


def test_there_and_back(tmp_path: Path) -> None:
    """One class or two a frame, one or none, with splits: masks come back bit for bit."""
    root = tmp_path / "set"
    made = [
        frame(root, 2, "images/train/a.png", split="train", objects=(boxed(2, 1),)),
        frame(root, 3, "images/b.png", split="val", objects=(boxed(3, 1), boxed(3, 2))),
        frame(root, 4, "images/c.png", objects=()),
    ]
    finish(root, "intake", made)
    reading, frames = exported(root, tmp_path / "out", "masks")
    items = {item.file.rpartition("/")[2]: item for item in reading.items}
    assert {name: item.split for name, item in items.items()} == {
        "a.png": "train",
        "b.png": "val",
        "c.png": None,
    }
    for frame_ in frames:
        (mask,) = items[frame_.image.rpartition("/")[2]].masks
        pixels = np.asarray(Image.open(tmp_path / "out" / mask.file))
        names = names_of_values(values_of_mask(pixels), reading.classes)
        found = objects_of_mask(pixels, names)
        got = [(name, rle.encode(shown)) for name, shown in found.items()]
        assert got == sorted((expected(note) for note in frame_.objects), key=lambda e: e[0])
