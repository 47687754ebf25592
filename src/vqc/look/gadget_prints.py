"""Gadgets that are told by what is printed on them, and prints for other ones."""

from __future__ import annotations

import math

import numpy as np

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
    dark,
    discs,
    ink,
    light,
    marks,
    moved,
    prism,
    raster,
    tone,
    vivid,
)
from vqc.types import FloatArray


def display(glass: FloatArray, z: float, rng: np.random.Generator) -> Solids:
    """A screen x0, y0, x1, y1 with digits of seven segments."""
    x0, y0, x1, y1 = glass
    lit = rng.random() < 0.5
    ground = dark(rng) if lit else tone(rng, (0.55, 0.8), (0.05, 0.3), (0.15, 0.4))
    edge = 0.06 * (y1 - y0)
    solids = bars(glass, z + 0.01, any_of(rng))
    solids += bars(glass + np.array([1, 1, -1, -1]) * edge, z + 0.02, ground)
    high = (y1 - y0) * rng.uniform(0.45, 0.7)
    pitch = 0.75 * high
    count = min(int((x1 - x0 - 4 * edge) / pitch), 8)
    stroke, found = 0.13 * high, []
    for number in range(int(rng.integers(count // 2, count + 1))):
        right = x1 - 3 * edge - number * pitch
        left, low = right - 0.5 * high, (y0 + y1 - high) / 2
        up, half = low + high - stroke, low + (high - stroke) / 2
        lying = [[left + stroke, y, right - stroke, y + stroke] for y in (low, half, up)]
        tall = [
            [x, y + stroke, x + stroke, y + high / 2]
            for x in (left, right - stroke)
            for y in (low, half)
        ]
        found += [part for part in lying + tall if rng.random() < 0.7]
    return solids + (bars(found, z + 0.03, vivid(rng) if lit else dark(rng)) if found else [])


def words(
    box: FloatArray, rows: int, z: float, colour: Rgb, rng: np.random.Generator, word: float = 2.5
) -> Solids:
    """Rows of words in a box x0, y0, x1, y1; word: their length, in heights of a row."""
    x0, y0, x1, y1 = box
    pitch, found = (y1 - y0) / rows, []
    for row in range(rows):
        x, end = x0, x1 - rng.random() ** 3 * (x1 - x0)
        while x < end - 0.2 * pitch:
            long = min(pitch * word * rng.uniform(0.3, 1.7), x1 - x)
            found.append([x, y1 - (row + 0.75) * pitch, x + long, y1 - (row + 0.25) * pitch])
            x += long + 0.35 * pitch
    return bars(found, z, colour)


def underside(width: float, depth: float, rng: np.random.Generator) -> Solids:
    """Feet, and a label with a few lines, around the origin."""
    places = raster(2, 2, (0.85 * width, 0.8 * depth))
    solids = discs(places, 0.05 * min(width, depth), 0.02, dark(rng), 12)
    paper = light(rng)
    box = np.array([-0.3, -0.25, rng.uniform(0, 0.3), rng.uniform(0, 0.25)])
    box *= np.array([width, depth, width, depth])
    return solids + bars(box, 0.01, paper) + words(box * 0.85, 4, 0.02, dark(rng), rng)


def panel(rng: np.random.Generator) -> Solids:
    """Something printed: a label, a package, a page; figures, a bar code, lines of words."""
    width, depth = 1.0, rng.uniform(0.4, 1.4)
    thick = float(rng.choice([rng.uniform(0.005, 0.02), rng.uniform(0.05, 0.4)]))
    paper = any_of(rng) if rng.random() < 0.5 else light(rng)
    solids = boxes([-width / 2, -depth / 2, width / 2, depth / 2], 0, thick, paper)
    for axes, z in ((np.eye(3), thick), (FLIPPED, 0.0)):
        solids += moved(_page(width, depth, paper, rng), axes, (0, 0, z))
    return solids


def _page(width: float, depth: float, paper: Rgb, rng: np.random.Generator) -> Solids:
    """Blocks from the top to the bottom, sometimes in two columns."""
    letters, solids = ink(paper, rng), []
    count = int(rng.integers(1, 3))
    wide = 0.9 * width / count
    for column in range(count):
        x, y = -0.45 * width + column * wide, 0.44 * depth
        while y > -0.4 * depth:
            high = min(rng.uniform(0.08, 0.35), y + 0.44 * depth)
            box = np.array([x, y - high, x + 0.92 * wide, y])
            solids += _block(box, letters, rng)
            y -= high + 0.03
    return solids


def _block(box: FloatArray, letters: Rgb, rng: np.random.Generator) -> Solids:
    """Something printed in a box x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    kind, z = int(rng.integers(6)), PROUD
    if kind == 0:  # a figure
        inner = [
            x0 + 0.2 * (x1 - x0),
            y0 + 0.25 * (y1 - y0),
            x1 - 0.3 * (x1 - x0),
            y1 - 0.15 * (y1 - y0),
        ]
        return bars(box, z, any_of(rng)) + bars(inner, 2 * z, any_of(rng))
    if kind == 1:  # a bar code
        edges = np.cumsum(rng.choice([1, 1, 2, 3], 60))
        edges = x0 + (x1 - x0) * rng.uniform(0.5, 1) * edges / edges[-1]
        low, high = np.full(30, y0), np.full(30, y1)
        return bars(np.stack([edges[::2], low, edges[1::2], high], 1), z, letters)
    if kind == 2:  # a table
        grid = raster(int(rng.integers(3, 7)), int(rng.integers(2, 5)), (1, 1))
        size = np.array([x1 - x0, y1 - y0]) / (np.ptp(grid, axis=0) + 1)
        places = grid * size + ((x0 + x1) / 2, (y0 + y1) / 2)
        return bars(around(places, *(size * (0.9, 0.8))), z, tone(rng, (0.5, 0.9), (0, 0.6)))
    if kind == 3:  # a title
        return words(box, max(round((y1 - y0) / 0.12), 1), z, any_of(rng), rng, 2)
    return words(box, max(round((y1 - y0) / rng.uniform(0.035, 0.06)), 1), z, letters, rng)


def scale(rng: np.random.Generator) -> Solids:
    """A ruler or a protractor: ticks and figures along a rim."""
    body, count = any_of(rng) if rng.random() < 0.6 else light(rng), int(rng.integers(30, 91))
    letters, every, thick = ink(body, rng), int(rng.choice([5, 10])), 0.01
    number = np.arange(count + 1)
    long = np.where(number % every == 0, 0.05, np.where(number % 5 == 0, 0.037, 0.025))
    if rng.random() < 0.5:
        depth = rng.uniform(0.08, 0.2)
        solids = boxes([-0.5, -depth / 2, 0.5, depth / 2], 0, thick, body)
        x, y = 0.97 * (number / count - 0.5), depth / 2 - 0.004
        ticks = np.stack([x - 0.002, y - long, x + 0.002, np.full(count + 1, y)], 1)
        figures = around(np.stack([x, np.full(count + 1, y - 0.065)], 1)[::every], 0.014, 0.016)
        prints = bars(ticks, thick + PROUD, letters) + bars(figures, thick + PROUD, letters)
        low = np.array([-0.45, -depth / 2 + 0.008, -0.1, -depth / 2 + 0.025])
        return solids + prints + words(low, 1, thick + PROUD, letters, rng)
    angle = np.linspace(0, math.pi, 33)
    rim = 0.5 * np.stack([np.cos(angle), np.sin(angle)], 1)
    outline = np.concatenate([rim, [[-0.5, -0.05], [0.5, -0.05]]])
    solids = prism(outline, (0, thick), (1, 1), body)
    angle = math.pi * number / count
    out = np.stack([np.cos(angle), np.sin(angle)], 1)
    across = 0.0018 * np.stack([-out[:, 1], out[:, 0]], 1)
    near, far = (0.49 - long)[:, None] * out, 0.49 * out
    ticks = np.stack([near - across, far - across, far + across, near + across], 1)
    solids += marks(ticks, thick + PROUD, letters)
    solids += bars(around(0.415 * out[::every], 0.014, 0.016), thick + PROUD, letters)
    inner = 0.34 * rim * 2
    dots = np.concatenate([inner[::2], 0.6 * inner[::4]])
    solids += bars(around(dots, 0.012, 0.006), thick + PROUD, vivid(rng))
    window = 0.22 * circle(24)[:12] + (0, 0.03)
    return solids + marks(window[None], thick + PROUD, tone(rng, (0.5, 0.9), (0, 0.2)))
