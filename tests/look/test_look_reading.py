"""Looks as YAML: read, written, refused; the shipped ones; the page on them."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.errors import InputError
from vqc.look.distributions import Choice, Constant, Normal, Uniform
from vqc.look.reading import SHIPPED, look_from_record, look_to_record, read_look, reference
from vqc.look.schema import SECTIONS, CameraLook, Look, SceneLook, happens, number, rules, whole

PAGE = Path(__file__).parent.parent.parent / "docs" / "looks.md"
CAMERA = [600, 600.5, 320, 240, 640, 480]


@pytest.fixture
def read(tmp_path):
    """Reads a text as the look night.yaml."""

    def reader(text: str | bytes) -> Look:
        file = tmp_path / "night.yaml"
        file.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return read_look(file)

    return reader


@pytest.fixture
def refused(read):
    """The lines of the message on a text, without the file's path."""

    def reader(text: str | bytes) -> list[str]:
        with pytest.raises(InputError) as caught:
            read(text)
        return [line.partition("night.yaml: ")[2] for line in str(caught.value).splitlines()]

    return reader


def test_what_is_missing_keeps_its_default(read):
    assert read("vqc_look: 1\n") == Look("night")
    assert read("vqc_look: 1\nname: dusk\ncamera:\n") == Look("dusk")
    look = read("vqc_look: 1\ncamera: {x: {uniform: [0, 1]}, cut_off: 0.5}\nscene: {parts: 2}")
    camera = CameraLook(x=Uniform(0, 1), cut_off=0.5)
    assert look == Look("night", camera=camera, scene=SceneLook(parts=Constant(2)))


def test_intrinsics_and_no_field_of_view(read):
    look = read(f"vqc_look: 1\ncamera: {{intrinsics: {CAMERA}}}")
    assert look.camera.intrinsics == tuple(CAMERA)
    record = look_to_record(look)
    assert "fov_deg" not in record["camera"] and record["camera"]["intrinsics"] == CAMERA
    assert look_from_record(record, "x") == look
    assert read("vqc_look: 1\ncamera: {intrinsics: null, fov_deg: 40}").camera.intrinsics is None


def test_a_file_of_windows_reads(read):
    assert read(b"\xef\xbb\xbfvqc_look: 1\r\nname: dusk\r\n").name == "dusk"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_looks_read_and_are_resolved_exactly(name):
    look = read_look(name)
    record = look_to_record(look)
    assert look.name == name
    assert list(record) == ["vqc_look", "name", *SECTIONS]
    assert all(list(record[key]) == list(rules(kind)) for key, kind in SECTIONS.items())
    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)
    again = look_from_record(yaml.safe_load(text), "recipe.yaml")
    assert again == look and look_to_record(again) == record
    assert "&" not in text and "!" not in text
    assert yaml.safe_dump(look_to_record(again), sort_keys=False, width=100) == text


def test_shipped_looks_are_what_they_say():
    rng = np.random.default_rng(2)
    looks = {name: read_look(name) for name in SHIPPED}
    lie, noise, lamps = {}, {}, {}
    for name, look in looks.items():
        lie[name] = np.mean([happens(look.scene, "rest", rng) for _ in range(500)])
        noise[name] = np.mean([number(look.sensor, "shot_noise", rng) for _ in range(500)])
        lamps[name] = np.mean([whole(look.light, "lamps", rng) for _ in range(500)])
    assert lie["studio"] == 0 and lie["bench"] > lie["shopfloor"] > 0.4
    assert noise["studio"] < noise["bench"] < noise["shopfloor"]
    assert lamps["shopfloor"] < lamps["bench"] < lamps["studio"]


def test_files_are_known_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.yaml").write_text("vqc_look: 1\ncamera: {x: 0.1}")
    assert read_look("bench.yaml").camera.x == Constant(0.1)
    assert read_look("bench").camera.x == Uniform(0.15, 0.85)
    (tmp_path / "night.YML").write_text("vqc_look: 1")
    assert read_look("night.YML").name == "night"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bensh", "bensh: there is no such look; did you mean 'bench'? Known: bench, shopfloor"),
        ("plian", "there is no such look; did you mean 'plain'?"),
        ("Studio", "did you mean 'studio'?"),
        ("xyz", "Known: bench, shopfloor, studio, plain; or give a path that ends in .yaml"),
        ("plain", "plain: no look to read"),
        ("", "there is no such look"),
        ("none/x.yaml", "none/x.yaml: there is no such file"),
        ("a\0b.yaml", "there is no such file"),
        ("a" * 5000 + ".yaml", "yaml: "),
    ],
)
def test_looks_that_are_not_there(name, message):
    with pytest.raises(InputError) as caught:
        read_look(name)
    assert message in str(caught.value)


