"""HTML from plain values: whatever is not `Markup` yet is escaped, so no name can be code."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.errors import InputError
from vqc.figures.style import mean_and_spread, said

if TYPE_CHECKING:
    from PIL.Image import Image

DIGITS = 3
"""Decimals of a score on the page."""
_EMPTY_TAGS = ("img", "br", "meta")
_SMALL_BYTES = 400_000
"""A PNG larger than this is a sheet of photos; in the page it becomes a JPEG."""

_WIDE_PX = 1100
"""A figure with fewer pixels looks blown up in the width of the page."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = object
"""What may stand in a tag: Markup as it is, anything else as text, None not at all."""


def tag(name: str, /, *content: Content, **attributes: object) -> Markup:
    """One element. Attributes: `class_` is class, `_` stands for `-`, None leaves it out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY_TAGS:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(parts: Iterable[Content], between: str = "") -> Markup:
    """Parts after each other; None is left out."""
    return Markup(
        between.join(
            part if isinstance(part, Markup) else html.escape(str(part))
            for part in parts
            if part is not None
        )
    )


def table(
    columns: Sequence[Content], rows: Sequence[Sequence[Content]], words: Collection[str] = ()
) -> Markup:
    """A table with a scroll of its own where it is too wide.

    The first column names the row, the others are numbers, set to the right, but for those
    named in `words`.
    """

    def align(place: int) -> str | None:
        return "number" if place and columns[place] not in words else None

    head = tag("tr", *(tag("th", c, class_=align(k), scope="col") for k, c in enumerate(columns)))
    body = []
    for row in rows:
        cells = [
            tag("td" if k else "th", value, class_=align(k), scope=None if k else "row")
            for k, value in enumerate(row)
        ]
        body.append(tag("tr", *cells))
    inner = tag("table", tag("thead", head), tag("tbody", *body))
    label = ", ".join(str(c) for c in columns if not isinstance(c, Markup))
    return _scroll(inner, f"table: {label}")


def _scroll(inner: Markup, label: str) -> Markup:
    """With a tab stop and a name: what can be scrolled must be reachable by the keyboard."""
    return tag("div", inner, class_="scroll", tabindex=0, role="region", aria_label=label)


def listed(lines: Iterable[Content]) -> Markup | None:
    """A list; None for no line."""
    items = [tag("li", line) for line in lines]
    return tag("ul", *items) if items else None


def definitions(pairs: Iterable[tuple[str, Content]], class_: str = "facts") -> Markup:
    """Short facts, each with its name."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs]
    return tag("dl", *rows, class_=class_)


def score(values: Sequence[float], doubtful: bool) -> Markup:
    """Mean and spread of repeats; what is not honest is set apart, and words beside it say why."""
    mean, spread, _ = mean_and_spread(values)
    first, *rest = said(mean, spread, DIGITS).split(" ", 1)
    # Two pieces, so that a narrow column breaks between them and nowhere else.
    pieces = [tag("span", first), *(tag("small", part) for part in rest)]
    return tag("span", join(pieces, " "), class_="doubtful" if doubtful else "score")


def marked(mark: str) -> Markup | None:
    """Why a score is not honest, in words; None where it is."""
    return tag("span", mark, class_="mark") if mark else None


def verdict(mark: str) -> Markup:
    """Whether a score is honest, in words."""
    return marked(mark) or tag("span", "honest score", class_="honest")


def figure(file: Path, alt: str, mark: str = "", wide: bool = False) -> Markup:
    """A figure that lies in a file, put into the page. mark: the one that is drawn on it.

    wide: it may have the width of the page, if it has that many pixels.
    Raises InputError where the file is no picture, or a damaged one.
    """
    # Who cannot see the figure is told its mark as well.
    words = f"{alt} ({mark})" if mark else alt
    data, width = _embedded(file)
    picture = tag("img", src=data, alt=words)
    wide = wide and width >= _WIDE_PX
    # A wide one keeps a legible size on a phone, and scrolls by itself.
    frame = _scroll(picture, alt) if wide else picture
    return tag("figure", frame, class_="wide" if wide else None)


def picture(image: Image, alt: str, quality: int = 80) -> Markup:
    """A photo, put into the page as WebP, a third smaller than a JPEG that looks as good."""
    data = io.BytesIO()
    image.convert("RGB").save(data, format="WEBP", quality=quality)
    width, height = image.size
    return tag("img", src=_uri(data.getvalue(), "webp"), alt=alt, width=width, height=height)


def _embedded(file: Path) -> tuple[str, int]:
    """A figure with 256 colours, a third as large, or a sheet of photos as JPEG; and its width."""
    from PIL import Image

    data = io.BytesIO()
    try:
        png = file.read_bytes()
        with Image.open(io.BytesIO(png), formats=["PNG"]) as opened:
            flat = opened.convert("RGB")
    # Pillow tells of a damaged PNG in all of these.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InputError(f"{file}: cannot be read as a PNG") from None
    if len(png) > _SMALL_BYTES:
        flat.save(data, format="JPEG", quality=88)
        return _uri(data.getvalue(), "jpeg"), flat.width
    flat.quantize(256, dither=Image.Dither.NONE).save(data, format="PNG")
    return _uri(data.getvalue(), "png"), flat.width


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
