"""Label Studio's tasks: its own JSON read, ours written and read back, and what may be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from outside import by_file, expected, exported, faults, marks, pixels, read, source
from sets import HEIGHT, WIDTH, render_set

from vqc.errors import InputError
from vqc.formats import brush, labelstudio_reader
from vqc.formats.labels import Wrong

SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0}


def region(kind: str = "rectanglelabels", label: str = "bolt", **value: Any) -> dict[str, Any]:
    if kind == "rectanglelabels":
        value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, **value}
    head = {"id": "r", "type": kind, "from_name": "label", "to_name": "image"}
    return {**head, **SIZE, "value": {kind: [label], **value}}


def task(*results: Any, image: str = "a.jpg", **fields: Any) -> dict[str, Any]:
    annotations = [{"result": list(results), "was_cancelled": False, "ground_truth": False}]
    return {"id": 1, "annotations": annotations, "data": {"image": image}, **fields}


def listing(root: Path, *tasks: Any, images: tuple[str, ...] = ("images/a.jpg",)) -> Any:
    pictures = dict.fromkeys(images, (200, 100))
    return source(root, {**pictures, "export.json": json.dumps(tasks)})


def only(root: Path, *results: Any) -> Any:
    reading = read(listing(root, task(*results)), "labelstudio")
    assert faults(reading) == []
    return reading.items[0]


def test_a_rectangle_in_percent(tmp_path: Path) -> None:
    item = only(tmp_path, region())
    assert (item.file, item.where, item.stated_size) == ("images/a.jpg", "export.json", (200, 100))
    (thing,) = item.objects
    assert (thing.class_name, thing.unit) == ("bolt", "fraction")
    assert thing.box == pytest.approx((0.1, 0.2, 0.4, 0.6))


def test_a_turned_rectangle_turns_clockwise_about_its_corner(tmp_path: Path) -> None:
    """40 x 10 pixels from (100, 50), turned by 90°, hangs down to the left of that corner."""
    item = only(tmp_path, region(x=50, y=50, width=20, height=10, rotation=90))
    (thing,) = item.objects
    assert thing.unit == "px"
    assert thing.box == pytest.approx((90, 50, 100, 90))


def test_a_polygon(tmp_path: Path) -> None:
    item = only(tmp_path, region("polygonlabels", points=[[0, 0], [50, 0], [50, 100]]))
    (thing,) = item.objects
    assert (thing.box, thing.polygons) == (None, (((0, 0), (0.5, 0), (0.5, 1)),))


def test_a_brush_stroke_as_label_studio_wrote_it(tmp_path: Path) -> None:
    """The codes are its own converter's: a run only, and one with single values of a colour."""
    shape = np.array([[0, 1, 1], [0, 0, 1]])
    code = [0, 0, 0, 24, 57, 27, 252, 96, 19, 255, 206, 1, 31, 248]
    assert np.array_equal(brush.decode(code, 3, 2), shape)
    single = [0, 0, 0, 16, 57, 27, 252, 96, 0, 5, 0, 40, 0, 240, 31, 243, 128, 0]
    assert np.array_equal(brush.decode(single, 2, 2), [[0, 1], [0, 0]])
    stroke = region("brushlabels", format="rle", rle=code)
    stroke |= {"original_width": 3, "original_height": 2}
    (thing,) = only(tmp_path, stroke).objects
    assert np.array_equal(pixels(thing.rle), shape)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_brush_codes_go_both_ways(mask: np.ndarray) -> None:
    height, width = mask.shape
    assert np.array_equal(brush.decode(brush.encode(mask), width, height), mask)


def test_a_long_run_goes_both_ways() -> None:
    mask = np.zeros((300, 400), bool)
    mask[100:, 7:] = True
    assert np.array_equal(brush.decode(brush.encode(mask), 400, 300), mask)


def test_a_code_that_claims_a_huge_picture_is_refused() -> None:
    with pytest.raises(Wrong, match="up to 178 megapixels"):
        brush.decode([255] * 20, 30000, 30000)


@pytest.mark.parametrize(
    "address",
    [
        "a b.jpg",
        "/data/upload/3/1a2b3c4d-a b.jpg",
        "/data/upload/3/1a2b3c4d-a%20b.jpg",
        "/data/upload/3/1a2b3c4d-a_b.jpg",
        "/data/local-files/?d=photos/images/a%20b.jpg",
        "s3://bucket/shop/a%20b.jpg",
        "https://example.com/x/a%20b.jpg?token=1",
    ],
)
def test_addresses_of_one_picture(address: str, tmp_path: Path) -> None:
    found = listing(tmp_path, task(region(), image=address), images=("images/a b.jpg",))
    assert [i.file for i in read(found, "labelstudio").items if i.objects] == ["images/a b.jpg"]


