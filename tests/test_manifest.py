"""Manifests: the same bytes for the same content, and a clear word for everything else."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sets import render_set

from vqc.contract import FRAME, HEADER, OBJECT
from vqc.errors import InputError, ManifestError, OutputError
from vqc.formats.yolo import label_text
from vqc.manifest import (
    FILE_NAME,
    digest_of,
    frame_from_json,
    frame_to_json,
    header_to_json,
    read_manifest,
    write_manifest,
)
from vqc.types import Annotation, Frame, Manifest, Parent

DOCUMENT = Path(__file__).parents[1] / "docs" / "format.md"
HEX64, HEX16 = "ab" * 32, "0123456789abcdef"
PLAIN = Frame("images/a.jpg", HEX64, HEX16, 64, 48, "cad", "s1")
BOX = Annotation("qf", box_xyxy=(1.0, 2.0, 30.0, 40.0))
SET = Manifest("render", "magnets", ("qd", "qf"), (PLAIN,), HEX64, "vqc 0.1.0")


def text(frame: Frame = PLAIN, **changes: Any) -> str:
    """A frame's line with some fields changed; a change to ... takes the field away."""
    record = json.loads(frame_to_json(frame)) | changes
    return json.dumps({key: value for key, value in record.items() if value is not ...})


def with_object(**changes: Any) -> str:
    line = json.loads(frame_to_json(replace(PLAIN, objects=(BOX,))))
    record = line["objects"][0] | changes
    line["objects"] = [{key: value for key, value in record.items() if value is not ...}]
    return json.dumps(line)


def faults(line: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        frame_from_json(line, "m.jsonl:7")
    return str(caught.value).splitlines()


def test_the_exact_line() -> None:
    note = replace(BOX, part_name="yoke", instance=1, visibility=1.0, truncated=False)
    view = {"azimuth_deg": 15.0, "elevation_deg": -0.0, "distance_mm": 812.4000000001}
    frame = replace(PLAIN, view=view, seed=7, objects=(note,), extra={"z": 1.0, "b": [None]})
    assert frame_to_json(frame) == (
        '{"image": "images/a.jpg", "sha256": "' + HEX64 + '", "phash": "0123456789abcdef", '
        '"width": 64, "height": 48, "source": "cad", "session": "s1", "split": null, '
        '"label": null, "condition": null, "seed": 7, '
        '"view": {"azimuth_deg": 15, "elevation_deg": 0, "distance_mm": 812.4}, '
        '"objects": [{"class": "qf", "part": "yoke", "instance": 1, "box": [1, 2, 30, 40], '
        '"amodal_box": null, "visibility": 1, "truncated": false, "mask": null, "pose": null}], '
        '"b": [null], "z": 1.0}'
    )


def test_simulated_is_written_only_where_true() -> None:
    assert '"source": "cad", "session"' in frame_to_json(PLAIN)
    line = frame_to_json(replace(PLAIN, simulated=True))
    assert '"source": "cad", "simulated": true, "session"' in line
    assert frame_from_json(line, "here").simulated
    line = frame_to_json(replace(PLAIN, split="val", same_shoot=True))
    assert '"split": "val", "same_shoot": true, "label"' in line
    assert frame_from_json(line, "here").same_shoot


def test_nobody_labelled_it_is_not_empty() -> None:
    assert frame_from_json(frame_to_json(PLAIN), "here").objects is None
    assert frame_from_json(frame_to_json(replace(PLAIN, objects=())), "here").objects == ()
    assert frame_from_json(text(objects=...), "here").objects is None


numbers = st.integers(-(10**6), 10**6).map(lambda n: n / 1000)
names = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=8)


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    x0, y0 = draw(st.integers(0, 63)), draw(st.integers(0, 47))
    box = (x0, y0, draw(st.integers(x0 + 1, 64)), draw(st.integers(y0 + 1, 48)))
    return Annotation(
        class_name=draw(names),
        part_name=draw(st.none() | names),
        instance=draw(st.none() | st.integers(0, 99)),
        box_xyxy=box,
        amodal_box_xyxy=draw(st.none() | st.just((-1.25, *box[1:]))),
        visibility=draw(st.none() | st.integers(0, 1000).map(lambda n: n / 1000)),
        truncated=draw(st.none() | st.booleans()),
        mask=draw(st.none() | st.just({"size": [48, 64], "counts": "P`2"})),
        pose=draw(st.none() | st.tuples(*[numbers] * 16)),
        extra=draw(st.dictionaries(names.map("x_".__add__), names | numbers, max_size=2)),
    )


