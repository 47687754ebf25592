"""What is in a set: figures about its frames and boxes, and a contact sheet to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqc.errors import InputError, OutputError
from vqc.types import Frame, Manifest

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from vqc.types import Annotation

THUMBNAIL_PX = 400
PALETTE = ("#e6194b", "#0072b2", "#009e73", "#d55e00", "#7b3fbf", "#b58900", "#00838f", "#c2185b")
NO_BOX = "no box"
NAMED_BOXES = 4
"""A frame with more boxes than this names none of them; colours tell the classes."""
ROOM_PX = 24
"""A box must be this wide and high on the sheet for its visibility to be written in it."""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Boxes of one class in one session.

    frames: frames that show it. boxes: visible boxes. side: root of the box's area ÷ root of
    the frame's, as least, middle and largest. centre: middle of the box centres, x and y, as
    shares of the frame. visibility: the middle one; None where unknown.
    """

    class_name: str
    session: str
    frames: int
    boxes: int
    side: tuple[float, float, float] | None
    centre: tuple[float, float] | None
    visibility: float | None


def rows(manifest: Manifest) -> list[ClassRow]:
    """One row for every class and session in which it occurs."""
    groups: dict[tuple[str, str], list[tuple[Frame, Annotation]]] = {}
    for frame in manifest.frames:
        for note in frame.objects or ():
            groups.setdefault((note.class_name, frame.session), []).append((frame, note))
    return [_row(*key, groups[key]) for key in sorted(groups)]


def counts(manifest: Manifest) -> dict[str, int]:
    """Frames in all, backgrounds, frames that nobody labelled, frames of which no box shows."""
    return {
        "frames": len(manifest.frames),
        "backgrounds": sum(f.objects == () for f in manifest.frames),
        "unlabelled": sum(f.objects is None for f in manifest.frames),
        NO_BOX: sum(
            bool(f.objects) and all(o.box_xyxy is None for o in f.objects or ())
            for f in manifest.frames
        ),
    }


def contact_sheet(folder: Path, manifest: Manifest, count: int, out: Path) -> Path:
    """Write up to `count` frames of all classes with boxes, classes and visibility as one PNG.

    Raises InputError where an image cannot be opened, OutputError where the sheet cannot be
    written.
    """
    from PIL import Image

    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the sheet is a PNG; give a name that ends in .png")
    chosen = choose(manifest.frames, count)
    if not chosen:
        raise InputError(f"{folder}: the set holds no frame to show")
    tiles = [_tile(folder, frame, manifest.classes) for frame in chosen]
    columns = min(len(tiles), max(1, round((len(tiles) * 1.5) ** 0.5)))
    width, height = max(t.width for t in tiles), max(t.height for t in tiles)
    lines = -(-len(tiles) // columns)
    legend = _legend(manifest.classes, columns * (width + 6) + 6)
    sheet = Image.new("RGB", (legend.width, legend.height + lines * (height + 6) + 6), "#d0d0d0")
    sheet.paste(legend, (0, 0))
    for k, tile in enumerate(tiles):
        place = (6 + k % columns * (width + 6), legend.height + 6 + k // columns * (height + 6))
        sheet.paste(tile, place)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, format="PNG")
    except OSError as error:
        raise OutputError(f"{out}: the sheet cannot be written: {error}; use --out") from None
    return out


def choose(frames: Sequence[Frame], count: int) -> list[Frame]:
    """Up to `count` frames, as many of each group of classes."""
    groups: dict[tuple[str, ...], list[Frame]] = {}
    for frame in frames:
        key = tuple(sorted({o.class_name for o in frame.objects or ()}))
        groups.setdefault(key, []).append(frame)
    shares = Counter(k % len(groups) for k in range(count)) if groups else Counter()
    chosen: list[Frame] = []
    for number, key in enumerate(sorted(groups)):
        # By hash: as good as random, the same every time, and blind to the order of a sweep.
        picked = sorted(groups[key], key=lambda frame: frame.sha256)[: shares[number]]
        chosen += sorted(picked, key=lambda frame: frame.image)
    return chosen


def _row(class_name: str, session: str, found: list[tuple[Frame, Annotation]]) -> ClassRow:
    boxes, sizes = [], []
    for frame, note in found:
        if note.box_xyxy is not None:
            boxes.append(note.box_xyxy)
            sizes.append((frame.width, frame.height))
    visible = [n.visibility for _, n in found if n.visibility is not None]
    side = centre = None
    if boxes:
        box, size = np.array(boxes), np.array(sizes, dtype=np.float64)
        share = np.sqrt(np.prod((box[:, 2:] - box[:, :2]) / size, axis=1))
        low, middle, high = np.percentile(share, (0, 50, 100)).round(3).tolist()
        x, y = np.median((box[:, 2:] + box[:, :2]) / 2 / size, axis=0).round(3).tolist()
        side, centre = (low, middle, high), (x, y)
    return ClassRow(
        class_name,
        session,
        len({frame.image for frame, _ in found}),
        len(boxes),
        side,
        centre,
        round(float(np.median(visible)), 3) if visible else None,
    )


def _tile(folder: Path, frame: Frame, classes: Sequence[str]) -> Image.Image:
    from PIL import Image, ImageDraw, ImageFont

    try:
        with Image.open(folder / frame.image) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise InputError(f"{folder / frame.image}: {error}; check the set: vqc verify") from None
    scale = THUMBNAIL_PX / picture.width
    picture = picture.resize((THUMBNAIL_PX, max(1, round(picture.height * scale))))
    draw = ImageDraw.Draw(picture)
    font, small = ImageFont.load_default(13), ImageFont.load_default(10)
    shown = [note for note in frame.objects or () if note.box_xyxy is not None]
    for note in shown:
        assert note.box_xyxy is not None
        colour = PALETTE[classes.index(note.class_name) % len(PALETTE)]
        _draw_box(draw, [v * scale for v in note.box_xyxy], colour)
        x0, y0, x1, y1 = (v * scale for v in note.box_xyxy)
        if len(shown) <= NAMED_BOXES:
            _draw_text(draw, (x0, y0 - 18), _title(note), colour, font)
        elif note.visibility is not None and min(x1 - x0, y1 - y0) >= ROOM_PX:
            draw.text((x0 + 2, y0), f"{note.visibility:.0%}", fill=colour, font=small)
    caption = frame.image.rsplit("/", 1)[-1]
    if not frame.objects:
        caption += "  (nobody labelled it)" if frame.objects is None else "  (background)"
    _draw_text(draw, (2, picture.height - 17), caption, "#404040", font)
    return picture


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
