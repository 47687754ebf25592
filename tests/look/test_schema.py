"""The fields of a look: draws within their bounds, and what they refuse."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from vqc.errors import InputError
from vqc.look import schema
from vqc.look.distributions import Choice, Constant, LogUniform, Normal, Uniform
from vqc.look.schema import (
    SECTIONS,
    BackdropLook,
    CameraLook,
    LightLook,
    Look,
    MaterialLook,
    SceneLook,
    SensorLook,
    happens,
    number,
    rules,
    whole,
    word,
)

MANY = 12_000
CAMERA = (600.0, 600.0, 320.0, 240.0, 640.0, 480.0)


def drawn(draw, section, name):
    rng = np.random.default_rng(3)
    return np.array([draw(section, name, rng) for _ in range(MANY)])


def near(share):
    return 4 * math.sqrt(share * (1 - share) / MANY)


def test_defaults_are_a_look_and_every_field_draws():
    look, rng = Look(), np.random.default_rng(1)
    draws = {"number": number, "whole": whole, "word": word, "share": happens}
    types = {"number": float, "whole": int, "word": str, "share": bool}
    for key, kind in SECTIONS.items():
        for name, rule in rules(kind).items():
            if rule.kind != "intrinsics":
                value = draws[rule.kind](getattr(look, key), name, rng)
                assert type(value) is types[rule.kind], f"{key}.{name}"


def test_sections_are_those_of_a_look():
    named = {f.name: type(f.default) for f in dataclasses.fields(Look) if f.name != "name"}
    assert list(named.items()) == list(SECTIONS.items())


def test_a_normal_is_clipped_to_the_bounds():
    values = drawn(number, CameraLook(elevation_deg=Normal(80, 10)), "elevation_deg")
    assert values.max() == 90 and values.min() > 20
    assert abs((values == 90).mean() - 0.1587) < near(0.1587)


def test_whole_numbers_of_a_uniform_are_equally_likely():
    values = drawn(whole, SceneLook(parts=Uniform(1, 4)), "parts")
    assert set(values.tolist()) == {1, 2, 3, 4}
    for value in (1, 2, 3, 4):
        assert abs((values == value).mean() - 0.25) < near(0.25)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Constant(3), {3}),
        (Choice((0, 5)), {0, 5}),
        (Uniform(2, 2), {2}),
        (Normal(0, 0.5), {0, 1, 2}),
        (LogUniform(0.6, 2.4), {1, 2}),
    ],
)
def test_whole_numbers_of_other_distributions_are_rounded(given, expected):
    values = set(drawn(whole, SceneLook(distractors=given), "distractors").tolist())
    assert values == expected


def test_words_and_shares():
    kinds = drawn(word, BackdropLook(kind=Choice(("photo", "colour"), (3, 1))), "kind")
    assert abs((kinds == "photo").mean() - 0.75) < near(0.75)
    assert abs(drawn(happens, SceneLook(rest=0.3), "rest").mean() - 0.3) < near(0.3)
    assert not drawn(happens, SceneLook(rest=0), "rest").any()
    assert drawn(happens, SceneLook(rest=1), "rest").all()


def test_a_draw_of_another_field_stays_whatever_this_one_holds():
    after = set()
    for size in (Constant(0.5), Uniform(0.1, 1), LogUniform(0.1, 1), Normal(1, 1), Choice((1, 2))):
        rng, camera = np.random.default_rng(5), CameraLook(size=size, x=Uniform(0, 1))
        number(camera, "size", rng)
        after.add(number(camera, "x", rng))
    rng = np.random.default_rng(5)
    happens(SceneLook(), "rest", rng)
    after.add(number(CameraLook(x=Uniform(0, 1)), "x", rng))
    assert len(after) == 1


def test_asking_for_the_wrong_kind_is_a_mistake_of_the_program():
    with pytest.raises(TypeError, match=r"SceneLook\.parts is a whole, not a number"):
        number(SceneLook(), "parts", np.random.default_rng(1))
    with pytest.raises(KeyError):
        number(SceneLook(), "sise", np.random.default_rng(1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"camera": CameraLook(size=Constant(5))}, "size: expected a number from 0.01 to 4, got 5"),
        (
            {"camera": CameraLook(size=Uniform(0.3, 5))},
            r"size: expected .* to 4, got 5 in \{uniform: \[0.3, 5\]\}",
        ),
        ({"camera": CameraLook(size=Choice((0.5, 9)))}, "camera.size: .* got 9 in"),
        ({"camera": CameraLook(size=LogUniform(0.001, 1))}, "camera.size: .* got 0.001 in"),
        ({"camera": CameraLook(size=Normal(9, 1))}, "camera.size: .* got 9 in"),
        ({"camera": CameraLook(size=Constant("big"))}, "camera.size: expected .*, got 'big'"),
        ({"camera": CameraLook(size=0.5)}, "camera.size: expected a number .*, got 0.5"),
        ({"camera": CameraLook(cut_off=2)}, "camera.cut_off: expected a number from 0 to 1"),
        ({"camera": CameraLook(cut_off=True)}, "camera.cut_off: .*, got true"),
        ({"camera": CameraLook(cut_off=Constant(0.5))}, "camera.cut_off: expected a number"),
        (
            {"scene": SceneLook(parts=Constant(1.5))},
            "scene.parts: expected a whole number from 1 to 20, got 1.5",
        ),
        ({"scene": SceneLook(parts=Uniform(1, 2.5))}, "scene.parts: .*, got 2.5 in"),
        ({"scene": SceneLook(parts=Choice((1, 2.5)))}, "scene.parts: .*, got 2.5 in"),
        (
            {"material": MaterialLook(kind=Constant("metall"))},
            "material.kind: there is no 'metall'; did you mean 'metal'? Known: plastic, painted",
        ),
        (
            {"material": MaterialLook(kind=Uniform(0, 1))},
            "material.kind: expected plastic, painted or metal, got 0 in",
        ),
        ({"sensor": SensorLook(grey=math.nan)}, "sensor.grey: .*, got nan"),
        ({"light": LightLook(lamps=Constant(9))}, "light.lamps: .* from 0 to 8, got 9"),
        ({"camera": CameraLook(intrinsics=CAMERA[:5])}, "intrinsics: expected null or .fx, fy"),
        ({"camera": CameraLook(intrinsics=(0, *CAMERA[1:]))}, "camera.intrinsics: "),
        ({"camera": CameraLook(intrinsics=(*CAMERA[:5], -1))}, "camera.intrinsics: "),
        ({"camera": CameraLook(intrinsics=(*CAMERA[:5], math.inf))}, "camera.intrinsics: "),
        ({"camera": CameraLook(intrinsics=(*CAMERA[:5], True))}, "camera.intrinsics: "),
        (
            {"camera": CameraLook(intrinsics=CAMERA, fov_deg=Constant(40))},
            "camera: expected fov_deg or intrinsics, got both",
        ),
        ({"name": ""}, "name: expected a text"),
        ({"name": "a\nb"}, "name: expected a text"),
        ({"name": "a" * 201}, "name: expected a text"),
    ],
)
def test_what_a_look_refuses(given, message):
    message = message.replace("?", r"\?")
    with pytest.raises(InputError, match=message):
        Look(**given)


def test_every_fault_is_told_at_once():
    camera = CameraLook(size=Constant(9), cut_off=3)
    with pytest.raises(InputError) as caught:
        Look("bad", camera=camera, sensor=SensorLook(jpeg=Constant(101)))
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["look 'bad'", "camera.size"],
        ["look 'bad'", "camera.cut_off"],
        ["look 'bad'", "sensor.jpeg"],
    ]


def test_bounds_themselves_are_allowed():
    for key, kind in SECTIONS.items():
        for name, rule in rules(kind).items():
            if rule.kind in ("number", "whole"):
                section = dataclasses.replace(kind(), **{name: Uniform(rule.low, rule.high)})
                Look(**{key: section})
    Look(camera=CameraLook(intrinsics=CAMERA))


def test_looks_are_keys():
    assert {Look(): 1}[Look()] == 1 and schema.sections(Look())["camera"] == CameraLook()
