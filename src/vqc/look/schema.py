# ruff: noqa: RUF009 - the helpers of this file return dataclass fields
"""A look: the distributions that every frame of a rendered set is drawn from.

Every field of the tables below can be set in a look's YAML; what is left out keeps its default, and
the defaults are a plain, evenly lit picture. The reference in `docs/looks.md` is made of this file.
`number`, `whole`, `word` and `happens` draw from a field, the only way from a look to a value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vqc.contract import is_text
from vqc.errors import InputError
from vqc.look.distributions import Constant, Distribution, LogUniform, Normal, Uniform, shown
from vqc.look.rules import Rule

_LONGEST_NAME = 200
BOTH = "camera: expected fov_deg or intrinsics, got both: intrinsics give the field of view, too"


def _number(default: Distribution | float, low: float, high: float, unit: str, meaning: str) -> Any:
    """A field whose draws are numbers within [low, high]; unit: "" where it has none."""
    return _drawn(default, Rule("number", meaning, low, high, unit))


def _whole(default: Distribution | float, low: int, high: int, meaning: str) -> Any:
    """A field whose draws are whole numbers within [low, high]."""
    return _drawn(default, Rule("whole", meaning, low, high))


def _name(default: str, words: tuple[str, ...], meaning: str) -> Any:
    """A field whose draws are one of a few words."""
    return _drawn(default, Rule("word", meaning, words=words))


def _drawn(default: Distribution | float | str, rule: Rule) -> Any:
    value = default if isinstance(default, Distribution) else Constant(default)
    return field(default=value, metadata={"rule": rule})


def _share(default: float, meaning: str) -> Any:
    """A field that is no distribution but a share, mostly of frames in which something is so."""
    return field(default=default, metadata={"rule": Rule("share", meaning)})


def _intrinsics(meaning: str) -> Any:
    return field(default=None, metadata={"rule": Rule("intrinsics", meaning)})


@dataclass(frozen=True, slots=True)
class CameraLook:
    """Where the camera is, and which."""

    azimuth_deg: Distribution = _number(
        Uniform(0, 360), -360, 360, "°", "direction of the camera about the up axis"
    )
    elevation_deg: Distribution = _number(
        Uniform(-40, 40), -90, 90, "°", "height of the camera above the horizontal plane"
    )
    tilt_deg: Distribution = _number(0, -180, 180, "°", "turn about the optical axis")
    size: Distribution = _number(
        0.6, 0.01, 4, "", "longer side of the part's box ÷ shorter side of the frame"
    )
    x: Distribution = _number(0.5, -0.5, 1.5, "", "centre of the part's box ÷ width of the frame")
    y: Distribution = _number(0.5, -0.5, 1.5, "", "centre of the part's box ÷ height of the frame")
    cut_off: float = _share(0.0, "share of frames in which the part may reach over the border")
    fov_deg: Distribution = _number(30, 1, 120, "°", "vertical field of view")
    intrinsics: tuple[float, ...] | None = _intrinsics(
        "a calibrated camera instead of fov_deg: [fx, fy, cx, cy, width, height] in pixels; "
        "scaled to the size of the frame"
    )
    k1: Distribution = _number(0, -1, 1, "", "distortion after Brown, radial")
    k2: Distribution = _number(0, -1, 1, "", "the same")
    k3: Distribution = _number(0, -1, 1, "", "the same")
    p1: Distribution = _number(0, -0.1, 0.1, "", "the same, tangential")
    p2: Distribution = _number(0, -0.1, 0.1, "", "the same, tangential")


@dataclass(frozen=True, slots=True)
class SceneLook:
    """What stands in front of it."""

    parts: Distribution = _whole(1, 1, 20, "objects of the trained classes, in all")
    distractors: Distribution = _whole(0, 0, 30, "objects of no class")
    distractor_size: Distribution = _number(
        LogUniform(0.2, 2), 0.01, 20, "", "size of a distractor ÷ size of the part"
    )
    shapes: float = _share(
        0.5, "share of distractors that are vqc's own, where --distractors gives others"
    )
    spacing: Distribution = _number(
        Uniform(0.05, 0.6), 0, 5, "", "gap between neighbours ÷ size of the part"
    )
    occluders: Distribution = _whole(0, 0, 5, "objects between the camera and the part")
    occlusion: Distribution = _number(
        Uniform(0.05, 0.4), 0, 1, "", "share of the part's box that an occluder reaches over"
    )
    rest: float = _share(0.0, "share of frames in which all lies on a ground, in a stable pose")
    upright: float = _share(
        0.0, "parts at rest that lie with the side up that is up in their file, if they can"
    )


@dataclass(frozen=True, slots=True)
class BackdropLook:
    """The ground and what is behind."""

    kind: Distribution = _name(
        "colour", ("photo", "texture", "colour"), "what shows; photo: one of --backgrounds"
    )
    hue_deg: Distribution = _number(
        Uniform(0, 360), 0, 360, "°", "hue of a texture or a plain colour"
    )
    saturation: Distribution = _number(0, 0, 1, "", "its saturation")
    brightness: Distribution = _number(1, 0, 1, "", "its brightness")
    contrast: Distribution = _number(Uniform(0.05, 0.5), 0, 1, "", "contrast of a texture")
    zoom: Distribution = _number(1, 1, 8, "", "how far a photo is enlarged; the rest is cut")
    blur_px: Distribution = _number(0, 0, 20, "px", "blur of what is behind (of a frame 480 high)")


@dataclass(frozen=True, slots=True)
class LightLook:
    """Lamps and the light from everywhere."""

    lamps: Distribution = _whole(1, 0, 8, "number of lamps")
    elevation_deg: Distribution = _number(
        Uniform(30, 80), 0, 90, "°", "height of a lamp above the horizontal plane"
    )
    size_deg: Distribution = _number(
        10, 0.1, 120, "°", "angular diameter of a lamp: softness of shadows and highlights"
    )
    ambient: Distribution = _number(0.5, 0, 1, "", "share of the light from everywhere")
    temperature_k: Distribution = _number(6500, 1500, 20000, "K", "colour of a lamp's light")
    brightness: Distribution = _number(
        0.9, 0.01, 20, "", "what a white surface sends back that faces all light; 1 is white"
    )
    environment: float = _share(
        1.0, "share of frames lit by the map of --environment, where it is given"
    )


@dataclass(frozen=True, slots=True)
class MaterialLook:
    """What surfaces are made of; drawn for each colour of each object."""

    colour: Distribution = _name(
        "cad", ("cad", "random", "grey"), "where an object's colours come from"
    )
    hue_deg: Distribution = _number(0, -180, 180, "°", "turn of a colour's hue")
    saturation: Distribution = _number(1, 0, 5, "", "a colour's saturation, times this")
    brightness: Distribution = _number(1, 0.05, 5, "", "a colour's brightness, times this")
    kind: Distribution = _name("plastic", ("plastic", "painted", "metal"), "kind of surface")
    roughness: Distribution = _number(0.5, 0.05, 1, "", "0.05 a mirror, 1 chalk")
    grain: Distribution = _number(0, 0, 1, "", "fine unevenness of the colour")
    scratches: Distribution = _number(0, 0, 1, "", "fine scratches in the surface")


@dataclass(frozen=True, slots=True)
class SensorLook:
    """What the camera makes of the light. Lengths are in pixels of a frame 480 high."""

    exposure_ev: Distribution = _number(0, -6, 6, "EV", "exposure, in powers of two")
    white_balance: Distribution = _number(
        1, 0, 1, "", "how far the camera takes back the colour of the light: 0 not, 1 wholly"
    )
    red: Distribution = _number(1, 0.2, 5, "", "red beside that, relative to green")
    blue: Distribution = _number(1, 0.2, 5, "", "blue beside that, relative to green")
    vignette: Distribution = _number(0, 0, 1, "", "share of the light that the corners lose")
    defocus_px: Distribution = _number(0, 0, 20, "px", "radius of the disc that a point becomes")
    motion_px: Distribution = _number(0, 0, 60, "px", "length of the line that a point becomes")
    resolution: Distribution = _number(1, 0.05, 1, "", "share of the frame's size that was taken")
    shot_noise: Distribution = _number(
        0, 0, 0.5, "", "standard deviation at white ÷ white; its variance goes with the light"
    )
    read_noise: Distribution = _number(0, 0, 0.5, "", "standard deviation everywhere ÷ white")
    contrast: Distribution = _number(1, 0.1, 5, "", "slope at mid-grey")
    saturation: Distribution = _number(1, 0, 5, "", "distance from grey, times this")
    sharpen: Distribution = _number(0, 0, 5, "", "strength of an unsharp mask")
    jpeg: Distribution = _whole(95, 1, 100, "quality of the JPEG compression")
    grey: float = _share(0.0, "share of frames without colours")


Section = CameraLook | SceneLook | BackdropLook | LightLook | MaterialLook | SensorLook


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that is left to chance in a rendered set.

    Raises InputError, with every field that does not fit.
    """

    name: str = "plain"
    camera: CameraLook = CameraLook()
    scene: SceneLook = SceneLook()
    backdrop: BackdropLook = BackdropLook()
    light: LightLook = LightLook()
    material: MaterialLook = MaterialLook()
    sensor: SensorLook = SensorLook()

    def __post_init__(self) -> None:
        found = faults(self.name, sections(self))
        if found:
            raise InputError("\n".join(f"look {shown(self.name)}: {fault}" for fault in found))


