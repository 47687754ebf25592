"""The COCO dictionary, read back by pycocotools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from vqc.errors import ManifestError
from vqc.formats import rle
from vqc.formats.coco import to_coco
from vqc.types import Annotation, Frame, Manifest

WIDTH, HEIGHT = 64, 48


def frame(name: str, objects: tuple[Annotation, ...] | None) -> Frame:
    return Frame(f"images/{name}.png", "", "", WIDTH, HEIGHT, "cad", "s", objects=objects)


def manifest(*frames: Frame) -> Manifest:
    return Manifest("render", "magnets", ("qd", "qf"), frames, "", "vqc 0.1.0")


def disc(cx: int, cy: int, radius: int) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(x - cx, y - cy) < radius


def test_pycocotools_reads_masks_boxes_and_areas(tmp_path: Path) -> None:
    masks = [disc(20, 20, 9), disc(40, 30, 12)]
    objects = []
    for number, mask in enumerate(masks, start=1):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        objects.append(
            Annotation("qf", None, number, tuple(map(float, box)), mask=rle.encode(mask))
        )
    hidden = Annotation("qd", None, 3, None, (0.0, 0.0, 9.0, 9.0), visibility=0.0)
    file = tmp_path / "annotations.json"
    full = frame("b", (*objects, hidden))
    file.write_text(json.dumps(to_coco(manifest(full, frame("a", ())))))
    coco = COCO(str(file))
    assert [coco.imgs[i]["file_name"] for i in (1, 2)] == ["images/a.png", "images/b.png"]
    assert {i: c["name"] for i, c in coco.cats.items()} == {1: "qd", 2: "qf"}
    assert coco.getAnnIds(imgIds=[1]) == []
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    assert len(annotations) == len(masks)
    for annotation, mask, note in zip(annotations, masks, objects, strict=True):
        assert np.array_equal(coco.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
        x, y, w, h = annotation["bbox"]
        assert (x, y, x + w, y + h) == note.box_xyxy
        assert annotation["category_id"] == 2


def test_without_a_mask_the_area_is_the_box() -> None:
    note = Annotation("qd", box_xyxy=(1.0, 2.0, 5.0, 12.0))
    [found] = to_coco(manifest(frame("a", (note,))))["annotations"]
    assert found == {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [1.0, 2.0, 4.0, 10.0],
        "area": 40.0,
        "segmentation": [],
        "iscrowd": 0,
    }


def test_amodal_boxes_are_clipped_and_carry_no_mask() -> None:
    mask = rle.encode(disc(5, 5, 3))
    note = Annotation("qd", None, 1, (2.0, 2.0, 8.0, 8.0), (-4.0, 2.0, 8.0, 60.0), mask=mask)
    [found] = to_coco(manifest(frame("a", (note,))), "amodal")["annotations"]
    assert found["bbox"] == [0, 2, 8, 46]
    assert found["area"] == 8 * 46
    assert found["segmentation"] == []


def test_a_frame_that_nobody_labelled_is_refused() -> None:
    with pytest.raises(ManifestError, match=r"images/a\.png: nobody labelled it"):
        to_coco(manifest(frame("a", None)))


def test_crowds_stay_crowds() -> None:
    notes = [Annotation("qd", box_xyxy=(1.0, 2.0, 5.0, 12.0), extra={"iscrowd": n}) for n in (0, 1)]
    found = to_coco(manifest(frame("a", tuple(notes))))["annotations"]
    assert [entry["iscrowd"] for entry in found] == [0, 1]