def test_choices_label_the_picture(tmp_path: Path) -> None:
    """Where nobody drew anything, choices say nothing about objects."""
    choice = {"type": "choices", "value": {"choices": ["good"]}}
    item = only(tmp_path / "alone", choice)
    assert (item.label, item.objects) == ("good", None)
    item = only(tmp_path / "both", choice, region())
    assert (item.label, len(item.objects)) == ("good", 1)


def test_missing_is_not_empty(tmp_path: Path) -> None:
    cancelled = {"result": [region()], "was_cancelled": True}
    tasks = [
        task(image="empty.jpg"),
        task(image="none.jpg", annotations=[]),
        task(image="cancelled.jpg", annotations=[cancelled]),
    ]
    images = ("cancelled.jpg", "empty.jpg", "extra.jpg", "none.jpg")
    found = listing(tmp_path, *tasks, images=images)
    reading = read(found, "labelstudio")
    assert [item.objects for item in reading.items] == [None, (), None, None]
    assert [f.split(":")[0] for f in faults(reading)] == ["extra.jpg"]
    assert reading.notes == ("2 tasks have no annotation: nobody labelled them",)
    told = read(found, "labelstudio", unlabelled_is_empty=True)
    assert [item.objects for item in told.items] == [()] * 4
    assert faults(told) == []


def test_the_ground_truth_of_several_annotations_holds(tmp_path: Path) -> None:
    several = [{"result": []}, {"result": [region()], "ground_truth": True}]
    item = read(listing(tmp_path, task(annotations=several)), "labelstudio").items[0]
    assert len(item.objects) == 1


def test_json_min(tmp_path: Path) -> None:
    flat = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    label = [{**flat, "rectanglelabels": ["bolt"], "original_width": 200, "original_height": 100}]
    head = {"image": "/data/upload/3/1a2b3c4d-a.jpg", "id": 1, "annotation_id": 7}
    item = read(listing(tmp_path, {**head, "label": label, "choice": "good"}), "labelstudio").items[
        0
    ]
    assert item.label == "good"
    assert item.objects[0].box == pytest.approx((0.1, 0.2, 0.4, 0.6))


def test_what_marks_no_object_is_passed_over_and_said(tmp_path: Path) -> None:
    relation = {"type": "relation", "from_id": "r", "to_id": "s"}
    point = {"type": "keypointlabels", "value": {"x": 1, "y": 1, "keypointlabels": ["p"]}}
    reading = read(listing(tmp_path, task(region(), relation, point)), "labelstudio")
    assert (faults(reading), len(reading.items[0].objects)) == ([], 1)
    assert "1 keypointlabels, 1 relation" in reading.notes[0]


def test_a_picture_with_nothing_but_points_is_not_empty(tmp_path: Path) -> None:
    point = {"type": "keypointlabels", "value": {"x": 1, "y": 1, "keypointlabels": ["p"]}}
    words = {"type": "textarea", "value": {"text": ["blurred"]}}
    tasks = (task(region()), task(point, image="b.jpg"), task(words, image="c.jpg"))
    reading = read(listing(tmp_path, *tasks, images=("a.jpg", "b.jpg", "c.jpg")), "labelstudio")
    assert [item.objects for item in reading.items[1:]] == [None, ()]


