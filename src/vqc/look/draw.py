"""A look, a seed and a frame's index → the frame's shot: every chance is taken here.

Each group of decisions has a generator of its own, made of the seed, the index and the number of
the group. So a frame depends on nothing else, and a change to one group leaves the others' draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from vqc.geometry import intrinsics_from_fov, transform, world2cam
from vqc.look import material, textures
from vqc.look.aim import aim, at_pixel, seen_box
from vqc.look.light import draw_light, mean_light
from vqc.look.rest import RestPose, find_place, footprint
from vqc.look.schema import BackdropLook, CameraLook, Look, SensorLook, happens, number, whole, word
from vqc.look.stock import Prop, Stock, photo, pick
from vqc.shot import Body, SensorDraw, Shot, Surface
from vqc.types import CameraPose, FloatArray, Intrinsics, View

LENGTHS_AT_PX = 480
"""A look's lengths in pixels are meant for frames of this height."""
_LOWEST_CAMERA_DEG = 5.0
_CLEAR = 0.2
"""Share of the distance to the subject in which nothing else stands."""


class _Group(IntEnum):
    """Numbers for good: another one is another draw."""

    CAMERA = 1
    POSE = 2
    SCENE = 3
    OCCLUDERS = 4
    LIGHT = 5
    BACKDROP = 6
    SENSOR = 7
    MATERIAL = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Which frame is drawn: of which set, and which part is its subject."""

    seed: int
    index: int
    part: int

    def rng(self, group: _Group, *more: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.index, int(group), *more])


def draw_shot(look: Look, stock: Stock, place: Place, width: int, height: int) -> Shot:
    """The shot of one frame, of width × height pixels."""
    rng = place.rng(_Group.POSE)
    on_ground = happens(look.scene, "rest", rng)
    subject = stock.parts[place.part]
    pose = _part_at_rest(look, subject, rng) if on_ground else np.eye(4)
    k = _intrinsics(look.camera, place, width, height)
    camera = _camera(look.camera, place, k, transform(pose, subject.hull), on_ground)
    view = View(place.index, camera, k, place.seed)
    standing = [(place.part, pose)]
    if on_ground:
        standing += _around(look, stock, place, pose)
    else:
        standing += _afloat(look, stock, place, view)
    standing += _in_front(look, stock, place, view, transform(pose, subject.hull))
    standing = [item for item in standing if item is standing[0] or _is_clear(*item, stock, view)]
    standing.sort(key=lambda item: item[0] >= len(stock.parts))
    bodies = [
        Body(
            model,
            at,
            material.draw_finish(
                look.material, stock.prop(model).palette, place.rng(_Group.MATERIAL, n)
            ),
        )
        for n, (model, at) in enumerate(standing)
    ]
    ground, behind = _surfaces(look.backdrop, stock, place, view, on_ground)
    bounce = mean_light((ground or behind).picture)
    light = draw_light(look.light, place.rng(_Group.LIGHT), bounce, stock.has_environment)
    sensor = _sensor(look.sensor, place, height)
    return Shot(view, tuple(bodies), light, ground, behind, sensor)


# Camera ------------------------------------------------------------------------------------


def _intrinsics(look: CameraLook, place: Place, width: int, height: int) -> Intrinsics:
    rng = place.rng(_Group.CAMERA, 1)
    fov = number(look, "fov_deg", rng)
    k1, k2, p1, p2, k3 = (number(look, name, rng) for name in ("k1", "k2", "p1", "p2", "k3"))
    lens = (k1, k2, p1, p2, k3) if any((k1, k2, p1, p2, k3)) else None
    if look.intrinsics is None:
        exact = intrinsics_from_fov(fov, width, height)
    else:
        fx, fy, cx, cy, of_width, of_height = look.intrinsics
        a, b = width / of_width, height / of_height
        exact = Intrinsics(fx * a, fy * b, cx * a, cy * b, width, height)
    return replace(exact, fx=round(exact.fx, 6), fy=round(exact.fy, 6), distortion=lens)


def _camera(
    look: CameraLook, place: Place, k: Intrinsics, points: FloatArray, on_ground: bool
) -> CameraPose:
    rng = place.rng(_Group.CAMERA)
    azimuth, elevation = number(look, "azimuth_deg", rng), number(look, "elevation_deg", rng)
    tilt, size = number(look, "tilt_deg", rng), number(look, "size", rng)
    at = number(look, "x", rng), number(look, "y", rng)
    may_cut = happens(look, "cut_off", rng)
    if on_ground:
        elevation = max(elevation, _LOWEST_CAMERA_DEG)
    angles = (round(azimuth % 360, 4) % 360, round(elevation, 4), round(tilt, 4))
    pose = aim(points, angles, replace(k, distortion=None), size, at, may_cut)
    x, y, z = (round(v, 6) for v in pose.target_mm)
    return replace(pose, distance_mm=round(pose.distance_mm, 6), target_mm=(x, y, z))


# What stands where -------------------------------------------------------------------------


def _part_at_rest(look: Look, part: Prop, rng: np.random.Generator) -> FloatArray:
    upright, which, turn = happens(look.scene, "upright", rng), rng.random(), rng.random()
    best = max(
        part.rests, key=lambda rest: (round(float(rest.rotation[2, 2]), 6), rest.probability)
    )
    return _resting(best if upright else pick(part.rests, which), turn)


def _resting(rest: RestPose, turn: float, scale: float = 1.0) -> FloatArray:
    """Lying on the ground at its origin, turned about the up axis."""
    c, s = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    pose = np.eye(4)
    pose[:3, :3] = scale * (np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ rest.rotation)
    pose[2, 3] = scale * rest.lift_mm
    return pose


def _others(
    look: Look, stock: Stock, place: Place, rng: np.random.Generator
) -> list[tuple[int, float]]:
    """Models and scales of what stands around the subject: more parts, then distractors."""
    parts, distractors = whole(look.scene, "parts", rng), whole(look.scene, "distractors", rng)
    size_mm = stock.parts[place.part].size_mm
    found = [(int(rng.integers(len(stock.parts))), 1.0) for _ in range(parts - 1)]
    found += [_distractor(look, stock, size_mm, rng) for _ in range(distractors)]
    return found


def _distractor(
    look: Look, stock: Stock, size_mm: float, rng: np.random.Generator
) -> tuple[int, float]:
    a_shape, share = happens(look.scene, "shapes", rng) or not stock.files, rng.random()
    among = stock.shapes if a_shape else stock.files
    first = len(stock.parts) + (len(stock.files) if a_shape else 0)
    model = first + int(share * len(among))
    scale = number(look.scene, "distractor_size", rng) * size_mm / stock.prop(model).size_mm
    return model, scale


def _around(
    look: Look, stock: Stock, place: Place, subject: FloatArray
) -> list[tuple[int, FloatArray]]:
    """The others, lying beside the subject; one that finds no room is left out."""
    rng = place.rng(_Group.SCENE)
    prop = stock.parts[place.part]
    fixed = [footprint(transform(subject, prop.hull))]
    placed = []
    for model, scale in _others(look, stock, place, rng):
        other = stock.prop(model)
        if model < len(stock.parts):
            pose = _part_at_rest(look, other, rng)
        else:
            pose = _resting(pick(other.rests, rng.random()), rng.random(), scale)
        outline = footprint(transform(pose, other.hull))
        gap = number(look.scene, "spacing", rng) * prop.size_mm
        reach = 3.0 * prop.size_mm + scale * other.size_mm
        shift = find_place(fixed, outline, (0.0, 0.0), reach, gap, rng)
        if shift is not None:
            pose[:2, 3] += shift
            fixed.append(outline + shift)
            placed.append((model, pose))
    return placed


def _afloat(look: Look, stock: Stock, place: Place, view: View) -> list[tuple[int, FloatArray]]:
    """The others, anywhere in the frame, beside or behind the subject, in any attitude."""
    rng = place.rng(_Group.SCENE)
    k, pose = view.intrinsics, view.pose
    size_mm = stock.parts[place.part].size_mm
    placed = []
    for model, scale in _others(look, stock, place, rng):
        spot = (k.width * rng.random(), k.height * rng.random())
        depth = pose.distance_mm + size_mm * (0.8 + 2.0 * rng.random())
        placed.append((model, _turned(rng, at_pixel(spot, depth, pose, k), scale)))
    return placed


def _in_front(
    look: Look, stock: Stock, place: Place, view: View, subject: FloatArray
) -> list[tuple[int, FloatArray]]:
    """Occluders: between camera and subject, each over one side of the subject's box."""
    rng = place.rng(_Group.OCCLUDERS)
    k, pose = view.intrinsics, view.pose
    x0, y0, x1, y1 = seen_box(subject, pose, k)
    size_mm = stock.parts[place.part].size_mm
    placed = []
    for _ in range(whole(look.scene, "occluders", rng)):
        model, scale = _distractor(look, stock, size_mm, rng)
        prop = stock.prop(model)
        angle, nearness = 2 * math.pi * rng.random(), 0.55 + 0.3 * rng.random()
        hidden = number(look.scene, "occlusion", rng)
        turned = _turned(rng, np.zeros(3), scale)
        depth = pose.distance_mm * nearness
        there = turned.copy()
        there[:3, 3] = at_pixel(((x0 + x1) / 2, (y0 + y1) / 2), depth, pose, k)
        ox0, oy0, ox1, oy1 = seen_box(transform(there, prop.hull), pose, k)
        c, s = math.cos(angle), math.sin(angle)
        reach = abs(c) * (x1 - x0) + abs(s) * (y1 - y0)
        own = abs(c) * (ox1 - ox0) + abs(s) * (oy1 - oy0)
        away = reach / 2 + own / 2 - hidden * reach
        spot = ((x0 + x1) / 2 + c * away, (y0 + y1) / 2 + s * away)
        turned[:3, 3] = at_pixel(spot, depth, pose, k)
        placed.append((model, turned))
    return placed


