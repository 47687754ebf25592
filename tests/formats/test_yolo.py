"""YOLO label text: known boxes, round trips, and every fault of a broken file."""

from __future__ import annotations

import pytest
import yaml

from vqc.errors import ManifestError
from vqc.formats import yolo
from vqc.types import Annotation, Box


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


def test_a_drawn_box_stands_for_an_amodal_one() -> None:
    drawn = [thing((0, 0, 1, 1))]
    texts = [yolo.label_text(drawn, ["qf"], 8, 8, kind) for kind in ("amodal", "modal")]
    assert texts[0] == texts[1] != ""


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ManifestError, match="'qf' is not one of qd"):
        yolo.label_text([thing((0, 0, 1, 1))], ["qd"], 8, 8)


@pytest.mark.parametrize(
    ("fractions", "pixels"),
    [
        ((0.0, 0.0, 1.0, 1.0), (0, 0, 640, 480)),
        ((0.1000004, 0.25, 0.2, 0.5), (64, 120, 128, 240)),
        ((0.10001, 0.25, 0.2, 0.5), (64.0064, 120, 128, 240)),
        ((-0.0001, 0.0, 1.0001, 1.0), (-0.064, 0, 640.064, 480)),
    ],
)
def test_fractions_become_whole_pixels_where_six_decimals_allow(
    fractions: Box, pixels: Box
) -> None:
    assert yolo.pixel_box(fractions, 640, 480) == pytest.approx(pixels, abs=1e-9)


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
    content = yaml.safe_load(yolo.data_yaml(("no", "1", "ä: b"), splits))
    assert content == {**expected, "names": {0: "no", 1: "1", 2: "ä: b"}}