BROKEN = {
    "no number": (
        region(x="a"),
        "[0].annotations[0].result[0].value.x: expected a number, got 'a'",
    ),
    "NaN": (region(y=float("nan")), "result[0].value.y: expected a number, got nan"),
    "missing width": (region(width=None), "value.width: expected a number, got None"),
    "over the border": (region(x=80), "value: reaches 10 over the border of 100 x 100"),
    "no area": (region(width=0), "expected a box with an area, got x 10 to 10"),
    "two labels": (region() | {"value": {"rectanglelabels": ["a", "b"]}}, "expected one label"),
    "no label": (region() | {"value": {"x": 1}}, "value.rectanglelabels: expected one label"),
    "bare": ({"type": "rectangle", "value": {"x": 1}}, "a rectangle without label"),
    "ellipse": (region("ellipselabels"), ".type: vqc reads no ellipselabels"),
    "turned image": (region() | {"image_rotation": 90}, ".image_rotation: expected 0, got 90"),
    "turned, no size": (
        {**region(rotation=5), "original_width": None},
        ".original_width: expected a number",
    ),
    "two points": (region("polygonlabels", points=[[1, 1], [2, 2]]), "at least three points"),
    "odd point": (region("polygonlabels", points=[[1, 1], [2], [3, 3]]), "points[1]: expected x"),
    "rle cut off": (region("brushlabels", rle=[0, 0]), "breaks off"),
    "rle of another size": (
        region("brushlabels", rle=brush.encode(np.ones((2, 2), bool))),
        "rle: 16 values, expected 80000 for 200 x 100",
    ),
    "rle no bytes": (region("brushlabels", rle=[-1]), "whole numbers from 0 to 255"),
    "empty stroke": (
        region("brushlabels", rle=brush.encode(np.zeros((100, 200), bool))),
        "marks no pixel",
    ),
    "odd id": ({"type": "rectangle", "id": [1], "value": {"x": 1}}, "a rectangle without label"),
    "no object": (7, "result[0]: expected an object with type and value"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_results(name: str, tmp_path: Path) -> None:
    """Each is the item's one fault, and other items stay whole."""
    result, message = BROKEN[name]
    tasks = (task(result), task(region(), image="b.jpg"))
    reading = read(listing(tmp_path, *tasks, images=("a.jpg", "b.jpg")), "labelstudio")
    (fault,) = faults(reading)
    assert fault.startswith("export.json: [0].annotations[0].result[0]")
    assert message in fault
    assert not by_file(reading)["b.jpg"].faults


BROKEN_TASKS = {
    "no task": ("word", "export.json: [1]: expected a task, got str"),
    "no data": ({"annotations": []}, "export.json: [1]: .data: expected an object"),
    "no picture": (task(image="c.jpg"), "export.json: [1]: .data: there is no picture 'c.jpg'"),
    "no address": (task(image="text"), "expected the address of one picture, got 0"),
    "several annotations": (
        task(image="b.jpg", annotations=[{"result": []}, {"result": []}]),
        "[1].annotations: 2 annotations, and 0 of them ground truth",
    ),
    "no results": (
        task(image="b.jpg", annotations=[{}]),
        "[1].annotations[0].result: expected a list",
    ),
    "two choices": (
        task(*[{"type": "choices", "value": {"choices": [c]}} for c in "xy"], image="b.jpg"),
        "expected one choice, got x, y",
    ),
    "twice": (task(region(), image="a.jpg"), "a.jpg is labelled here and in export.json"),
    "either": (task(region(), image="x.jpg"), "'x.jpg' may be c/x.jpg or d/x.jpg"),
}


@pytest.mark.parametrize("name", BROKEN_TASKS)
def test_broken_tasks(name: str, tmp_path: Path) -> None:
    broken, message = BROKEN_TASKS[name]
    images = ("a.jpg", "b.jpg", "c/x.jpg", "d/x.jpg")
    found = listing(tmp_path, task(region()), broken, images=images)
    reading = read(found, "labelstudio", unlabelled_is_empty=True)
    (fault,) = faults(reading)
    assert message in fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"data": {"image": 1}},\n oh]', "export.json:2: no JSON"),
        ('[{"data": {}, "result": ' + "[" * 100_000, "no JSON"),
        (b'[{"data": {"a": "\xff"}}]', "expected UTF-8"),
    ],
)
def test_files_that_cannot_be_read(text: str | bytes, message: str, tmp_path: Path) -> None:
    found = source(tmp_path, {"a.jpg": (8, 8), "export.json": text})
    with pytest.raises(InputError, match=message):
        labelstudio_reader.read(found)


def test_no_file_of_tasks(tmp_path: Path) -> None:
    found = source(tmp_path, {"a.jpg": (8, 8), "other.json": '[{"image": "a.jpg"}]'})
    assert labelstudio_reader.evidence(found) is None
    with pytest.raises(InputError, match="list of tasks"):
        labelstudio_reader.read(found)


@pytest.mark.parametrize("box", ["modal", "amodal"])
def test_there_and_back(box: str, tmp_path: Path) -> None:
    render_set(tmp_path / "set")
    reading, frames = exported(tmp_path / "set", tmp_path / "out", "labelstudio", box)
    assert [item.file for item in reading.items] == [f.image for f in frames]
    for item, frame in zip(reading.items, frames, strict=True):
        got = [marks(thing, WIDTH, HEIGHT) for thing in item.objects]
        assert got == [expected(note, box) for note in frame.objects]
