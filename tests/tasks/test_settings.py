"""Settings as text and as values, turned into the fields of a config."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from vqc.errors import InputError
from vqc.tasks.settings import describe_fields, parse, sift


def setting(default: Any, **more: Any) -> Any:
    return field(default=default, metadata={"help": "what it is", **more})


@dataclass(frozen=True)
class Config:
    epochs: int = setting(10, low=1)
    rate: float = setting(0.5, low=0, high=1)
    flip: bool = setting(True)
    weights: str = setting("yolov8n.pt")
    freeze: int | None = setting(None, low=0)
    note: str | None = setting(None)
    size: Literal["small", "large"] = setting("small")
    layers: Literal[18, 50] = setting(18)
    gpus: list[int] = field(default_factory=list, metadata={"help": "which", "low": 0})
    scale: tuple[float, ...] = setting((0.5, 1.5))
    batch: int | Literal["auto"] = setting("auto")
    sha256: str | None = None


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("epochs", "12", 12),
        ("epochs", 12, 12),
        ("rate", "1e-3", 0.001),
        ("rate", ".5", 0.5),
        ("rate", 1, 1.0),
        ("flip", "no", False),
        ("flip", "TRUE", True),
        ("flip", False, False),
        ("weights", "8", "8"),
        ("weights", "", ""),
        ("freeze", "none", None),
        ("freeze", None, None),
        ("freeze", "3", 3),
        ("note", "None", None),
        ("note", "nothing", "nothing"),
        ("size", "large", "large"),
        ("layers", "50", 50),
        ("layers", 50, 50),
        ("gpus", "0, 2", [0, 2]),
        ("gpus", "", []),
        ("gpus", 1, [1]),
        ("gpus", [0, "1"], [0, 1]),
        ("scale", "1,2", (1.0, 2.0)),
        ("scale", [1, 2], (1.0, 2.0)),
        ("batch", "auto", "auto"),
        ("batch", "16", 16),
    ],
)
def test_a_value_that_fits_is_typed(name, given, expected):
    value = parse(Config, {name: given})[name]
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("epochs", "ten", "epochs: expected a whole number from 1, got ten"),
        ("epochs", "1.5", "a whole number"),
        ("epochs", 1.5, "a whole number"),
        ("epochs", True, "got True"),
        ("epochs", "0", "a whole number from 1, got 0"),
        ("epochs", "1_0", "a whole number"),
        ("epochs", "9" * 5000, "a whole number"),
        ("epochs", "", "got ''"),
        ("epochs", None, "got None"),
        ("rate", "nan", "rate: expected a number from 0 to 1, got nan"),
        ("rate", "1e999", "a number from 0 to 1"),
        ("rate", float("inf"), "a number"),
        ("rate", 1.01, "got 1.01"),
        ("flip", "maybe", "flip: expected true or false, got maybe"),
        ("flip", 1, "true or false"),
        ("weights", 8, "weights: expected a text, got 8"),
        ("freeze", "few", "freeze: expected a whole number from 0 or none, got few"),
        ("freeze", "-1", "got -1"),
        ("size", "medium", "size: expected one of small, large, got medium"),
        ("layers", 34, "one of 18, 50"),
        ("gpus", "0,x", "gpus: expected a whole number from 0, or several with commas, got 0,x"),
        ("gpus", "0,-1", "got 0,-1"),
        ("batch", "some", "a whole number or one of auto"),
    ],
)
def test_a_value_that_does_not_fit_says_what_would(name, given, message):
    with pytest.raises(InputError) as caught:
        parse(Config, {name: given})
    assert message in str(caught.value)


def test_an_unknown_name_gets_the_nearest_known_one():
    with pytest.raises(InputError, match="epoch: there is no such setting; did you mean 'epochs'"):
        parse(Config, {"epoch": 3})
    with pytest.raises(InputError, match=r"xyz: there is no such setting\. Known: batch, epochs, "):
        parse(Config, {"xyz": 3})


def test_all_faults_are_told_at_once():
    with pytest.raises(InputError) as caught:
        parse(Config, {"epoch": 1, "rate": "fast", "flip": "no", "size": "huge"})
    told = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert told == ["epoch", "rate", "size"]


def test_a_field_without_help_is_no_setting():
    with pytest.raises(InputError, match="sha256: there is no such setting"):
        parse(Config, {"sha256": "00"})
    assert "sha256" not in [s.name for s in describe_fields(Config)]


def test_fields_are_described_in_their_order():
    described = describe_fields(Config)
    assert [s.name for s in described][:3] == ["epochs", "rate", "flip"]
    kinds = {s.name: (s.kind, s.default) for s in described}
    assert kinds["epochs"] == ("a whole number from 1", 10)
    assert kinds["rate"] == ("a number from 0 to 1", 0.5)
    assert kinds["gpus"][1] == []
    assert kinds["size"] == ("one of small, large", "small")
    assert all(s.help for s in described)


def test_every_default_fits_its_own_field():
    defaults = {s.name: s.default for s in describe_fields(Config)}
    assert parse(Config, defaults) == defaults


def test_what_fits_is_kept_beside_what_does_not():
    values, faults = sift(Config, {"epochs": "5", "rate": "fast", "epochz": "1"})
    assert values == {"epochs": 5} and list(faults) == ["rate", "epochz"]
    assert faults["rate"] == "rate: expected a number from 0 to 1, got fast"
