"""Confusion matrix: counts, and of each true class the shares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqc.figures.style import HALF_IN, INK, PALE, WIDE_IN, canvas, short
from vqc.tasks.contract import BACKGROUND, Confusion
from vqc.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NARROWEST_IN, _WIDEST_IN = 0.17, 0.72
_ROOM_IN = 1.75
"""For names of rows and the axis."""
_ZEROS_UP_TO = 10
"""Larger matrices are easier to read without their zeros."""
_BOTH_FROM_IN, _COUNT_FROM_IN = 0.46, 0.26
"""Cells of this size have room for count and share, or for the count."""


def draw(confusion: Confusion, out: Path, title: str = "Confusion matrix", mark: str = "") -> Path:
    """Write the matrix as a PNG: rows are the truth, columns what was predicted."""
    size = len(confusion.names)
    wide = HALF_IN if (HALF_IN - _ROOM_IN) / size >= _COUNT_FROM_IN else WIDE_IN
    cell_in = float(np.clip((wide - _ROOM_IN) / size, _NARROWEST_IN, _WIDEST_IN))
    width = max(wide, size * cell_in + _ROOM_IN)
    with canvas(out, (width, size * cell_in + 1.45), title, mark) as figure:
        _fill(figure.subplots(), confusion, cell_in)
    return out


def shares_of_rows(confusion: Confusion) -> FloatArray:
    """(K, K): of each row, the share in each column; NaN in a row without counts."""
    counts = np.asarray(confusion.counts, np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: FloatArray = np.where(totals > 0, counts / totals, np.nan)
    return shares


def _fill(panel: Axes, confusion: Confusion, cell_in: float) -> None:
    shares, counts = shares_of_rows(confusion), np.asarray(confusion.counts)
    size = len(confusion.names)
    panel.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1, aspect="equal")
    if cell_in >= _COUNT_FROM_IN:
        for row, column in np.ndindex(size, size):
            if size > _ZEROS_UP_TO and not counts[row, column]:
                continue
            _write_cell(panel, row, column, int(counts[row, column]), shares, cell_in)
    names = [short(name, 18) for name in confusion.names]
    small = {"fontsize": 9 if cell_in >= _COUNT_FROM_IN else 6.5}
    upright = cell_in * 72 >= 5.2 * max(map(len, names))
    turn: dict[str, Any] = (
        {} if upright else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    )
    panel.set_xticks(range(size), names, **small, **turn)
    panel.set_yticks(range(size), names, **small)
    panel.set(xlabel="predicted", ylabel="truth (shares are of a row)")
    panel.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    panel.grid(which="minor", color="white", linewidth=1)
    panel.tick_params(which="both", length=0)
    if confusion.names[-1] == BACKGROUND:
        panel.axhline(size - 1.5, color=INK, linewidth=1)
        panel.axvline(size - 1.5, color=INK, linewidth=1)


def _write_cell(
    panel: Axes, row: int, column: int, count: int, shares: FloatArray, cell_in: float
) -> None:
    share = shares[row, column]
    colour = "white" if share > 0.55 else INK if count else PALE
    text = f"{count:,}"
    if count and cell_in >= _BOTH_FROM_IN:
        text += f"\n{share:.0%}"
    panel.text(
        column, row, text, ha="center", va="center", color=colour, fontsize=min(9, 20 * cell_in)
    )