@given(
    st.builds(
        replace,
        st.just(PLAIN),
        session=names,
        split=st.sampled_from([None, "train", "val", "test"]),
        label=st.none() | names,
        condition=st.none() | names,
        seed=st.none() | st.integers(0, 2**40),
        simulated=st.booleans(),
        same_shoot=st.booleans(),
        view=st.none() | st.fixed_dictionaries({"tilt_deg": numbers, "other": names}),
        objects=st.none() | st.lists(annotations(), max_size=3).map(tuple),
        extra=st.dictionaries(names.map("x_".__add__), st.none() | numbers, max_size=2),
    )
)
def test_what_is_written_is_read_back(frame: Frame) -> None:
    line = frame_to_json(frame)
    assert "\n" not in line
    again = frame_from_json(line, "here")
    assert again == frame
    assert frame_to_json(again) == line


def test_unknown_fields_are_kept() -> None:
    line = text(later={"a": [1, 2.5]}, objects=[{"class": "qf", "box": None, "hint": "x"}])
    frame = frame_from_json(line, "here")
    assert frame.extra == {"later": {"a": [1, 2.5]}}
    assert frame.objects is not None
    assert frame.objects[0].extra == {"hint": "x"}
    assert frame_from_json(frame_to_json(frame), "here") == frame


@pytest.mark.parametrize(
    "image",
    [
        "",
        "a.jpg",
        "/images/a.jpg",
        "images/../a.jpg",
        "images/./a.jpg",
        "images//a.jpg",
        "images\\a.jpg",
        "images/a",
        "images/.jpg",
        "images/a.",
        "images/images/a.jpg",
        "images/a\n.jpg",
        "images/\ud800.jpg",
        "images",
        7,
        None,
    ],
)
def test_images_stay_in_their_folder(image: Any) -> None:
    assert [fault.split(" expected")[0] for fault in faults(text(image=image))] == [
        "m.jsonl:7: image:"
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sha256": ...}, "sha256: missing, expected 64 lower-case hex digits"),
        ({"sha256": HEX64.upper()}, "sha256: expected 64 lower-case hex digits"),
        ({"phash": HEX64}, "phash: expected 16 lower-case hex digits"),
        ({"width": 64.0}, "width: expected a whole number of pixels, got 64.0"),
        ({"width": True}, "width: expected a whole number of pixels, got True"),
        ({"height": 0}, "height: expected a whole number of pixels, got 0"),
        ({"source": "CAD"}, "source: expected one of cad, real, got 'CAD'"),
        ({"source": []}, "source: expected one of cad, real, got []"),
        ({"session": ""}, "session: expected a text, got ''"),
        ({"simulated": 1}, "simulated: expected true or false, got 1"),
        ({"split": "dev"}, "split: expected one of train, val, test, or null, got 'dev'"),
        ({"label": 3}, "label: expected a text, or null, got 3"),
        ({"seed": -1}, "seed: expected a whole number from 0, or null, got -1"),
        ({"view": []}, "view: expected an object, or null, got []"),
        ({"view": {"tilt_deg": "1"}}, "view.tilt_deg: expected a number, got '1'"),
        ({"view": {"intrinsics": [1, 2]}}, "view.intrinsics: expected 4 numbers, or null"),
        ({"objects": {}}, "objects: expected a list of objects, or null, got {}"),
        ({"objects": [1]}, "objects: expected a list of objects, or null, got [1]"),
    ],
)
def test_a_field_of_a_frame(changes: dict[str, Any], fault: str) -> None:
    [found] = faults(text(**changes))
    assert found.startswith(f"m.jsonl:7: {fault}")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"class": ...}, "class: missing"),
        ({"class": ""}, "class: expected a text"),
        ({"box": ...}, "box: missing"),
        ({"box": [1, 2, 1, 4]}, "box: expected [x0, y0, x1, y1] with x0 < x1"),
        ({"box": [1, 2, 3]}, "box: expected [x0, y0, x1, y1]"),
        ({"box": [1, 2, 3, "4"]}, "box: expected [x0, y0, x1, y1]"),
        ({"box": [1, 2, 3, 10**400]}, "box: expected [x0, y0, x1, y1]"),
        ({"box": [1, 2, 65, 4]}, "box: reaches over the frame of 64 x 48: [1, 2, 65, 4]"),
        ({"box": [-1, 2, 6, 4]}, "box: reaches over the frame"),
        ({"box": None, "visibility": 0.5}, "box: null, though the visibility is 0.5"),
        ({"amodal_box": [5, 5, 4, 9]}, "amodal_box: expected [x0, y0, x1, y1]"),
        ({"visibility": 1.01}, "visibility: expected a number from 0 to 1"),
        ({"truncated": 0}, "truncated: expected true or false"),
        ({"instance": 1.0}, "instance: expected a whole number"),
        ({"mask": "P`2"}, "mask: expected"),
        ({"mask": {"size": [64, 48], "counts": ""}}, "mask: expected the frame's size [48, 64]"),
        ({"pose": [0] * 15}, "pose: expected 16 numbers"),
    ],
)
def test_a_field_of_an_object(changes: dict[str, Any], fault: str) -> None:
    [found] = faults(with_object(**changes))
    assert found.startswith(f"m.jsonl:7: objects[0].{fault}")


