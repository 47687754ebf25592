"""Many trainings as one table, and what the table says.

`request` says what is asked, `layout` draws cells, all with one `val`, and names trainings,
`asked` makes a grid of it, `pace` tells the time, `trainings` has a `crew` of `worker` processes
do them, `follow` says how far they are, `book` and `pictures` keep what came of it, `budget` says
what more photos would bring.
"""

from __future__ import annotations

from vqc.grid.asked import Asked, prepare, shorten, workers_of
from vqc.grid.model import Grid, Places, Workers, require_same, write_asked
from vqc.grid.request import GridRequest, counts, number_or_all, numbers, words
from vqc.grid.trainings import Estimate, anew, estimate, names_of, require_trained, run, run_shard

__all__ = [
    "Asked", "Estimate", "Grid", "GridRequest", "Places", "Workers", "anew", "counts",
    "estimate", "names_of", "number_or_all", "numbers", "prepare", "require_same",
    "require_trained", "run", "run_shard", "shorten", "words", "workers_of", "write_asked",
]  # fmt: skip
