"""Exported folders, read back by the tools that they are for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pycocotools.coco import COCO
from sets import HEIGHT, WIDTH, boxed, finish, frame, mixed_set, render_set

import vqc.files
from vqc.errors import InputError, ManifestError, OutputError
from vqc.export import export
from vqc.formats import rle, yolo
from vqc.intake.build import take_in
from vqc.intake.request import Request
from vqc.manifest import read_manifest
from vqc.types import Frame, Manifest


@pytest.fixture(scope="module")
def magnets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets") / "magnets"
    render_set(root)
    return root


def files(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def labelled(root: Path) -> list[str]:
    return [f.image for f in read_manifest(root).frames if f.objects is not None]


def test_yolo_without_splits(magnets: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    out = export(magnets, "yolo", tmp_path / "out", on_note=notes.append)
    images = labelled(magnets)
    assert files(out) == sorted(["data.yaml", *images, *map(yolo.label_path, images)])
    for image in images:
        assert (out / image).samefile(magnets / image)
        label = yolo.label_path(image)
        assert (out / label).read_bytes() == (magnets / label).read_bytes()
    assert yaml.safe_load((out / "data.yaml").read_text()) == {
        "train": "images",
        "val": "images",
        "names": {0: "qd", 1: "qf"},
    }
    assert notes == [
        "left out 1 of 8 frames, nobody labelled them: images/qf/000/qf_000000.jpg",
        "no frame has a split: everything is train, and val points to the same images",
        "7 images placed as hard links",
    ]


def test_yolo_with_splits_keeps_folders_that_have_them(magnets: Path, tmp_path: Path) -> None:
    mixed_set(tmp_path / "mix", magnets)
    notes: list[str] = []
    out = export(tmp_path / "mix", "yolo", tmp_path / "out", on_note=notes.append)
    mix = files(tmp_path / "mix")
    assert files(out) == [f for f in mix if f.startswith(("images", "labels", "data.yaml"))]
    assert (out / "data.yaml").read_bytes() == (tmp_path / "mix/data.yaml").read_bytes()
    assert notes == ["6 images placed as hard links"]
    assert not any(p.is_symlink() for p in out.rglob("*"))


def test_yolo_makes_folders_for_splits(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    splits = [None, "train", "test"]
    made = [frame(root, n, f"images/{n}.png", split=s, objects=()) for n, s in enumerate(splits)]
    finish(root, "intake", made)
    notes: list[str] = []
    out = export(root, "yolo", tmp_path / "out", on_note=notes.append)
    assert [f for f in files(out) if f.startswith("images")] == [
        "images/test/2.png",
        "images/train/0.png",
        "images/train/1.png",
    ]
    assert yaml.safe_load((out / "data.yaml").read_text())["val"] == "images/train"
    assert notes[:2] == [
        "frames without a split are exported as train",
        "train or val has no frames: data.yaml points it to another split",
    ]


def test_yolo_refuses_two_images_of_one_name(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    names = ("images/train/a.png", "images/a.jpg")
    finish(root, "intake", [frame(root, n, i, split="train") for n, i in enumerate(names, 2)])
    with pytest.raises(ManifestError, match="share a name"):
        export(root, "yolo", tmp_path / "out")


READ_WITH_ULTRALYTICS = """
import json, sys
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset

data = check_det_dataset(sys.argv[1], autodownload=False)
found = {}
for split in ("train", "val"):
    dataset = YOLODataset(img_path=data[split], data=data, task="detect", augment=False)
    for label in dataset.labels:
        boxes = label["bboxes"].tolist()
        name = label["im_file"].rsplit("/images/", 1)[1]
        found[f"{split} {name}"] = [label["cls"].ravel().tolist(), boxes, label["shape"]]
