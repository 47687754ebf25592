"""CVAT's XML: images and video read, ours written and read back, and what may be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from outside import by_file, expected, exported, faults, marks, pixels, read, source
from sets import CLASSES, HEIGHT, WIDTH, boxed, finish, frame, render_set

from vqc.errors import InputError
from vqc.formats import cvat_reader, rle

LABELS = "<labels><label><name>bolt</name></label><label><name>nut</name></label></labels>"
BOX = '<box label="bolt" occluded="0" xtl="10.00" ytl="20.00" xbr="30.00" ybr="40.00" z_order="0"/>'
MASK = '<mask label="nut" occluded="0" rle="1, 2, 3" left="4" top="5" width="3" height="2"/>'


def image(*shapes: str, name: str = "a.jpg", more: str = 'width="100" height="80"') -> str:
    return "\n".join([f'<image id="0" name="{name}" {more}>', *shapes, "</image>"])


def xml(*content: str, meta: str = LABELS) -> str:
    """Its third line is the first of the content."""
    head = f"<annotations><version>1.1</version>\n<meta><task>{meta}</task></meta>"
    return "\n".join([head, *content, "</annotations>"])


def listing(root: Path, *content: str, images: tuple[str, ...] = ("images/a.jpg",)) -> object:
    pictures = dict.fromkeys(images, (100, 80))
    return source(root, {**pictures, "annotations.xml": xml(*content)})


def test_shapes_of_an_image(tmp_path: Path) -> None:
    polygon = '<polygon label="nut" occluded="1" points="1.5,2;30,2;30,40.25"/>'
    reading = read(listing(tmp_path, image(BOX, polygon, MASK)), "cvat")
    assert (faults(reading), reading.classes) == ([], ("bolt", "nut"))
    (item,) = reading.items
    assert (item.file, item.where, item.stated_size) == (
        "images/a.jpg",
        "annotations.xml",
        (100, 80),
    )
    box, outline, mask = item.objects
    assert (box.class_name, box.unit, box.box, box.line) == ("bolt", "px", (10, 20, 30, 40), 4)
    assert outline.polygons == (((1.5, 2), (30, 2), (30, 40.25)),)
    assert [thing.extra for thing in item.objects] == [{}, {"occluded": True}, {}]
    found = pixels(mask.rle)
    assert found.shape == (80, 100)
    assert found[5:7, 4:7].tolist() == [[0, 1, 1], [0, 0, 0]]
    assert found.sum() == 2


def test_a_turned_box_turns_clockwise_about_its_centre(tmp_path: Path) -> None:
    """40 x 20 about (50, 40), turned by 90°, is 20 x 40; by 45° it is as wide as high."""
    box = '<box label="bolt" xtl="30" ytl="30" xbr="70" ybr="50" rotation="{}"/>'
    shapes = [box.format(turn) for turn in (90, 45, 360)]
    (item,) = read(listing(tmp_path, image(*shapes)), "cvat").items
    reach = 30 / 2**0.5
    assert item.objects[0].box == pytest.approx((40, 20, 60, 60))
    assert item.objects[1].box == pytest.approx((50 - reach, 40 - reach, 50 + reach, 40 + reach))
    assert item.objects[2].box == (30, 30, 70, 50)


def test_what_reaches_a_hair_over_the_border_ends_there(tmp_path: Path) -> None:
    box = '<box label="bolt" xtl="-0.01" ytl="0" xbr="100.02" ybr="80"/>'
    (item,) = read(listing(tmp_path, image(box)), "cvat").items
    assert item.objects[0].box == (0, 0, 100, 80)


def test_missing_is_not_empty(tmp_path: Path) -> None:
    images = ("images/a.jpg", "images/b.jpg", "images/c.jpg")
    found = listing(tmp_path, image(BOX), image(name="b.jpg"), images=images)
    reading = read(found, "cvat")
    assert [item.objects if not item.objects else 1 for item in reading.items] == [1, (), None]
    assert [f.split(":")[0] for f in faults(reading)] == ["images/c.jpg"]
    assert read(found, "cvat", unlabelled_is_empty=True).items[2].objects == ()


def test_tags_label_pictures(tmp_path: Path) -> None:
    """Where nobody drew anything, tags say nothing about objects."""
    tag = '<tag label="nut" source="manual"/>'
    (item,) = read(listing(tmp_path / "alone", image(tag)), "cvat").items
    assert (item.label, item.objects) == ("nut", None)
    (item,) = read(listing(tmp_path / "both", image(tag, BOX)), "cvat").items
    assert (item.label, len(item.objects)) == ("nut", 1)


def test_subsets_are_splits(tmp_path: Path) -> None:
    files = ("images/Train/a.jpg", "images/Validation/a.jpg", "images/odd/b.jpg", "images/c.jpg")
    parts = [
        image(BOX, name=name, more=f'subset="{subset}" width="100" height="80"')
        for name, subset in (("a.jpg", "Train"), ("a.jpg", "Validation"), ("b.jpg", "odd"))
    ]
    last = image(BOX, name="c.jpg", more='subset="default" width="100" height="80"')
    reading = read(listing(tmp_path, *parts, last, images=files), "cvat")
    assert faults(reading) == []
    splits = {file: item.split for file, item in by_file(reading).items()}
    assert splits == dict(zip(files, ("train", "val", None, None), strict=True))
    assert reading.notes == ("subsets that are no split: odd",)


def test_shapes_without_area_are_passed_over_and_said(tmp_path: Path) -> None:
    lines = ['<polyline label="nut" points="1,1;2,2"/>', '<points label="nut" points="1,1"/>']
    lines += ['<cuboid label="nut"/>', '<points label="nut" points="2,2"/>', "<skeleton/>"]
    reading = read(listing(tmp_path, image(BOX, *lines)), "cvat")
    assert (faults(reading), len(reading.items[0].objects)) == ([], 1)
    assert reading.notes[0].endswith("1 cuboid, 2 points, 1 polyline, 1 skeleton")


def test_a_picture_with_nothing_but_points_is_not_empty(tmp_path: Path) -> None:
    lines = image('<points label="nut" points="1,1"/>'), image(name="b.jpg")
    images = ("images/a.jpg", "images/b.jpg")
    reading = read(listing(tmp_path, *lines, images=images), "cvat")
    assert [item.objects for item in reading.items] == [None, ()]


VIDEO = """<track id="0" label="bolt">
<box frame="0" outside="0" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4"/>
<box frame="1" outside="0" occluded="1" keyframe="0" xtl="2" ytl="2" xbr="4" ybr="4"/>
<box frame="2" outside="1" occluded="0" keyframe="1" xtl="2" ytl="2" xbr="4" ybr="4"/>
</track>"""
FRAMES = tuple(f"images/frame_{n:06d}.PNG" for n in range(4))


def test_tracks_of_a_video(tmp_path: Path) -> None:
    meta = LABELS + "<mode>interpolation</mode><original_size><width>100</width><height>80</height>"
    meta += "</original_size>"
    nut = '<track id="1" label="nut"><mask frame="1" rle="0, 4" left="0" top="0" '
    nut += 'width="2" height="2"/>'
    files = dict.fromkeys(FRAMES, (100, 80))
    text = xml(VIDEO, nut + "</track>", meta=meta)
    reading = read(source(tmp_path, {**files, "annotations.xml": text}), "cvat")
    assert faults(reading) == []
    assert [[t.class_name for t in item.objects] for item in reading.items] == [
        ["bolt"],
        ["bolt", "nut"],
        [],
        [],
    ]
    assert reading.items[1].objects[0].box == (2, 2, 4, 4)
    assert reading.items[1].objects[0].extra == {"occluded": True}
    assert reading.items[0].stated_size == (100, 80)


def test_a_frame_with_nothing_but_points_is_not_empty(tmp_path: Path) -> None:
    points = '<track label="nut"><points frame="3" outside="0" points="1,1"/></track>'
    reading = read(listing(tmp_path, VIDEO, points, images=FRAMES), "cvat")
    assert [item.objects for item in reading.items[2:]] == [(), None]


def test_a_frame_of_a_video_without_picture(tmp_path: Path) -> None:
    reading = read(listing(tmp_path, VIDEO, images=FRAMES[:1]), "cvat")
    assert faults(reading) == ["annotations.xml:5: <box> there is no picture frame_000001"]


BROKEN = {
    "no number": (BOX.replace("10.00", "ten"), "<box> xtl: expected a number, got 'ten'"),
    "NaN": (BOX.replace("20.00", "nan"), "<box> ytl: expected a number, got 'nan'"),
    "missing": ('<box label="bolt"/>', "<box> xtl: expected a number, got None"),
    "over the border": (
        BOX.replace("30.00", "130"),
        "<box> reaches 30 over the border of 100 x 80",
    ),
    "no area": (BOX.replace("30.00", "10.00"), "<box> expected a box with an area"),
    "no label": (BOX.replace('label="bolt"', ""), "<box> label: expected a class"),
    "unknown label": (BOX.replace("bolt", "boIt"), "<box> label: 'boIt' is none of the labels"),
    "ellipse": ('<ellipse label="bolt" cx="5" cy="5" rx="2" ry="2"/>', "vqc reads no ellipse"),
    "two points": (
        '<polygon label="nut" points="1,1;2,2"/>',
        "<polygon> points: expected at least",
    ),
    "odd point": ('<polygon label="nut" points="1,1;2;3,3"/>', "expected x,y pairs parted by ';'"),
    "no points": ('<polygon label="nut"/>', "<polygon> points: expected a number"),
    "short rle": (MASK.replace("1, 2, 3", "1, 2"), "<mask> rle: covers 3 pixels, expected 3 x 2"),
    "rle words": (MASK.replace("1, 2, 3", "1 2 3"), "<mask> rle: expected a number, got '1 2 3'"),
    "rle negative": (MASK.replace("1, 2, 3", "7, -1"), "expected a whole number from 0"),
    "rle empty": (MASK.replace("1, 2, 3", "6"), "<mask> rle: marks no pixel"),
    "mask outside": (MASK.replace('left="4"', 'left="98"'), "a mask from 98, 5 of 3 x 2 in a"),
    "two tags": ('<tag label="a"/>\n<tag label="b"/>', "<tag> expected one a picture, got a, b"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_shapes(name: str, tmp_path: Path) -> None:
    """Each is the item's one fault, with its line, and other items stay whole."""
    broken, message = BROKEN[name]
    images = ("images/a.jpg", "images/b.jpg")
    reading = read(
        listing(tmp_path, image(BOX, broken), image(BOX, name="b.jpg"), images=images), "cvat"
    )
    (fault,) = faults(reading)
    assert fault.startswith(f"annotations.xml:{6 if name == 'two tags' else 5}: ")
    assert message in fault
    assert not by_file(reading)["images/b.jpg"].faults


