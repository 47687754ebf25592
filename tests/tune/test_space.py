"""The grammar of --space: what is read, what is refused, and values that can be typed again."""

from __future__ import annotations

import pytest
import yaml

from vqc.errors import InputError
from vqc.tune.space import Choice, Range, parse, text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cad=0..1000", Range("cad", 0, 1000)),
        ("cad=150..1000:log", Range("cad", 150, 1000, log=True)),
        ("lr0=1e-4..1e-2:log", Range("lr0", 1e-4, 1e-2, log=True)),
        ("degrees=0.0..90", Range("degrees", 0.0, 90.0)),
        ("shear=-5..5", Range("shear", -5, 5)),
        ("imgsz=320,640", Choice("imgsz", (320, 640))),
        ("real=10", Choice("real", (10,))),
        ("optimizer=SGD, AdamW", Choice("optimizer", ("SGD", "AdamW"))),
        ("freeze=none,10", Choice("freeze", (None, 10))),
        ("cos_lr=true,false", Choice("cos_lr", (True, False))),
        ("lr0=0.01,1e-3", Choice("lr0", (0.01, 0.001))),
        ("weights=../a.pt,../b.pt", Choice("weights", ("../a.pt", "../b.pt"))),
        ("select=random,diverse", Choice("select", ("random", "diverse"))),
        ("background=none,5", Choice("background", (None, 5))),
        ("ratio=0.5..20:log", Range("ratio", 0.5, 20.0, log=True)),
    ],
)
def test_what_is_read(given, expected):
    (axis,) = parse([given]).axes
    assert axis == expected
    assert parse([f"{axis.name}={axis}"]).axes == (axis,)
    if isinstance(expected, Range):
        assert [type(v) for v in axis.samples] == [type(expected.low), type(expected.high)]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("cad", "expected NAME="),
        ("=3", "expected NAME="),
        ("cad=", "expected NAME="),
        ("lr 0=1", "expected NAME="),
        ("cad=1000..0", "smaller number first"),
        ("lr0=1..1e999", "smaller number first"),
        ("lr0=0..0.1:log", "above 0 before :log"),
        ("imgsz=320,640:log", "expected NAME="),
        ("cad=1..2..3", "expected NAME="),
        ("imgsz=320,,640", "between the commas"),
        ("imgsz=320,320", "320 stands there twice"),
        ("cos_lr=true,1", "1 stands there twice"),
        ("cad=0..10.5", "expected whole numbers, got 0.0"),
        ("real=ten", "expected whole numbers, got ten"),
        ("ratio=10:1", "numbers, such as 2 for 2:1, got 10:1"),
        ("select=diversed", "did you mean diverse?"),
    ],
)
def test_what_is_refused(given, why):
    with pytest.raises(InputError) as caught:
        parse([given])
    assert str(caught.value).startswith(f"--space {given}: ") and why in str(caught.value)


def test_every_fault_is_told_at_once():
    with pytest.raises(InputError) as caught:
        parse(["cad=1..2", "cad=3", "real=x", "lr0=2..1"])
    assert len(str(caught.value).splitlines()) == 3
    assert "--space cad=3: cad was given before" in str(caught.value)


def test_searched_and_fixed():
    space = parse(["cad=0..10", "real=5", "freeze=0,10", "optimizer=SGD"])
    assert [axis.name for axis in space.searched] == ["cad", "freeze"]
    assert space.fixed == {"real": 5, "optimizer": "SGD"}


@pytest.mark.parametrize("value", [0.1, 1e-5, 1.234e-7, 3.0, 1e20, -0.5, 7, -7, True, False, None])
def test_yaml_reads_a_value_as_it_was(value):
    """As --set of the detector does; it would take 1e-05 for a text."""
    read = yaml.safe_load(text(value))
    assert read == value and type(read) is type(value)


def test_a_drawn_value_has_four_digits_and_stays_inside():
    axis = Range("lr0", 0.00012345, 0.012345, log=True)
    assert axis.rounded(0.00567891) == 0.005679
    assert axis.rounded(0.000123451) == 0.0001235
    assert axis.rounded(0.01234499) == 0.01234
    assert axis.rounded(0.0001234501) == 0.0001235
    assert Range("lr0", 0.00012344, 0.01).rounded(0.00012344) == 0.00012344