print("FOUND" + json.dumps([found, list(data["names"].values())]))
"""


@pytest.mark.parametrize("with_splits", [False, True])
def test_ultralytics_reads_the_yolo_folder(
    with_splits: bool, magnets: Path, tmp_path: Path
) -> None:
    source = magnets
    if with_splits:
        source = tmp_path / "mix"
        mixed_set(source, magnets)
    out = export(source, "yolo", tmp_path / "out")
    found, names = run_ultralytics(out / "data.yaml", tmp_path)
    assert names == ["qd", "qf"]
    expected = {}
    for item in read_manifest(source).frames:
        name = item.image.removeprefix("images/")
        splits = ("train", "val") if item.split is None else (item.split,)
        if item.objects is not None:
            boxes = [(names.index(o.class_name), o.box_xyxy) for o in item.objects]
            expected |= {f"{s} {name.removeprefix(s + '/')}": boxes for s in splits if s != "test"}
    got = {
        key.replace("train train/", "train ").replace("val val/", "val "): [
            (int(c), corners(box)) for c, box in zip(classes, boxes, strict=True)
        ]
        for key, (classes, boxes, shape) in found.items()
        if shape == [HEIGHT, WIDTH]
    }
    assert got == expected


def corners(box: list[float]) -> tuple[int, ...]:
    cx, cy, w, h = box
    edges = ((cx - w / 2) * WIDTH, (cy - h / 2) * HEIGHT)
    return tuple(round(v) for v in (*edges, (cx + w / 2) * WIDTH, (cy + h / 2) * HEIGHT))


def run_ultralytics(data_yaml: Path, tmp_path: Path) -> tuple[dict[str, list], list[str]]:
    """In a process of its own, since its settings are read at import; without a network."""
    matplotlib = pytest.importorskip("matplotlib")
    fonts = tmp_path / "config" / "Ultralytics"
    fonts.mkdir(parents=True)
    font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        shutil.copyfile(font, fonts / name)
    settings = {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "YOLO_CONFIG_DIR": str(tmp_path / "config"),
        "ULTRALYTICS_SAFE_LOAD": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_ULTRALYTICS, str(data_yaml)],
        env={**os.environ, **settings},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found, names = json.loads(done.stdout.split("FOUND")[1])
    return found, names


@pytest.mark.parametrize("box", ["modal", "amodal"])
def test_coco(magnets: Path, tmp_path: Path, box: str) -> None:
    out = export(magnets, "coco", tmp_path / "out", box)
    assert files(out) == ["annotations.json", *labelled(magnets)]
    coco = COCO(str(out / "annotations.json"))
    by_name = {f.image: f for f in read_manifest(magnets).frames}
    for image in coco.imgs.values():
        item = by_name[image["file_name"]]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
        for annotation, note in zip(annotations, item.objects, strict=True):
            assert coco.cats[annotation["category_id"]]["name"] == note.class_name
            x, y, w, h = annotation["bbox"]
            if box == "modal":
                assert (x, y, x + w, y + h) == note.box_xyxy
                assert annotation["area"] == coco.annToMask(annotation).sum()
                assert annotation["area"] == rle.area(note.mask) == w * h - 1
            else:
                x0, y0, x1, y1 = note.amodal_box_xyxy
                assert (x, y, x + w, y + h) == (max(x0, 0), y0, x1, y1)
                assert annotation["area"] == w * h


def test_voc(magnets: Path, tmp_path: Path) -> None:
    out = export(magnets, "voc", tmp_path / "out")
    images = labelled(magnets)
    xmls = [i.replace("images/", "annotations/", 1)[:-3] + "xml" for i in images]
    assert files(out) == sorted([*images, *xmls])
    by_name = {f.image: f for f in read_manifest(magnets).frames}
    for image, xml in zip(images, xmls, strict=True):
        root = ET.fromstring((out / xml).read_text())
        assert f"{root.findtext('folder')}/{root.findtext('filename')}" == image
        boxes = [[int(v.text or "") for v in b] for b in root.iter("bndbox")]
        for (xmin, ymin, xmax, ymax), note in zip(boxes, by_name[image].objects, strict=True):
            assert (xmin - 1, ymin - 1, xmax, ymax) == note.box_xyxy


def test_where_hard_links_fail_symbolic_ones_serve(
    magnets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    ways = list(vqc.files._WAYS)
    expected = (magnets / labelled(magnets)[0]).read_bytes()
    for k, words in enumerate(("symbolic links", "copies")):
        ways[k] = (ways[k][0], refuse)
        monkeypatch.setattr(vqc.files, "_WAYS", tuple(ways))
        notes: list[str] = []
        out = export(magnets, "coco", tmp_path / words, on_note=notes.append)
        assert notes[-1] == f"7 images placed as {words}"
        image = out / labelled(magnets)[0]
        assert image.read_bytes() == expected
        assert image.is_symlink() == (words == "symbolic links")


def test_an_empty_folder_is_filled(magnets: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert export(magnets, "voc", tmp_path / "out") == tmp_path / "out"
    assert len(files(tmp_path / "out")) == 14


def test_all_wrong_requests_are_told_at_once(magnets: Path) -> None:
    with pytest.raises(InputError) as caught:
        export(magnets, "txt", magnets / "images", "whole")  # type: ignore[arg-type]
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "format",
        "box",
        f"{magnets}/images is there already and not empty",
        f"{magnets}/images lies inside the set {magnets}",
    ]


def test_nothing_is_left_behind(magnets: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(magnets, tmp_path / "set"))
    missing = labelled(root)[2]
    (root / missing).unlink()
    with pytest.raises(ManifestError, match=missing):
        export(root, "yolo", tmp_path / "out")
    with pytest.raises(OutputError):
        export(magnets, "yolo", root / "classes.txt" / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


OTHERS = {
    "labelstudio": ["tasks.json"],
    "cvat": ["annotations.xml"],
    "severstal": ["masks.csv"],
    "masks": ["classes.txt", "masks/*.png"],
}


@pytest.mark.parametrize("fmt", OTHERS)
def test_other_formats_lie_beside_the_images(fmt: str, magnets: Path, tmp_path: Path) -> None:
    """tests/formats reads them back; here: which files, and twice the same bytes."""
    out = export(magnets, fmt, tmp_path / "out")  # type: ignore[arg-type]
    images = labelled(magnets)
    pngs = [f"masks/{i.removeprefix('images/')[:-4]}.png" for i in images]
    beside = [name for name in OTHERS[fmt] if "*" not in name]
    assert files(out) == sorted([*images, *beside, *(pngs if fmt == "masks" else [])])
    again = export(magnets, fmt, tmp_path / "again")  # type: ignore[arg-type]
    assert all((out / f).read_bytes() == (again / f).read_bytes() for f in files(out))


def test_frames_that_masks_cannot_tell_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    note = boxed(3, 1)
    other = "qd" if note.class_name == "qf" else "qf"
    hidden = replace(note, mask=None, box_xyxy=None, visibility=0.0)
    objects = [
        None,
        (replace(note, mask=None),),
        (note, replace(note, class_name=other)),
        (hidden,),
        (note,),
    ]
    finish(
        root,
        "intake",
        [frame(root, n, f"images/{n}.png", objects=o) for n, o in enumerate(objects)],
    )
    notes: dict[str, list[str]] = {"masks": [], "severstal": []}
    for fmt, told in notes.items():
        export(root, fmt, tmp_path / fmt, on_note=told.append)  # type: ignore[arg-type]
    assert notes["masks"] == [
        "left out 1 of 5 frames, nobody labelled them: images/0.png",
        "left out 1 of 5 frames, an object in them has no mask: images/1.png",
        "left out 1 of 5 frames, two classes share pixels: images/2.png",
        "2 images placed as hard links",
    ]
    assert notes["severstal"] == [*notes["masks"][:2], "3 images placed as hard links"]


@pytest.mark.parametrize("with_masks", [True, False])
def test_good_and_defect_folders_come_back(with_masks: bool, tmp_path: Path) -> None:
    """Conditions and splits, and masks bit for bit."""
    root, made = tmp_path / "set", []
    for n in range(2, 8):
        crack = replace(boxed(n, 1), class_name="qd", part_name=None, instance=None, pose=None)
        marked = (crack,) if n % 2 else ()
        fields = {
            "condition": "qd" if n % 2 else "good",
            "objects": marked if with_masks else None,
            "split": "train" if n == 2 else "test",
        }
        made.append(replace(frame(root, n, f"images/{n}.png", **fields), source="real", view=None))
    finish(root, "intake", made)
    out = export(root, "conditions", tmp_path / "out")
    assert ("ground_truth/test/qd/3_mask.png" in files(out)) == with_masks
    back = take_in(out, Request("back"), tmp_path / "datasets").manifest
    assert [
        (f.extra["file"].rpartition("/")[2], f.condition, f.split, masks_of(f)) for f in back.frames
    ] == [(f.image[7:], f.condition, f.split, masks_of(f)) for f in made]


@pytest.mark.parametrize("fmt", ["cvat", "labelstudio"])
def test_labels_of_whole_pictures_come_back_as_tags(fmt: str, tmp_path: Path) -> None:
    root = tmp_path / "set"
    labels = {2: "qd", 3: "bent qf", 4: None, 5: "qd"}
    made = [
        photo(root, n, label=label, objects=None if label else (), split="val" if n < 4 else "test")
        for n, label in labels.items()
    ]
    nobodys = photo(root, 6, label=None, objects=None)
    finish(root, "intake", [*made, nobodys])
    notes: list[str] = []
    out = export(root, fmt, tmp_path / "out", on_note=notes.append)  # type: ignore[arg-type]
    assert notes[0] == "left out 1 of 5 frames, nobody labelled them: images/6.png"
    back = take_in(out, Request("back"), tmp_path / "datasets").manifest
    assert [(f.label, f.objects, f.split) for f in back.frames] == [
        (f.label, f.objects, f.split) for f in made
    ]


@pytest.mark.parametrize("fmt", ["cvat", "labelstudio"])
def test_a_label_beside_boxes_is_left_out_for_it_would_read_as_empty(
    fmt: str, tmp_path: Path
) -> None:
    root, notes = tmp_path / "set", list[str]()
    made = [
        photo(root, 2, objects=(boxed(2, 1),)),
        photo(root, 3, label="qd", objects=None),
        photo(root, 4, label="qd", objects=(boxed(4, 1),)),
    ]
    finish(root, "intake", made)
    out = export(root, fmt, tmp_path / "out", on_note=notes.append)  # type: ignore[arg-type]
    assert "they have a label and no boxes" in notes[0] and "choose classes" in notes[0]
    back = take_in(out, Request("back"), tmp_path / "datasets").manifest
    assert [(f.label, len(f.objects or ())) for f in back.frames] == [(None, 1), ("qd", 1)]


@pytest.mark.parametrize("fmt", ["yolo", "coco", "voc", "masks", "severstal"])
def test_a_format_without_tags_names_those_that_have_them(fmt: str, tmp_path: Path) -> None:
    root = tmp_path / "set"
    finish(root, "intake", [photo(root, 2, label="qd", objects=None)])
    with pytest.raises(ManifestError, match=r"no boxes, .*: choose classes, cvat or labelstudio"):
        export(root, fmt, tmp_path / "out")  # type: ignore[arg-type]


@pytest.mark.parametrize("fmt", ["yolo", "cvat", "labelstudio"])
def test_conditions_without_boxes_go_to_the_format_of_conditions(fmt: str, tmp_path: Path) -> None:
    root = tmp_path / "set"
    finish(root, "intake", [photo(root, 2, condition="good", objects=None)])
    with pytest.raises(ManifestError, match=f"no boxes, which {fmt} cannot say: choose conditions"):
        export(root, fmt, tmp_path / "out")  # type: ignore[arg-type]


def photo(root: Path, number: int, **fields: Any) -> Frame:
    made = frame(root, number, f"images/{number}.png", **fields)
    return replace(made, source="real", view=None)


def masks_of(frame: Frame) -> list[object] | None:
    return None if frame.objects is None else [dict(o.mask or {}) for o in frame.objects]


def test_conditions_of_parts_go_out_without_masks(tmp_path: Path) -> None:
    """Renders of good and faulty parts: what is boxed is the part, not the fault."""
    root = tmp_path / "renders"
    made = [
        frame(root, 2, condition="good", objects=(boxed(2, 1),)),
        frame(root, 3, condition=None, objects=()),
        frame(root, 4, condition="no bolts", objects=(boxed(4, 1),)),
    ]
    finish(root, "render", made)
    notes: list[str] = []
    out = export(root, "conditions", tmp_path / "out", on_note=notes.append)
    assert [name.partition("/")[0] for name in files(out)] == ["good", "no bolts"]
    assert notes[0].startswith("left out 1 of 3 frames, they have no condition")


def test_masks_that_nobody_drew_are_an_error(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    plain = replace(boxed(3, 1), mask=None)
    finish(root, "intake", [frame(root, 2, objects=()), frame(root, 3, objects=(plain,))])
    for fmt in ("masks", "severstal"):
        with pytest.raises(ManifestError, match="nothing to export"):
            export(root, fmt, tmp_path / fmt)  # type: ignore[arg-type]


@pytest.mark.parametrize("fmt", ["severstal", "masks", "classes", "conditions"])
def test_formats_without_boxes(fmt: str, magnets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"box: {fmt} holds no boxes"):
        export(magnets, fmt, tmp_path / "out", "amodal")  # type: ignore[arg-type]


@pytest.mark.parametrize("fmt", ["labelstudio", "masks", "classes"])
def test_two_images_of_one_name(fmt: str, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    names = ("images/train/a.png", "images/a.jpg")
    made = [frame(root, n, i, split="train", label="qf") for n, i in enumerate(names, 2)]
    finish(root, "intake", made)
    with pytest.raises(ManifestError, match="share a name"):
        export(root, fmt, tmp_path / "out")  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


def test_a_set_without_any_label(tmp_path: Path) -> None:
    finish(tmp_path / "set", "intake", [frame(tmp_path / "set", 2, objects=None)])
    with pytest.raises(ManifestError, match="nothing to export as coco"):
        export(tmp_path / "set", "coco", tmp_path / "out")


def test_amodal_boxes_that_are_not_there(tmp_path: Path) -> None:
    made: Manifest = render_set(tmp_path / "set")
    note = replace(made.frames[2].objects[0], amodal_box_xyxy=None)
    frames = [replace(f, objects=(note,)) if f.objects else f for f in made.frames]
    finish(tmp_path / "set", "render", frames)
    with pytest.raises(ManifestError, match="no amodal box"):
        export(tmp_path / "set", "yolo", tmp_path / "out", "amodal")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    photos = [replace(frame, source="real") for frame in frames]
    finish(tmp_path / "set", "render", photos)
    notes: list[str] = []
    export(tmp_path / "set", "yolo", tmp_path / "out", "amodal", notes.append)
    assert "6 photos keep the boxes that were drawn: no amodal ones are known" in notes