def test_a_folder_is_no_look(tmp_path):
    (tmp_path / "x.yaml").mkdir()
    with pytest.raises(InputError, match=r"x\.yaml: there is no such file"):
        read_look(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a look, that is vqc_look: 1 and sections such as camera:, got nothing"),
        ("- a\n- b", "expected a look, that is vqc_look: 1 and sections such as camera:, got ["),
        ("5", "expected a look"),
        ("camera: {}", "vqc_look: expected 1, got nothing; the first line is vqc_look: 1"),
        ("vqc_look: 2\nnew: 3", "vqc_look: expected 1, got 2; a newer vqc wrote it: update"),
        ("vqc_look: true", "vqc_look: expected 1, got true"),
        ("vqc_look: one", "vqc_look: expected 1, got 'one'"),
        ("vqc_look: 1\ncamra: {}", "camra: there is no such section; did you mean 'camera'?"),
        ("vqc_look: 1\n7: {}", "7: there is no such section. Known: name, camera, "),
        ("vqc_look: 1\ncamera: 5", "camera: expected fields such as azimuth_deg:, got 5"),
        ("vqc_look: 1\ncamera: []", "camera: expected fields such as azimuth_deg:, got []"),
        ("vqc_look: 1\ncamera: {sise: 1}", "camera.sise: there is no such field; did you mean 's"),
        ("vqc_look: 1\ncamera: {? [a] : 1}", "line 2: expected plain YAML, but found unhashable"),
        ("vqc_look: 1\ncamera: {size: }", "camera.size: expected a number from 0.01 to 4, or a d"),
        ("vqc_look: 1\ncamera: {size: 9}", "camera.size: expected a number from 0.01 to 4, got 9"),
        ("vqc_look: 1\ncamera: {size: {unifrom: [0, 1]}}", "camera.size: there is no distributi"),
        ("vqc_look: 1\ncamera: {cut_off: {uniform: [0, 1]}}", "camera.cut_off: expected a number"),
        ("vqc_look: 1\ncamera: {cut_off: }", "camera.cut_off: expected a number from 0 to 1, a sh"),
        ("vqc_look: 1\nbackdrop: {kind: foto}", "backdrop.kind: there is no 'foto'; did you mean "),
        ("vqc_look: 1\ncamera: {intrinsics: [1, 2]}", "camera.intrinsics: expected null or [fx, "),
        ("vqc_look: 1\ncamera: {intrinsics: 5}", "camera.intrinsics: expected null or [fx, "),
        ("vqc_look: 1\ncamera: {intrinsics: [[1]]}", "camera.intrinsics: expected null or [fx, "),
        (
            f"vqc_look: 1\ncamera: {{fov_deg: 30, intrinsics: {CAMERA}}}",
            "camera: expected fov_deg or intrinsics, got both",
        ),
        ("vqc_look: 1\nname: 5", "name: expected a text on one line"),
        ("vqc_look: 1\nname: ", "name: expected a text on one line"),
        ("vqc_look: 1\ncamera: {x: [", "line 2: expected plain YAML, but "),
        ("vqc_look: 1\ncamera:\n  x: 1\n y: 2", "line 4: expected plain YAML, but "),
        ("vqc_look: 1\ncamera:\n\tx: 1", "line 3: expected plain YAML, but "),
        ("vqc_look: 1\n---\nvqc_look: 1", "line 2: expected plain YAML, but "),
        ("vqc_look: 1\ncamera: {x: 0}\ncamera: {y: 0}", "line 3: expected plain YAML, but the key"),
        (
            "vqc_look: 1\ncamera: {x: 0, x: 1}",
            "line 2: expected plain YAML, but the key 'x' stands",
        ),
        ("vqc_look: 1\nscene: {parts: {choice: {1: 2, 1.0: 3}}}", "line 2: expected plain YAML, "),
        ("vqc_look: 1\ncamera: &c {x: 0}\nscene: *c", "line 3: expected plain YAML, but an alias"),
        ("vqc_look: 1\ncamera: {<<: {x: 0}}", "line 2: expected plain YAML, but the key <<"),
        ("vqc_look: 1\nname: !!python/name:os.system ''", "line 2: expected plain YAML, but "),
        ("vqc_look: 1\nname: 2020-99-99", "expected YAML, got a value that is none: "),
        ("vqc_look: " + "9" * 5000, "expected YAML, got a value that is none: "),
        ("vqc_look: 1\nname: " + "[" * 5000, "expected YAML, got lists in lists without end"),
        (b"vqc_look: 1\nname: a\x01b", "line 2: expected YAML, got a control character"),
        (b"vqc_look: 1\n# \xe4\n", "line 2: expected UTF-8, got other bytes"),
        ("vqc_look: 1\n" + "#" * 300_000, "expected a look of at most 256000 bytes, got more"),
    ],
)
def test_what_is_refused(refused, text, message):
    lines = refused(text)
    assert len(lines) == 1 and lines[0].startswith(message), lines