def test_all_faults_are_told_at_once() -> None:
    found = faults(text(width="64", split="dev", phash=...))
    assert [line.split(":")[2].strip() for line in found] == ["phash", "width", "split"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        "{",
        '{"image": NaN}',
        "[" * 100_000,
        text()[:-1] + ', "width": 64}',
        text().replace("64,", "Infinity,"),
    ],
)
def test_what_is_no_json_object(line: str) -> None:
    [found] = faults(line)
    assert found.startswith("m.jsonl:7: ")


@pytest.mark.parametrize(
    "frame",
    [
        replace(PLAIN, view={"tilt_deg": float("nan")}),
        replace(PLAIN, extra={"x": float("inf")}),
        replace(PLAIN, extra={"x": np.eye(2)}),
        replace(PLAIN, extra={"image": "images/b.jpg"}),
        replace(PLAIN, objects=(replace(BOX, extra={"class": "qd"}),)),
    ],
)
def test_what_json_cannot_hold_is_not_written(frame: Frame) -> None:
    with pytest.raises(ManifestError, match=r"images/a\.jpg"):
        frame_to_json(frame)


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    manifest = replace(
        render_set(tmp_path), parents=(Parent("older", HEX64),), extra={"later": [1.5]}
    )
    path = write_manifest(tmp_path, replace(manifest, frames=manifest.frames[::-1]))
    data = path.read_bytes()
    assert read_manifest(tmp_path) == read_manifest(path) == manifest
    write_manifest(tmp_path, read_manifest(path))
    assert path.read_bytes() == data
    assert data.endswith(b"\n") and b"\r" not in data


