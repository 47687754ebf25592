"""What is known of a task beforehand: the axes worth searching, and settings that do nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from vqc.errors import InputError
from vqc.mix import Pool, Request, SplitRules, plan
from vqc.mix.pool import Rows
from vqc.mix.splits import TRAIN
from vqc.tasks.contract import Config
from vqc.tune.space import Space, parse

_MOST_RENDERS = 1000
"""The most that the original study mixed in."""
_AXES = {
    "detect": ("imgsz=320,640", "freeze=0,10", "lr0=1e-4..1e-2:log", "optimizer=AdamW"),
}
_RATES = ("lr0", "momentum")


def default_space(task: str, pool: Pool, splits: SplitRules, seed: int) -> Space:
    """All photos, none to 1,000 renders as far as there are so many, and the task's own axes."""
    real, renders = _photos(pool, splits, seed), _renders(pool)
    if not real and not renders:
        raise InputError("no frame is there to train with; --space says what to search")
    cad = f"0..{renders}" if real and renders else str(renders)
    return parse([f"cad={cad}", f"real={real}", *_AXES.get(task, ())])


def without_effect(task: str, space: Space, config: Config) -> list[str]:
    """Axes that would change nothing with these settings."""
    if task != "detect":
        return []
    others: dict[str, Any] = config.identity()["others"]
    names = [axis.name for axis in space.searched if axis.name in _RATES]
    if not names or str(others.get("optimizer", "auto")).lower() != "auto":
        return []
    return [
        f"--space {' and '.join(names)}: Ultralytics takes its own while optimizer is auto; add "
        "--set optimizer=AdamW, or search it: --space optimizer=SGD,AdamW"
    ]


def _photos(pool: Pool, splits: SplitRules, seed: int) -> int:
    """Photos that every class has for training."""
    wanted = Request(real=len(pool), background=0, splits=splits, seed=seed, allow_short=True)
    rows = plan(pool, wanted).rows_in(TRAIN)
    return _least(pool, pool.rows_of_class(rows))


def _renders(pool: Pool) -> int:
    """Renders of which every class has its share."""
    numbers = pool.primary[np.flatnonzero(pool.is_render_to_train)]
    counts = np.bincount(numbers, minlength=len(pool.classes))
    there = counts[counts > 0]
    return min(_MOST_RENDERS, int(there.min()) * len(there)) if len(there) else 0


def _least(pool: Pool, rows: list[Rows]) -> int:
    return min((len(rows[number]) for number in pool.classes_there), default=0)
