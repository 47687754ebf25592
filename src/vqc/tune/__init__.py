"""A search for the mix and the settings that do best on val.

`space` reads what is searched, `decide` checks it against the sets and the task, `propose` picks
the next trial, `cells` mixes and trains it, `loop` goes on while the `budget` lasts, `journal` and
`book` are its files.
"""

from __future__ import annotations

from vqc.grid.model import Places
from vqc.tune.book import Book
from vqc.tune.budget import Budget, budget_of
from vqc.tune.decide import Asked, Tune, prepare
from vqc.tune.loop import Status, search
from vqc.tune.propose import require_optuna
from vqc.tune.result import Result
from vqc.tune.space import Space, parse

__all__ = [
    "Asked", "Book", "Budget", "Places", "Result", "Space", "Status", "Tune", "budget_of", "parse",
    "prepare", "require_optuna", "search",
]  # fmt: skip
