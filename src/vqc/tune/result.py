"""What became of a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vqc.tasks.contract import Headline
from vqc.tune.space import Value


@dataclass(frozen=True, slots=True)
class Result:
    """A finished trial.

    number: from 1. values: of all axes, fixed ones too. dataset, run: names of the set and the
    run; empty where it did not come to that. score: the task's headline on val. seconds: that it
    took. failure: why there is no score.
    """

    number: int
    values: Mapping[str, Value]
    dataset: str = ""
    run: str = ""
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    epochs: int | None = None
    best_epoch: int | None = None
    seconds: float = 0.0
    failure: str | None = None


def best_first(results: Sequence[Result], headline: Headline) -> list[Result]:
    """Trials with a score, the best first and of equals the earlier one; then those that failed."""
    sign = -1 if headline.higher_is_better else 1
    done = [r for r in results if r.score is not None]
    failed = [r for r in results if r.score is None]
    return [*sorted(done, key=lambda r: (sign * (r.score or 0.0), r.number)), *failed]


def best_of(results: Sequence[Result], headline: Headline) -> Result | None:
    """The trial with the best score; None where none has one."""
    first = best_first(results, headline)[:1]
    return first[0] if first and first[0].score is not None else None
