"""The figures of a set as one picture: balance of classes, and CAD against photos.

In: columns. Out: a PNG. What the set lacks is not drawn: boxes, conditions, a second source.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqc.inspection import (
    SIDE_EDGES,
    BalanceRow,
    balance,
    condition_balance,
    sizes,
    write,
)
from vqc.inspection.areas import areas, edges
from vqc.inspection.columns import CAD, REAL, SIMULATED, SOURCES, SPLITS, Columns
from vqc.inspection.sheet import PALETTE
from vqc.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart as well.
COLOURS = {CAD: "#0072b2", SIMULATED: "#009e73", REAL: "#d55e00"}
NAMES = {CAD: "CAD", SIMULATED: "simulated photos", REAL: "photos"}
_LOOKS = {"train": (1.0, ""), "val": (0.6, "////"), "test": (0.3, "...."), None: (1.0, "")}
"""How strong a split's colour is, and what it is hatched with."""
_MOST_LINES = 7
MOST_BARS = 40
"""So many classes have a bar; of more, those with the most frames."""
_WIDTH_IN, _BAR_IN, _ROW_IN = 13.0, 0.26, 3.6
_ASPECT_EDGES = np.linspace(-3, 3, 31)  # powers of two
_CELLS = 20


def draw(of: Columns, title: str, out: Path) -> Path:
    """Write the charts as a PNG. Raises OutputError where that fails."""
    import matplotlib
    from matplotlib.figure import Figure

    bars = [
        ("Frames of each class", balance(of)),
        ("Frames of each condition", condition_balance(of)),
    ]
    bars = [(name, found) for name, found in bars if found]
    has_boxes = bool(of.has_box.any())
    heights = [1.2 + _BAR_IN * len(_names(found)) for _, found in bars]
    if has_boxes:
        shown = min(MOST_BARS, len(set(of.class_number[of.has_box].tolist())))
        heights += [max(_ROW_IN, 0.9 + _BAR_IN * shown), _ROW_IN + 0.6]
    masked = areas(of)
    if masked:
        heights.append(max(_ROW_IN, 0.9 + _BAR_IN * min(MOST_BARS, len(masked))))
    # A class may be called "$x_": its name is no formula.
    with matplotlib.rc_context({"text.parse_math": False, "font.size": 9}):
        figure = Figure((_WIDTH_IN, 0.5 + sum(heights)), dpi=110, layout="constrained")
        figure.suptitle(title, fontweight="bold")
        rows = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for (name, found), row in zip(bars, rows, strict=False):
            _draw_balance(row, of, name, found)
        if has_boxes:
            _draw_sizes(rows[len(bars)], of)
            _draw_centres(rows[len(bars) + 1], of)
        if masked:
            _draw_areas(rows[-1], of)
        return _save(figure, out)


def _save(figure: Figure, out: Path) -> Path:
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in letters the font lacks
        figure.savefig(data, format="png", metadata={"Software": None})
    return write(out, data.getvalue())


def _names(rows: Sequence[BalanceRow]) -> list[str]:
    """The names to draw a bar for, in their order."""
    frames: dict[str, int] = {}
    for row in rows:
        frames[row.name] = frames.get(row.name, 0) + row.frames
    kept = set(sorted(frames, key=lambda name: -frames[name])[:MOST_BARS])
    return [name for name in frames if name in kept]


def _draw_balance(figure: Any, of: Columns, title: str, rows: Sequence[BalanceRow]) -> None:
    """One panel for each source, so that few photos stay visible beside many renders."""
    from matplotlib.patches import Patch

    names = _names(rows)
    total = len({row.name for row in rows})
    left_out = f"; the {len(names)} most frequent of {total}" if len(names) < total else ""
    figure.suptitle(f"{title}{left_out}: bars of one colour should be equally long", fontsize=10)
    sources = [number for number in range(len(SOURCES)) if (of.source == number).any()]
    panels = figure.subplots(1, len(sources), sharey=True, squeeze=False)[0]
    for panel, number in zip(panels, sources, strict=True):
        source = SOURCES[number]
        splits = of.split[of.source == number]
        found = [row for row in rows if row.source == source and row.name in names]
        _draw_bars(panel, names, found, COLOURS[source])
        keys = [
            Patch(label=f"{name or 'no split'}, n = {count:,}", **_look(name, COLOURS[source]))
            for name, count in zip(SPLITS, np.bincount(splits, minlength=4), strict=True)
            if count
        ]
        panel.set_title(f"{NAMES[source]}, n = {len(splits):,}", fontsize=9, loc="left")
        where = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0}
        panel.legend(handles=keys, fontsize=8, ncols=4, frameon=False, **where)


