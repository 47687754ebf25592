"""What readers of label files share: the picture a label is about, numbers that can be right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vqc.formats.source import Item, Point, Reading, split_of
from vqc.pictures import LARGEST_MPX
from vqc.types import Box, Fault

LARGEST_PX = LARGEST_MPX * 1_000_000
"""Run-length masks of larger pictures are refused: a few bytes could claim any size."""

_ORIENTATION, _TURNED = 274, range(5, 9)  # the EXIF tag, and its values that swap the sides
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


class Wrong(Exception):
    """What is wrong with one label; the reader that catches it knows where."""


class Ambiguous(Wrong):
    """A label that may be about several pictures."""


class Pictures:
    """The pictures of a source, found by what a label file calls them.

    Only pictures of the source are ever found, so no path leads out of it.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.files = tuple(files)
        self._exact = frozenset(self.files)
        self._by_tail: dict[str, list[str]] = {}
        for file in self.files:
            for tail in _tails(file.split("/")):
                self._by_tail.setdefault(tail, []).append(file)

    def find(self, stated: str, beside: str = "") -> str:
        """The picture that `stated` means; raises Wrong where there is none, or Ambiguous.

        stated: a path, as complete or short as the label file has it; drives and dots do not
        count. beside: the label file. The path from the label file's own folder or its
        `images/` comes first, then from the source's root; else the one picture whose path ends
        the same way, as far as possible.
        """
        folder = beside.rpartition("/")[0]
        here = f"{folder}/" if folder else ""
        parts = [p for p in re.split(r"[/\\]+", stated.strip()) if p not in ("", ".", "..")]
        name = "/".join(part for part in parts if not part.endswith(":"))
        for path in (f"{here}{name}", f"{here}images/{name}", name):
            if path in self._exact:
                return path
        for tail in _tails(name.split("/")):
            found = self._by_tail.get(tail)
            if found:
                return only(stated, found)
        raise Wrong(f"there is no picture {stated!r}")


@dataclass(slots=True)
class Labelled:
    """Items while label files are read; a picture that is labelled twice is at fault."""

    items: dict[str, Item] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, item: Item, line: int | None = None) -> None:
        """Take in what a label file says about one picture; line: where it says so."""
        before = self.items.get(item.file)
        if before is not None:
            again = f"{item.file} is labelled here and in {before.where}: keep one of the two"
            faults = (*before.faults, *item.faults, Fault(item.where, line, again))
            item = replace(before, faults=faults)
        self.items[item.file] = item

    def reading(
        self,
        pictures: Iterable[str],
        expected: str,
        unlabelled_is_empty: bool,
        classes: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> Reading:
        """All items by file. A picture without any is empty where the user says so, else at fault.

        expected: what would be its label, for the message.
        """
        missing = (file for file in pictures if file not in self.items)
        rest = (unlabelled(file, expected, unlabelled_is_empty) for file in missing)
        items = sorted([*self.items.values(), *rest], key=lambda item: item.file)
        return Reading(tuple(items), tuple(classes), tuple(self.faults), tuple(notes))


def only(written: str, found: Sequence[str]) -> str:
    """The one file that a name may mean; raises Ambiguous."""
    if len(found) > 1:
        more = f" or {len(found) - 2} more" if len(found) > 2 else ""
        either = f"{found[0]} or {found[1]}{more}"
        raise Ambiguous(f"{written!r} may be {either}: give these files different names")
    return found[0]


def unlabelled(file: str, expected: str, is_empty: bool) -> Item:
    """A picture that no label speaks of."""
    if is_empty:
        return Item(file, file, split_of(file), objects=())
    text = f"no label: expected {expected}; if such pictures show nothing, say --background"
    return Item(file, file, split_of(file), faults=(Fault(file, None, text),))


def number(value: object, name: str) -> float:
    """A finite number as JSON, XML or CSV give it; raises Wrong."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        try:
            found = float(value)  # type: ignore[arg-type]
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
    raise Wrong(f"{name}: expected a number, got {_short(value)}")


def whole(value: object, name: str, least: int = 0) -> int:
    """A whole number that is not too small; raises Wrong."""
    found = number(value, name)
    if not found.is_integer() or found < least:
        raise Wrong(f"{name}: expected a whole number from {least}, got {_short(value)}")
    return int(found)


def inside(points: Sequence[Point], size: Sequence[float], slack: float) -> tuple[Point, ...]:
    """Points moved onto the picture, each by no more than `slack`; raises Wrong."""
    width, height = size
    reach = max(max(-x, x - width, -y, y - height) for x, y in points)
    if reach > slack:
        raise Wrong(f"reaches {reach:.6g} over the border of {width:g} x {height:g}")
    return tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in points)


def upright(x0: float, y0: float, x1: float, y1: float) -> Box:
    """A box that has an area; raises Wrong."""
    if x1 <= x0 or y1 <= y0:
        raise Wrong(f"expected a box with an area, got x {x0:g} to {x1:g}, y {y0:g} to {y1:g}")
    return (x0, y0, x1, y1)


def turned(box: Box, about: Point, degrees: float) -> list[Point]:
    """The corners of a box after a turn, clockwise as one sees it."""
    x0, y0, x1, y1 = box
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ax, ay = about
    corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    return [
        (ax + c * (x - ax) - s * (y - ay), ay + s * (x - ax) + c * (y - ay)) for x, y in corners
    ]


def box_around(points: Sequence[Point], size: Sequence[float]) -> Box:
    """The upright box around points, ended at the picture's border; raises Wrong if none is left.

    A turned box may reach over the border where the object in it does not.
    """
    x, y = [p[0] for p in points], [p[1] for p in points]
    width, height = size
    return upright(max(min(x), 0.0), max(min(y), 0.0), min(max(x), width), min(max(y), height))


def size_for_mask(width: int, height: int) -> tuple[int, int]:
    """A size that a mask may have; raises Wrong. Given back as (height, width)."""
    if width < 1 or height < 1 or width * height > LARGEST_PX:
        most = LARGEST_PX // 1_000_000
        raise Wrong(f"expected a picture of up to {most} megapixels, got {width} x {height}")
    return height, width


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height in a picture's header; no pixel is decoded. Raises Wrong."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Wrong(f"cannot be read as a picture ({type(error).__name__})") from None


def is_turned(path: Path) -> bool:
    """Whether EXIF says that a picture, whose header can be read, lies on its side."""
    from PIL import Image

    with Image.open(path) as picture:
        return picture.getexif().get(_ORIENTATION) in _TURNED


def _tails(parts: Sequence[str]) -> list[str]:
    """A path, then without its first folder, and so on down to the name.

    >>> _tails(["a", "b", "c.jpg"])
    ['a/b/c.jpg', 'b/c.jpg', 'c.jpg']
    """
    return ["/".join(parts[i:]) for i in range(len(parts))]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
