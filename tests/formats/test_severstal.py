"""Run-length masks in a CSV: read, written and read back, and what may be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from outside import expected, exported, faults, marks, pixels, read, source
from sets import HEIGHT, WIDTH, boxed, finish, frame, render_set

from vqc.errors import InputError
from vqc.formats import rle, severstal
from vqc.formats.labels import Wrong

HEAD = "ImageId_ClassId,EncodedPixels\n"


def listing(root: Path, text: str, images: tuple[str, ...] = ("a.jpg", "b.jpg")) -> object:
    """Pictures 6 wide and 4 high."""
    pictures = {f"train_images/{name}": (6, 4) for name in images}
    return source(root, {**pictures, "train.csv": text})


def test_runs_go_down_the_columns_from_one() -> None:
    """`1 3 10 5` is pixels 1, 2, 3, 10, 11, 12, 13, 14."""
    mask = pixels(severstal.code_of("1 3 10 5", 6, 4))
    assert (np.flatnonzero(mask.T) + 1).tolist() == [1, 2, 3, 10, 11, 12, 13, 14]
    assert severstal.runs_of(mask.astype(bool)) == "1 3 10 5"


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_runs_go_both_ways(mask: np.ndarray) -> None:
    height, width = mask.shape
    text = severstal.runs_of(mask)
    if mask.any():
        assert severstal.code_of(text, width, height) == rle.encode(mask)
    else:
        assert text == ""


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_runs_are_those_of_pycocotools(mask: np.ndarray) -> None:
    from pycocotools import mask as reference

    height, width = mask.shape
    theirs = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = severstal.code_of(severstal.runs_of(mask), width, height)
    assert ours == {"size": theirs["size"], "counts": theirs["counts"].decode()}


def test_runs_that_touch_are_one() -> None:
    assert severstal.code_of("1 3 4 2", 6, 4) == severstal.code_of("1 5", 6, 4)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "a.jpg_1,\na.jpg_2,1 3 10 5\na.jpg_4,24 1\nb.jpg_1,\nb.jpg_2,\n",
        "ImageId,ClassId,EncodedPixels\na.jpg,2,1 3 10 5\na.jpg,4,24 1\nb.jpg,,\n",
        "\ufeffImageId,EncodedPixels,ClassId\r\na.jpg,1 3 10 5,2\r\na.jpg,24 1,4\r\nb.jpg,,1\r\n",
    ],
)
def test_one_object_a_row(text: str, tmp_path: Path) -> None:
    reading = read(listing(tmp_path, text), "severstal")
    assert faults(reading) == []
    a, b = reading.items
    assert (a.file, a.where, b.objects) == ("train_images/a.jpg", "train.csv", ())
    assert [thing.class_name for thing in a.objects] == ["2", "4"]
    assert [thing.rle["size"] for thing in a.objects] == [[4, 6], [4, 6]]
    assert pixels(a.objects[1].rle)[3, 5] == 1


def test_a_picture_without_row(tmp_path: Path) -> None:
    found = listing(tmp_path, HEAD + "a.jpg_1,1 2\n")
    (fault,) = faults(read(found, "severstal"))
    assert fault.startswith("train_images/b.jpg: no label: expected a row in train.csv")
    reading = read(found, "severstal", unlabelled_is_empty=True)
    assert (faults(reading), reading.items[1].objects) == ([], ())


def test_a_sample_of_what_to_hand_in_is_no_label(tmp_path: Path) -> None:
    found = source(tmp_path, {"a.jpg": (6, 4), "sample_submission.csv": HEAD + "a.jpg_1,1 1\n"})
    assert severstal.evidence(found) is None


BROKEN = {
    "odd count": ("a.jpg_1,1 3 10", "expected pairs of first pixel and length, got 3"),
    "word": ("a.jpg_1,1 three", "EncodedPixels: expected a number, got 'three'"),
    "zero first": ("a.jpg_1,0 3", "expected a whole number from 1, got '0'"),
    "zero length": ("a.jpg_1,3 0", "expected a whole number from 1, got '0'"),
    "fraction": ("a.jpg_1,1.5 2", "expected a whole number from 1, got '1.5'"),
    "unsorted": (
        "a.jpg_1,10 2 1 2",
        "expected sorted runs and no pixel twice, got 1 2 after pixel 11",
    ),
    "pixel twice": (
        "a.jpg_1,1 3 3 2",
        "expected sorted runs and no pixel twice, got 3 2 after pixel 3",
    ),
    "outside": ("a.jpg_1,24 2", "reaches pixel 25, but 6 x 4 = 24"),
    "beyond all": (f"a.jpg_1,{10**30} 2", "but 6 x 4 = 24"),
    "no class": ("a.jpg,1 2", "ImageId_ClassId: expected such as a.jpg_1, got 'a.jpg'"),
    "no picture": ("c.jpg_1,1 2", "there is no picture 'c.jpg'"),
    "columns": ("a.jpg_1,1 2,3", "expected 2 columns (ImageId_ClassId,EncodedPixels), got 3"),
    "twice": ("b.jpg_1,1 2", "class '1' with the same pixels is there twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rows(name: str, tmp_path: Path) -> None:
    row, message = BROKEN[name]
    found = listing(tmp_path, f"{HEAD}b.jpg_1,1 2\n{row}\n")
    (fault,) = faults(read(found, "severstal", unlabelled_is_empty=True))
    assert fault.startswith("train.csv:3: ")
    assert message in fault


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    rows = "\n".join(row for row, _ in BROKEN.values())
    found = faults(read(listing(tmp_path, f"{HEAD}b.jpg_1,1 2\n{rows}\n"), "severstal"))
    assert len(found) == len(BROKEN)


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    found = source(tmp_path, {"a.jpg": b"no picture", "train.csv": HEAD + "a.jpg_1,1 2\n"})
    (fault,) = faults(read(found, "severstal"))
    assert fault.startswith("train.csv:2: a.jpg: cannot be read as a picture")


def test_a_table_without_the_columns(tmp_path: Path) -> None:
    found = listing(tmp_path, "ImageId,EncodedPixels\na.jpg,1 2\n")
    assert severstal.evidence(found) is None
    with pytest.raises(InputError, match="ImageId_ClassId,EncodedPixels"):
        severstal.read(found)


ODD = {
    "no class": (b"ImageId,EncodedPixels\na.jpg,1 2\n", "it has no column ClassId"),
    "UTF-16": ((HEAD + "a.jpg_1,1 2\n").encode("utf-16"), "it is in UTF-16"),
    "bare CR": (b"ImageId_ClassId,EncodedPixels\ra.jpg_1,1 2\r", "a bare carriage return"),
    "other names": (b"picture,EncodedPixels\na.jpg,1 2\n", "columns are picture, encodedpixels"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_table_that_is_not_understood_is_told(name: str, tmp_path: Path) -> None:
    data, why = ODD[name]
    found = source(tmp_path, {"a.jpg": (6, 4), "train.csv": data})
    (note,) = severstal.not_understood(found)
    assert note.startswith("train.csv was not understood") and why in note
    assert "expected the columns ImageId_ClassId,EncodedPixels or" in note


def test_tables_that_are_read_or_about_something_else_have_no_note(tmp_path: Path) -> None:
    tables = {"train.csv": HEAD, "sample_submission.csv": "id,EncodedPixels\n",
              "index.csv": "image,label\na.jpg,good\n", "empty.csv": ""}  # fmt: skip
    assert severstal.not_understood(source(tmp_path, {"a.jpg": (6, 4), **tables})) == []


def test_no_runs_are_no_code() -> None:
    with pytest.raises(Wrong, match="pairs"):
        severstal.code_of("1", 6, 4)


def test_there_and_back(tmp_path: Path) -> None:
    """Two objects of one class, odd names, overlapping masks: all come back bit for bit."""
    root = tmp_path / "set"
    notes = (boxed(2, 1), boxed(3, 2), replace(boxed(2, 2), class_name="qd"))
    made = [frame(root, n, f"images/deep/a_{n}.jpg_1.png", objects=notes[:n]) for n in range(1, 4)]
    made.append(frame(root, 4, "images/none.png", objects=()))
    finish(root, "intake", made)
    reading, frames = exported(root, tmp_path / "out", "severstal")
    assert [item.file for item in reading.items] == [f.image for f in frames]
    for item, frame_ in zip(reading.items, frames, strict=True):
        got = sorted(str(marks(thing, WIDTH, HEIGHT)) for thing in item.objects)
        assert got == sorted(str(expected(note)) for note in frame_.objects)


def test_a_rendered_set_there_and_back(tmp_path: Path) -> None:
    render_set(tmp_path / "set")
    reading, frames = exported(tmp_path / "set", tmp_path / "out", "severstal")
    assert sum(len(item.objects) for item in reading.items) == sum(len(f.objects) for f in frames)
