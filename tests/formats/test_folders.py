"""Pictures sorted into folders: by class, by condition, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from outside import by_file, faults, read, source
from sets import finish, frame

from vqc.errors import ManifestError
from vqc.export import export
from vqc.formats import classes, conditions, images
from vqc.formats.source import list_source

SIZE = (6, 4)


def files(*names: str) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names, SIZE)


@pytest.mark.parametrize("prefix", ["", "lego/", "lego/images/"])
def test_classes_with_splits(prefix: str, tmp_path: Path) -> None:
    names = [f"{prefix}{split}/{name}/0.jpg" for split in ("train", "valid") for name in ("b", "a")]
    reading = read(source(tmp_path, files(*names)), "classes")
    assert (faults(reading), reading.classes) == ([], ("a", "b"))
    found = [(item.label, item.split, item.objects) for item in reading.items]
    assert found == [(c, s, None) for s in ("train", "val") for c in ("a", "b")]


def test_folders_below_a_class_belong_to_it(tmp_path: Path) -> None:
    reading = read(source(tmp_path, files("a/x/0.jpg", "a/y/0.jpg", "b/0.jpg")), "classes")
    assert [item.label for item in reading.items] == ["a", "a", "b"]


def test_a_picture_outside_of_the_classes(tmp_path: Path) -> None:
    found = source(tmp_path, files("a/0.jpg", "b/0.jpg", "0.jpg"))
    assert classes.evidence(found) is None
    reading = classes.read(found)
    assert [item.label for item in reading.items] == [None, "a", "b"]
    assert faults(reading)[0].startswith("0.jpg: no label: expected a folder named like its class")
    assert classes.read(found, unlabelled_is_empty=True).items[0].objects == ()


def test_one_class_alone(tmp_path: Path) -> None:
    found = source(tmp_path, files("a/0.jpg", "a/1.jpg"))
    assert classes.evidence(found) is None
    assert [item.label for item in classes.read(found).items] == ["a", "a"]


def test_classes_with_a_table(tmp_path: Path) -> None:
    table = "path;shoot\na/0.jpg;june\nb/0.jpg;july\n"
    found = source(tmp_path, {**files("a/0.jpg", "b/0.jpg"), "index.csv": table})
    assert [item.row["shoot"] for item in read(found, "classes").items] == ["june", "july"]


MVTEC = files(
    "train/good/000.png",
    "test/good/000.png",
    "test/crack/000.png",
    "test/hole/000.png",
    "ground_truth/crack/000_mask.png",
    "ground_truth/hole/000_mask.png",
)


@pytest.mark.parametrize("prefix", ["", "bottle/"])
def test_conditions_with_masks(prefix: str, tmp_path: Path) -> None:
    reading = read(source(tmp_path, {prefix + f: s for f, s in MVTEC.items()}), "conditions")
    assert faults(reading) == []
    found = [
        (i.condition, i.split, i.objects, [m.class_name for m in i.masks]) for i in reading.items
    ]
    assert found == [
        ("crack", "test", None, ["crack"]),
        ("good", "test", (), []),
        ("hole", "test", None, ["hole"]),
        ("good", "train", (), []),
    ]
    assert reading.items[0].masks[0].file == f"{prefix}ground_truth/crack/000_mask.png"


def test_conditions_without_masks(tmp_path: Path) -> None:
    """Nobody marked anything, so good ones are not empty either."""
    reading = read(source(tmp_path, files("OK/0.jpg", "bad/0.jpg")), "conditions")
    assert [(i.condition, i.objects) for i in reading.items] == [("good", None), ("bad", None)]


def test_masks_beside_the_pictures(tmp_path: Path) -> None:
    names = ("good/0.jpg", "bad/0.jpg", "bad/0_mask.png")
    reading = read(source(tmp_path, files(*names)), "conditions")
    assert faults(reading) == []
    assert [i.condition for i in reading.items] == ["bad", "good"]


def test_a_good_picture_needs_no_mask_and_uses_none(tmp_path: Path) -> None:
    names = ("images/good/0.jpg", "images/bad/0.jpg", "masks/good/0.png", "masks/bad/0.png")
    reading = read(source(tmp_path, files(*names)), "conditions")
    assert [(i.condition, len(i.masks)) for i in reading.items] == [("bad", 1), ("good", 0)]
    assert reading.notes == ("1 masks of good pictures are passed over",)


BROKEN = {
    "a defect without mask": (files("test/crack/001.png"), "test/crack/001.png: no mask"),
    "a mask without picture": (
        files("ground_truth/hole/007_mask.png"),
        "ground_truth/hole/007_mask.png: a mask without picture",
    ),
    "no condition": (files("stray.png"), "stray.png: no label: expected a folder named like its"),
    "another size": (
        {"test/hole/001.png": SIZE, "ground_truth/hole/001_mask.png": (5, 5)},
        "ground_truth/hole/001_mask.png: expected 6 x 4",
    ),
    "no picture inside": (
        {"test/hole/001.png": SIZE, "ground_truth/hole/001_mask.png": b"none"},
        "cannot be read as a picture",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_conditions(name: str, tmp_path: Path) -> None:
    more, message = BROKEN[name]
    reading = read(source(tmp_path, {**MVTEC, **more}), "conditions")
    (fault,) = faults(reading)
    assert message in fault
    assert sum(bool(item.faults) for item in reading.items) == ("without picture" not in message)


def test_pictures_that_nobody_labelled(tmp_path: Path) -> None:
    found = source(tmp_path, {**files("a.jpg", "b.png"), "notes.txt": "from the hall"})
    assert [item.objects for item in read(found, "images").items] == [None, None]
    told = read(found, "images", unlabelled_is_empty=True)
    assert [item.objects for item in told.items] == [(), ()]


def test_a_text_of_a_pictures_name_may_be_its_label(tmp_path: Path) -> None:
    found = source(tmp_path, {**files("a.jpg", "x/b.jpg", "y/c.jpg"), "labels/a.json": "{}"})
    assert (images.evidence(found), classes.evidence(found)) == (None, None)
    assert conditions.evidence(found) is None


def test_class_folders_there_and_back(tmp_path: Path) -> None:
    root = tmp_path / "set"
    names = ("images/train/qf/0.png", "images/deep/test/1.png", "images/2.png", "images/3.png")
    labels, splits = ("qf", "qd", "qf", None), ("train", None, "val", "val")
    rows = zip(names, labels, splits, strict=True)
    made = [frame(root, n, i, label=x, split=s) for n, (i, x, s) in enumerate(rows)]
    finish(root, "intake", made)
    notes: list[str] = []
    out = export(root, "classes", tmp_path / "out", on_note=notes.append)
    assert notes[0] == "left out 1 of 4 frames, they have no label: images/3.png"
    found = by_file(read(list_source(out), "classes"))
    assert {file: (item.label, item.split) for file, item in found.items()} == {
        "qd/deep__test__1.png": ("qd", None),
        "train/qf/0.png": ("qf", "train"),
        "val/qf/2.png": ("qf", "val"),
    }
    assert (out / "train/qf/0.png").samefile(root / names[0])


@pytest.mark.parametrize("label", ["train", "a/b", "images", ".hidden"])
def test_a_label_that_is_no_class_folder(label: str, tmp_path: Path) -> None:
    finish(tmp_path / "set", "intake", [frame(tmp_path / "set", 2, label=label)])
    with pytest.raises(ManifestError, match="cannot be the name of a folder"):
        export(tmp_path / "set", "classes", tmp_path / "out")
