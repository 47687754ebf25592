"""The worst pairs side by side, as one PNG to look at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.leaks.search import Pair
from vqc.pictures import read_picture

if TYPE_CHECKING:
    from PIL import Image


PAIRS = 24
PICTURE_PX = (320, 240)
_GAP_PX, _TEXT_PX, _LINE_PX = 8, 56, 17
_GROUND, _PAPER, _INK, _ALARM = "#d0d0d0", "#ffffff", "#202020", "#b00020"


def draw_sheet(folder: Path, pairs: Sequence[Pair], out: Path, count: int = PAIRS) -> Path:
    """Write up to `count` pairs, in the order given, with names, splits, sessions and scores.

    Raises InputError where there is nothing to show, where `out` is no PNG or a picture
    cannot be opened, OutputError where the sheet cannot be written.
    """
    from PIL import Image

    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the sheet is a PNG; give a name that ends in .png")
    if not pairs:
        raise InputError("there is no pair of pictures to show")
    cards = [_card(folder, pair) for pair in pairs[:count]]
    columns = 1 if len(cards) < 4 else 2
    width, height = (side + _GAP_PX for side in cards[0].size)
    lines = -(-len(cards) // columns)
    sheet = Image.new("RGB", (columns * width + _GAP_PX, lines * height + _GAP_PX), _GROUND)
    for number, card in enumerate(cards):
        place = (_GAP_PX + number % columns * width, _GAP_PX + number // columns * height)
        sheet.paste(card, place)
    png = io.BytesIO()
    sheet.save(png, format="PNG")
    try:
        replace_file(out, png.getvalue())
    except OSError as error:
        raise OutputError(f"{out}: the sheet cannot be written: {error}; use --out") from None
    return out


def _card(folder: Path, pair: Pair) -> Image.Image:
    """Two pictures, what they are above them and the verdict on top."""
    from PIL import Image, ImageDraw, ImageFont

    width, height = PICTURE_PX
    card = Image.new("RGB", (2 * width + 3 * _GAP_PX, height + _TEXT_PX + 2 * _GAP_PX), _PAPER)
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(13)
    draw.text((_GAP_PX, 3), f"{pair.kind}, {pair.score:.2f}", fill=_ALARM, font=font)
    for side, frame in enumerate((pair.first, pair.second)):
        x = _GAP_PX + side * (width + _GAP_PX)
        shoot = f"{frame.split}, session {frame.session}" + (
            " (same shoot)" if frame.same_shoot else ""
        )
        name = frame.image.rsplit("/", 1)[-1]
        for line, text in enumerate((shoot, name), start=1):
            while draw.textlength(text, font=font) > width and len(text) > 8:
                text = f"{text[: len(text) // 2 - 2]}…{text[len(text) // 2 + 1 :]}"
            draw.text((x, 3 + line * _LINE_PX), text, fill=_INK, font=font)
        picture = read_picture(folder / frame.image, draft_px=PICTURE_PX)
        picture.thumbnail(PICTURE_PX)
        card.paste(picture, (x + (width - picture.width) // 2, _TEXT_PX + _GAP_PX))
    return card
