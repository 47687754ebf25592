"""Sheets of pictures: the worst mistakes, and predictions beside the truth.

In: what was found in which picture of a set. Out: tiles, for a page, or a sheet of them as a
PNG. The truth is drawn full and blue, predictions dashed and orange.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.errors import InputError
from vqc.figures.boxes import around, draw_box, font, write_label
from vqc.figures.legend import Key, draw_key
from vqc.figures.style import INK, MARK_EDGE, MARK_INK, MARK_PAPER, PAPER, short, write_png
from vqc.pictures import read_picture
from vqc.tasks.contract import Mistake
from vqc.types import Box, Frame

if TYPE_CHECKING:
    from PIL import Image

TILE_PX = (432, 324)
"""Width and height that a picture is fitted into."""
_WIDE = 1.7
"""A drawn picture so many times as wide as high, such as a photo and a map, may take two tiles."""
TRUTH, PREDICTED = "#0072b2", "#d55e00"
_GROUND = "#d8d8d8"
_CONTEXT = 2.2
"""A crop is so many times as wide as what it shows, so that one sees where it is."""
_LEAST_SHARE = 0.22
"""And at least this share of the picture's longer side."""
_FAINTEST = 0.01
_NAMED = 6
"""In a picture with more boxes than this, only their colours tell what they are."""
_GAP_PX, _LINE_PX, _FONT_PX, _LETTERS = 8, 18, 14, 54

_BOXES = (("truth: full line", TRUTH), ("prediction: dashed", PREDICTED))

