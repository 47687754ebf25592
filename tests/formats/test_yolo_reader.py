"""YOLO of other people: their layouts, their headers, and ours read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import sound, source

from vqc import ultra
from vqc.errors import InputError
from vqc.formats import yolo
from vqc.formats.yolo_reader import evidence, read
from vqc.types import Annotation, Frame

BOX = "0 0.5 0.5 0.2 0.4\n"
CORNERS = (0.4, 0.3, 0.6, 0.7)
NAMES = "names: [qd, qf]\n"


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/a.jpg", "labels/a.txt"),
        ("images/train/a.b.JPG", "labels/train/a.b.txt"),
        ("train/images/a.png", "train/labels/a.txt"),
        ("set/images/qf/images/a.png", "set/images/qf/labels/a.txt"),
        ("Images/a.jpg", "Labels/a.txt"),
        ("photos/a.webp", "labels/a.txt"),
        ("a.jpg", "a.txt"),
        ("a.jpg", "labels/a.txt"),
        ("obj_train_data/a.jpg", "obj_train_data/a.TXT"),
    ],
)
def test_where_labels_lie(tmp_path: Path, image: str, label: str) -> None:
    listing = source(tmp_path, {image: "", label: BOX, "data.yaml": NAMES})
    assert evidence(listing) == f"data.yaml and {label}"
    item = sound(read(listing))[image]
    assert item.where == label
    [thing] = item.objects
    assert (thing.class_name, thing.unit, thing.line) == ("qd", "fraction", 1)
    assert thing.box == pytest.approx(CORNERS)


def test_pictures_of_another_kind_do_not_share_a_label(tmp_path: Path) -> None:
    files = {"images/a.jpg": "", "masks/a.png": "", "labels/a.txt": BOX, "data.yaml": NAMES}
    images, masks = read(source(tmp_path, files)).items
    assert (images.file, images.faults) == ("images/a.jpg", ())
    assert [fault.file for fault in masks.faults] == ["masks/a.png"]


def test_a_picture_without_label_is_a_fault_unless_the_user_says_it_is_empty(tmp_path) -> None:
    listing = source(tmp_path, {"images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": "",
                                "data.yaml": NAMES})  # fmt: skip
    a, b = read(listing).items
    assert (a.objects, a.faults) == ((), ())
    assert b.objects is None
    assert [str(f) for f in b.faults] == [
        "images/b.jpg: no label: expected labels/b.txt (an empty one says background); "
        "if such pictures show nothing, say --background"
    ]
    assert sound(read(listing, unlabelled_is_empty=True))["images/b.jpg"].objects == ()


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ({"data.yaml": "train: x\nnc: 3\nnames: ['a', 'b', 'c']"}, ("a", "b", "c")),
        ({"data.yaml": "names:\n  0: a\n  1: b\n  7: c\nnc: 8"}, ("a", "b", "c")),
        ({"data.yaml": "names:\n  2: b\n  0: a"}, ("a", "b")),
        ({"data.yaml": "names:\n- no\n- 3069\n- 007\n- ä: x"}, None),
        ({"data.yaml": "names:\n- no\n- 3069\n- 007\n- 'ä: x'"}, ("no", "3069", "007", "ä: x")),
        ({"my set.yml": "\ufeffnames: {0: a}\r\n"}, ("a",)),
        ({"classes.txt": "a\r\nb c\r\n\r\n"}, ("a", "b c")),
        ({"labels/classes.txt": "a\nb"}, ("a", "b")),
        ({"obj.names": "a\nb\n"}, ("a", "b")),
        ({"data/voc.names": "a\n"}, ("a",)),
        ({"_darknet.labels": "a\nb\n"}, ("a", "b")),
        ({"recipe.yaml": "seed: 1", "classes.txt": "a"}, ("a",)),
        ({"data.yaml": "names: [a, b]", "classes.txt": "a\nb"}, ("a", "b")),
    ],
)
def test_class_names(tmp_path: Path, header: dict[str, str], names: tuple | None) -> None:
    reading = read(source(tmp_path, {"images/a.jpg": "", "labels/a.txt": BOX, **header}))
    if names is None:
        assert [fault.line for fault in reading.faults] == [5]
    else:
        assert sound(reading) and reading.classes == names


@pytest.mark.parametrize("header", [{}, {"data.yaml": "nc: 2"}, {"data.yaml": "names: []"}])
def test_without_class_names_nothing_can_be_read(tmp_path, header) -> None:
    listing = source(tmp_path, {"images/a.jpg": "", "labels/a.txt": BOX, **header})
    assert evidence(listing)
    with pytest.raises(InputError, match=r"no class names: expected data\.yaml .* classes\.txt"):
        read(listing)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("train: ../train/images\nval: ../valid/images\ntest: ../test/images", "tvx"),
        ("train: ./train/images/\nval: valid/images", "tvx"),
        ("path: /home/joe/set\ntrain: train/images\nval: /home/joe/set/valid/images", "tvx"),
        ("path: C:\\sets\ntrain: C:\\sets\\train\\images\nval: [valid, extra/images]", "tvv"),
        ("train: train\nval: extra", "tvv"),  # valid by its folder
        ("train: .\nval: .", "tvx"),  # by their folders only
        ("train: lists/train.txt\nval: [lists/val.txt]", "tvt"),
        ("train: https://example.com/train\ndownload: rm -rf /", "tvx"),
        ("train: 7\nval: {a: b}\ntest:", "tvx"),
    ],
)
def test_splits(tmp_path: Path, entries: str, expected: str) -> None:
    """t, v: train and val; x: none, for neither an entry nor a folder says so."""
    images = ("train/images/a.jpg", "valid/images/b.jpg", "extra/images/c.jpg")
    files = {
        "data.yaml": f"{NAMES}{entries}",
        "lists/train.txt": "./train/images/a.jpg\r\n../extra/images/c.jpg\n",
        "lists/val.txt": "/home/joe/set/valid/images/b.jpg\n\ngone.jpg",
        **{image: "" for image in images},
        **{image.replace("images", "labels").replace("jpg", "txt"): BOX for image in images},
    }
    reading = read(source(tmp_path, files))
    assert [items[image].split for items in [sound(reading)] for image in images] == [
        {"t": "train", "v": "val"}.get(letter) for letter in expected
    ]


def test_what_is_said_of_splits(tmp_path: Path) -> None:
    text = f"{NAMES}train: [., list.txt]\nval: .\ntest: ../test/images"
    files = {"a.jpg": "", "a.txt": BOX, "data.yaml": text, "list.txt": "a.jpg\nb.jpg"}
    assert read(source(tmp_path, files)).notes == (
        "list.txt: names 1 pictures that are not here, as b.jpg",
        "data.yaml: test: ../test/images is not in the source",
        "1 pictures are train and val alike: no split is kept",
    )


def test_darknets_lists(tmp_path: Path) -> None:
    files = {
        "obj.data": "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = x\n",
        "obj.names": "qd\nqf\n",
        "train.txt": "data/obj_train_data/a.jpg\n",
        "valid.txt": "data/obj_train_data/b.jpg\n",
        **{f"obj_train_data/{name}.jpg": "" for name in "ab"},
        **{f"obj_train_data/{name}.txt": BOX for name in "ab"},
    }
    found = sound(read(source(tmp_path, files)))
    assert [item.split for item in found.values()] == ["train", "val"]


def test_roboflows_export(tmp_path: Path) -> None:
    text = (
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\n"
        "names: ['qd', 'qf']\n\nroboflow:\n  workspace: w\n  version: 1\n"
    )
    files = {"data.yaml": text, "README.dataset.txt": "# x", "README.roboflow.txt": "x - v1"}
    for split in ("train", "valid", "test"):
        name = f"a_png.rf.{split}"
        files |= {f"{split}/images/{name}.jpg": "", f"{split}/labels/{name}.txt": BOX}
    found = sound(read(source(tmp_path, files)))
    assert [item.split for item in found.values()] == ["test", "train", "val"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BOX, 1),
        (" 0\t0.5 .5 2e-1 0.40  \r\n", 1),
        ("\ufeff\n\n0.0 0.5 0.5 0.2 0.4", 3),
        ("0 0.5 0.5 0.2 0.4\r\n\r\n", 1),
    ],
)
def test_other_peoples_habits(tmp_path: Path, text: str, line: int) -> None:
    listing = source(tmp_path, {"a.jpg": "", "a.txt": text, "classes.txt": "qd"})
    [thing] = sound(read(listing))["a.jpg"].objects
    assert thing.box == pytest.approx(CORNERS)
    assert thing.line == line


def test_polygons_and_boxes_in_one_file(tmp_path: Path) -> None:
    text = f"1 0 0 1 0 0.5 1.00005\n{BOX}"
    listing = source(tmp_path, {"a.jpg": "", "a.txt": text, "data.yaml": NAMES})
    outline, box = sound(read(listing))["a.jpg"].objects
    assert (outline.class_name, outline.box) == ("qf", None)
    assert outline.polygons == (((0, 0), (1, 0), (0.5, 1.00005)),)
    assert (box.class_name, box.polygons) == ("qd", ())


def test_keypoints_are_left_out_aloud(tmp_path: Path) -> None:
    pose = BOX.strip() + " 0.1 0.1 2 0 0 0\n"
    header = f"{NAMES}kpt_shape: [2, 3]\n"
    reading = read(source(tmp_path, {"a.jpg": "", "a.txt": pose, "data.yaml": header}))
    assert sound(reading)["a.jpg"].objects[0].box == pytest.approx(CORNERS)
    assert reading.notes == ("keypoints are left out (data.yaml: kpt_shape)",)


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg": "", "a.txt": "a photo of a magnet"},
        {"a.jpg": "", "a.txt": "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12"},
        {"a.jpg": "", "README.txt": "hello", "a.xml": "<annotation/>"},
        {"a.jpg": "", "_annotations.coco.json": '{"images": [], "annotations": []}'},
        {"a.jpg": "", "data.yaml": "train: x\n"},
        {"a.txt": BOX},
        {},
    ],
)
def test_what_is_no_yolo(tmp_path: Path, files: dict[str, str]) -> None:
    assert evidence(source(tmp_path, files)) is None


def test_what_is_no_label(tmp_path: Path) -> None:
    texts = ("README.txt", "notes.txt", "labels/classes.txt", "labels/readme.md.txt", "results.txt")
    files = {name: "qd\n" for name in texts} | {"images/a.jpg": "", "labels/a.txt": BOX}
    assert sound(read(source(tmp_path, files)))


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 20000), st.integers(1, 20000))
def test_our_own_labels_come_back_to_the_pixel(data, width: int, height: int) -> None:
    objects = []
    for instance in range(data.draw(st.integers(0, 4))):
        x0, y0 = (data.draw(st.integers(0, side - 1)) for side in (width, height))
        x1, y1 = (
            data.draw(st.integers(low + 1, side)) for low, side in ((x0, width), (y0, height))
        )
        objects.append(Annotation(f"q{instance}", None, instance, (x0, y0, x1, y1)))
    classes = tuple(f"q{i}" for i in range(4))
    frames = tuple(
        Frame(f"images/{split}/a.jpg", "", "", width, height, "real", "s", split=split)
        for split in ("train", "test")
    )
    text = yolo.label_text(objects, classes, width, height)
    header = yolo.data_yaml(classes, {f.split for f in frames})
    with tempfile.TemporaryDirectory() as folder:
        files = {"data.yaml": header}
        for split in ("train", "test"):
            files |= {f"images/{split}/a.jpg": "", f"labels/{split}/a.txt": text}
        reading = read(source(Path(folder), files))
    assert reading.classes == classes
    for item in sound(reading).values():
        assert item.split == item.file.split("/")[1]
        back = [(t.class_name, yolo.pixel_box(t.box, width, height)) for t in item.objects]
        assert back == [(o.class_name, o.box_xyxy) for o in objects]


GOOD_FOR_ULTRALYTICS = [
    "",
    BOX,
    "1 0.1 0.1 0.2 0.2\n0 0.5 0.5 1 1\n",
    "1.0 0.5 0.5 0.25 0.25",
    "0 0.1 0.1 0.9 0.1 0.5 0.9\n1 0.2 0.2 0.4 0.2 0.4 0.4 0.2 0.4",
]
BAD_FOR_ULTRALYTICS = [
    "0 0.5 0.5 0.1",
    "0 0.5 0.5 0.1 0.1 0.9",
    "2 0.5 0.5 0.1 0.1",
    "-1 0.5 0.5 0.1 0.1",
    "0.5 0.5 0.5 0.1 0.1",
    "0 320 240 64 48",
    "0 nan 0.5 0.1 0.1",
    "0 0,5 0,5 0,1 0,1",
    "qd 0.5 0.5 0.1 0.1",
]


@pytest.mark.parametrize("text", [*GOOD_FOR_ULTRALYTICS, *BAD_FOR_ULTRALYTICS])
def test_as_ultralytics_checks_labels(tmp_path: Path, text: str) -> None:
    from PIL import Image

    ultra.prepare()
    from ultralytics.data.utils import verify_image_label

    listing = source(tmp_path, {"a.jpg": "", "a.txt": text, "data.yaml": NAMES})
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    arguments = (str(tmp_path / "a.jpg"), str(tmp_path / "a.txt"), "", False, 2, 0, 0, False)
    _, rows, _, segments, _, _, _, _, corrupt, message = verify_image_label(arguments)
    [item] = read(listing).items
    assert corrupt == (text in BAD_FOR_ULTRALYTICS), message
    assert bool(item.faults) == bool(corrupt)
    if not corrupt:
        assert [t.class_name for t in item.objects] == [("qd", "qf")[int(row[0])] for row in rows]
        for thing, row in zip(item.objects, rows if not segments else (), strict=not segments):
            x0, y0, x1, y1 = thing.box
            assert ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0) == pytest.approx(row[1:])
        for thing, outline in zip(item.objects, segments, strict=bool(segments)):
            assert np.allclose(thing.polygons[0], outline)