def test_an_alias_bomb_is_refused_before_it_grows(refused):
    rows = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    lines = refused("vqc_look: 1\na0: &a0 [1, 1]\n" + "\n".join(rows))
    assert lines == [
        "line 3: expected plain YAML, but an alias (*) stands there; write the value out"
    ]


def test_every_fault_is_told_at_once_with_its_place(refused):
    lines = refused("""
        vqc_look: 1
        nmae: x
        camera: {sise: 1, x: {uniform: [1, 0]}, y: 7}
        scene: {rest: 85}
        sensor: {jpeg: {uniform: [50, 101]}, grey: no}
    """)
    assert {line.split(":")[0] for line in lines} == {
        *("nmae", "camera.sise", "camera.x", "camera.y", "scene.rest", "sensor.jpeg"),
        "sensor.grey",
    }


def test_a_record_is_no_text_of_a_file():
    with pytest.raises(InputError, match=r"^recipe\.yaml: look: expected a look"):
        look_from_record([], "recipe.yaml: look")
    assert look_from_record({"vqc_look": 1}, "x") == Look()


def values(rule):
    """Distributions that a field of that rule may hold."""
    if rule.kind == "share":
        return st.floats(0, 1)
    if rule.kind == "intrinsics":
        return st.none()
    if rule.kind == "word":
        words = st.lists(st.sampled_from(rule.words), min_size=1, unique=True).map(tuple)
        return words.map(Choice) | st.sampled_from(rule.words).map(Constant)
    if rule.kind == "whole":
        numbers = st.integers(int(rule.low), int(rule.high))
    else:
        numbers = st.floats(rule.low, rule.high)
    return (
        numbers.map(Constant)
        | st.builds(lambda *ends: Uniform(*sorted(ends)), numbers, numbers)
        | st.builds(Normal, numbers, st.floats(0, 100))
    )


SECTION = st.sampled_from(list(SECTIONS)).flatmap(
    lambda key: st.tuples(
        st.just(key),
        st.fixed_dictionaries(
            {}, optional={name: values(rule) for name, rule in rules(SECTIONS[key]).items()}
        ),
    )
)


@given(SECTION)
@settings(deadline=None, max_examples=60)
def test_any_look_written_and_read_again_is_the_same(drawn):
    key, fields = drawn
    look = Look("any", **{key: dataclasses.replace(SECTIONS[key](), **fields)})
    record = look_to_record(look)
    text = yaml.safe_dump(record, sort_keys=False)
    assert look_from_record(yaml.safe_load(text), "x") == look
    assert look_to_record(look_from_record(record, "x")) == record


def test_the_page_holds_the_fields_as_they_are():
    page = PAGE.read_text(encoding="utf-8")
    _, begin, rest = page.partition("tests/look/test_look_reading.py -->\n")
    table, end, _ = rest.partition("<!-- end of fields -->")
    remake = "put there what vqc.look.reading.reference() gives"
    assert begin and end and table.strip() == reference().strip(), f"stale: {remake}"


def test_every_field_has_a_row_and_every_bar_is_a_column():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(rules(kind)) for kind in SECTIONS.values())
    assert all(row.count("|") == 5 for row in rows)


def test_the_page_s_example_reads_and_its_messages_are_true(read, refused):
    blocks = PAGE.read_text(encoding="utf-8").split("\n\n")
    example = "\n\n".join(b for b in blocks if b.startswith("    vqc_look") or "\n      " in b)
    look = read(textwrap.dedent(example))
    assert look.name == "evening" and look.scene.parts == Choice((1, 2, 3), (6, 3, 1))
    assert look.light.temperature_k == Uniform(2700, 4000)
    told = next(b for b in blocks if b.startswith("    evening.yaml: "))
    lines = refused("""
        vqc_look: 1
        camera: {sise: 1, tilt_deg: {norml: [0, 15]}}
        scene: {rest: 85}
        backdrop: {kind: foto}
    """)
    for line, shown in zip(lines, told.splitlines(), strict=True):
        assert line.startswith(shown.split("evening.yaml: ")[1].removesuffix("…").strip())
