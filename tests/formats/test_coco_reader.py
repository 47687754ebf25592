"""COCO of other people: their layouts, their masks, and ours read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources import every_fault, sound, source

from vqc.errors import InputError
from vqc.formats import rle
from vqc.formats.coco import to_coco
from vqc.formats.coco_reader import evidence, read
from vqc.types import Annotation, Frame, Manifest

TRIANGLE = [1.5, 2, 9, 2, 9, 10.25]


def coco(images: Any = None, annotations: Any = None, categories: Any = None) -> dict[str, Any]:
    """One picture a.jpg of 64 × 48 and one class, unless told otherwise."""
    picture = {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}
    return {
        "info": {},
        "images": [picture] if images is None else images,
        "annotations": annotations or [],
        "categories": [{"id": 3, "name": "qf"}] if categories is None else categories,
    }


def note(**fields: Any) -> dict[str, Any]:
    return {"image_id": 1, "category_id": 3, "bbox": [1, 2, 8, 8.25], **fields}


def one(tmp_path: Path, **fields: Any):
    content = coco(annotations=[note(**fields)])
    reading = read(source(tmp_path, {"a.jpg": "", "x.json": json.dumps(content)}))
    [thing] = sound(reading)["a.jpg"].objects
    return thing


def test_a_box(tmp_path: Path) -> None:
    thing = one(tmp_path, segmentation=[], iscrowd=0, area=66, id=1)
    assert thing.box == (1, 2, 9, 10.25)
    assert (thing.class_name, thing.unit, thing.polygons, thing.rle) == ("qf", "px", (), None)
    assert thing.extra == {}


@pytest.mark.parametrize("segmentation", [[TRIANGLE], TRIANGLE, [TRIANGLE, [0, 0, 1, 0, 0, 1]]])
def test_polygons_are_one_object_and_may_replace_the_box(tmp_path, segmentation) -> None:
    thing = one(tmp_path, segmentation=segmentation, bbox=None)
    assert thing.box is None
    assert thing.polygons[0] == ((1.5, 2), (9, 2), (9, 10.25))
    assert len(thing.polygons) == (1 if len(segmentation) != 2 else 2)


def masked() -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    return np.hypot(x - 20.5, y - 30) < 9.3


@pytest.mark.parametrize("kind", ["ours", "theirs", "printed bytes", "uncompressed"])
def test_run_lengths(tmp_path: Path, kind: str) -> None:
    from pycocotools import mask as reference

    theirs = reference.encode(np.asfortranarray(masked().astype(np.uint8)))["counts"]
    flat = masked().ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = {
        "ours": rle.encode(masked())["counts"],
        "theirs": theirs.decode(),
        "printed bytes": str(theirs),
        "uncompressed": np.diff([0, *changes, flat.size]).tolist(),
    }[kind]
    thing = one(tmp_path, segmentation={"size": [48, 64], "counts": counts}, iscrowd=1)
    assert np.array_equal(rle.decode(thing.rle), masked())
    assert thing.extra == {"iscrowd": 1}


@pytest.mark.parametrize(
    ("json_file", "stated", "picture"),
    [
        ("_annotations.coco.json", "a.jpg", "a.jpg"),
        ("train/_annotations.coco.json", "a.jpg", "train/a.jpg"),
        ("annotations/instances_train2017.json", "a.jpg", "train2017/a.jpg"),
        ("annotations/instances_train2017.json", "a.jpg", "images/train/a.jpg"),
        ("annotations.json", "images/train/a.jpg", "images/train/a.jpg"),
        ("x.json", r"C:\photos\train\a.jpg", "photos/train/a.jpg"),
        ("ann/x.json", "../images/a.jpg", "images/a.jpg"),
        ("x.json", "/etc/../home/joe/a.jpg", "deep/down/a.jpg"),
        ("x.json", "gone/a.jpg", "a.jpg"),
    ],
)
def test_pictures_are_found_below_the_root_only(tmp_path, json_file, stated, picture) -> None:
    content = coco(images=[{"id": 1, "file_name": stated}], annotations=[note()])
    listing = source(tmp_path / "in", {picture: "", json_file: json.dumps(content)})
    source(tmp_path, {"a.jpg": "", "images/b.jpg": ""})
    assert evidence(listing) == f"{json_file} with COCO's images and annotations"
    item = sound(read(listing))[picture]
    assert len(item.objects) == 1
    assert (item.where, item.stated_size) == (json_file, None)
    assert item.split == ("train" if "train" in json_file + picture else None)


def test_the_same_names_in_two_splits(tmp_path: Path) -> None:
    files = {f"images/{split}/a.jpg": "" for split in ("train", "val")}
    files |= {f"annotations/{split}.json": json.dumps(coco()) for split in ("train", "val")}
    found = sound(read(source(tmp_path, files)))
    assert {item.file: item.where for item in found.values()} == {
        "images/train/a.jpg": "annotations/train.json",
        "images/val/a.jpg": "annotations/val.json",
    }


def test_roboflows_export(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "magnets", "supercategory": "none"},
        {"id": 1, "name": "qd", "supercategory": "magnets"},
        {"id": 2, "name": "magnets", "supercategory": "magnets"},
    ]
    files = {"README.dataset.txt": "x", "README.roboflow.txt": "x"}
    for split in ("train", "valid", "test"):
        images = [{"id": 0, "license": 1, "file_name": "a.jpg", "height": 48, "width": 64}]
        notes = [note(id=0, image_id=0, category_id=2, segmentation=[])]
        files[f"{split}/_annotations.coco.json"] = json.dumps(coco(images, notes, categories))
        files[f"{split}/a.jpg"] = ""
    reading = read(source(tmp_path, files))
    assert [item.split for item in sound(reading).values()] == ["test", "train", "val"]
    assert reading.classes == ("qd", "magnets")
    [text] = reading.notes
    assert "'magnets' (id 0) is Roboflow's placeholder" in text


def test_a_first_class_that_is_used_stays(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "qd", "supercategory": "none"}, {"id": 9, "name": "qf"}]
    content = coco(annotations=[note(category_id=0)], categories=categories)
    reading = read(source(tmp_path, {"a.jpg": "", "x.json": json.dumps(content)}))
    assert reading.classes == ("qd", "qf")
    assert sound(reading)["a.jpg"].objects[0].class_name == "qd"


def test_listed_is_empty_and_not_listed_is_a_fault(tmp_path: Path) -> None:
    files = {"a.jpg": "", "b.jpg": "", "x.json": json.dumps(coco())}
    a, b = read(source(tmp_path, files)).items
    assert (a.objects, a.stated_size, a.faults) == ((), (64, 48), ())
    assert b.objects is None
    assert [str(fault) for fault in b.faults] == [
        "b.jpg: no label: expected an entry under images in x.json; "
        "if such pictures show nothing, say --background"
    ]
    everything = sound(read(source(tmp_path, files), unlabelled_is_empty=True))
    assert everything["b.jpg"].objects == ()


def test_keypoints_are_left_out_aloud(tmp_path: Path) -> None:
    content = coco(annotations=[note(keypoints=[1, 2, 2], num_keypoints=1)])
    reading = read(source(tmp_path, {"a.jpg": "", "x.json": json.dumps(content)}))
    assert sound(reading) and reading.notes == ("keypoints of 1 objects left out",)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '[{"annotations": [], "images": []}]',
        '{"annotations": [{"result": []}], "data": {}}',
        '{"info": {}, "categories": {"label": {}}, "items": []}',
        '{"version": "5", "shapes": [], "imagePath": "a.jpg"}',
        "",
        '{"name": "x"}' + " " * 200_000,
    ],
)
def test_what_is_no_coco(tmp_path: Path, text: str) -> None:
    listing = source(tmp_path, {"a.jpg": "", "x.json": text})
    assert evidence(listing) is None
    with pytest.raises(InputError, match=r"no COCO file: expected a \.json with images"):
        read(listing)


def test_a_large_file_is_known_by_its_ends(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i:09}.jpg"} for i in range(5000)]
    content = {"annotations": [{"id": i} for i in range(9000)], "images": images, "categories": []}
    assert evidence(source(tmp_path, {"x.json": json.dumps(content)}))


def test_our_own_export_comes_back(tmp_path: Path) -> None:
    mask = rle.encode(masked())
    objects = (
        Annotation("qf", box_xyxy=(11.0, 21.0, 30.0, 40.0), mask=mask),
        Annotation("qd", box_xyxy=(0.1, 0.2, 63.7, 47.9)),
        Annotation("qd", box_xyxy=(5.0, 5.0, 9.0, 9.0), mask=mask, extra={"iscrowd": 1}),
    )
    frames = [
        Frame(f"images/{i}.jpg", "", "", 64, 48, "cad", "s", split=split, objects=objects[i:])
        for i, split in enumerate(("train", "val", "test", None))
    ]
    manifest = Manifest("render", "magnets", ("qd", "qx", "qf"), tuple(frames), "", "vqc")
    files = {frame.image: "" for frame in frames}
    text = json.dumps(to_coco(manifest))
    reading = read(source(tmp_path, {**files, "annotations.json": text}))
    assert reading.classes == manifest.classes
    for frame, item in zip(frames, sound(reading).values(), strict=True):
        assert (item.file, item.split) == (frame.image, frame.split)
        assert item.stated_size == (64, 48)
        for thing, expected in zip(item.objects, frame.objects, strict=True):
            assert thing.box == pytest.approx(expected.box_xyxy, abs=1e-9)
            assert thing.class_name == expected.class_name
            assert thing.rle == expected.mask
            assert thing.extra == expected.extra


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    notes = [note(bbox=[0, 0, -1, 1]), note(category_id=8), note(image_id=9), note(), note()]
    files = {
        "a.jpg": "",
        "b.jpg": "",
        "x.json": json.dumps(coco(annotations=notes)),
        "y.json": json.dumps(coco(images=[{"id": 1, "file_name": "c.jpg"}])),
        "z.json": '{"images": [], "annotations": [}',
    }
    reading = read(source(tmp_path, files))
    assert len(reading.faults) == 3  # z.json, image 9, c.jpg
    assert {item.file: len(item.faults) for item in reading.items} == {"a.jpg": 3, "b.jpg": 1}
    assert len(every_fault(reading)) == 7
