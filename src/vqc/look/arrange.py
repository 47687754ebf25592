"""What stands where in a frame: the subject, more parts, distractors, occluders.

Each thing has a generator of its own, so that one more leaves the others as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vqc.geometry import transform, world2cam
from vqc.look.aim import at_pixel, seen_box
from vqc.look.place import Group, Place
from vqc.look.rest import RestPose
from vqc.look.room import find_place, footprint
from vqc.look.schema import Look, happens, number, whole
from vqc.look.stock import Prop, Stock, pick
from vqc.types import FloatArray, View

_CLEAR = 0.2
"""Share of the distance to the subject in which nothing else stands."""
_WIDEST = 3.0
"""Nothing else looks longer than that many frames; its outline would cost more than the frame."""
_IN_THE_WAY = 0.6
"""What hides that share of the subject's box, and is no occluder, is left out."""
_PART, _DISTRACTOR, _OCCLUDER = 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """A model and its (4, 4) pose in the world; which: names its generators, (0,) the subject."""

    model: int
    pose: FloatArray
    which: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """What is to be placed, in what size."""

    model: int
    scale: float
    which: tuple[int, ...]
    rng: np.random.Generator


def arrange(
    look: Look, stock: Stock, place: Place, view: View, subject: FloatArray, on_ground: bool
) -> list[Thing]:
    """Everything in the scene, labelled things first, the subject first of all.

    subject: its pose. What would reach past the camera, or hide most of the subject without being
    asked to, is left out.
    """
    hull = transform(subject, stock.parts[place.part].hull)
    others = _around(look, stock, place, hull) if on_ground else _afloat(look, stock, place, view)
    others = [thing for thing in others if not _hides(thing, stock, view, hull)]
    others += _in_front(look, stock, place, view, hull, on_ground)
    things = [thing for thing in others if _is_clear(thing, stock, view)]
    things.sort(key=lambda thing: thing.model >= len(stock.parts))
    return [Thing(place.part, subject), *things]


def part_at_rest(look: Look, part: Prop, rng: np.random.Generator) -> FloatArray:
    """A pose on the ground, with its file's upper side up where the look says so."""
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


def _others(look: Look, stock: Stock, place: Place) -> list[_Chosen]:
    """What stands around the subject: more parts, then distractors."""
    count = place.rng(Group.SCENE)
    parts, distractors = whole(look.scene, "parts", count), whole(look.scene, "distractors", count)
    size_mm = stock.parts[place.part].size_mm
    found = []
    for n in range(parts - 1):
        rng = place.rng(Group.SCENE, _PART, n)
        found.append(_Chosen(int(rng.integers(len(stock.parts))), 1.0, (_PART, n), rng))
    for n in range(distractors):
        rng = place.rng(Group.SCENE, _DISTRACTOR, n)
        found.append(_Chosen(*_distractor(look, stock, size_mm, rng), (_DISTRACTOR, n), rng))
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


def _around(look: Look, stock: Stock, place: Place, subject: FloatArray) -> list[Thing]:
    """The others, lying beside the subject; one that finds no room is left out.

    subject: (N, 3) points that span it.
    """
    size_mm = stock.parts[place.part].size_mm
    fixed, things = [footprint(subject)], []
    for chosen in _others(look, stock, place):
        other, rng = stock.prop(chosen.model), chosen.rng
        if chosen.model < len(stock.parts):
            pose = part_at_rest(look, other, rng)
        else:
            pose = _resting(pick(other.rests, rng.random()), rng.random(), chosen.scale)
        outline = footprint(transform(pose, other.hull))
        gap = number(look.scene, "spacing", rng) * size_mm
        reach = 3.0 * size_mm + chosen.scale * other.size_mm
        shift = find_place(fixed, outline, (0.0, 0.0), reach, gap, rng)
        if shift is not None:
            pose[:2, 3] += shift
            fixed.append(outline + shift)
            things.append(Thing(chosen.model, pose, chosen.which))
    return things


def _afloat(look: Look, stock: Stock, place: Place, view: View) -> list[Thing]:
    """The others, anywhere in the frame, beside or behind the subject, in any attitude."""
    k, pose = view.intrinsics, view.pose
    size_mm = stock.parts[place.part].size_mm
    things = []
    for chosen in _others(look, stock, place):
        rng = chosen.rng
        spot = (k.width * rng.random(), k.height * rng.random())
        own_mm = chosen.scale * stock.prop(chosen.model).size_mm
        depth = pose.distance_mm + size_mm + own_mm + 2.0 * size_mm * rng.random()
        at = _turned(rng, at_pixel(spot, depth, pose, k), chosen.scale)
        things.append(Thing(chosen.model, at, chosen.which))
    return things


def _in_front(
    look: Look, stock: Stock, place: Place, view: View, subject: FloatArray, on_ground: bool
) -> list[Thing]:
    """Occluders: between camera and subject, each over one side of the subject's box."""
    k, pose = view.intrinsics, view.pose
    x0, y0, x1, y1 = seen_box(subject, pose, k)
    size_mm = stock.parts[place.part].size_mm
    things = []
    for n in range(whole(look.scene, "occluders", place.rng(Group.OCCLUDERS))):
        rng = place.rng(Group.OCCLUDERS, n)
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
        away = _away((x1 - x0, y1 - y0), (ox1 - ox0, oy1 - oy0), (abs(c), abs(s)), hidden)
        spot = ((x0 + x1) / 2 + c * away, (y0 + y1) / 2 + s * away)
        turned[:3, 3] = at_pixel(spot, depth, pose, k)
        if on_ground and transform(turned, prop.hull)[:, 2].min() < 0:
            continue  # it would reach through the ground
        things.append(Thing(model, turned, (_OCCLUDER, n)))
    return things


def _away(
    part: tuple[float, float], own: tuple[float, float], along: tuple[float, float], hidden: float
) -> float:
    """How far two boxes' centres are apart where the second lies over that share of the first.

    part, own: width and height of each. along: the direction, both numbers from 0. As near as can
    be where the second is too small for the share.
    """
    low, high = 0.0, sum(part) + sum(own)
    for _ in range(40):
        middle = (low + high) / 2
        share = 1.0
        for a, b, step in zip(part, own, along, strict=True):
            over = min(max((a + b) / 2 - step * middle, 0.0), a, b)
            share *= over / max(a, 1e-9)
        low, high = (middle, high) if share > hidden else (low, middle)
    return low


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


def _is_clear(thing: Thing, stock: Stock, view: View) -> bool:
    """Whether the camera is well outside: something that reaches past it has no outline."""
    points, k = transform(thing.pose, stock.prop(thing.model).hull), view.intrinsics
    if transform(world2cam(view.pose), points)[:, 2].min() <= _CLEAR * view.pose.distance_mm:
        return False
    x0, y0, x1, y1 = seen_box(points, view.pose, k)
    return max(x1 - x0, y1 - y0) <= _WIDEST * max(k.width, k.height)


def _hides(thing: Thing, stock: Stock, view: View, subject: FloatArray) -> bool:
    """Whether it stands between camera and subject, and over most of the subject's box."""
    points, camera = transform(thing.pose, stock.prop(thing.model).hull), world2cam(view.pose)
    if transform(camera, points)[:, 2].mean() > transform(camera, subject)[:, 2].mean():
        return False
    a, b = (seen_box(p, view.pose, view.intrinsics) for p in (subject, points))
    over = [max(min(a[i + 2], b[i + 2]) - max(a[i], b[i]), 0.0) for i in (0, 1)]
    return over[0] * over[1] > _IN_THE_WAY * (a[2] - a[0]) * (a[3] - a[1])