def _draw_bars(panel: Axes, names: Sequence[str], rows: Sequence[BalanceRow], colour: str) -> None:
    place = {name: k for k, name in enumerate(names)}
    ends = np.zeros(len(names))
    for split in SPLITS:
        lengths = np.zeros(len(names))
        for row in rows:
            lengths[place[row.name]] += row.frames * (row.split == split)
        panel.barh(range(len(names)), lengths, left=ends, height=0.75, **_look(split, colour))
        ends += lengths
    for k, end in enumerate(ends):
        panel.text(end, k, f" {int(end):,}", va="center", fontsize=8)
    panel.set_yticks(range(len(names)), [_short(name) for name in names])
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.set_xlim(0, max(1.0, ends.max()) * 1.1)
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.set_xlabel("frames that show it")
    panel.spines[["top", "right"]].set_visible(False)


def _look(split: str | None, colour: str) -> dict[str, Any]:
    strength, hatch = _LOOKS[split]
    return {"facecolor": colour, "alpha": strength, "hatch": hatch, "edgecolor": "white", "lw": 0.5}


def _draw_sizes(figure: Any, of: Columns) -> None:
    """Size over all, size by class, and shape; the first and last of classes that both show."""
    found = sizes(of)
    compared = [row.class_name for row in found[1:]] or of.classes
    which = np.isin(of.class_number, [of.classes.index(name) for name in compared])
    some = len(compared) < len(set(of.class_number[of.has_box].tolist()))
    side, by_class, shape = figure.subplots(1, 3)
    _draw_distributions(side, of, np.where(which, of.side, np.nan), SIDE_EDGES)
    side.set(xlabel="side of the box ÷ side of the frame (roots of the areas)", xlim=(0, 1))
    title = "Object size" + (" of classes that both show" if some else "")
    title += f": {found[0].overlap:.0%} overlap, 100% is best" if found else ""
    side.set_title(title, fontsize=9)
    _draw_by_class(by_class, of)
    shapes = np.where(which, np.log2(of.aspect), np.nan)
    _draw_distributions(shape, of, shapes, _ASPECT_EDGES)
    shape.set_xticks(range(-3, 4), [f"{2.0**k:g}" for k in range(-3, 4)])
    shape.set(xlabel="width ÷ height of the box", xlim=(-3, 3))
    shape.set_title("Box shape: a view that is missing leaves a gap", fontsize=9)


def _draw_distributions(panel: Axes, of: Columns, values: FloatArray, edges: FloatArray) -> None:
    """Shares of the boxes of each source, NaN left out; a dashed line at the median."""
    for source in SOURCES:
        mine = values[of.with_box(source) & ~np.isnan(values)]
        if not len(mine):
            continue
        shares = np.histogram(mine.clip(edges[0], edges[-1]), edges)[0] / len(mine)
        label = f"{NAMES[source]}, n = {len(mine):,}"
        panel.stairs(shares, edges, fill=True, color=COLOURS[source], alpha=0.35)
        panel.stairs(shares, edges, color=COLOURS[source], linewidth=1.5, label=label)
        panel.axvline(float(np.median(mine)), color=COLOURS[source], linestyle="--", linewidth=1)
    panel.set_ylim(0)
    panel.set_ylabel("share of boxes (dashed: median)")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8)


def _draw_by_class(panel: Axes, of: Columns) -> None:
    """Median, middle half and middle 90 % of the sides of each class and source."""
    sources = [source for source in SOURCES if of.with_box(source).any()]
    shown = np.bincount(of.class_number[of.has_box], minlength=len(of.classes))
    kept = np.sort(np.argsort(-shown, kind="stable")[: min(MOST_BARS, int((shown > 0).sum()))])
    for step, source in enumerate(sources):
        for k, number in enumerate(kept):
            mine = of.side[of.with_box(source) & (of.class_number == number)]
            if len(mine):
                low, first, middle, third, high = np.percentile(mine, (5, 25, 50, 75, 95))
                y = k + (step - (len(sources) - 1) / 2) * 0.25
                panel.plot([low, high], [y, y], color=COLOURS[source], linewidth=1)
                panel.plot([first, third], [y, y], color=COLOURS[source], linewidth=4)
                panel.plot(middle, y, "o", color="white", markeredgecolor=COLOURS[source])
    panel.set_yticks(range(len(kept)), [_short(of.classes[k]) for k in kept])
    panel.set(ylim=(len(kept) - 0.5, -0.5), xlim=(0, 1))
    panel.set_xlabel("side: median, middle half, middle 90 %")
    wish = ": circles of a class should be above each other" if len(sources) > 1 else ""
    panel.set_title(f"Size by class{wish}", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)


