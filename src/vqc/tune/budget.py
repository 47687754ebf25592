"""When a search ends: after so many trials, or so much time, earlier commands of it counted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from vqc.errors import InputError
from vqc.tune.result import Result

RUNS = 20
"""Trials where neither a number nor a time is given."""
_MOST_RUNS = 100_000


@dataclass(frozen=True, slots=True)
class Budget:
    """runs: trials in all, minutes: that they take; None for no limit."""

    runs: int | None = RUNS
    minutes: float | None = None

    def __post_init__(self) -> None:
        faults = []
        if self.runs is None and self.minutes is None:
            faults.append("a search needs --runs or --minutes")
        if self.runs is not None and not 1 <= self.runs <= _MOST_RUNS:
            faults.append(f"--runs: expected 1 to {_MOST_RUNS:,}, got {self.runs}")
        if self.minutes is not None and not 0 < self.minutes < 1e7:
            faults.append(f"--minutes: expected a number above 0, got {self.minutes:g}")
        if faults:
            raise InputError("\n".join(faults))

    def is_open(self, results: Sequence[Result]) -> bool:
        """Whether another trial fits in, if it takes as long as the others did."""
        if self.runs is not None and len(results) >= self.runs:
            return False
        if self.minutes is None or not results:
            return True
        return spent_s(results) + _each_s(results) <= 60 * self.minutes

    def left_s(
        self, results: Sequence[Result], running_s: float | None, share: float
    ) -> float | None:
        """Seconds to the end of the search; None while nothing tells.

        running_s: for how long the trial under way has run, None where none is. share: of it
        that is done, in [0, 1].
        """
        if any(result.score is not None for result in results):
            each = _each_s(results)
        elif running_s and share:
            each = running_s / share
        else:
            return None
        elapsed, left = running_s or 0.0, []
        if self.runs is not None:
            later = self.runs - len(results) - (running_s is not None)
            rest = 0.0 if running_s is None else max(each - elapsed, 0.0)
            left.append(later * each + rest)
        if self.minutes is not None:
            left.append(60 * self.minutes - spent_s(results) - elapsed)
        return max(min(left), 0.0)


def budget_of(runs: int | None, minutes: float | None) -> Budget:
    """As given, or so many trials as are usual; InputError for impossible numbers."""
    return Budget(RUNS if runs is None and minutes is None else runs, minutes)


def spent_s(results: Sequence[Result]) -> float:
    """Seconds that all trials took."""
    return sum(result.seconds for result in results)


def _each_s(results: Sequence[Result]) -> float:
    """Seconds a trial, of those that did not fail, if any."""
    done = [result for result in results if result.score is not None]
    return fmean(result.seconds for result in done or results)
