"""Every kind of broken label of YOLO, COCO and VOC: reported with file, line and value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sources import every_fault, source
from test_coco_reader import coco, note
from test_voc_reader import thing, voc

from vqc.errors import InputError
from vqc.formats import coco_reader, voc_reader, yolo_reader
from vqc.formats.source import Listing

GOOD_LINE = "0 0.5 0.5 0.2 0.4\n"
UTF16 = "ä".encode("utf-16")
LATIN1 = b"\xe4\n"

LINES = {
    "text that is no number": ("0 x 0.5 0.1 0.1", "cx: expected a number, got 'x'"),
    "nan": ("0 nan 0.5 0.1 0.1", "cx: expected a number, got 'nan'"),
    "infinity": ("0 0.5 -inf 0.1 0.1", "cy: expected a number, got '-inf'"),
    "too large for a float": ("0 0.5 0.5 1e999 0.1", "w: expected a number, got '1e999'"),
    "an underscore": ("0 0.5 0.5 0.1 1_0", "h: expected a number, got '1_0'"),
    "a decimal comma": ("0 0,5 0.5 0.1 0.1", "got '0,5': write decimals with a point"),
    "commas between": ("0,0.5,0.5,0.1,0.1", "class: expected a number, got '0,0.5,0.5,0.1,0.1'"),
    "a class name": ("qf 0.5 0.5 0.1 0.1", "class: expected a number, got 'qf': names go into"),
    "too few columns": ("0 0.5 0.5 0.1", "expected 5 columns (class cx cy w h), or the class and"),
    "only a class": ("0", "at least 3 pairs x y, got 1"),
    "a confidence": ("0 0.5 0.5 0.1 0.1 0.9", "got 6 (a confidence or track number of a"),
    "half a pair": ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.5", "at least 3 pairs x y, got 8"),
    "an unknown class": ("3 0.5 0.5 0.1 0.1", "class: expected an id of data.yaml (0, 1), got 3"),
    "a negative class": ("-1 0.5 0.5 0.1 0.1", "class: expected a whole number from 0, got -1"),
    "half a class": ("0.5 0.5 0.5 0.1 0.1", "class: expected a whole number from 0, got 0.5"),
    "pixels": ("0 320 240 64 48", "cx: expected a fraction from 0 to 1, got 320 (pixels?"),
    "above 1": ("0 0.5 1.2 0.1 0.1", "cy: expected a fraction from 0 to 1, got 1.2"),
    "below 0": ("0 0.5 -0.2 0.1 0.1", "cy: expected a fraction from 0 to 1, got -0.2"),
    "no width": ("0 0.5 0.5 0 0.1", "w, h: expected fractions above 0, got 0 0.1"),
    "a negative height": ("0 0.5 0.5 0.1 -0.00001", "w, h: expected fractions above 0, got 0.1 -0"),
    "over the border": ("0 0.951 0.5 0.1 0.1", "got 0.951 0.5 0.1 0.1, which reaches 0.001 of the"),
    "a corner outside": (
        "0 0.1 0.1 0.2 0.1 0.2 1.01",
        "y: expected a fraction from 0 to 1, got 1.01",
    ),
    "a corner just outside": ("0 0.1 0.1 0.2 0.1 0.2 1.00015", "from 0 to 1, got 1.00015"),
    "an outline without area": ("0 0.1 0.1 0.2 0.1 0.3 0.1", "got points on one line"),
    "the same object again": (GOOD_LINE, "expected different objects, got the one of line 1 again"),
}


@pytest.mark.parametrize(("line", "message"), LINES.values(), ids=LINES.keys())
def test_a_line_of_yolo(tmp_path: Path, line: str, message: str) -> None:
    files = {"images/a.jpg": "", "data.yaml": "names: [qd, qf]"}
    files["labels/a.txt"] = f"{GOOD_LINE}\r\n{line.strip()}\r\n1 0.5 0.5 0.1 0.1\n"
    listing = source(tmp_path, files)
    reading = yolo_reader.read(listing)
    [fault] = reading.items[0].faults
    assert (fault.file, fault.line, reading.faults) == ("labels/a.txt", 3, ())
    assert message in fault.message
    assert yolo_reader.evidence(listing)


def test_all_lines_of_yolo_at_once(tmp_path: Path) -> None:
    lines = GOOD_LINE + "".join(f"{line.strip()}\n" for line, _ in LINES.values())
    files = {"a.jpg": "", "a.txt": lines, "b.jpg": "", "b.txt": lines, "data.yaml": "names: [a, b]"}
    faults = every_fault(yolo_reader.read(source(tmp_path, files)))
    assert [(f.file, f.line) for f in faults] == [
        (f"{name}.txt", number) for name in "ab" for number in range(2, len(LINES) + 2)
    ]


A = {"images/a.jpg": "", "labels/a.txt": GOOD_LINE}
NAMES = {"data.yaml": "nc: 2\nnames:\n- qd\n- qf\n"}

YOLO: dict[str, tuple[Mapping[str, str | bytes], str]] = {
    "no label": ({**NAMES, "images/a.jpg": ""}, "images/a.jpg: no label: expected labels/a.txt"),
    "no picture": (
        {**A, **NAMES, "labels/b.txt": ""},
        "labels/b.txt: expected a picture of the sa",
    ),
    "no picture beside": (
        {**A, **NAMES, "b.txt": GOOD_LINE},
        "b.txt: expected a picture of the sa",
    ),
    "two labels": (
        {**A, **NAMES, "images/a.txt": ""},
        "images/a.txt: expected one label for images",
    ),
    "not UTF-8": (
        {**NAMES, "a.jpg": "", "a.txt": GOOD_LINE.encode() + LATIN1},
        "a.txt:2: expected UTF-8 text, got other bytes (invalid continuation byte)",
    ),
    "UTF-16": (
        {**NAMES, "a.jpg": "", "a.txt": UTF16},
        "a.txt:1: expected UTF-8 text, got other byt",
    ),
    "an empty name": (
        {**A, "data.yaml": "names: ['qd', '']"},
        "data.yaml:1: class 1: expected a na",
    ),
    "a null name": (
        {**A, "data.yaml": "names:\n- qd\n-\n"},
        "data.yaml:3: class 1: expected a name",
    ),
    "a name twice": (
        {**A, "data.yaml": "names:\n- qd\n- qd\n"},
        "data.yaml:3: class 1: expected different names, got 'qd', which is class 0 too",
    ),
    "an id twice": (
        {**A, "data.yaml": "names:\n  0: qd\n  0: qf\n"},
        "data.yaml:3: class 0: expected one name, got 'qf' after 'qd'",
    ),
    "an id that is none": (
        {**A, "data.yaml": "names:\n  0: qd\n  one: qf\n"},
        "data.yaml:3: names: expected class ids from 0 as keys, got 'one'",
    ),
    "a list as name": (
        {**A, "data.yaml": "names:\n- qd\n- [qf]\n"},
        "data.yaml:3: names[1]: expected a name, got a list or mapping",
    ),
    "another nc": (
        {**A, "data.yaml": "names: [qd]\nnc: 3"},
        "data.yaml:2: nc: expected 1, the numb",
    ),
    "an empty line among names": (
        {**A, "classes.txt": "qd\n\nqf\n"},
        "classes.txt:2: class 1: exp",
    ),
    "lists of names that differ": (
        {**A, **NAMES, "classes.txt": "qf\nqd\n"},
        "classes.txt: class 0: expected 'qd' as in data.yaml, got 'qf'",
    ),
    "broken YAML": (
        {**A, "classes.txt": "qd", "data.yaml": "path: x\nnames: [qd, 'qf]\n"},
        "data.yaml:3: expected YAML, got text that is not",
    ),
}

ENTRY = {"id": 1, "file_name": "a.jpg"}
RUNS = {"size": [2, 3], "counts": [1, 5]}

COCO: dict[str, tuple[Any, str]] = {
    "no list": (
        {"images": [], "annotations": []},
        "x.json: categories: expected lists, got nothing",
    ),
    "an image that is none": (coco(images=[7, ENTRY]), "images[0]: expected an object, got 7"),
    "no file_name": (
        coco(images=[{"id": 2}, ENTRY]),
        "images[0].file_name: expected a name, got no",
    ),
    "no such picture": (
        coco(images=[ENTRY, {"id": 2, "file_name": "../../b.jpg"}]),
        "x.json: images[1].file_name: there is no picture '../../b.jpg'",
    ),
    "an image twice": (
        coco(images=[ENTRY, {**ENTRY, "id": 2}]),
        "x.json: a.jpg is labelled here an",
    ),
    "an image without id": (
        coco(images=[{"file_name": "a.jpg"}]),
        "images[0].id: expected a whole n",
    ),
    "an annotation that is none": (
        coco(annotations=[[]]),
        "annotations[0]: expected an object, got",
    ),
    "an unknown image": (
        coco(annotations=[note(image_id=99)]),
        "x.json: annotations[0].image_id: expected the id of an image, got 99",
    ),
    "an unknown category": (
        coco(annotations=[note(category_id=9)]),
        "x.json: annotations[0].category_id: expected the id of a category, got 9",
    ),
    "a category that is no id": (
        coco(annotations=[note(category_id=[3])]),
        "whole number, got [3]",
    ),
    "an id twice": (
        coco(annotations=[note(id=5), note(id=5, bbox=[0, 0, 1, 1])]),
        "annotations[1].id: expected ids that differ, got that of [0] again",
    ),
    "a category id twice": (
        coco(categories=[{"id": 3, "name": "qf"}, {"id": 3, "name": "qd"}]),
        "x.json: categories[1].id: expected ids that differ, got 3",
    ),
    "a category name twice": (
        coco(categories=[{"id": 3, "name": "qf"}, {"id": 4, "name": "qf"}]),
        "x.json: categories[1].name: expected names that differ, got 'qf'",
    ),
    "a category without name": (
        coco(categories=[{"id": 3, "name": " "}]),
        "x.json: categories[0].name: expected a name, got ' '",
    ),
    "no bbox": (
        coco(annotations=[note(bbox=None)]),
        "annotations[0].bbox: expected x, y, width, h",
    ),
    "a short bbox": (coco(annotations=[note(bbox=[1, 2, 3])]), "height, got [1, 2, 3]"),
    "a bbox with nan": (
        coco(annotations=[note(bbox=[1, float("nan"), 3, 4])]),
        "annotations[0].bbox: expected a number, got nan",
    ),
    "a bbox with infinity": (coco(annotations=[note(bbox=[1, 2, float("inf"), 4])]), "got inf"),
    "a bbox with a huge number": (
        coco(annotations=[note(bbox=[10**400, 2, 3, 4])]),
        "a number, go",
    ),
    "a bbox with text": (coco(annotations=[note(bbox=[1, "x", 3, 4])]), "a number, got 'x'"),
    "a negative size": (
        coco(annotations=[note(bbox=[1, 2, -3, 4])]),
        "annotations[0].bbox: expected a width and height above 0, got -3 and 4",
    ),
    "the same object again": (
        coco(annotations=[note(), note(bbox=[0, 0, 1, 1]), note(area=3)]),
        "annotations[2].bbox: expected objects that differ, got that of [0] again",
    ),
    "half a pair": (
        coco(annotations=[note(segmentation=[[1, 2, 3, 4, 5, 6, 7]])]),
        "annotations[0].segmentation[0]: expected at least 3 pairs x, y, got 7 numbers",
    ),
    "two corners": (coco(annotations=[note(segmentation=[[1, 2, 3, 4]])]), "got 4 numbers"),
    "a corner that is none": (
        coco(annotations=[note(segmentation=[[1, 2, 3, None, 5, 6]])]),
        "annotations[0].segmentation[0]: expected a number, got None",
    ),
    "an outline without area": (
        coco(annotations=[note(segmentation=[[1, 1, 2, 1, 3, 1]])]),
        "annotations[0].segmentation: expected outlines around some area",
    ),
    "a segmentation that is none": (coco(annotations=[note(segmentation="x")]), "lengths, got 'x'"),
    "run lengths without size": (
        coco(annotations=[note(segmentation={"counts": "1"})]),
        ".size: e",
    ),
    "runs that do not fill": (
        coco(annotations=[note(segmentation={**RUNS, "counts": [1, 6]})]),
        "annotations[0].segmentation: mask: expected whole runs from 0 that add up to 2 x 3 = 6",
    ),
    "a negative run": (
        coco(annotations=[note(segmentation={**RUNS, "counts": [7, -1]})]),
        "from 0 t",
    ),
    "counts that are no code": (
        coco(annotations=[note(segmentation={**RUNS, "counts": "2 2"})]),
        "annotations[0].segmentation: mask: counts is empty or holds characters outside",
    ),
    "counts of another size": (
        coco(annotations=[note(segmentation={**RUNS, "counts": "22"})]),
        "annotations[0].segmentation: mask: counts covers 4 pixels",
    ),
    "counts that are none": (coco(annotations=[note(segmentation={**RUNS, "counts": 4})]), "got 4"),
    "counts that claim to be bytes": (
        coco(annotations=[note(segmentation={**RUNS, "counts": "b'2"})]),
        "annotations[0].segmentation: ",
    ),
    "an enormous mask": (
        coco(annotations=[note(segmentation={"size": [10**6, 10**6], "counts": [10**12]})]),
        "expected a picture of up to 178 megapixels, got 1000000 x 1000000",
    ),
    "an empty mask": (
        coco(annotations=[note(segmentation={**RUNS, "counts": [6]})]),
        "annotations[0].segmentation: expected a mask of some pixels, got an empty one",
    ),
    "a crowd that is none": (
        coco(annotations=[note(iscrowd=2)]),
        "iscrowd: expected 0 or 1, got 2",
    ),
}

DTD = '<!DOCTYPE annotation SYSTEM "http://example.com/x.dtd">\n'
BOMB = (
    '<!DOCTYPE annotation [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;">]>\n'
    "<annotation><filename>&b;</filename></annotation>"
)
EXTERNAL = (
    '<!DOCTYPE annotation [<!ENTITY a SYSTEM "file:///etc/hostname">]>\n'
    "<annotation><filename>&a;</filename></annotation>"
)

VOC: dict[str, tuple[str | bytes, str]] = {
    "no XML": ("hello", "a.xml:1: expected XML, got syntax error"),
    "nothing": ("", "a.xml:1: expected XML, got no element found"),
    "cut off": (voc(thing())[:-20], "a.xml:12: expected XML, got"),
    "another root": ("\n<annotations/>", "a.xml:2: expected VOC's <annotation>, got <annotations>"),
    "an entity bomb": (BOMB, "a.xml: expected XML without DTD and entities"),
    "an external entity": (EXTERNAL, "a.xml: expected XML without DTD and entities"),
    "a DTD": (DTD + voc(thing()), "a.xml: expected XML without DTD and entities"),
    "not UTF-8": (
        voc(thing(name="ä")).encode("latin-1"),
        "a.xml:5: expected XML, got not well-form",
    ),
    "an unknown encoding": ('<?xml version="1.0" encoding="klingon"?>\n' + voc(), "a.xml"),
    "Shift JIS": ('<?xml version="1.0" encoding="shift_jis"?>\n' + voc(), "a.xml"),
    "no name": (
        voc(thing().replace("name>", "label>")),
        "a.xml:4: expected one <name> in <object>, got n",
    ),
    "an empty name": (voc(thing(name=" ")), "a.xml:5: name: expected a class, got nothing"),
    "no bndbox": (
        voc("<object><name>qf</name></object>"),
        "a.xml:4: expected one <bndbox> in <obj",
    ),
    "two boxes": (voc(thing(more="<bndbox/>")), "expected one <bndbox> in <object>, got 2"),
    "no xmax": (
        voc(thing().replace("xmax", "x")),
        "a.xml:6: expected one <xmax> in <bndbox>, got none",
    ),
    "an empty edge": (voc(thing(("", 3, 9, 11))), "a.xml:7: xmin: expected a number, got ''"),
    "text": (voc(thing(("1,5", 3, 9, 11))), "a.xml:7: xmin: expected a number, got '1,5'"),
    "nan": (voc(thing((2, "nan", 9, 11))), "a.xml:8: ymin: expected a number, got 'nan'"),
    "infinity": (voc(thing((2, 3, "1e999", 11))), "a.xml:9: xmax: expected a number, got '1e999'"),
    "edges in the wrong order": (
        voc(thing((9, 3, 2, 11))),
        "a.xml:6: bndbox: expected minima up to the maxima, got xmin 9, ymin 3, xmax 2, ymax 11",
    ),
    "truncated by half": (
        voc(thing(more="<truncated>0.5</truncated>")),
        "truncated: expected 0 or 1, got '0.5'",
    ),
    "the same object again": (
        voc(thing(), thing()),
        "a.xml:13: expected objects that differ, got that of line 4 again",
    ),
}


@pytest.mark.parametrize(("files", "message"), YOLO.values(), ids=YOLO.keys())
def test_a_source_of_yolo(tmp_path: Path, files: Mapping[str, str | bytes], message: str) -> None:
    listing = source(tmp_path, files)
    [fault] = every_fault(yolo_reader.read(listing))
    assert str(fault).startswith(message)


@pytest.mark.parametrize(("content", "message"), COCO.values(), ids=COCO.keys())
def test_a_file_of_coco(tmp_path: Path, content: Any, message: str) -> None:
    good = json.dumps(coco(images=[{"id": 1, "file_name": "good.jpg"}]))
    files = {"good.jpg": "", "good.json": good, "a.jpg": "", "x.json": json.dumps(content)}
    reading = coco_reader.read(source(tmp_path, files), unlabelled_is_empty=True)
    [fault] = every_fault(reading)
    assert fault.file == "x.json"
    assert message in str(fault)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b'{"images": [], "annotations": [}',
            "x.json:1: expected JSON, got Expecting value in col",
        ),
        (
            b'{"images": [], "annotations": [],\n"categories": [' + LATIN1,
            "x.json:2: expected UTF-8",
        ),
        (
            b'{"images": [], "annotations": [' + b"[" * 100_000,
            "x.json: expected JSON that can be re",
        ),
        (
            b'{"images": [], "annotations": [' + b"9" * 5000 + b"]}",
            "x.json: expected JSON that can",
        ),
    ],
)
def test_a_file_that_is_no_json(tmp_path: Path, text: bytes, message: str) -> None:
    listing = source(tmp_path, {"a.jpg": "", "x.json": text, "good.json": json.dumps(coco())})
    assert coco_reader.evidence(listing)
    [fault] = every_fault(coco_reader.read(listing))
    assert str(fault).startswith(message)


def test_two_images_of_one_id(tmp_path: Path) -> None:
    """Nobody can tell which of them the annotations are about, so both are at fault."""
    content = coco(images=[ENTRY, {**ENTRY, "file_name": "b.jpg"}], annotations=[note()])
    listing = source(tmp_path, {"a.jpg": "", "b.jpg": "", "x.json": json.dumps(content)})
    for item in coco_reader.read(listing).items:
        [fault] = item.faults
        assert str(fault) == "x.json: images[1].id: expected ids that differ, got 1 again"


@pytest.mark.parametrize(("text", "message"), VOC.values(), ids=VOC.keys())
def test_a_file_of_voc(tmp_path: Path, text: str | bytes, message: str) -> None:
    listing = source(tmp_path, {"a.jpg": "", "a.xml": text})
    reading = voc_reader.read(listing)
    [fault] = reading.items[0].faults
    assert reading.faults == ()
    assert fault.file == "a.xml"
    assert message in str(fault)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.jpg": ""}, "a.jpg: no label: expected an .xml of the same name"),
        (
            {"b.xml": voc(thing())},
            "b.xml: expected a picture of the same name or 'a.jpg', got none",
        ),
        (
            {"p/a.jpg": "", "x/b.xml": voc(), "x/c.xml": voc()},
            "x/c.xml: p/a.jpg is labelled here and in x/b.xml: keep one of the two",
        ),
        ({"y/a.jpg": "", "z/a.jpg": "", "x/a.xml": voc()}, "x/a.xml: 'x/a' may be y/a or z/a"),
    ],
)
def test_a_source_of_voc(tmp_path: Path, files: Mapping[str, str], message: str) -> None:
    """Beside a picture that is labelled well."""
    reading = voc_reader.read(source(tmp_path, {"q.jpg": "", "q.xml": voc(), **files}))
    alone = [f for f in every_fault(reading) if "no label" not in f.message or len(files) == 1]
    assert [str(fault)[: len(message)] for fault in alone] == [message]


def test_one_label_for_two_pictures(tmp_path: Path) -> None:
    files = {"a.jpg": "", "a.png": "", "a.txt": GOOD_LINE, "data.yaml": "names: [qd]"}
    for item in yolo_reader.read(source(tmp_path / "yolo", files)).items:
        [fault] = item.faults
        assert str(fault) == "a.txt: expected one picture for a label, got a.jpg, a.png"
    files = {"a.jpg": "", "a.png": "", "a.xml": voc(filename="")}
    for item in voc_reader.read(source(tmp_path / "voc", files)).items:
        [fault] = item.faults
        assert str(fault) == "a.xml: expected one picture for a label, got a.jpg, a.png"


def test_all_faults_of_a_source_of_voc_at_once(tmp_path: Path) -> None:
    objects = [thing((9, 3, 2, 11)), thing(("x", "y", 9, 11)), thing(name=""), thing()]
    files = {
        "a.jpg": "",
        "a.xml": voc(*objects),
        "b.jpg": "",
        "c.jpg": "",
        "c.xml": "<",
        "d.xml": "<",
    }
    faults = every_fault(voc_reader.read(source(tmp_path, files)))
    assert sorted((f.file, f.line) for f in faults if f.line) == [
        ("a.xml", 6), ("a.xml", 16), ("a.xml", 17), ("a.xml", 23), ("c.xml", 1), ("d.xml", 1),
    ]  # fmt: skip
    assert [f.file for f in faults if not f.line] == ["b.jpg"]


@pytest.mark.parametrize("reader", [yolo_reader, coco_reader, voc_reader])
def test_files_that_cannot_be_opened(tmp_path: Path, reader: Any) -> None:
    """Gone, or closed to us: told, without a traceback."""
    names = ("a.jpg", "a.json", "a.txt", "a.xml", "data.yaml", "b.names", "labels/b.txt")
    listing = Listing(tmp_path, names)
    reader.evidence(listing)
    try:
        faults = every_fault(reader.read(listing))
    except InputError as error:
        assert "b.names: cannot be read" in str(error) or "no COCO file" in str(error)
    else:
        assert ("a.xml", "cannot be read: No such file or directory") in [
            (fault.file, fault.message) for fault in faults
        ]
