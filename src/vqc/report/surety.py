"""How sure a comparison is: which training sets may be as good as the best, with how few photos.

In: the scores of the repeats of each training set. Out: sets, and sentences about them. The
spread between equal trainings is pooled over all sets, which is surer than that of two or three
repeats. "As good with fewer photos" follows the one-standard-error rule (Breiman et al.:
Classification and Regression Trees, 1984, section 3.4.3): of all sets within one standard error
of the best, the simplest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vqc.counts import Count, photos_words, rank_of
from vqc.figures.style import mean_and_spread

_DIGITS = 3
_NAMED = 4
_FAR = 2.0
"""Standard errors between two means from which on they are called different."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One training set. photos: of each class. values: a score for each repeat, the finite ones."""

    label: str
    cad: int
    photos: Count
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return mean_and_spread(self.values)[0]


def pooled_spread(candidates: Sequence[Candidate]) -> float:
    """The standard deviation between equal trainings; NaN where nothing was repeated."""
    freedom = sum(len(each.values) - 1 for each in candidates if each.values)
    if freedom < 1:
        return math.nan
    squares = sum((value - c.mean) ** 2 for c in candidates for value in c.values)
    return math.sqrt(squares / freedom)


def fewest_photos(candidates: Sequence[Candidate], best: Candidate, sign: int = 1) -> Candidate:
    """The set with the fewest photos, then renders, within one standard error of the best.

    sign: -1 where less is better.
    """
    error = pooled_spread(candidates) / math.sqrt(len(best.values))
    near = [c for c in candidates if c.values and sign * (best.mean - c.mean) <= error]
    return min([best, *near], key=lambda c: (rank_of(c.photos), c.cad))


def may_be_as_good(candidates: Sequence[Candidate], best: Candidate) -> list[Candidate]:
    """The other sets whose mean is within two standard errors of the difference, best first."""
    spread = pooled_spread(candidates)
    others = []
    for each in candidates:
        if each is best or not each.values:
            continue
        error = spread * math.sqrt(1 / len(each.values) + 1 / len(best.values))
        if abs(best.mean - each.mean) < _FAR * error:
            others.append(each)
    return sorted(others, key=lambda c: (abs(best.mean - c.mean), c.label))


def photos_sentence(candidates: Sequence[Candidate], best: Candidate, sign: int = 1) -> str:
    """Whether fewer photos would do; empty where nothing was repeated, or there is no choice."""
    if not math.isfinite(pooled_spread(candidates)) or len(candidates) < 2:
        return ""
    found = fewest_photos(candidates, best, sign)
    most = rank_of(best.photos)
    if rank_of(found.photos) < most:
        return (
            f"Within one standard error as good, with fewer photos: {found.label}, "
            f"{photos_words(found.photos)}."
        )
    if any(rank_of(c.photos) < most for c in candidates):
        return "No training set with fewer photos comes within one standard error of it."
    return "No training set with fewer photos was tried."


def sure_sentence(candidates: Sequence[Candidate], best: Candidate) -> str:
    """How far equal trainings differ, and which sets cannot be told from the best."""
    spread = pooled_spread(candidates)
    if not math.isfinite(spread):
        return (
            "Each training set was trained once, so chance cannot be told from a difference; "
            "repeats with other seeds would tell."
        )
    runs = sum(len(each.values) for each in candidates)
    text = (
        f"Equal trainings differ by {spread:.{_DIGITS}f} (standard deviation, {runs:,} trainings)."
    )
    others = may_be_as_good(candidates, best)
    if len(candidates) < 2:
        return text
    if not others:
        return f"{text} No other training set comes so near that it may be as good."
    names = ", ".join(each.label for each in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{text} Too near to be told from it: {names}{more}."
