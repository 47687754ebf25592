"""YOLO label text: known boxes, round trips, and every fault of a broken file."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vqc.errors import ManifestError
from vqc.formats import yolo
from vqc.types import Annotation, Box, Frame, Manifest


def thing(
    box: Box | None, name: str = "qf", instance: int | None = 1, amodal: Box | None = None
) -> Annotation:
    return Annotation(name, instance=instance, box_xyxy=box, amodal_box_xyxy=amodal)


def test_a_known_box() -> None:
    text = yolo.label_text([thing((10, 20, 30, 60))], ["qd", "qf"], 100, 200)
    assert text == "1 0.200000 0.200000 0.200000 0.200000\n"


def test_lines_follow_the_instances_and_the_rest_comes_last() -> None:
    objects = [
        thing((0, 0, 4, 4), "c", None),
        thing((0, 0, 4, 4), "b", 2),
        thing((0, 0, 4, 4), "d", None),
        thing((0, 0, 4, 4), "a", 1),
    ]
    text = yolo.label_text(objects, ["a", "b", "c", "d"], 8, 8)
    assert [line[0] for line in text.splitlines()] == ["0", "1", "2", "3"]
    assert [o.class_name for o in objects] == ["c", "b", "d", "a"]


def test_what_does_not_show_has_no_line() -> None:
    assert yolo.label_text([], ["qf"], 8, 8) == ""
    assert yolo.label_text([thing(None)], ["qf"], 8, 8) == ""


def test_amodal_boxes_end_at_the_border() -> None:
    inside = thing(None, amodal=(-10, 20, 50, 300))
    outside = thing((0, 0, 1, 1), amodal=(100.0, 0, 120, 50))
    text = yolo.label_text([inside, outside], ["qf"], 100, 200, "amodal")
    assert text == "0 0.250000 0.550000 0.500000 0.900000\n"


def test_amodal_boxes_must_be_there() -> None:
    with pytest.raises(ManifestError, match="no amodal box"):
        yolo.label_text([thing((0, 0, 1, 1))], ["qf"], 8, 8, "amodal")


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ManifestError, match="'qf' is not one of qd"):
        yolo.label_text([thing((0, 0, 1, 1))], ["qd"], 8, 8)


@given(st.data(), st.integers(1, 20000), st.integers(1, 20000))
def test_whole_pixels_come_back(data: st.DataObject, width: int, height: int) -> None:
    x0, y0 = (data.draw(st.integers(0, side - 1)) for side in (width, height))
    x1, y1 = (data.draw(st.integers(low + 1, side)) for low, side in ((x0, width), (y0, height)))
    text = yolo.label_text([thing((x0, y0, x1, y1))], ["qf"], width, height)
    [(class_id, fractions)] = yolo.parse_label_text(text, "a.txt")
    assert class_id == 0
    assert yolo.pixel_box(fractions, width, height) == (x0, y0, x1, y1)


def test_other_peoples_habits_are_read() -> None:
    text = "0.0 0.5 .5 1. 1e0\r\n\n  2\t0.1 0.1 0.2 0.2  "
    assert yolo.parse_label_text(text, "a.txt") == [
        (0, (0.0, 0.0, 1.0, 1.0)),
        (2, (0.0, 0.0, 0.2, 0.2)),
    ]


def test_every_fault_is_told_with_its_line() -> None:
    faulty = [
        "0 nan 0.5 0.1 0.1",
        "0 0.5 0.5 0.1",
        "0 0.5 0.5 0.1 0.1 0.9",
        "1.5 0.5 0.5 0.1 0.1",
        "-1 0.5 0.5 0.1 0.1",
        "qf 0.5 0.5 0.1 0.1",
        "0 0.5 0.5 0 0.1",
        "0 0.5 0.5 1.2 0.1",
        "0 0.99 0.5 0.1 0.1",
        "0 0.5 0.5 1_0 0.1",
        "0 0.5 0.5 1e999 0.1",
    ]
    text = "0 0.5 0.5 0.1 0.1\n" + "\n".join(faulty)
    with pytest.raises(ManifestError) as caught:
        yolo.parse_label_text(text, "labels/a.txt")
    lines = str(caught.value).splitlines()
    assert [line.split(":")[:2] for line in lines] == [
        ["labels/a.txt", str(n)] for n in range(2, len(faulty) + 2)
    ]


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("images/a.jpg", "labels/a.txt"),
        ("images/qf/000/qf.v2_000017.tar.png", "labels/qf/000/qf.v2_000017.tar.txt"),
        ("images/train/labels/a.jpeg", "labels/train/labels/a.txt"),
    ],
)
def test_where_labels_lie(image: str, labels: str) -> None:
    assert yolo.label_path(image) == labels


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ([None], {"train": "images", "val": "images"}),
        (["train", "val"], {"train": "images/train", "val": "images/val"}),
        (["train"], {"train": "images/train", "val": "images/train"}),
        (["test"], {"train": "images/test", "val": "images/test", "test": "images/test"}),
        (
            ["test", "val", "train"],
            {"train": "images/train", "val": "images/val", "test": "images/test"},
        ),
    ],
)
def test_data_yaml(splits: list[str | None], expected: dict[str, str]) -> None:
    frames = tuple(
        Frame(f"images/{split}/a.jpg", "", "", 8, 8, "real", "s", split=split) for split in splits
    )
    manifest = Manifest("mix", "m", ("no", "1", "ä: b"), frames, "", "vqc")
    content = yaml.safe_load(yolo.data_yaml(manifest))
    assert content == {**expected, "names": {0: "no", 1: "1", 2: "ä: b"}}
