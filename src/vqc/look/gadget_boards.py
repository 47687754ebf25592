"""Gadgets with rasters: random circuit boards, perforated boards, breadboards, terminals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vqc.look.gadget_prints import words
from vqc.look.pieces import (
    FLIPPED,
    PROUD,
    Rgb,
    Solids,
    any_of,
    around,
    bars,
    boxes,
    circle,
    corners_of,
    dark,
    discs,
    ink,
    light,
    marks,
    metal,
    moved,
    prism,
    raster,
    rounded,
    tone,
)

_BOTH_SIDES = 1200
"""A raster of more triangles is on one side only."""

_Maker = Callable[[np.random.Generator, Rgb], tuple[float, float, Solids]]
"""Random numbers and the colour of the board's print → a component at the origin, on the plane
z = 0: its width and depth, and its sides."""


def circuit(rng: np.random.Generator) -> Solids:
    """A printed circuit board with parts at random places."""
    width, depth, thick = 1.0, rng.uniform(0.35, 1), rng.uniform(0.015, 0.04)
    hues = {"green": (0.3, 0.45), "blue": (0.55, 0.68), "red": (0.95, 1.02), "any": (0.0, 1.0)}
    hue = hues[str(rng.choice(list(hues)))]
    plate = any_of(rng) if rng.random() < 0.35 else tone(rng, (0.2, 0.6), (0.6, 1), hue)
    solids = prism(rounded(width, depth, 0.03), (0, thick), (1, 1), plate)
    ring, hole, print_ = metal(rng), dark(rng), ink(plate, rng)
    corners = raster(2, 2, (width - 0.12, depth - 0.12))
    for z, axes in ((thick, np.eye(3)), (0.0, FLIPPED)):
        rings = discs(corners, 0.045, PROUD, ring, 12) + discs(corners, 0.026, 2 * PROUD, hole)
        solids += moved(rings, axes, (0, 0, z))
    taken = around(corners, 0.1, 0.1).tolist()
    front: Solids = []
    for maker, tries in ((_connector, 4), (_header, 3), (_chip, 4), (_can, 3), (_row, 6)):
        for _ in range(int(rng.integers(1 if maker is _chip else 0, tries + 1))):
            front += _put(maker, (width, depth), taken, print_, rng)
    for _ in range(int(rng.integers(3, 10))):
        x, y = rng.uniform(-0.46, 0.3) * width, rng.uniform(-0.46, 0.46) * depth
        front += words(np.array([x, y - 0.012, x + 0.15, y + 0.012]), 1, PROUD, print_, rng, 0.9)
    behind = []
    for place in rng.uniform(-0.3, 0.3, (int(rng.integers(2, 7)), 2)) * (1, depth):
        joints = raster(int(rng.integers(2, 9)), int(rng.integers(1, 3)), (0.035, 0.035)) + place
        behind += discs(joints, 0.012, 0.008, ring, 6)
    return solids + moved(front, np.eye(3), (0, 0, thick)) + moved(behind, FLIPPED)


def _put(
    maker: _Maker,
    plate: tuple[float, float],
    taken: list[list[float]],
    print_: Rgb,
    rng: np.random.Generator,
) -> Solids:
    """A component, on the plane z = 0, at a free place, whose rectangle joins those taken."""
    width, depth, solids = maker(rng, print_)
    axes = np.eye(3)
    if rng.random() < 0.5:
        width, depth, axes = depth, width, np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    room = np.array([plate[0] - width, plate[1] - depth]) / 2 - 0.01
    for _ in range(12):
        x, y = rng.uniform(-1, 1, 2) * room
        if maker is _connector or (maker is _header and rng.random() < 0.7):  # at the rim
            out = 0.03 if maker is _connector else 0.0
            y = math.copysign(room[1] + out, y) if width > depth else y
            x = x if width > depth else math.copysign(room[0] + out, x)
        box = [x - width / 2, y - depth / 2, x + width / 2, y + depth / 2]
        if (room > 0).all() and not any(_meet(box, other) for other in taken):
            taken.append(box)
            return moved(solids, axes, (x, y, 0))
    return []


def _meet(a: list[float], b: list[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _chip(rng: np.random.Generator, print_: Rgb) -> tuple[float, float, Solids]:
    """A dark box with legs on two or four sides."""
    width, depth = rng.uniform(0.1, 0.3), rng.uniform(0.06, 0.2)
    body, high, pitch = dark(rng), rng.uniform(0.012, 0.04), rng.uniform(0.02, 0.035)
    block = [-width / 2, -depth / 2, width / 2, depth / 2]
    solids = boxes(block, -0.001, high, body, 0.95)
    count = int(0.9 * width / pitch)
    legs = [raster(count, 2, (pitch, depth + 0.015))]
    sizes = [(0.45 * pitch, 0.03)]
    if rng.random() < 0.4:
        legs.append(raster(2, int(0.9 * depth / pitch), (width + 0.015, pitch)))
        sizes.append((0.03, 0.45 * pitch))
    for places, size in zip(legs, sizes, strict=True):
        solids += bars(around(places, *size), 0.4 * high, tone(rng, (0.6, 0.85), (0, 0.05)))
    letters = np.array([-0.3 * width, -0.2 * depth, 0.3 * width, 0.2 * depth])
    solids += discs([[-0.42 * width, -0.36 * depth]], 0.008, high + PROUD, light(rng), 6)
    solids += words(letters, 2, high + PROUD, tone(rng, (0.5, 0.9), (0, 0.05)), rng, 1.5)
    return width + 0.06, depth + 0.06, solids


def _row(rng: np.random.Generator, print_: Rgb) -> tuple[float, float, Solids]:
    """Small two-ended components side by side, with a frame of print around each."""
    count, long = int(rng.integers(2, 8)), rng.uniform(0.025, 0.06)
    wide, body, high = long * rng.uniform(0.4, 0.6), any_of(rng), long * rng.uniform(0.2, 0.5)
    places = raster(count, 1, (1.9 * wide, 1))
    solids = bars(around(places, 1.4 * wide, 1.3 * long), PROUD, print_)
    solids += boxes(around(places, wide, long), 0, 0.9 * high, tone(rng, (0.7, 0.9), (0, 0.05)))
    solids += bars(around(places, 1.01 * wide, 0.5 * long), high, body)
    return count * 1.9 * wide, 1.4 * long, solids


def _can(rng: np.random.Generator, print_: Rgb) -> tuple[float, float, Solids]:
    """A capacitor or a button: a round body on a square foot."""
    radius, high = rng.uniform(0.02, 0.07), rng.uniform(0.02, 0.12)
    top = tone(rng, (0.6, 0.9), (0, 0.1)) if rng.random() < 0.5 else any_of(rng)
    solids = boxes(around([[0, 0]], 2.1 * radius, 2.1 * radius), -0.001, 0.2 * high, dark(rng))
    solids += prism(radius * circle(14), (0, 0.9 * high, high), (1, 1, 0.9), top)
    half = radius * 0.85 * circle(14)[:7]
    if rng.random() < 0.5:
        solids += marks(half[None], high + PROUD, dark(rng))
    return 2.2 * radius, 2.2 * radius, solids


def _header(rng: np.random.Generator, print_: Rgb) -> tuple[float, float, Solids]:
    """Rows of pins in a strip, or a strip of sockets."""
    count, rows = int(rng.integers(3, 13)), int(rng.integers(1, 3))
    pitch = rng.uniform(0.028, 0.042)
    width, depth = count * pitch, rows * pitch
    places, pin, body = raster(count, rows, (pitch, pitch)), metal(rng), any_of(rng)
    block = [-width / 2, -depth / 2, width / 2, depth / 2]
    if rng.random() < 0.4:
        high = rng.uniform(0.06, 0.12)
        holes = bars(around(places, 0.5 * pitch, 0.5 * pitch), high + PROUD, ink(body, rng))
        return width, depth, boxes(block, -0.001, high, body) + holes
    high = 0.8 * pitch
    tip = high + rng.uniform(0.01, 0.1)
    pins = boxes(around(places, 0.3 * pitch, 0.3 * pitch), 0.5 * high, tip, pin)
    return width, depth, boxes(block, -0.001, high, body) + pins


def _connector(rng: np.random.Generator, print_: Rgb) -> tuple[float, float, Solids]:
    """A metal or a dark shell with a mouth on either side."""
    width, depth, high = rng.uniform(0.1, 0.22), rng.uniform(0.08, 0.18), rng.uniform(0.03, 0.13)
    width, depth = max(width, depth) * 1.01, min(width, depth)
    shell = any_of(rng) if rng.random() < 0.3 else tone(rng, (0.6, 0.85), (0, 0.06))
    block = [-width / 2, -depth / 2, width / 2, depth / 2]
    mouth = [-0.42 * width, -depth / 2 - PROUD, 0.42 * width, depth / 2 + PROUD]
    solids = boxes(block, -0.001, high, shell) + boxes(mouth, 0.2 * high, 0.85 * high, dark(rng))
    slots = around(raster(2, 1, (0.5 * width, 1)), 0.12 * width, 0.4 * depth)
    return width, depth, solids + bars(slots, high + PROUD, dark(rng))


def perfboard(rng: np.random.Generator) -> Solids:
    """A raster of pads or holes, or of strips with holes."""
    columns, rows = (int(n) for n in rng.integers((8, 6), (24, 15)))
    margin, thick = rng.uniform(0.3, 1.5), rng.uniform(0.2, 0.6)
    width, depth = columns + 2 * margin, rows + 2 * margin
    plate = any_of(rng) if rng.random() < 0.5 else tone(rng, (0.3, 0.8), (0.3, 0.9))
    solids = boxes([-width / 2, -depth / 2, width / 2, depth / 2], 0, thick, plate)
    places, pad, size = raster(columns, rows, (1, 1)), metal(rng), rng.uniform(0.3, 0.44)
    kind = int(rng.integers(10))
    if kind < 3:  # strips
        shifts = np.tile(raster(1, rows, (1, 1)), 2)
        lanes = np.array([-columns / 2, -0.4, columns / 2, 0.4]) + shifts
        front = bars(lanes, thick + 0.02, pad)
        front += bars(around(places, 0.4, 0.4), thick + 0.04, dark(rng))
    elif kind < 5:  # bare holes
        front = bars(around(places, 1.1 * size, 1.1 * size), thick + 0.02, ink(plate, rng))
    elif kind < 7 and len(places) <= 200:
        front = marks(places[:, None] + size * circle(6), thick + 0.1, pad, 0.2)
    else:
        squares = corners_of(around(places, 1.9 * size, 1.9 * size))
        front = marks(squares, thick + 0.1, pad, 0.2)
    corners = raster(2, 2, (width - 1.1 * margin, depth - 1.1 * margin))
    front += discs(corners, 0.3 * margin, thick + 0.03, dark(rng))
    if sum(len(s.corners) * (s.corners.shape[1] - 2) for s in front) < _BOTH_SIDES:
        solids += moved(front, FLIPPED, (0, 0, thick))
    return solids + front


def strip(rng: np.random.Generator) -> Solids:
    """A breadboard, a strip of sockets, or a row of screw terminals."""
    return (_breadboard, _breadboard, _sockets, _terminals)[int(rng.integers(4))](rng)


def _breadboard(rng: np.random.Generator) -> Solids:
    columns, half = int(rng.integers(10, 27)), int(rng.integers(4, 6))
    rails = rng.random() < 0.7
    width, deep = columns + 1.0, 2 * half + 1.5 + 6 * rails
    body = light(rng) if rng.random() < 0.6 else any_of(rng)
    thick, hole = rng.uniform(0.8, 3), ink(body, rng)
    solids = boxes([-width / 2, -deep / 2, width / 2, deep / 2], 0, thick, body)
    side = rng.uniform(0.35, 0.55)
    groove = tone(rng, (0.4, 0.7), (0, 0.1))
    solids += bars([-width / 2 + 0.05, -0.4, width / 2 - 0.05, 0.4], thick + 0.03, groove)
    red = tone(rng, (0.7, 0.95), (0.7, 1), (0.97, 1.03))
    blue = tone(rng, (0.5, 0.9), (0.6, 1), (0.5, 0.7))
    for sign in (-1, 1):
        places = [np.add(raster(columns, half, (1, 1)), (0, sign * (half / 2 + 0.75)))]
        if rails:
            rail = np.add(raster(columns, 2, (1, 1)), (0, sign * (half + 2.75)))
            places.append(rail[np.arange(len(rail)) % columns % 6 != 5])
            for y, colour in ((half + 1.75, red), (half + 3.75, blue)):
                line = around([0, sign * y], 0.96 * width, 0.2)
                solids += bars(line, thick + 0.03, colour)
        solids += bars(around(np.concatenate(places), side, side), thick + 0.03, hole)
    edge = [-width / 2 - 0.5, -0.2 * deep, width / 2 + 0.4, 0.2 * deep]
    solids += boxes(edge, 0.2 * thick, 0.7 * thick, body)
    paper = bars([-0.48 * width, -0.45 * deep, 0.48 * width, 0.45 * deep], 0.05, any_of(rng))
    return solids + moved(paper, FLIPPED)


def _sockets(rng: np.random.Generator) -> Solids:
    columns, rows = int(rng.integers(6, 33)), int(rng.integers(1, 4))
    body, thick, rim = any_of(rng), rng.uniform(1, 3.5), metal(rng)
    places = raster(columns, rows, (1, 1))
    block = [-columns / 2, -rows / 2, columns / 2, rows / 2]
    solids = boxes(block, 0, thick, body) + bars(around(places, 0.6, 0.6), thick + 0.04, rim)
    solids += bars(around(places, 0.4, 0.4), thick + 0.07, dark(rng))
    return solids + boxes(around(places, 0.25, 0.2), -rng.uniform(0.5, 2.5), 0.1, rim)


def _terminals(rng: np.random.Generator) -> Solids:
    count, body, thick = int(rng.integers(3, 13)), any_of(rng), rng.uniform(0.9, 1.8)
    places, steel = raster(count, 1, (1, 1)), tone(rng, (0.6, 0.9), (0, 0.06))
    deep = rng.uniform(0.9, 1.5)
    solids = boxes([-count / 2, -deep / 2, count / 2, deep / 2], 0, thick, body)
    solids += boxes(around([0, 0], count - 0.04, 1.4 * deep), 0, 0.6 * thick, body)
    solids += discs(places, 0.42, thick + 0.02, dark(rng), 12)
    solids += discs(places, 0.36, thick + 0.03, steel, 12)
    solids += bars(around(places, 0.66, 0.09), thick + 0.04, dark(rng))
    mouths = boxes(around(places, 0.6, 1.42 * deep), 0.12 * thick, 0.5 * thick, dark(rng))
    return solids + mouths + boxes(around(places, 0.15, 0.25), -rng.uniform(0.3, 1), 0.1, steel)
