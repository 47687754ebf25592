"""What trainings are compared on: photos that none of them trains on, the same for all.

In: how the photos are split. Out: rules that leave a val in any case, and its frames.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vqc.errors import InputError
from vqc.honesty import mark
from vqc.mix import Plan, Pool, SplitRules
from vqc.mix.pool import SIMULATED, Rows
from vqc.mix.splits import VAL

SAME_SHOOT_FRACTION = 0.2
"""Share of the training photos that chooses where no shoot was set aside for that."""


def rules_with_val(pool: Pool, rules: SplitRules) -> tuple[SplitRules, list[str]]:
    """The rules, with a val of the shoots that train where there would be none; notes on that."""
    marked = bool((pool.is_photo & pool.is_usable & (pool.split == VAL)).any())
    if rules.val or rules.val_fraction or rules.val_sessions or marked:
        return rules, []
    note = (
        "no shoot is set aside for val: a fifth of the training photos chooses, of the same "
        "shoot, and the same ones every time; --val SESSION gives a shoot of its own"
    )
    return replace(rules, val_fraction=SAME_SHOOT_FRACTION), [note]


def val_rows(plan: Plan) -> Rows:
    """Frames of val, in the order of the pool; InputError where none is there, or none shows
    anything."""
    rows = np.sort(plan.rows_in(VAL))
    if not len(rows):
        raise InputError(
            "there are no photos for val, and trainings are compared there: take photos in "
            "(vqc intake) and give a shoot with --val"
        )
    if not plan.pool.is_labelled[rows].any():
        raise InputError(
            "the photos for val show no object, and trainings are compared by what they find "
            "there: give a shoot with objects (--val)"
        )
    return rows


def sessions_of(pool: Pool, rows: Rows) -> tuple[str, ...]:
    """The shoots of these frames, sorted."""
    return tuple(sorted({pool.sessions[number] for number in pool.session[rows]}))


def mark_of(pool: Pool, rows: Rows, same_shoot: bool) -> str:
    """What stands by every score on these frames of val."""
    simulated = bool((pool.kind[rows] == SIMULATED).any())
    return mark(["val split", *["simulated photos"] * simulated, *["same shoot"] * same_shoot])