def _turned(rng: np.random.Generator, at: FloatArray, scale: float) -> FloatArray:
    """A random attitude, every one alike (Shoemake, "Uniform random rotations", 1992)."""
    u, v, w = rng.random(3)
    a, b = math.sqrt(1 - u), math.sqrt(u)
    x, y = a * math.sin(2 * math.pi * v), a * math.cos(2 * math.pi * v)
    z, q = b * math.sin(2 * math.pi * w), b * math.cos(2 * math.pi * w)
    pose = np.eye(4)
    pose[:3, :3] = scale * np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - q * z), 2 * (x * z + q * y)],
            [2 * (x * y + q * z), 1 - 2 * (x * x + z * z), 2 * (y * z - q * x)],
            [2 * (x * z - q * y), 2 * (y * z + q * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    pose[:3, 3] = at
    return pose


def _is_clear(model: int, pose: FloatArray, stock: Stock, view: View) -> bool:
    """Whether the camera is well outside: something that reaches past it has no outline."""
    depth = transform(world2cam(view.pose) @ pose, stock.prop(model).hull)[:, 2]
    return float(depth.min()) > _CLEAR * view.pose.distance_mm


# Ground and behind -------------------------------------------------------------------------


def _surfaces(
    look: BackdropLook, stock: Stock, place: Place, view: View, on_ground: bool
) -> tuple[Surface | None, Surface]:
    behind = _surface(look, stock, place.rng(_Group.BACKDROP, 1), view, False)
    if not on_ground:
        return None, behind
    return _surface(look, stock, place.rng(_Group.BACKDROP), view, True), behind


def _surface(
    look: BackdropLook, stock: Stock, rng: np.random.Generator, view: View, on_ground: bool
) -> Surface:
    k = view.intrinsics
    kind, which, zoom = word(look, "kind", rng), rng.random(), number(look, "zoom", rng)
    colour = [number(look, name, rng) for name in ("hue_deg", "saturation", "brightness")]
    contrast, blur = number(look, "contrast", rng), number(look, "blur_px", rng)
    turn, left, top, mirrored = rng.random(4)
    if kind == "photo" and not stock.photos:
        kind = "texture"
    if kind == "photo":
        picture = photo(stock.photos[int(which * len(stock.photos))])
    elif kind == "texture":
        picture = textures.texture(
            k.width, k.height, rng, colour[0], colour[1], colour[2], contrast
        )
    else:
        picture = textures.plain_colour(16, 12, colour[0], colour[1], colour[2])
    blur_px = blur * k.height / LENGTHS_AT_PX
    high, wide = picture.shape[:2]
    if not on_ground:
        rows, cols = max(1, round(high / zoom)), max(1, round(wide / zoom))
        y, x = int(top * (high - rows + 1)), int(left * (wide - cols + 1))
        picture = picture[y : y + rows, x : x + cols]
        picture = picture[:, ::-1] if mirrored < 0.5 else picture
        return Surface(np.ascontiguousarray(picture), blur_px=blur_px)
    seen_mm = view.pose.distance_mm * k.height / k.fy
    mm_per_px = 1.3 * zoom * seen_mm / high
    target = np.asarray(view.pose.target_mm)[:2]
    room = seen_mm * (zoom - 1) / 2
    shift = target + room * (2 * np.array([left, top]) - 1)
    return Surface(picture, mm_per_px, 360 * turn, (float(shift[0]), float(shift[1])), blur_px)


# Sensor ------------------------------------------------------------------------------------


def _sensor(look: SensorLook, place: Place, height: int) -> SensorDraw:
    rng = place.rng(_Group.SENSOR)
    scale = height / LENGTHS_AT_PX

    def of(name: str) -> float:
        return round(number(look, name, rng), 6)

    return SensorDraw(
        exposure_ev=of("exposure_ev"),
        red=of("red"),
        blue=of("blue"),
        vignette=of("vignette"),
        defocus_px=of("defocus_px") * scale,
        motion_px=of("motion_px") * scale,
        motion_deg=round(180 * rng.random(), 3),
        resolution=of("resolution"),
        shot_noise=of("shot_noise"),
        read_noise=of("read_noise"),
        contrast=of("contrast"),
        saturation=of("saturation"),
        sharpen=of("sharpen"),
        jpeg=whole(look, "jpeg", rng),
        grey=happens(look, "grey", rng),
        noise_seed=int(rng.integers(2**31)),
    )