def _draw_centres(figure: Any, of: Columns) -> None:
    """Where boxes lie, on one scale; logarithmic, since renders often lie in one place."""
    from matplotlib.colors import LogNorm

    shown = [source for source in SOURCES if of.with_box(source).any()]
    wish = ": where photos have objects, CAD should have some too" if len(shown) > 1 else ""
    figure.suptitle(f"Box centres{wish}", fontsize=10)
    panels = figure.subplots(1, len(SOURCES))
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    edges = np.linspace(0, 1, _CELLS + 1)
    shares = []
    for source in shown:
        centre = of.centre[of.with_box(source)]
        shares.append(np.histogram2d(centre[:, 1], centre[:, 0], edges)[0] / len(centre))
    low, high = min(s[s > 0].min() for s in shares), max(s.max() for s in shares)
    scale = LogNorm(low, max(high, 2 * low))
    for panel, source, share in zip(panels, shown, shares, strict=False):
        drawn = panel.pcolormesh(
            edges, edges, np.where(share > 0, share, np.nan), norm=scale, cmap="viridis_r"
        )
        count = int(of.with_box(source).sum())
        panel.set_title(f"{NAMES[source]}, n = {count:,}", fontsize=9)
        panel.set(xlabel="share of the width", ylabel="share of the height")
        panel.set(xlim=(0, 1), ylim=(1, 0), aspect="equal")
    bar = figure.colorbar(
        drawn,
        ax=list(panels[: len(shown)]),
        label="share of boxes in a cell",
        ticks=np.geomspace(scale.vmin, scale.vmax, 5),
        format="{x:.2g}",
    )
    bar.minorticks_off()


def _draw_areas(figure: Any, of: Columns) -> None:
    """Masks of each class, and how many there are of which area; both axes logarithmic."""
    found = sorted(areas(of), key=lambda row: -row.masks)[:MOST_BARS]
    figure.suptitle("Masks: how many of each class, and how large they are", fontsize=10)
    counts, sizes = figure.subplots(1, 2)
    numbers = [of.classes.index(row.class_name) for row in found]
    colours = [PALETTE[number % len(PALETTE)] for number in numbers]
    for k, (row, colour) in enumerate(zip(found, colours, strict=True)):
        counts.barh(k, row.masks, height=0.75, color=colour)
        counts.text(row.masks, k, f" {row.masks:,} in {row.frames:,} frames", va="center", size=8)
    counts.set_yticks(range(len(found)), [_short(row.class_name) for row in found])
    counts.set(ylim=(len(found) - 0.4, -0.6), xlim=(0, found[0].masks * 1.35), xlabel="masks")
    counts.xaxis.get_major_locator().set_params(integer=True)
    counts.spines[["top", "right"]].set_visible(False)
    bins = edges(of)
    for row, number, colour in list(zip(found, numbers, colours, strict=True))[:_MOST_LINES]:
        mine = of.area_px[(of.class_number == number) & of.has_mask]
        label = f"{_short(row.class_name)}, median {row.area_px[1]:,} px"
        look = {"color": colour, "linestyle": "-" if number < len(PALETTE) else "--"}
        sizes.stairs(np.histogram(mine, bins)[0], bins, linewidth=1.5, label=label, **look)
    sizes.set(xscale="log", yscale="symlog", xlabel="area, px", ylabel="masks")
    sizes.set_ylim(0, 8 * sizes.get_ylim()[1])  # room for the legend
    for axis in (sizes.xaxis, sizes.yaxis):
        axis.set_major_formatter("{x:,.0f}")  # its own would be a formula
        axis.set_minor_formatter("")
    sizes.spines[["top", "right"]].set_visible(False)
    sizes.legend(fontsize=8)


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"
