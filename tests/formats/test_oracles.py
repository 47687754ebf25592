"""Files written by supervision and pycocotools themselves, and our own exports, read by us."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sets import render_set
from sources import sound

from vqc.export import export
from vqc.formats import coco_reader, rle, voc_reader, yolo_reader
from vqc.formats.source import Thing, list_source
from vqc.formats.yolo import pixel_box

WIDTH, HEIGHT = 160, 120
CLASSES = ["qd", "qf", "yoke"]
BOXES = {
    "a": [(0, 0, 160, 120), (3, 4, 50, 60), (100, 20, 159, 119)],
    "b": [],
    "c": [(158, 118, 160, 120), (7, 8, 9, 10)],
}


def disc(cx: int, cy: int, radius: int) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(x - cx, y - cy) < radius


def dataset(folder: Path, with_masks: bool):
    import supervision as sv

    images, annotations = [], {}
    for name, boxes in BOXES.items():
        path = folder / f"{name}.png"
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
        images.append(str(path))
        masks = np.array([disc(30 + 40 * i, 60, 15 + i) for i in range(len(boxes))], bool)
        found = np.array(boxes, float).reshape(-1, 4)
        if with_masks and len(boxes):
            found = sv.mask_to_xyxy(masks) + np.array([0, 0, 1, 1])  # its maxima lie inside
        annotations[str(path)] = sv.Detections(
            xyxy=found,
            class_id=np.arange(len(boxes)),
            mask=masks if with_masks and len(boxes) else None,
        )
    return sv.DetectionDataset(classes=CLASSES, images=images, annotations=annotations)


def same_boxes(things: tuple[Thing, ...], name: str) -> None:
    for thing, expected, class_name in zip(things, BOXES[name], CLASSES, strict=False):
        box = thing.box
        if thing.unit == "fraction":  # five decimals are written
            box = pixel_box(box, WIDTH, HEIGHT)
            assert box == pytest.approx(expected, abs=1e-5 * WIDTH)
        assert tuple(round(edge, 2) for edge in box) == pytest.approx(expected, abs=2e-3)
        assert thing.class_name == class_name
    assert len(things) == len(BOXES[name])


@pytest.mark.parametrize("fmt", ["yolo", "coco", "voc"])
def test_boxes_by_supervision(tmp_path: Path, fmt: str) -> None:
    data = dataset(tmp_path, with_masks=False)
    if fmt == "yolo":
        labels, names = str(tmp_path / "labels"), str(tmp_path / "data.yaml")
        data.as_yolo(annotations_directory_path=labels, data_yaml_path=names)
    elif fmt == "coco":
        data.as_coco(annotations_path=str(tmp_path / "annotations.json"))
    else:
        data.as_pascal_voc(annotations_directory_path=str(tmp_path / "Annotations"))
    reader = {"yolo": yolo_reader, "coco": coco_reader, "voc": voc_reader}[fmt]
    listing = list_source(tmp_path)
    assert reader.evidence(listing)
    reading = reader.read(listing)
    found = sound(reading)
    assert sorted(found) == ["a.png", "b.png", "c.png"]
    for name in BOXES:
        same_boxes(found[f"{name}.png"].objects, name)
    assert reading.classes == (() if fmt == "voc" else tuple(CLASSES))
    if fmt != "yolo":
        assert {item.stated_size for item in found.values()} == {(WIDTH, HEIGHT)}


def filled(thing: Thing, scale: tuple[int, int]) -> np.ndarray:
    import supervision as sv

    mask = np.zeros((HEIGHT, WIDTH), bool)
    for polygon in thing.polygons:
        corners = np.round(np.array(polygon) * scale).astype(int)
        mask |= sv.polygon_to_mask(corners, (WIDTH, HEIGHT)).astype(bool)
    return mask


@pytest.mark.parametrize("fmt", ["yolo", "coco"])
def test_polygons_by_supervision(tmp_path: Path, fmt: str) -> None:
    data = dataset(tmp_path, with_masks=True)
    if fmt == "yolo":
        labels, names = str(tmp_path / "labels"), str(tmp_path / "data.yaml")
        data.as_yolo(annotations_directory_path=labels, data_yaml_path=names)
    else:
        data.as_coco(annotations_path=str(tmp_path / "annotations.json"))
    reader = yolo_reader if fmt == "yolo" else coco_reader
    found = sound(reader.read(list_source(tmp_path)))
    scale = (WIDTH, HEIGHT) if fmt == "yolo" else (1, 1)
    for name in BOXES:
        things = found[f"{name}.png"].objects
        masks = data.annotations[str(tmp_path / f"{name}.png")].mask
        for i, thing in enumerate(things):
            assert thing.class_name == CLASSES[i]
            assert np.array_equal(filled(thing, scale), masks[i])
        assert len(things) == len(BOXES[name])


def test_outlines_in_voc_are_left_out_aloud(tmp_path: Path) -> None:
    dataset(tmp_path, with_masks=True).as_pascal_voc(
        annotations_directory_path=str(tmp_path / "Annotations")
    )
    reading = voc_reader.read(list_source(tmp_path))
    first = sound(reading)["a.png"].objects[0]
    assert first.box == (16, 46, 45, 75)
    assert reading.notes == ("outlines of 5 objects left out: their boxes are taken",)


@pytest.mark.parametrize("is_compressed", [True, False])
def test_masks_by_pycocotools(tmp_path: Path, is_compressed: bool) -> None:
    from pycocotools import mask as reference
    from pycocotools.coco import COCO

    marked = disc(80, 60, 50) & ~disc(80, 60, 20)
    code = reference.encode(np.asfortranarray(marked.astype(np.uint8)))
    counts = code["counts"].decode()
    if not is_compressed:
        flat = marked.ravel(order="F")
        counts = np.diff([0, *(np.flatnonzero(np.diff(flat)) + 1), flat.size]).tolist()
    note = {
        "id": 1,
        "image_id": 7,
        "category_id": 2,
        "iscrowd": 1,
        "bbox": reference.toBbox(code).tolist(),
        "area": int(reference.area(code)),
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts},
    }
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [note],
        "categories": [{"id": 2, "name": "qf"}],
    }
    (tmp_path / "a.png").touch()
    (tmp_path / "x.json").write_text(json.dumps(content))
    [thing] = sound(coco_reader.read(list_source(tmp_path)))["a.png"].objects
    assert thing.box == (31, 11, 130, 110)
    coco = COCO(str(tmp_path / "x.json"))
    theirs = coco.annToMask(coco.anns[1])
    assert np.array_equal(rle.decode(thing.rle), theirs)
    assert thing.rle["counts"] == code["counts"].decode()


@pytest.mark.parametrize("fmt", ["yolo", "coco", "voc"])
@pytest.mark.parametrize("box", ["modal", "amodal"])
def test_our_own_exports_come_back(tmp_path: Path, fmt: str, box: str) -> None:
    manifest = render_set(tmp_path / "set")
    listing = list_source(export(tmp_path / "set", fmt, tmp_path / "out", box))
    readers = {"yolo": yolo_reader, "coco": coco_reader, "voc": voc_reader}
    assert [name for name, reader in readers.items() if reader.evidence(listing)] == [fmt]
    found = sound(readers[fmt].read(listing))
    labelled = [frame for frame in manifest.frames if frame.objects is not None]
    assert sorted(found) == [frame.image for frame in labelled]
    for frame in labelled:
        things = found[frame.image].objects
        assert [t.class_name for t in things] == [n.class_name for n in frame.objects]
        for thing, note in zip(things, frame.objects, strict=True):
            back = thing.box
            if thing.unit == "fraction":
                back = pixel_box(back, frame.width, frame.height)
            expected = note.box_xyxy if box == "modal" else note.amodal_box_xyxy
            expected = (max(expected[0], 0), *expected[1:])
            slack = {"yolo": 1e-6 * frame.width, "coco": 1e-9, "voc": 1}[fmt] * (box == "amodal")
            assert back == pytest.approx(expected, abs=max(slack, 1e-6))
            if fmt == "coco" and box == "modal":
                assert thing.rle == note.mask
