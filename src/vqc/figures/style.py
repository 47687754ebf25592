"""What all figures share: size, letters, colours, and where title and mark stand."""

from __future__ import annotations

import contextlib
import io
import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqc.errors import OutputError
from vqc.files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HALF_IN, WIDE_IN = 4.9, 11.0
"""Width of a figure that stands beside another one in a report, and of one that stands alone."""
DPI = 160
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#595959")
"""Okabe and Ito's, which colour-blind readers tell apart as well; yellow is too pale on white."""
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)), (0, (1, 1)))
MARKERS = "osD^vPX"
INK, PALE, PAPER = "#202020", "#b8b8b8", "#ffffff"
MARK_PAPER, MARK_EDGE, MARK_INK = "#fff3cd", "#b58900", "#5c4400"
STUDY = ("precision", "recall", "mAP50", "F1")
"""The metrics that the original study compares training sets by."""

_FONT_PT, _TITLE_PT = 10.0, 11.5
_LINE_IN = 0.21
_SPELLED = {"map50": "mAP50", "map5095": "mAP50-95", "f1": "F1"}


@contextlib.contextmanager
def canvas(out: Path, size_in: tuple[float, float], title: str, mark: str = "") -> Iterator[Figure]:
    """A figure to draw on, written to `out` as a PNG at the end.

    size_in: width and height of what is drawn; title and mark come on top of the height.
    mark: why a score is not honest; empty where it is. Raises OutputError.
    """
    import matplotlib
    from matplotlib.figure import Figure

    width, height = size_in
    letters = max(24, int(width * 10.4))
    titles = textwrap.wrap(title, letters) or [""]
    marks = textwrap.wrap(mark, int(width * 13))
    head = 0.12 + _LINE_IN * (len(titles) + len(marks)) + (0.14 if marks else 0)
    # A class may be called "$x_": its name is no formula.
    settings = {"text.parse_math": False, "font.size": _FONT_PT, "hatch.linewidth": 0.6}
    with matplotlib.rc_context(settings):
        figure = Figure((width, height + head), dpi=DPI, layout="constrained", facecolor=PAPER)
        engine: Any = figure.get_layout_engine()
        engine.set(rect=(0, 0, 1, height / (height + head)))
        _write_head(figure, "\n".join(titles), "\n".join(marks), height + head)
        yield figure
        data = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # letters that the font lacks
            figure.savefig(data, format="png", metadata={"Software": None})
    write_png(out, data.getvalue())


def _write_head(figure: Figure, title: str, mark: str, height: float) -> None:
    x, top = 0.1 / figure.get_figwidth(), 1 - 0.08 / height
    where: dict[str, Any] = {"ha": "left", "va": "top", "color": INK, "linespacing": 1.15}
    figure.text(x, top, title, fontsize=_TITLE_PT, fontweight="bold", **where)
    if mark:
        below = top - (_LINE_IN * (title.count("\n") + 1) + 0.07) / height
        box = {"boxstyle": "square,pad=0.25", "facecolor": MARK_PAPER, "edgecolor": MARK_EDGE}
        at = x + 0.03 / figure.get_figwidth()
        figure.text(at, below, mark, fontsize=9.5, bbox=box, **where | {"color": MARK_INK})


def write_png(out: Path, png: bytes) -> None:
    """Put a picture there. Raises OutputError where that fails."""
    try:
        replace_file(out, png)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from None


def spelled(metric: str) -> str:
    """A metric as people write it: "map50" and "metrics/mAP50(B)" are mAP50."""
    plain = metric.rpartition("/")[2].removesuffix("(B)")
    return _SPELLED.get(plain.lower().replace("-", "").replace("_", ""), plain)


def short(name: str, letters: int = 24) -> str:
    """A name that fits, its beginning and end kept."""
    if len(name) <= letters:
        return name
    keep = letters - 1
    return f"{name[: keep - keep // 2]}…{name[len(name) - keep // 2 :]}"


def mean_and_spread(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean, sample standard deviation and count of the finite values; NaN where too few."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return math.nan, math.nan, 0
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
    return float(np.mean(known)), spread, len(known)


def said(mean: float, spread: float, digits: int = 2) -> str:
    """Such as "0.81 ± 0.02"; the spread is left out where there is none, "–" for no value."""
    if not math.isfinite(mean):
        return "–"
    if not math.isfinite(spread):
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


def share_axis(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis: 0 to 1 for shares, wider where a value lies outside."""
    known = [value for value in values if math.isfinite(value)]
    return min([0.0, *known]), max([1.0, *(value * 1.05 for value in known if value > 1)])


def near_axis(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis for lines: whole tenths around the values, inside 0 to 1 for shares."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    bottom = math.floor(low * 10 - 0.2) / 10
    top = math.ceil(high * 10 + 0.2) / 10
    return (max(bottom, 0.0) if low >= 0 else bottom), (min(top, 1.02) if high <= 1 else top)
