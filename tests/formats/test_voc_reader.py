"""Pascal VOC of other people: which picture an XML is about, and ours read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import REAL
from sources import every_fault, sound, source

from vqc.errors import InputError
from vqc.formats.source import list_source
from vqc.formats.voc import to_voc_xml
from vqc.formats.voc_reader import evidence, read
from vqc.types import Annotation, Frame


def voc(*objects: str, filename: str = "a.jpg", size: str = "") -> str:
    return (
        f"<annotation>\n<folder>x</folder>\n<filename>{filename}</filename>\n{size}"
        + "".join(objects)
        + "</annotation>\n"
    )


def thing(edges: tuple = (2, 3, 9, 11), name: str = "qf", more: str = "") -> str:
    tags = zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
    box = "".join(f"<{tag}>{edge}</{tag}>\n" for tag, edge in tags)
    return f"<object>\n<name>{name}</name>\n<bndbox>\n{box}</bndbox>\n{more}</object>\n"


def test_an_object(tmp_path: Path) -> None:
    part = "<part><name>yoke</name><bndbox><xmin>1</xmin></bndbox></part>"
    text = voc(thing(more=part), size="<size><width>64</width><height>48</height></size>\n")
    listing = source(tmp_path, {"a.jpg": "", "a.xml": text})
    assert evidence(listing) == "a.xml with VOC's <annotation>"
    reading = read(listing)
    item = sound(reading)["a.jpg"]
    assert (item.where, item.stated_size, reading.classes) == ("a.xml", (64, 48), ())
    [found] = item.objects
    assert (found.class_name, found.unit, found.box) == ("qf", "px", (1, 2, 9, 11))
    assert (found.truncated, found.line, found.extra) == (None, 5, {})


@pytest.mark.parametrize(
    ("edges", "box"),
    [
        ((1, 1, 1, 1), (0, 0, 1, 1)),
        ((0, 1, 65, 49), (-1, 0, 65, 49)),  # the border is looked at once the picture is open
        ((" 2.5 ", "3.25", "9.0", "1e1"), (1.5, 2.25, 9, 10)),
    ],
)
def test_edges(tmp_path: Path, edges: tuple, box: tuple) -> None:
    listing = source(tmp_path, {"a.jpg": "", "a.xml": voc(thing(edges))})
    assert sound(read(listing))["a.jpg"].objects[0].box == box


@pytest.mark.parametrize(
    ("tags", "truncated", "extra"),
    [
        ("<truncated>1</truncated><difficult>0</difficult>", True, {}),
        ("<truncated>0</truncated><difficult>1</difficult>", False, {"difficult": True}),
        ("<truncated>Unspecified</truncated><occluded>1</occluded>", None, {"occluded": True}),
        ("<truncated/><occluded>True</occluded><difficult>0</difficult>", None,
         {"occluded": True}),
    ],
)  # fmt: skip
def test_flags(tmp_path: Path, tags: str, truncated: bool | None, extra: dict) -> None:
    listing = source(tmp_path, {"a.jpg": "", "a.xml": voc(thing(more=tags))})
    [found] = sound(read(listing))["a.jpg"].objects
    assert (found.truncated, found.extra) == (truncated, extra)


@pytest.mark.parametrize("size", ["", "<size/>", "<size><width>0</width><height>0</height></size>"])
def test_a_size_that_is_not_stated(tmp_path: Path, size: str) -> None:
    listing = source(tmp_path, {"a.jpg": "", "a.xml": voc(size=size)})
    item = sound(read(listing))["a.jpg"]
    assert (item.stated_size, item.objects) == (None, ())


@pytest.mark.parametrize(
    ("picture", "label", "filename"),
    [
        ("a.jpg", "a.xml", "other.jpg"),
        ("photos/a.b.PNG", "photos/a.b.xml", ""),
        ("JPEGImages/a.jpg", "Annotations/a.xml", "b.jpg"),
        ("VOC/JPEGImages/train/a.jpg", "VOC/Annotations/train/a.xml", "a.jpg"),
        ("images/qf/000/a.jpg", "annotations/qf/000/a.xml", "a.jpg"),
        ("train/a.jpg", "train/0001.xml", "a.jpg"),
        ("images/a.jpg", "xml/0001.xml", r"C:\photos\a.jpg"),
    ],
)
def test_which_picture_a_label_is_about(tmp_path, picture, label, filename) -> None:
    files = {picture: "", "other/b.jpg": "", label: voc(thing(), filename=filename)}
    found = read(source(tmp_path, files), unlabelled_is_empty=True)
    assert {item.file: item.where for item in sound(found).values() if item.objects} == {
        picture: label
    }


def test_the_same_names_in_two_shoots(tmp_path: Path) -> None:
    names = [f"{shoot}/a" for shoot in ("december", "january")]
    files = {f"{name}.xml": voc(thing()) for name in names} | {f"{name}.jpg": "" for name in names}
    found = sound(read(source(tmp_path, files)))
    assert {item.where: item.file for item in found.values()} == {
        f"{name}.xml": f"{name}.jpg" for name in names
    }
    (tmp_path / "december/a.jpg").unlink()
    [alone] = read(list_source(tmp_path)).faults
    assert str(alone) == (
        "december/a.xml: expected a picture of the same name or 'a.jpg', got none"
    )


def test_a_picture_without_label_is_a_fault_unless_the_user_says_it_is_empty(tmp_path) -> None:
    listing = source(tmp_path, {"a.jpg": "", "b.jpg": "", "a.xml": voc()})
    assert [fault.file for fault in every_fault(read(listing))] == ["b.jpg"]
    assert sound(read(listing, unlabelled_is_empty=True))["b.jpg"].objects == ()


def test_image_sets_give_the_splits(tmp_path: Path) -> None:
    files = {
        "ImageSets/Main/train.txt": "a\r\nb\r\n",
        "ImageSets/Main/val.txt": "c\nd\n",
        "ImageSets/Main/test.txt": "d\ngone\n",
        "ImageSets/Main/trainval.txt": "a\nb\nc",
        "ImageSets/Main/qf_train.txt": "a 1\nb -1",
        "ImageSets/Segmentation/train.txt": "c",
    }
    for name in "abcde":
        files |= {f"JPEGImages/{name}.jpg": "", f"Annotations/{name}.xml": voc(thing())}
    reading = read(source(tmp_path, files))
    assert [item.split for item in sound(reading).values()] == ["train", "train", "val", None, None]
    assert reading.notes == (
        "ImageSets/Main/test.txt: names 1 pictures that are not here, as gone",
        "1 pictures are in several lists of ImageSets: no split is kept",
    )


def test_folders_give_the_splits_otherwise(tmp_path: Path) -> None:
    files = {"valid/a.jpg": "", "valid/a.xml": voc(thing()), "b.jpg": "", "b.xml": voc()}
    found = sound(read(source(tmp_path, files)))
    assert (found["valid/a.jpg"].split, found["b.jpg"].split) == ("val", None)


@pytest.mark.parametrize(
    "files",
    [
        {"a.xml": '<?xml version="1.0"?><annotations><image/></annotations>'},
        {"a.jpg": "", "pom.xml": "<project/>"},
        {"a.jpg": "", "a.txt": "0 0.5 0.5 0.1 0.1"},
    ],
)
def test_what_is_no_voc(tmp_path: Path, files: dict[str, str]) -> None:
    assert evidence(source(tmp_path, files)) is None


def test_without_xml_nothing_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected an \.xml for each picture"):
        read(source(tmp_path, {"a.jpg": ""}))


def test_our_own_export_comes_back(tmp_path: Path) -> None:
    objects = tuple(
        Annotation("q<f", box_xyxy=box, truncated=truncated, extra=extra)
        for box, truncated, extra in [
            ((0.0, 0.0, 64.0, 48.0), True, {}),
            ((3.0, 4.0, 5.0, 48.0), False, {"difficult": True}),
            ((3.0, 5.0, 5.0, 6.0), False, {"occluded": True}),
            ((3.0, 5.0, 5.0, 7.0), True, {"difficult": True, "occluded": True}),
        ]
    )
    files = {}
    for count in range(len(objects) + 1):
        image = f"images/train/{count}.jpg"
        frame = Frame(image, "", "", 64, 48, "real", "s", objects=objects[:count])
        files |= {image: "", f"annotations/train/{count}.xml": to_voc_xml(frame, "magnets")}
    for count, item in enumerate(sound(read(source(tmp_path, files))).values()):
        back = [(t.class_name, t.box, t.truncated, t.extra) for t in item.objects]
        assert back == [(o.class_name, o.box_xyxy, o.truncated, o.extra) for o in objects[:count]]
        assert (item.stated_size, item.split) == ((64, 48), "train")


@pytest.mark.parametrize(
    ("shoot", "photos", "objects"), [("december", 85, 101), ("january", 64, 76)]
)
def test_real_photos(shoot: str, photos: int, objects: int) -> None:
    folder = REAL / "boards" / "photos" / shoot
    if not folder.is_dir():
        pytest.skip(f"real photos are not here: {folder}")
    found = sound(read(list_source(folder)))
    assert len(found) == photos
    assert sum(len(item.objects) for item in found.values()) == objects
    assert {item.stated_size for item in found.values()} == {(800, 600)}