BROKEN_IMAGES = {
    "no name": ('<image id="0"/>', "annotations.xml:6: <image> name: expected the picture's path"),
    "no picture": (image(name="c.jpg"), "annotations.xml:6: <image> there is no picture 'c.jpg'"),
    "twice": (image(BOX), "annotations.xml:6: images/a.jpg is labelled here and in"),
    "width": (image(name="b.jpg", more='width="x" height="1"'), "<image> width: expected a number"),
    "no size": (image(MASK, name="b.jpg", more=""), "width and height are missing"),
    "huge": (
        image(MASK, name="b.jpg", more='width="99999" height="99999"'),
        "expected a picture of up to 178 megapixels",
    ),
}


@pytest.mark.parametrize("name", BROKEN_IMAGES)
def test_broken_images(name: str, tmp_path: Path) -> None:
    broken, message = BROKEN_IMAGES[name]
    images = ("images/a.jpg", "images/b.jpg")
    found = listing(tmp_path, image(BOX), broken, images=images)
    reading = read(found, "cvat", unlabelled_is_empty=True)
    assert message in faults(reading)[0]
    assert len(faults(reading)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (xml(image(BOX)).replace("</image>", ""), "annotations.xml:6: no XML"),
        ('<!DOCTYPE x [<!ENTITY e "a">]>\n<annotations>&e;</annotations>', "DTDForbidden"),
        ('<?xml version="1.0" encoding="none"?>\n<annotations></annotations>', "another encoding"),
    ],
)
def test_files_that_cannot_be_read(text: str, message: str, tmp_path: Path) -> None:
    found = source(tmp_path, {"a.jpg": (8, 8), "annotations.xml": text})
    with pytest.raises(InputError, match=message):
        cvat_reader.read(found)