SECTIONS: Mapping[str, type[Section]] = {
    "camera": CameraLook,
    "scene": SceneLook,
    "backdrop": BackdropLook,
    "light": LightLook,
    "material": MaterialLook,
    "sensor": SensorLook,
}
"""The sections of a look by name, in the order in which they are written."""


def sections(look: Look) -> dict[str, Section]:
    """The sections of one look by name."""
    return {name: getattr(look, name) for name in SECTIONS}


_RULES: Mapping[type, Mapping[str, Rule]] = {
    kind: {f.name: f.metadata["rule"] for f in dataclasses.fields(kind)}
    for kind in SECTIONS.values()
}


def rules(section: type[Section]) -> Mapping[str, Rule]:
    """The fields of a section, in order."""
    return _RULES[section]


def number(section: Section, name: str, rng: np.random.Generator) -> float:
    """A draw from a field of numbers, within the field's bounds."""
    return float(_draw(section, name, "number", rng))


def ends_of(section: Section, name: str) -> tuple[float, float]:
    """The least and the largest number that a field of numbers can draw."""
    rule, given = rules(type(section))[name], getattr(section, name)
    ends = (given.at(0), given.at(1)) if isinstance(given, Normal) else given.stated
    return max(min(ends), rule.low), min(max(ends), rule.high)


