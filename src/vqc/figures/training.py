"""Training curves: losses and scores by epoch, as metrics.csv has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqc.figures.style import (
    COLOURS,
    HALF_IN,
    INK,
    MARKERS,
    WIDE_IN,
    canvas,
    share_axis,
    short,
    spelled,
)
from vqc.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPOCH = "epoch"
_NO_SCORE = re.compile(r"(^|[/_ ])(lr|time|seconds|epoch)([/_ ]|\d|$)", re.I)
_SPLIT = re.compile(r"^(train|val)[/_ .-]+|[/_ .-]+(train|val)$", re.I)
_DOTS_UP_TO = 40
"""Longer trainings are drawn without a dot for each epoch."""


def draw(
    columns: Mapping[str, FloatArray],
    out: Path,
    title: str = "Training",
    mark: str = "",
    best_epoch: int | None = None,
) -> Path | None:
    """Write losses and scores by epoch as a PNG; None where there is neither.

    columns: (N,) each by its name, `epoch` among them or epochs are counted from 1.
    best_epoch: the one whose weights count.
    """
    losses = {name: values for name, values in columns.items() if "loss" in name.lower()}
    scores = {
        name: values
        for name, values in columns.items()
        if name not in losses and not _NO_SCORE.search(name)
    }
    panels = [part for part in (losses, scores) if part]
    if not panels:
        return None
    length = len(next(iter(panels[0].values())))
    epochs = columns.get(EPOCH, np.arange(1.0, length + 1))
    width = WIDE_IN if len(panels) > 1 else HALF_IN
    with canvas(out, (width, 3.9), title, mark) as figure:
        for panel, part in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw_panel(panel, epochs, part, part is losses)
            if best_epoch is not None:
                panel.axvline(best_epoch, color=INK, linewidth=1, linestyle=":")
                panel.annotate(
                    f"epoch {best_epoch} counts", (best_epoch, 1),
                    xycoords=("data", "axes fraction"), xytext=(0, 3),
                    textcoords="offset points", ha="center", va="bottom", fontsize=8.5,
                )  # fmt: skip
    return out


def _draw_panel(
    panel: Axes, epochs: FloatArray, part: Mapping[str, FloatArray], is_loss: bool
) -> None:
    """A colour for each quantity; train drawn full, val dashed."""
    kinds = {name: _SPLIT.sub("", name) for name in part}
    order = list(dict.fromkeys(kinds.values()))
    for name, values in part.items():
        k = order.index(kinds[name])
        found = _SPLIT.search(name)
        is_val = found is not None and "val" in found.group().lower()
        label = f"{short(spelled(kinds[name]))}{', val' if is_val else ''}"
        marker = MARKERS[k % len(MARKERS)] if len(epochs) <= _DOTS_UP_TO else None
        panel.plot(
            epochs, values, color=COLOURS[k % len(COLOURS)], linestyle="--" if is_val else "-",
            marker=marker, markersize=3.5, linewidth=1.5, label=label,
        )  # fmt: skip
    panel.set(xlabel="epoch", ylabel="loss" if is_loss else "score")
    known = [v for values in part.values() for v in values.tolist()]
    if is_loss:
        panel.set_ylim(bottom=min([0.0, *(v for v in known if np.isfinite(v))]))
    else:
        panel.set_ylim(*share_axis(known))
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(color="#e4e4e4", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    columns = 2 if len(part) in (2, 4) else 3
    where = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "ncols": columns}
    panel.legend(fontsize=8.5, frameon=False, **where)
