"""Sheets of pictures: the first frames of a look, and one frame with a field changed a row."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vqc import sensor
from vqc.errors import LabelError
from vqc.figures.boxes import font
from vqc.figures.style import COLOURS, INK, PAPER, write_png
from vqc.look.schema import Look
from vqc.preview.factors import Factor, holding, value_text
from vqc.recipe import RenderRecipe, subject
from vqc.studio import Photo, Studio
from vqc.types import Annotation, Progress

if TYPE_CHECKING:
    from PIL import Image

TILE_PX = (320, 240)
"""Frames that are larger are fitted into that."""
_GAP_PX, _HEAD_PX, _VALUE_PX, _TITLE_PX = 6, 26, 17, 28
_LABEL_PX = 16
_FAINT = "#606060"

_Area = tuple[int, int, int, int]
"""Left, top, right and bottom, all included."""


@dataclass(frozen=True, slots=True)
class Held:
    """The frame that is drawn again and again: of which recipe, and its index."""

    recipe: RenderRecipe
    index: int


def take(studio: Studio, look: Look, frame: Held) -> Photo:
    """A frame as `vqc render` would make it, compressed as the look says. Raises LabelError."""
    shot = studio.draw(look, subject(frame.recipe, frame.index), frame.index)
    try:
        photo = studio.take(shot)
    except LabelError as error:
        raise LabelError(f"frame {frame.index} of look {look.name!r}: {error}") from None
    encoded = sensor.compress(photo.rgb, shot.sensor.jpeg or 100)
    return replace(photo, rgb=sensor.decompress(encoded))


def draw_frames(
    studio: Studio,
    recipe: RenderRecipe,
    out: Path,
    on_progress: Progress = lambda done, total: None,
) -> Path:
    """Write the first frames of a recipe's look, with boxes, classes and visibility, as a PNG.

    As many as the recipe counts. Raises LabelError, OutputError.
    """
    assert recipe.look is not None
    look, count = recipe.look.look, recipe.look.count
    classes = list(dict.fromkeys(source.class_name for source in recipe.sources))
    tiles = []
    for index in range(count):
        on_progress(index, count)
        tiles.append(_labelled(take(studio, look, Held(recipe, index)), classes, f"frame {index}"))
    on_progress(count, count)
    across = min(count, max(1, round((count * 1.5) ** 0.5)))
    rows = [_Row((), (), tuple(tiles[k : k + across])) for k in range(0, count, across)]
    title = f"{look.name}: frames 0 to {count - 1}, seed {recipe.seed}"
    return _write_sheet(out, title, rows)


def draw_factors(
    studio: Studio,
    frame: Held,
    shown: Sequence[Factor],
    out: Path,
    on_progress: Progress = lambda done, total: None,
) -> Path:
    """Write one frame again and again, with one field changed in each row, as a PNG.

    Raises LabelError, OutputError.
    """
    block = frame.recipe.look
    assert block is not None
    total, rows = sum(len(factor.values) for factor in shown), []
    done = 0
    for factor in shown:
        tiles = []
        for value in factor.values:
            on_progress(done, total)
            photo = take(studio, holding(block.look, factor.field, value), frame)
            tiles.append(_fitted(photo)[0])
            done += 1
        head = (factor.field, factor.written, factor.meaning)
        values = tuple(value_text(value, factor.unit) for value in factor.values)
        rows.append(_Row(head, values, tuple(tiles)))
    on_progress(total, total)
    title = (
        f"{block.look.name}: frame {frame.index}, seed {frame.recipe.seed}; in each row one field "
        "changes"
    )
    return _write_sheet(out, title, rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """Tiles beside each other. head: a bold text and plain ones after it. above: over each tile."""

    head: tuple[str, ...]
    above: tuple[str, ...]
    tiles: tuple[Image.Image, ...]


def _fitted(photo: Photo) -> tuple[Image.Image, float]:
    """The picture, no larger than a tile, and by how much it was scaled."""
    from PIL import Image

    picture = Image.fromarray(photo.rgb)
    scale = min(1.0, TILE_PX[0] / picture.width, TILE_PX[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return (picture.resize(size) if scale < 1 else picture), scale


def _labelled(photo: Photo, classes: Sequence[str], caption: str) -> Image.Image:
    from PIL import ImageDraw

    picture, scale = _fitted(photo)
    draw = ImageDraw.Draw(picture)
    placed = []
    for note in photo.objects:
        if note.box_xyxy is not None:
            x0, y0, x1, y1 = (round(v * scale) for v in note.box_xyxy)
            colour = COLOURS[classes.index(note.class_name) % len(COLOURS)]
            around = (x0 - 2, y0 - 2, x1 + 1, y1 + 1)
            draw.rectangle(around, outline=colour, width=2)
            placed.append((note, around, colour))
    taken: list[_Area] = []
    for note, around, colour in placed:
        taken.append(_name(picture, note, around, colour, taken))
    small = font(10)
    wide = draw.textlength(caption, font=small) + 6
    draw.rectangle((0, picture.height - 14, wide, picture.height), fill="#404040")
    draw.text((3, picture.height - 13), caption, fill="white", font=small)
    return picture


def _name(
    picture: Image.Image, note: Annotation, around: _Area, colour: str, taken: Sequence[_Area]
) -> _Area:
    """Class and, smaller, visibility: above the outline, below or in it, off all other names.

    Returns what it covers.
    """
    from PIL import ImageDraw

    draw, letters, small = ImageDraw.Draw(picture), font(12), font(9)
    seen = "" if note.visibility is None else f"{note.visibility:.0%}"
    length = int(draw.textlength(note.class_name, font=letters))
    wide = length + 6 + (int(draw.textlength(seen, font=small)) + 4 if seen else 0)
    left = max(0, min(around[0], picture.width - wide))
    lowest = picture.height - _LABEL_PX
    below = around[3] + 1
    tops = [around[1] - _LABEL_PX, below, around[1], below + _LABEL_PX + 4]
    inside = [top for top in tops if 0 <= top <= lowest] or [0]
    spots = [(left, top, left + wide, top + _LABEL_PX - 1) for top in inside]
    spot = next((s for s in spots if not any(_meet(s, other) for other in taken)), spots[0])
    draw.rectangle(spot, fill=colour)
    draw.text((left + 3, spot[1]), note.class_name, fill="white", font=letters)
    draw.text((left + length + 7, spot[1] + 3), seen, fill="white", font=small)
    return spot


def _meet(one: _Area, other: _Area) -> bool:
    return all(one[k] <= other[k + 2] and other[k] <= one[k + 2] for k in (0, 1))


def _write_sheet(out: Path, title: str, rows: Sequence[_Row]) -> Path:
    from PIL import Image, ImageDraw

    wide, high = (max(side) for side in zip(*(t.size for r in rows for t in r.tiles), strict=True))
    extra = [_HEAD_PX * bool(r.head) + _VALUE_PX * bool(r.above) + _GAP_PX for r in rows]
    across = max(len(row.tiles) for row in rows)
    texts = max(sum(font(13).getlength(text) + 12 for text in row.head) for row in rows)
    width = _GAP_PX + max(across * (wide + _GAP_PX), int(texts * 1.1))
    sheet = Image.new("RGB", (width, _TITLE_PX + sum(extra) + len(rows) * high), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PX, 5), title, fill=INK, font=font(15, bold=True))
    top = _TITLE_PX
    for row, more in zip(rows, extra, strict=True):
        x = float(_GAP_PX)
        for k, text in enumerate(row.head):
            letters = font(13, bold=k == 0)
            draw.text((x, top + 8), text, fill=_FAINT if k else INK, font=letters)
            x += letters.getlength(text) + 12
        below = top + more - _GAP_PX
        for k, tile in enumerate(row.tiles):
            left = _GAP_PX + k * (wide + _GAP_PX)
            if row.above:
                draw.text((left, below - _VALUE_PX), row.above[k], fill=INK, font=font(12))
            sheet.paste(tile, (left, below))
        top += more + high
    data = io.BytesIO()
    sheet.save(data, format="PNG")
    write_png(out, data.getvalue())
    return out