def test_the_header_and_its_digest(tmp_path: Path) -> None:
    data = write_manifest(tmp_path, SET).read_bytes()
    header = json.loads(data.split(b"\n")[0])
    assert list(header) == [
        *("vqc_manifest", "kind", "name", "classes", "created_by", "recipe_sha256"),
        *("parents", "digest"),
    ]
    assert digest_of(data, header["digest"]) == header["digest"]
    assert digest_of(data.replace(b"s1", b"s2"), header["digest"]) != header["digest"]
    assert "digest" not in json.loads(header_to_json(SET))


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (replace(SET, frames=(PLAIN, PLAIN)), "line 2 has the same one"),
        (
            replace(SET, frames=(PLAIN, replace(PLAIN, image="images/a.png"))),
            r"would share labels/a\.txt with line 2",
        ),
        (
            replace(SET, classes=("qd",), frames=(replace(PLAIN, objects=(BOX,)),)),
            r"objects\[0\]\.class: 'qf' is not in the header",
        ),
        (replace(SET, frames=(replace(PLAIN, source="paint"),)), "source: expected"),
        (replace(SET, kind="train"), "kind: expected one of render, intake, mix"),
        (replace(SET, classes=("qf", "qf")), "classes: expected a list of different names"),
        (replace(SET, classes=("q\nf",)), "classes: expected"),
        (replace(SET, recipe_sha256=""), "recipe_sha256: expected"),
        (replace(SET, parents=(Parent("p", "1"),)), r"parents\[0\]\.sha256: expected"),
        (replace(SET, extra={"kind": "mix"}), "known fields: kind"),
        (replace(SET, extra={"x": "\ud800"}), "not UTF-8"),
    ],
)
def test_nothing_is_written_that_could_not_be_read(
    tmp_path: Path, manifest: Manifest, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        write_manifest(tmp_path, manifest)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_manifest(tmp_path, SET).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_manifest(tmp_path, replace(SET, name="other"))
    assert [p.name for p in tmp_path.iterdir()] == [FILE_NAME]
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_manifest(tmp_path / "nowhere", SET)


def test_an_unfinished_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="unfinished"):
        read_manifest(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"", ":1: "),
        (lambda data: data[:-1], ":2: cut off: the last line has no end"),
        (lambda data: data[:-9], ":2: "),
        (lambda data: data.replace(b"\n", b"\r\n"), ":1: a carriage return"),
        (lambda data: data + b"\n", ":3: not JSON"),
        (lambda data: b"\xef\xbb\xbf" + data, ":1: not JSON"),
        (lambda data: data.replace(b"s1", b"s\xff"), ":2: not UTF-8"),
        (lambda data: data.decode().encode("utf-16"), "not UTF-8"),
        (lambda data: data.replace(b': 1, "kind"', b': 2, "kind"'), ":1: .*newer vqc"),
        (lambda data: b"\n".join(data.split(b"\n")[::-1]), ":1: not JSON"),
        (lambda data: data.split(b"\n", 1)[1], ":1: vqc_manifest: expected 1, got None"),
        (lambda data: data.replace(b"images/a", b"images/b", 1), None),
    ],
)
def test_broken_files(tmp_path: Path, spoil: Any, message: str | None) -> None:
    path = write_manifest(tmp_path, SET)
    path.write_bytes(spoil(path.read_bytes()))
    if message is None:  # what is still a manifest is for `verify` to doubt
        assert read_manifest(path).frames[0].image == "images/b.jpg"
        return
    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


def test_frames_out_of_order(tmp_path: Path) -> None:
    frames = tuple(replace(PLAIN, image=f"images/{c}.jpg") for c in "abc")
    path = write_manifest(tmp_path, replace(SET, frames=frames))
    header, a, b, c = path.read_text().splitlines(keepends=True)
    path.write_text(header + a + c + b)
    with pytest.raises(
        ManifestError, match=r":4: image: not sorted, it comes before images/c\.jpg"
    ):
        read_manifest(path)


def test_many_faults_are_counted_not_poured_out(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, SET)
    path.write_text(path.read_text() + "{}\n" * 100)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 680 more faults"


def test_the_documented_example_is_a_manifest(tmp_path: Path) -> None:
    page = DOCUMENT.read_text()
    example = page.split("```jsonl\n")[1].split("```")[0]
    (tmp_path / FILE_NAME).write_text(example)
    manifest = read_manifest(tmp_path)
    lines = [header_to_json(manifest), *map(frame_to_json, manifest.frames)]
    assert "".join(f"{line}\n" for line in lines) == example
    render = manifest.frames[0]
    assert render.objects is not None
    labels = label_text(render.objects, manifest.classes, render.width, render.height)
    assert page.split("```text\n")[1].split("```")[0] == labels


@pytest.mark.parametrize(
    ("title", "fields"), [("Header", HEADER), ("Frame", FRAME), ("Object", OBJECT)]
)
def test_every_field_is_documented_in_its_order(title: str, fields: dict[str, Any]) -> None:
    table = DOCUMENT.read_text().split(f"### {title}\n")[1].split("\n#")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = [name for row in rows for name in re.findall("`(.+?)`", row)]
    assert [name for name in documented if name in fields] == list(fields)
