"""Distractors with the structure of technical things: rasters, rows, prints, sockets, legs.

A detector that has seen smooth solids only takes whatever has small regular details for a part.
None of these copies a real product; proportions, numbers and colours are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from vqc.look.gadget_boards import circuit, perfboard, strip
from vqc.look.gadget_prints import display, panel, scale, underside, words
from vqc.look.pieces import (
    ALONG_X,
    FLIPPED,
    PROUD,
    UPRIGHT,
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
    lofts,
    meshed,
    metal,
    moved,
    prism,
    raster,
    rounded,
    tone,
    turned,
    vivid,
)
from vqc.types import ByteArray, FloatArray, IntArray


def gadget(
    kind: str, rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.float32], IntArray, ByteArray]:
    """Vertices (V, 3), unit normals (V, 3), faces (F, 3) and their colours (F, 4), in any size."""
    return meshed(_MAKERS[kind](rng))


def _keypad(rng: np.random.Generator) -> Solids:
    """A keyboard, a calculator or a remote control."""
    wide = rng.random() < 0.5
    columns, rows = (rng.integers(9, 16), rng.integers(3, 6)) if wide else rng.integers(3, 7, 2)
    across, down = 1.0, rng.uniform(0.8, 1.2) if wide else rng.uniform(0.6, 1.3)
    head = rng.uniform(0.8, 2) * down if rng.random() < (0.3 if wide else 0.8) else 0.0
    margin, thick = rng.uniform(0.2, 0.6), rng.uniform(0.3, 1)
    width, depth = columns * across + 2 * margin, rows * down + head + 2 * margin
    body, key, other = any_of(rng), any_of(rng), vivid(rng)
    outline = rounded(width, depth, 0.3 * margin + 0.1)
    solids = prism(outline, (0, 0.7 * thick, thick), (1, 1, 0.97), body)
    gap, high = rng.uniform(0.08, 0.3), thick + rng.uniform(0.05, 0.35)
    cells = _cells(int(columns), int(rows), wide, rng) * (across, down, across, down)
    cells += np.array([gap, gap, -gap, -gap]) / 2
    cells -= np.tile([columns * across / 2, depth / 2 - margin], 2)
    odd = rng.random(len(cells)) < rng.choice([0.03, 0.15])
    top, middle = float(rng.choice([0.75, 0.9, 1])), (cells[:, :2] + cells[:, 2:]) / 2
    for chosen, colour in ((~odd, key), (odd, other)):
        if chosen.any():
            solids += boxes(cells[chosen], 0.9 * thick, high, colour, top)
            if rng.random() < 0.7:
                size = rng.uniform(0.1, 0.3, 2)
                solids += bars(around(middle[chosen], *size), high + 0.01, ink(colour, rng))
    if head:
        y = depth / 2 - margin
        glass = np.array([-0.46 * width, y - 0.85 * head, 0.46 * width, y])
        solids += display(glass, thick, rng)
    return solids + moved(underside(width, depth, rng), FLIPPED)


def _cells(columns: int, rows: int, wide: bool, rng: np.random.Generator) -> FloatArray:
    """Keys (N, 4) in a raster of unit cells, lowest row first; a few are as wide as several."""
    found = []
    for row in range(rows):
        column = 0
        while column < columns:
            long = row == 0 and wide and column == columns // 4
            span = int(columns // 2.5) if long else 1 + int(rng.random() < 0.05)
            span = min(span, columns - column)
            found.append([column, row, column + span, row + 1])
            column += span
    return np.array(found, float)


def _meter(rng: np.random.Generator) -> Solids:
    """A hand-held instrument: screen, knob in a ring of figures, buttons, sockets."""
    depth, thick = rng.uniform(1.55, 2.2), rng.uniform(0.2, 0.5)
    body, bumper = any_of(rng), vivid(rng) if rng.random() < 0.7 else any_of(rng)
    outer = rounded(1.0, depth, rng.uniform(0.05, 0.2))
    solids = prism(outer, (0, 0.15 * thick, 0.8 * thick, 0.9 * thick), (0.94, 1, 1, 0.97), bumper)
    solids += prism(rounded(0.88, 0.92 * depth, 0.05), (0.5 * thick, thick), (1, 1), body)
    top = depth * 0.43
    low = top - rng.uniform(0.3, 0.45)
    solids += display(np.array([-0.38, low, 0.38, top]), thick, rng)
    letters, face = ink(body, rng), any_of(rng)
    count = int(rng.integers(2, 6))
    keys = np.add(raster(count, 1, (0.7 / count, 1)), (0, low - 0.1))
    solids += boxes(around(keys, 0.45 / count, 0.09), 0.9 * thick, thick + 0.03, any_of(rng), 0.9)
    radius, middle = rng.uniform(0.16, 0.24), low - 0.2 - 0.3
    at, ticks = np.array([0.0, middle]), int(rng.integers(10, 25))
    angle = 2 * math.pi * np.arange(ticks) / ticks
    spots = at + (radius + 0.07) * np.stack([np.cos(angle), np.sin(angle)], 1)
    solids += bars(around(spots, rng.uniform(0.02, 0.06), 0.025), thick + PROUD, letters)
    if rng.random() < 0.6:
        solids += discs([at], 1.12 * radius, thick + PROUD, any_of(rng), 20)
    heights = (0.9 * thick, thick + 0.06, thick + 0.08)
    grip = prism(radius * circle(20), heights, (1, 0.95, 0.85), face)
    pointer = boxes([-0.03, -0.9 * radius, 0.03, 0.9 * radius], thick, thick + 0.13, face, 0.9)
    pointer += bars([-0.012, 0.4 * radius, 0.012, 0.8 * radius], thick + 0.135, ink(face, rng))
    solids += moved(grip, np.eye(3), (*at, 0))
    solids += moved(pointer, turned(rng.uniform(0, 2 * math.pi)), (*at, 0))
    for place in np.add(raster(int(rng.integers(2, 5)), 1, (0.22, 1)), (0, -0.4 * depth)):
        rim = vivid(rng) if rng.random() < 0.5 else dark(rng)
        solids += discs(place, 0.075, thick + 0.01, rim, 12)
        solids += discs(place, 0.04, thick + 0.015, dark(rng))
    return solids + moved(underside(0.8, 0.8 * depth, rng), FLIPPED)


def _servo(rng: np.random.Generator) -> Solids:
    """A small motor: a box with flanges, a label on both sides, a horn and a cable."""
    width, depth, high = 1.0, rng.uniform(0.4, 0.6), rng.uniform(0.7, 1.2)
    body = any_of(rng) if rng.random() < 0.6 else tone(rng, (0.3, 0.8), (0.5, 1), (0.5, 0.7))
    solids = boxes([-width / 2, -depth / 2, width / 2, depth / 2], 0, high, body)
    wing, level = rng.uniform(0.15, 0.25), rng.uniform(0.6, 0.8) * high
    span = width / 2 + wing
    solids += boxes([-span, -0.49 * depth, span, 0.49 * depth], level, level + 0.08, body)
    holes = raster(2, int(rng.integers(1, 3)), (width + wing, 0.5 * depth))
    solids += discs(holes, 0.06, level + 0.085, dark(rng))
    solids += moved(discs(holes, 0.06, 0.005, dark(rng)), FLIPPED, (0, 0, level))
    turret = prism(0.46 * depth * circle(16), (-0.02, 0.15), (1, 1), body)
    turret += moved(_horn(rng), turned(rng.uniform(0, 2 * math.pi)), (0, 0, 0.14))
    solids += moved(turret, np.eye(3), (width / 2 - depth / 2, 0.0, high))
    paper = any_of(rng)
    patch = np.array([-0.42, -0.2, 0.42, 0.2]) * (width, high, width, high)
    for axes, y in ((UPRIGHT, -depth / 2), (UPRIGHT @ turned(math.pi), depth / 2)):
        side = bars(patch, 0.006, paper) + words(0.8 * patch, 3, 0.012, ink(paper, rng), rng, 1.5)
        solids += moved(side, axes, (0, y, 0.32 * high))
    long = rng.uniform(0.3, 1.5)
    for y, colour in zip((-0.06, 0.0, 0.06), (dark(rng), vivid(rng), any_of(rng)), strict=True):
        solids += boxes([-width / 2 - long, y - 0.027, 0, y + 0.027], 0.08, 0.134, colour)
    plug = [-width / 2 - long - 0.25, -0.1, -width / 2 - long + 0.02, 0.1]
    return solids + boxes(plug, 0.05, 0.17, dark(rng))


def _horn(rng: np.random.Generator) -> Solids:
    """A shaft with one to four arms, each with small holes."""
    arm, colour, hole, steel = rng.uniform(0.4, 0.9), any_of(rng), dark(rng), metal(rng)
    solids = prism(0.11 * circle(12), (0, rng.uniform(0.14, 0.25)), (1, 0.9), steel)
    holes = np.array([[0.4, 0.0], [0.6, 0.0], [0.85, 0.0]]) * arm
    for number in range(int(rng.integers(1, 5))):
        near = 0.001 * number  # opposite arms share no edge
        outline = np.array([[near, -0.12], [arm, -0.06], [arm, 0.06], [near, 0.12]])
        one = prism(outline, (0.05, 0.11 + near), (1, 1), colour)
        one += discs(holes, 0.025, 0.12, hole, 6)
        solids += moved(one, turned(number * math.pi / 2))
    return solids


def _tool(rng: np.random.Generator) -> Solids:
    """A pen, a screwdriver or tweezers, along x."""
    return (_pen, _driver, _tweezers)[int(rng.integers(3))](rng)


def _pen(rng: np.random.Generator) -> Solids:
    thick = rng.uniform(0.025, 0.06)
    body, grip, tip = any_of(rng), vivid(rng), metal(rng)
    where = np.array([0, 0.03, 0.05, rng.uniform(0.15, 0.35), rng.uniform(0.5, 0.8), 0.97, 1])
    sizes = thick * np.array([0.12, 0.3, 0.8, 1, 1.05, 1.05, 0.9])
    solids = prism(circle(12), where, sizes, (tip, tip, tip, grip, body, grip, grip, grip))
    clip = boxes([-0.3 * thick, thick, 0.3 * thick, 1.4 * thick], 0.62, 0.985, metal(rng))
    box = np.array([0.4, -0.4 * thick, 0.75, 0.4 * thick])
    name = words(box, 1, 1.06 * thick, light(rng), rng, 0.8)
    return moved(solids + clip, ALONG_X) + name


def _driver(rng: np.random.Generator) -> Solids:
    thick, handle = rng.uniform(0.04, 0.09), rng.uniform(0.3, 0.5)
    fluted = circle(18) * np.where(np.arange(18) % 3 == 0, 0.97, 1.0)[:, None]
    first, second, steel = vivid(rng), any_of(rng), tone(rng, (0.55, 0.85), (0, 0.05))
    where = np.array([0, 0.02, 0.25, 0.75, 0.85, 1]) * handle
    sizes = thick * np.array([0.8, 1, 1, 1, 0.7, 0.8])
    solids = prism(fluted, where, sizes, (second, second, first, second, first, second, second))
    shaft = rng.uniform(0.2, 0.4) * thick
    solids += prism(shaft * circle(8), (handle - 0.01, 0.92, 0.93), (1, 1, 0.8), steel)
    blade = corners_of([-1.2 * shaft, -0.35 * shaft, 1.2 * shaft, 0.35 * shaft])[0]
    solids += prism(blade, (0.915, 1), (1, 0.7), steel)
    return moved(solids, ALONG_X)


_PRONG = ((0.0, 0.8, 0.0), (0.15, 1.0, 0.35), (0.6, 1.0, 1.0), (0.8, 0.6, 0.8), (1.0, 0.1, 0.15))
"""Places along tweezers, and how wide and how far out a prong is there."""


def _tweezers(rng: np.random.Generator) -> Solids:
    wide, apart, body = rng.uniform(0.03, 0.06), rng.uniform(0.03, 0.12), any_of(rng)
    tip = tone(rng, (0.5, 0.9), (0, 0.1))
    solids: Solids = []
    for sign in (-1, 1):
        rings = []
        for x, share, bow in _PRONG:
            middle = [0.0, sign * (0.004 + apart * bow)]
            flat = corners_of(around(middle, 2 * share * wide, 0.016))[0]
            rings.append(np.insert(flat, 2, x, axis=1))
        solids += lofts(np.array(rings)[None], (body, body, body, body, tip, tip))
    heel = rounded(1.5 * wide, 0.06, 0.02)
    return moved(solids + prism(heel, (-0.05, 0.06), (0.9, 1), any_of(rng)), ALONG_X)


_MAKERS: Mapping[str, Callable[[np.random.Generator], Solids]] = {
    "circuit": circuit,
    "keypad": _keypad,
    "meter": _meter,
    "panel": panel,
    "perfboard": perfboard,
    "scale": scale,
    "servo": _servo,
    "strip": strip,
    "tool": _tool,
}

KINDS = tuple(_MAKERS)
"""What `gadget` can make, sorted."""
