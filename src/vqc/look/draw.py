"""A look, a seed and a frame's index → the frame's shot: every chance is taken here.

Each group of decisions has a generator of its own, made of the seed, the index and the number of
the group. So a frame depends on nothing else, and a change to one group leaves the others' draws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vqc import lens
from vqc.geometry import intrinsics_from_fov, transform, world2cam
from vqc.look import material, textures
from vqc.look.aim import aim
from vqc.look.arrange import arrange, part_at_rest
from vqc.look.light import draw_light, mean_light
from vqc.look.place import Group, Place
from vqc.look.schema import (
    BackdropLook,
    CameraLook,
    Look,
    SensorLook,
    ends_of,
    happens,
    number,
    whole,
    word,
)
from vqc.look.stock import Stock, photo
from vqc.shot import Body, Light, SensorDraw, Shot, Surface
from vqc.types import CameraPose, FloatArray, Intrinsics, View

LENGTHS_AT_PX = 480
"""A look's lengths in pixels are meant for frames of this height."""
_LOWEST_CAMERA_DEG = 5.0
_RAISED_BY_DEG = 2.5


def draw_shot(look: Look, stock: Stock, place: Place, width: int, height: int) -> Shot:
    """The shot of one frame, of width × height pixels."""
    rng = place.rng(Group.POSE)
    on_ground = happens(look.scene, "rest", rng)
    subject = stock.parts[place.part]
    pose = part_at_rest(look, subject, rng) if on_ground else np.eye(4)
    k = _intrinsics(look.camera, place, width, height)
    camera = _camera(look.camera, place, k, transform(pose, subject.hull), on_ground)
    view = View(place.index, camera, k, place.seed)
    bodies = []
    for thing in arrange(look, stock, place, view, pose, on_ground):
        palette, rng = stock.prop(thing.model).palette, place.rng(Group.MATERIAL, *thing.which)
        finish = material.draw_finish(look.material, palette, rng)
        bodies.append(Body(thing.model, thing.pose, finish))
    ground, behind = _surfaces(look.backdrop, stock, place, view, on_ground)
    bounce = mean_light((ground or behind).picture)
    light = draw_light(look.light, place.rng(Group.LIGHT), bounce, stock.has_environment)
    sensor = _sensor(look.sensor, place, height, light)
    return Shot(view, tuple(bodies), light, ground, behind, sensor)


# Camera ------------------------------------------------------------------------------------


_LENS = ("k1", "k2", "p1", "p2", "k3")


def require_usable_lens(look: CameraLook, width: int, height: int) -> None:
    """Raise InputError where the ends of the lens's fields fold over within the frame."""
    ends = [ends_of(look, name) for name in ("fov_deg", *_LENS)]
    for fov, *coefficients in itertools.product(*map(set, ends)):
        k = _camera_of(look, fov, coefficients, width, height)
        if k.distortion is not None:
            lens.require_usable(k, k.distortion)


def _intrinsics(look: CameraLook, place: Place, width: int, height: int) -> Intrinsics:
    rng = place.rng(Group.CAMERA, 1)
    fov, *coefficients = (number(look, name, rng) for name in ("fov_deg", *_LENS))
    return _camera_of(look, fov, coefficients, width, height)


def _camera_of(
    look: CameraLook, fov: float, coefficients: Sequence[float], width: int, height: int
) -> Intrinsics:
    k1, k2, p1, p2, k3 = coefficients
    distortion = (k1, k2, p1, p2, k3) if any(coefficients) else None
    if look.intrinsics is None:
        exact = intrinsics_from_fov(fov, width, height)
    else:
        fx, fy, cx, cy, of_width, of_height = look.intrinsics
        a, b = width / of_width, height / of_height
        exact = Intrinsics(fx * a, fy * b, cx * a, cy * b, width, height)
    return replace(exact, fx=round(exact.fx, 6), fy=round(exact.fy, 6), distortion=distortion)


def _camera(
    look: CameraLook, place: Place, k: Intrinsics, points: FloatArray, on_ground: bool
) -> CameraPose:
    rng = place.rng(Group.CAMERA)
    azimuth, elevation = number(look, "azimuth_deg", rng), number(look, "elevation_deg", rng)
    tilt, size = number(look, "tilt_deg", rng), number(look, "size", rng)
    at = number(look, "x", rng), number(look, "y", rng)
    may_cut = happens(look, "cut_off", rng)
    if on_ground:
        elevation = max(elevation, _LOWEST_CAMERA_DEG)
    while True:
        angles = (round(azimuth % 360, 4) % 360, round(elevation, 4), round(tilt, 4))
        pose = aim(points, angles, replace(k, distortion=None), size, at, may_cut)
        if not on_ground or elevation == 90 or _height_deg(pose) >= _LOWEST_CAMERA_DEG / 2:
            break
        # A part high up in the frame is seen from farther below than the elevation says.
        elevation = min(elevation + _RAISED_BY_DEG, 90.0)
    x, y, z = (round(v, 6) for v in pose.target_mm)
    return replace(pose, distance_mm=round(pose.distance_mm, 6), target_mm=(x, y, z))


def _height_deg(pose: CameraPose) -> float:
    """How high the camera stands above the ground, as seen from below its target."""
    height_mm = -float(world2cam(pose)[:3, 2] @ world2cam(pose)[:3, 3])
    return math.degrees(math.asin(max(-1.0, min(height_mm / pose.distance_mm, 1.0))))


# Ground and behind -------------------------------------------------------------------------


def _surfaces(
    look: BackdropLook, stock: Stock, place: Place, view: View, on_ground: bool
) -> tuple[Surface | None, Surface]:
    behind = _surface(look, stock, place.rng(Group.BACKDROP, 1), view, False)
    if not on_ground:
        return None, behind
    return _surface(look, stock, place.rng(Group.BACKDROP), view, True), behind


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


def _sensor(look: SensorLook, place: Place, height: int, light: Light) -> SensorDraw:
    rng = place.rng(Group.SENSOR)
    evened = number(look, "white_balance", place.rng(Group.SENSOR, 1))
    tint = light.on_open_ground()
    red, blue = (float(tint[1] / max(tint[c], 1e-6)) ** evened for c in (0, 2))
    scale = height / LENGTHS_AT_PX

    def of(name: str) -> float:
        return round(number(look, name, rng), 6)

    return SensorDraw(
        exposure_ev=of("exposure_ev"),
        balance_red=round(red, 6),
        balance_blue=round(blue, 6),
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
