"""Photos, renders before and renders after the fit beside each other, with what they measure."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from vqc.twin.photos import Sample
from vqc.twin.statistics import EDGE, NOISE_BRIGHT, NOISE_DARK, STATISTICS, center, tamed
from vqc.types import ByteArray

TITLES = ("photos", "renders before", "renders after")
_TILE_PX, _GAP_PX, _LINE_PX, _FONT_PX = 300, 6, 19, 14
_COLUMNS = 2
_GROUND, _INK = "#d0d0d0", "#202020"
_PLACES = ("size", "x", "y")
_UNITS = {NOISE_DARK: " levels", NOISE_BRIGHT: " levels", EDGE: " px"}


def rows(samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """A line for each statistic: its name, and middle ± spread of each sample, as text."""
    columns = [_texts(sample) for sample in samples]
    return [(name, *(column[name] for column in columns)) for name in columns[0]]


def draw_sheet(samples: Sequence[Sample]) -> bytes:
    """The PNG; a panel for each sample, in the order of `TITLES`."""
    from PIL import Image, ImageDraw, ImageFont

    lines = rows(samples)
    panels = [_panel(sample) for sample in samples]
    width = max(panel.shape[1] for panel in panels) + 2 * _GAP_PX
    pictures_px = max(panel.shape[0] for panel in panels)
    top = _LINE_PX + _GAP_PX
    height = top + pictures_px + (len(lines) + 1) * _LINE_PX
    sheet = Image.new("RGB", (width * len(panels), height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    font, large = ImageFont.load_default(_FONT_PX), ImageFont.load_default(_FONT_PX + 2)
    for number, panel in enumerate(panels):
        left = number * width + _GAP_PX
        draw.text((left, 3), TITLES[number], fill=_INK, font=large)
        sheet.paste(Image.fromarray(panel), (left, top))
        for k, line in enumerate(lines):
            y = top + pictures_px + _GAP_PX + k * _LINE_PX
            draw.text((left, y), line[0], fill=_INK, font=font)
            draw.text((left + 130, y), line[1 + number], fill=_INK, font=font)
    data = io.BytesIO()
    sheet.save(data, format="PNG")
    return data.getvalue()


def _texts(sample: Sample) -> dict[str, str]:
    """Each statistic in words: what it is a logarithm or a square of is taken back."""
    values = tamed(sample.values)
    values[:, NOISE_DARK:] = np.sqrt(np.maximum(values[:, NOISE_DARK:], 0))
    middle, spread = center(values), values.std(axis=0)
    texts = {
        name: f"{sample.places[:, k].mean():.2f} ± {sample.places[:, k].std():.2f}"
        for k, name in enumerate(_PLACES)
    }
    for k, name in enumerate(STATISTICS):
        unit = " stops" if name in ("red", "blue") else _UNITS.get(k, "")
        sign = "+" if unit == " stops" else ""
        texts[name] = f"{middle[k]:{sign}.2f} ± {spread[k]:.2f}{unit}"
    texts["JPEG quality"] = f"{sample.quality.mean():.0f} ± {sample.quality.std():.0f}"
    return texts


def _panel(sample: Sample) -> ByteArray:
    """Some of the pictures in rows, each fitted into a square as wide as a tile."""
    tiles = [_tile(picture) for picture in sample.shown]
    lines = [tiles[k : k + _COLUMNS] for k in range(0, len(tiles), _COLUMNS)]
    high = [max(tile.shape[0] for tile in line) + _GAP_PX for line in lines]
    wide = _COLUMNS * (_TILE_PX + _GAP_PX)
    ground = tuple(int(_GROUND[k : k + 2], 16) for k in (1, 3, 5))
    panel = np.tile(np.array(ground, np.uint8), (sum(high), wide, 1))
    y = 0
    for line, height in zip(lines, high, strict=True):
        for k, tile in enumerate(line):
            x = k * (_TILE_PX + _GAP_PX)
            panel[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        y += height
    return panel


def _tile(picture: ByteArray) -> ByteArray:
    import cv2

    scale = _TILE_PX / max(picture.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    tile: ByteArray = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return tile