def whole(section: Section, name: str, rng: np.random.Generator) -> int:
    """A draw from a field of whole numbers; every one of a uniform is equally likely."""
    return int(_draw(section, name, "whole", rng))


def word(section: Section, name: str, rng: np.random.Generator) -> str:
    """A draw from a field of words."""
    return str(_draw(section, name, "word", rng))


def happens(section: Section, name: str, rng: np.random.Generator) -> bool:
    """Whether what is so in a share of the cases is so in this one."""
    return bool(_draw(section, name, "share", rng))


def _draw(section: Section, name: str, kind: str, rng: np.random.Generator) -> float | str:
    """Every draw from a look: one number of the generator, whatever the field holds."""
    rule = rules(type(section))[name]
    if rule.kind != kind:
        raise TypeError(f"{type(section).__name__}.{name} is a {rule.kind}, not a {kind}")
    given, share = getattr(section, name), float(rng.random())
    if not isinstance(given, Distribution):
        return share < float(given)  # a share
    if kind == "whole" and isinstance(given, Uniform):
        return min(given.low + int(share * (given.high - given.low + 1)), given.high)
    value = given.at(share)
    if isinstance(value, str):
        return value
    value = min(max(value, rule.low), rule.high)
    return round(value) if kind == "whole" else value


def faults(name: Any, parts: Mapping[str, Section]) -> list[str]:
    """Everything wrong with the name and the sections of a look, each with its dotted path."""
    found = []
    if not is_text(name) or len(name) > _LONGEST_NAME:
        expected = f"a text on one line, of at most {_LONGEST_NAME} characters"
        found.append(f"name: expected {expected}, got {shown(name)}")
    for key, section in parts.items():
        for field_name, rule in rules(type(section)).items():
            fault = rule.fault(getattr(section, field_name))
            if fault:
                found.append(f"{key}.{field_name}: {fault}")
    camera = parts["camera"]
    if (
        isinstance(camera, CameraLook)
        and camera.intrinsics is not None
        and camera.fov_deg != CameraLook().fov_deg
    ):
        found.append(BOTH)
    return found