Source = Mapping[str, str]
"""Image to where it comes from, as `origin` says it."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is said of a picture.

    boxes: each with its class, and its score where it was predicted; px. text: what is said
    of the whole picture.
    """

    boxes: tuple[tuple[Box, str, float | None], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A picture with its truth and its answer."""

    image: str
    truth: Drawn
    predicted: Drawn


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture, or a pair, and the lines that belong below it; the first one counts most.

    boxed: whether boxes were drawn on it, whose colours want to be explained.
    """

    pictures: tuple[Image.Image, ...]
    lines: tuple[str, ...]
    boxed: bool = False

    @property
    def across(self) -> int:
        """How many pictures of usual width it takes."""
        is_wide = any(picture.width > TILE_PX[0] for picture in self.pictures)
        return 2 if is_wide else len(self.pictures)


def origin(frame: Frame) -> str:
    """Where a picture is from, such as "photo, session january" or "CAD, session qf, az 45°"."""
    view = frame.view or {}
    angles = [
        f"{angle} {view[key]:.0f}°"
        for key, angle in (("azimuth_deg", "az"), ("elevation_deg", "el"), ("tilt_deg", "tilt"))
        if isinstance(view.get(key), int | float)
    ]
    kind = "photo" if frame.source == "real" else "simulated photo" if frame.simulated else "CAD"
    return ", ".join([f"{kind}, session {frame.session}", *([" ".join(angles)] if angles else [])])


def worst(mistakes: Iterable[Mistake], count: int) -> list[Mistake]:
    """The `count` gravest, in an order that depends on nothing but themselves."""
    return sorted(mistakes, key=lambda m: (-m.severity, m.image, m.kind, -m.score))[:count]


def open_drawn(file: Path) -> Image.Image:
    """A picture that a task has drawn. Raises InputError where it does not open."""
    try:
        return read_picture(file)
    except InputError:
        raise InputError(
            f"{file}: is missing or does not open as a picture; vqc eval draws it again"
        ) from None


def mistake_tile(
    mistake: Mistake, folder: Path, sources: Source, drawn: Image.Image | None = None
) -> Tile:
    """A crop around what was missed, wrongly found or confused; or what the task has drawn.

    folder: of the set. Raises InputError where the picture does not open.
    """
    lines = (what(mistake), *_origin(mistake.image, sources))
    if drawn is not None:
        return Tile((_fitted_drawing(drawn),), lines)
    picture = read_picture(folder / mistake.image)
    boxes = [box for box in (mistake.truth_box, mistake.box) if box is not None]
    region = crop_around(boxes, picture.size) if boxes else (0, 0, *picture.size)
    tile, scale = _fitted(picture.crop(region))
    for box, colour in ((mistake.truth_box, TRUTH), (mistake.box, PREDICTED)):
        if box is not None:
            draw_box(tile, _moved(box, region, scale), colour, dashed=colour == PREDICTED)
    return Tile((tile,), lines, bool(boxes))


def example_tile(
    example: Example, folder: Path, sources: Source, drawn: Image.Image | None = None
) -> Tile:
    """The truth on the left, the prediction on the right; or what the task has drawn.

    Raises as `mistake_tile`.
    """
    sides_said = (("truth", example.truth), ("prediction", example.predicted))
    if drawn is not None:
        told = ", ".join(f"{name}: {said.text}" for name, said in sides_said if said.text)
        lines = _origin(example.image, sources)
        return Tile((_fitted_drawing(drawn),), (told, *lines) if told else lines)
    fitted, scale = _fitted(read_picture(folder / example.image))
    sides = []
    for (name, said), colour in zip(sides_said, (TRUTH, PREDICTED), strict=True):
        tile = fitted.copy()
        placed = [(_moved(box, (0, 0, 0, 0), scale), n, score) for box, n, score in said.boxes]
        for at, _, _ in placed:
            draw_box(tile, at, colour, dashed=colour == PREDICTED)
        nothing = "" if placed else "nothing"
        head = f"{name}: {said.text or nothing}".rstrip(": ")
        taken = [write_label(tile, [(0, tile.height)], head, colour)]
        for at, class_name, score in placed if len(placed) <= _NAMED else ():
            label = short(class_name, 20) + ("" if score is None else f" {score:.2f}")
            taken.append(write_label(tile, around(at), label, colour, taken))
        sides.append(tile)
    boxed = any(said.boxes for _, said in sides_said)
    return Tile(tuple(sides), _origin(example.image, sources), boxed)


def draw_sheet(
    tiles: Sequence[Tile], out: Path, title: str, mark: str = "", columns: int = 3, key: Key = ()
) -> Path:
    """Write tiles as one PNG. Raises InputError where there is none, OutputError.

    key: classes whose masks are drawn, with their colours.
    """
    from PIL import Image

    if not tiles:
        raise InputError(f"{out}: there is no picture to show")
    across = max(tile.across for tile in tiles)
    columns = min(-(-columns // across), len(tiles))
    rows = [_cards(tiles[k : k + columns], across) for k in range(0, len(tiles), columns)]
    width = columns * (rows[0][0].width + _GAP_PX) + _GAP_PX
    colours = draw_key((*(_BOXES if any(tile.boxed for tile in tiles) else ()), *key), width)
    head = _head(title, mark, width, colours)
    height = head.height + sum(max(c.height for c in row) + _GAP_PX for row in rows)
    sheet = Image.new("RGB", (width, height), _GROUND)
    sheet.paste(head, (0, 0))
    y = head.height
    for row in rows:
        for k, card in enumerate(row):
            sheet.paste(card, (_GAP_PX + k * (card.width + _GAP_PX), y))
        y += max(card.height for card in row) + _GAP_PX
    data = io.BytesIO()
    sheet.save(data, format="PNG")
    write_png(out, data.getvalue())
    return out


def what(mistake: Mistake) -> str:
    """One mistake in words."""
    truth, predicted = mistake.truth, mistake.predicted
    score = f"{mistake.score:.2f}" if mistake.score >= _FAINTEST else f"under {_FAINTEST}"
    if truth is not None and predicted is not None and truth != predicted:
        return f"{mistake.kind}: {truth} taken for {predicted}, {score}"
    if predicted is not None:
        quality = score if mistake.dice is None else f"Dice {mistake.dice:.2f}"
        return f"{mistake.kind}: {predicted}, {quality}"
    if truth is not None and mistake.likeliest is not None:
        likeliest = f"likeliest was {mistake.likeliest}, {score}"
        return f'{mistake.kind}: {truth} called "none of these"; {likeliest}'
    if truth is not None:
        below = f" (score {score}, below the threshold)" if mistake.score else ""
        return f"{mistake.kind}: {truth}{below}"
    return f"{mistake.kind}, {score}"


def crop_around(boxes: Sequence[Box], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A region of the picture, of a tile's shape, with all boxes in its middle; whole pixels.

    At the border it moves inwards; it is never larger than the picture.
    """
    x0, y0 = (min(box[k] for box in boxes) for k in (0, 1))
    x1, y1 = (max(box[k] for box in boxes) for k in (2, 3))
    ratio = TILE_PX[0] / TILE_PX[1]
    width = max((x1 - x0) * _CONTEXT, (y1 - y0) * _CONTEXT * ratio, max(size) * _LEAST_SHARE)
    found = []
    for low, high, side, full in ((x0, x1, width, size[0]), (y0, y1, width / ratio, size[1])):
        length = min(full, max(1, round(side)))
        start = min(max(0, round((low + high) / 2 - length / 2)), full - length)
        found.append((start, start + length))
    (left, right), (top, bottom) = found
    return left, top, right, bottom


def _origin(image: str, sources: Source) -> tuple[str, ...]:
    name = image.rsplit("/", 1)[-1]
    return (name, sources[image]) if sources.get(image) else (name,)


def _fitted(picture: Image.Image, across: int = 1) -> tuple[Image.Image, float]:
    """The picture as large as so many tiles allow, and by how much it was scaled."""
    width = across * TILE_PX[0] + (across - 1) * _GAP_PX
    scale = min(width / picture.width, TILE_PX[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size), scale


def _fitted_drawing(picture: Image.Image) -> Image.Image:
    return _fitted(picture, 2 if picture.width > _WIDE * picture.height else 1)[0]


def _moved(box: Box, region: tuple[int, int, int, int], scale: float) -> Box:
    x0, y0, x1, y1 = box
    left, top = region[:2]
    return (x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale


def _cards(row: Sequence[Tile], across: int) -> list[Image.Image]:
    """The tiles of a row, as high as the highest picture in it wants."""
    height = max(picture.height for tile in row for picture in tile.pictures)
    return [_card(tile, across, height) for tile in row]


def _card(tile: Tile, across: int, height: int) -> Image.Image:
    from PIL import Image, ImageDraw

    width = TILE_PX[0]
    lines = [part for line in tile.lines for part in textwrap.wrap(line, _LETTERS * across)]
    size = (across * (width + _GAP_PX) + _GAP_PX, height + 2 * _GAP_PX + _LINE_PX * len(lines))
    card = Image.new("RGB", size, PAPER)
    room = (size[0] - _GAP_PX) // len(tile.pictures)
    for k, picture in enumerate(tile.pictures):
        x = _GAP_PX + k * room + (room - _GAP_PX - picture.width) // 2
        card.paste(picture, (x, _GAP_PX + (height - picture.height) // 2))
    draw = ImageDraw.Draw(card)
    for k, line in enumerate(lines):
        y = height + _GAP_PX + 4 + k * _LINE_PX
        draw.text((_GAP_PX, y), line, fill=INK, font=font(_FONT_PX, bold=k == 0))
    return card


def _head(title: str, mark: str, width: int, key: Image.Image) -> Image.Image:
    """Title, what the colours mean, and why the score is not honest."""
    from PIL import Image, ImageDraw

    letters = max(20, width // 9)
    titles, marks = textwrap.wrap(title, letters) or [""], textwrap.wrap(mark, letters)
    height = 12 + key.height + 22 * len(titles) + (20 * len(marks) + 12 if marks else 0)
    head = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(head)
    y = 8
    for line in titles:
        draw.text((_GAP_PX, y), line, fill=INK, font=font(18, bold=True))
        y += 22
    if key.height:
        head.paste(key, (0, y))
    y += key.height
    if marks:
        box = (_GAP_PX, y, width - _GAP_PX, y + 20 * len(marks) + 4)
        draw.rectangle(box, fill=MARK_PAPER, outline=MARK_EDGE)
        for k, line in enumerate(marks):
            draw.text((_GAP_PX + 6, y + 3 + 20 * k), line, fill=MARK_INK, font=font(_FONT_PX))
    return head
