"""Some frames of one or several sets beside each other, with boxes, classes and masks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqc.errors import InputError
from vqc.formats import rle
from vqc.inspection import write
from vqc.inspection.columns import source_of
from vqc.pictures import read_picture
from vqc.types import Frame

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from vqc.types import Annotation

THUMBNAIL_PX = 400
TALLEST_PX = 500
PALETTE = ("#e6194b", "#0072b2", "#009e73", "#d55e00", "#7b3fbf", "#b58900", "#00838f", "#c2185b")
NAMED_BOXES = 4
"""A frame with more boxes than this names none of them; colours tell the classes."""
ROOM_PX = 24
"""A box must be this wide and high on the sheet for its visibility to be written in it."""
_TINT = 0.2

Picture = tuple[Path, Frame]
"""A set's folder and one of its frames."""


def draw(pictures: Sequence[Picture], classes: Sequence[str], count: int, out: Path) -> Path:
    """Write up to `count` of the pictures with boxes, masks, classes and visibility as a PNG.

    classes: in the order of their colours. Raises InputError where an image cannot be opened,
    ManifestError for a mask whose run lengths do not fill its frame, OutputError where the
    sheet cannot be written.
    """
    from PIL import Image

    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the sheet is a PNG; give a name that ends in .png")
    if not pictures:
        raise InputError("no set among those given holds a frame to show")
    tiles = [_tile(folder, frame, classes) for folder, frame in choose(pictures, count)]
    columns = min(len(tiles), max(1, round((len(tiles) * 1.5) ** 0.5)))
    lines = [tiles[k : k + columns] for k in range(0, len(tiles), columns)]
    width = max(tile.width for tile in tiles)
    legend = _legend(classes, columns * (width + 6) + 6)
    tops = [legend.height + 6]
    for line in lines:
        tops.append(tops[-1] + max(tile.height for tile in line) + 6)
    sheet = Image.new("RGB", (legend.width, tops[-1]), "#d0d0d0")
    sheet.paste(legend, (0, 0))
    for line, top in zip(lines, tops, strict=False):
        for k, tile in enumerate(line):
            sheet.paste(tile, (6 + k * (width + 6), top))
    data = io.BytesIO()
    sheet.save(data, format="PNG")
    return write(out, data.getvalue())


def choose(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """Up to `count` pictures: in turn from each source, there in turn from what they show."""
    by_source: dict[str, dict[tuple[str, ...], list[Picture]]] = {}
    # By hash: as good as random, the same every time, and blind to the order of a sweep.
    for picture in sorted(pictures, key=lambda picture: picture[1].sha256):
        groups = by_source.setdefault(source_of(picture[1]), {})
        groups.setdefault(_shown(picture[1]), []).append(picture)
    turns = [(n, s, p) for s in by_source for n, p in enumerate(_in_turn(by_source[s]))]
    taken = sorted(turns, key=lambda turn: turn[:2])[:count]
    chosen = [picture for _, _, picture in taken]
    return sorted(chosen, key=lambda p: (_shown(p[1]), source_of(p[1]), p[1].image))


def _in_turn(groups: Mapping[tuple[str, ...], Sequence[Picture]]) -> list[Picture]:
    turns = [(n, key, picture) for key in groups for n, picture in enumerate(groups[key])]
    return [picture for _, _, picture in sorted(turns, key=lambda turn: turn[:2])]


def _shown(frame: Frame) -> tuple[str, ...]:
    """Classes, label and condition of a frame."""
    said = {text for text in (frame.label, frame.condition) if text is not None}
    return tuple(sorted(said | {note.class_name for note in frame.objects or ()}))


def _tile(folder: Path, frame: Frame, classes: Sequence[str]) -> Image.Image:
    from PIL import ImageDraw, ImageFont

    scale = min(THUMBNAIL_PX / frame.width, TALLEST_PX / frame.height)
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    picture = read_picture(folder / frame.image, draft_px=size).resize(size)
    for note in frame.objects or ():
        if note.mask is not None:
            _tint(picture, note, _colour(note.class_name, classes))
    draw = ImageDraw.Draw(picture)
    font, small = ImageFont.load_default(13), ImageFont.load_default(10)
    shown = [note for note in frame.objects or () if note.box_xyxy is not None]
    for note in shown:
        assert note.box_xyxy is not None
        colour = _colour(note.class_name, classes)
        x0, y0, x1, y1 = (v * scale for v in note.box_xyxy)
        _draw_box(draw, [x0, y0, x1, y1], colour)
        if len(shown) <= NAMED_BOXES:
            _draw_text(draw, (x0, y0 - 18), _title(note), colour, font)
        elif note.visibility is not None and min(x1 - x0, y1 - y0) >= ROOM_PX:
            draw.text((x0 + 2, y0), f"{note.visibility:.0%}", fill=colour, font=small)
    _draw_text(draw, (2, picture.height - 17), _caption(frame), "#404040", font)
    return picture


def _caption(frame: Frame) -> str:
    said = [text for text in (frame.label, frame.condition) if text is not None]
    if not said and not frame.objects:
        said = ["nobody labelled it" if frame.objects is None else "background"]
    name = frame.image.rsplit("/", 1)[-1]
    return f"{name}  ({', '.join(said)})" if said else name


def _colour(class_name: str, classes: Sequence[str]) -> str:
    return PALETTE[classes.index(class_name) % len(PALETTE)]


def _tint(picture: Image.Image, note: Annotation, colour: str) -> None:
    """Outline the object's visible pixels in its colour and tint them with a little of it."""
    from PIL import Image, ImageChops, ImageFilter

    assert note.mask is not None
    mask = Image.fromarray(np.ascontiguousarray(rle.decode(note.mask)).astype(np.uint8) * 255)
    cover = mask.resize(picture.size, Image.Resampling.BOX)
    outline = ImageChops.subtract(cover, cover.filter(ImageFilter.MinFilter(3)))
    tint = cover.point(lambda value: round(value * _TINT))
    picture.paste(colour, (0, 0), ImageChops.lighter(outline, tint))


def _title(note: Annotation) -> str:
    if note.visibility is None:
        return note.class_name
    return f"{note.class_name} {note.visibility:.0%}"


def _legend(classes: Sequence[str], width: int) -> Image.Image:
    """The classes in their colours, as many lines as they need."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(14)
    strip = Image.new("RGB", (width, 22 * (1 + len(classes) // 4)), "#d0d0d0")
    draw = ImageDraw.Draw(strip)
    x, y = 6.0, 3.0
    for number, name in enumerate(classes):
        length = draw.textlength(name, font=font) + 18
        if x + length > width and x > 6:
            x, y = 6.0, y + 22
        _draw_text(draw, (x, y), name, PALETTE[number % len(PALETTE)], font)
        x += length
    return strip.crop((0, 0, width, int(y) + 19))


def _draw_box(draw: ImageDraw.ImageDraw, box: list[float], colour: str) -> None:
    """Outside of the half-open box, so that no pixel of the object is hidden."""
    x0, y0, x1, y1 = (round(v) for v in box)
    draw.rectangle((x0 - 1, y0 - 1, max(x1, x0), max(y1, y0)), outline=colour)


def _draw_text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: str, font: object
) -> None:
    left, top = max(at[0], 1.0), max(at[1], 1.0)
    right = draw.textlength(text, font=font)  # type: ignore[arg-type]
    draw.rectangle((left - 1, top, left + right + 3, top + 16), fill=colour)
    draw.text((left + 1, top), text, fill="white", font=font)  # type: ignore[arg-type]