def test_no_file_of_cvat(tmp_path: Path) -> None:
    found = source(tmp_path, {"a.jpg": (8, 8), "a.xml": "<annotation></annotation>"})
    assert cvat_reader.evidence(found) is None
    with pytest.raises(InputError, match="with CVAT's <annotations>"):
        cvat_reader.read(found)


@pytest.mark.parametrize("box", ["modal", "amodal"])
def test_there_and_back(box: str, tmp_path: Path) -> None:
    render_set(tmp_path / "set")
    reading, frames = exported(tmp_path / "set", tmp_path / "out", "cvat", box)
    assert reading.classes == CLASSES
    assert [item.file for item in reading.items] == [f.image for f in frames]
    for item, frame_ in zip(reading.items, frames, strict=True):
        got = [marks(thing, WIDTH, HEIGHT) for thing in item.objects]
        assert got == [expected(note, box) for note in frame_.objects]


def test_labels_splits_and_odd_masks_come_back(tmp_path: Path) -> None:
    """A mask that begins and ends with a pixel that is set, and one of a single pixel."""
    root = tmp_path / "set"
    shapes = [np.zeros((HEIGHT, WIDTH), bool) for _ in range(2)]
    shapes[0][3:6, 4:9] = np.random.default_rng(3).random((3, 5)) < 0.5
    shapes[0][3, 4] = shapes[0][5, 8] = True
    shapes[1][47, 63] = True
    notes = [replace(boxed(2, 1), mask=rle.encode(shape)) for shape in shapes]
    notes.append(replace(boxed(2, 1), mask=None, box_xyxy=(1.25, 2, 8.5, 9), visibility=1.0))
    made = [
        frame(root, 2, split="val", label="qf", objects=tuple(notes)),
        frame(root, 3, split="test"),
    ]
    finish(root, "intake", made)
    reading, _ = exported(root, tmp_path / "out", "cvat")
    assert [(item.split, item.label) for item in reading.items] == [("val", "qf"), ("test", None)]
    got = [marks(thing, WIDTH, HEIGHT) for thing in reading.items[0].objects]
    assert got == [expected(note) for note in notes]
