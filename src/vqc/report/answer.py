"""The report's first lines: the best honest score in words, how many photos, and how sure.

Val chooses among runs, and test tells of the one that was chosen. What follows from scores on val,
such as which training set was chosen, carries their mark. A score that is not honest never stands
here as a number, but for one: where runs have no val in common, the best on test is told, marked
as chosen there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vqc import honesty
from vqc.counts import counted
from vqc.figures.style import mean_and_spread, said, spelled
from vqc.report import surety
from vqc.report.compare import Row, headline_of, metrics_of
from vqc.report.grids import DONE, GridReport
from vqc.report.html import DIGITS
from vqc.report.reading import RunReport
from vqc.report.surety import Candidate

_NO_VAL = "no one val compares them, so this very score chose it, which makes it a little too good"


@dataclass(frozen=True, slots=True)
class Line:
    """One answer. mark: why what it rests on is not honest. honest: it tells an honest score."""

    about: str
    text: str
    mark: str = ""
    honest: bool = False

    def said(self) -> str:
        verdict = self.mark or ("honest score" if self.honest else "")
        return f"{self.about}: {self.text}" + (f" [{verdict}]" if verdict else "")


# Runs -------------------------------------------------------------------------------------


def of_runs(rows: Sequence[Row]) -> list[Line]:
    """The answers of a comparison."""
    metric, sign = headline_of(rows[0].runs[0].run.task, metrics_of(rows))
    scored = [row for row in rows if row.honest and mean_and_spread(row.scores.get(metric, ()))[2]]
    if not scored:
        return [_no_headline(rows), *_missing(rows)]
    # Scores on different sets are not compared: the set that most rows share decides.
    keys = [row.key for row in scored]
    common = max(dict.fromkeys(keys), key=keys.count)
    alike = [row for row in scored if row.key == common]
    choice = _choice(alike, metric)
    at = max(range(len(alike)), key=lambda k: sign * choice.candidates[k].mean)
    best, chosen = alike[at], choice.candidates[at]
    lines = [_headline(best, metric, choice, len(alike))]
    photos = surety.photos_sentence(choice.candidates, chosen, sign)
    if photos and all(row.composition for row in alike):
        lines.append(Line("How many photos", photos, choice.mark))
    lines.append(Line("How sure", surety.sure_sentence(choice.candidates, chosen), choice.mark))
    if len(rows) > len(alike):
        lines.append(
            Line(
                "Not compared",
                f"{len(rows) - len(alike)} of {len(rows)} rows: their scores are marked, or of "
                "other pictures.",
            )
        )
    return [*lines, *_missing(rows)]


@dataclass(frozen=True, slots=True)
class _Choice:
    """By what the best of several rows is chosen.

    candidates: a row each. on_val: whether by scores on val, else by the honest ones themselves.
    mark: of what follows from the choice; empty where there is only one row.
    """

    candidates: Sequence[Candidate]
    on_val: bool
    mark: str


def _choice(rows: Sequence[Row], metric: str) -> _Choice:
    """Val chooses where all runs have seen the same val and have a score on it.

    rows: with an honest score of the same pictures.
    """
    tested = [_candidate(row, row.scores[metric]) for row in rows]
    if len(rows) == 1:
        return _Choice(tested, False, "")
    runs = [report for row in rows for report in row.runs]
    on_val = [_candidate(row, [_on_val(report, metric) for report in row.runs]) for row in rows]
    is_common = len({report.chosen_key for report in runs}) == 1 and runs[0].chosen_key is not None
    if is_common and sum(len(each.values) for each in on_val) == len(runs):
        return _Choice(on_val, True, "; ".join(dict.fromkeys(r.mark for r in runs if r.mark)))
    return _Choice(tested, False, honesty.mark(["chosen on test"]))


def _on_val(report: RunReport, metric: str) -> float:
    """What the run's training saw at the epoch that was chosen; NaN where it does not say."""
    named = {spelled(name): value for name, value in report.run.metrics.items()}
    return named.get(spelled(metric), math.nan)


def _candidate(row: Row, values: Sequence[float]) -> Candidate:
    made_of = row.composition
    cad, photos = (made_of.cad, made_of.a_class[0]) if made_of else (0, 0)
    return Candidate(row.label, cad, photos, tuple(filter(math.isfinite, values)))


def _headline(best: Row, metric: str, choice: _Choice, among: int) -> Line:
    mean, spread, count = mean_and_spread(best.scores[metric])
    made_of = f" ({best.composition.said()})" if best.composition else ""
    how = f", chosen of {among} by {spelled(metric)} on val" if choice.on_val else ""
    if among > 1 and not choice.on_val:
        how = f", the best of {among} on test ({_NO_VAL})"
    text = (
        f"{best.label}{made_of}{how}: {'mean ' * (count > 1)}{spelled(metric)} "
        f"{said(mean, spread, DIGITS)} on {counted(best.frames, 'frame')} ({best.scored_on})."
    )
    mark = "" if choice.on_val else choice.mark
    return Line("Best on new photos", text, mark, honest=not mark)


def _no_headline(rows: Sequence[Row]) -> Line:
    about = "Best on new photos"
    if all(row.key is None for row in rows):
        return Line(about, "There is no score to show: no run has been evaluated yet.")
    marks = "; ".join(dict.fromkeys(row.mark for row in rows if row.key is not None and row.mark))
    text = "There is no honest score yet, so there is no headline. The scores below are marked."
    return Line(about, text, marks)


def _missing(rows: Sequence[Row]) -> list[Line]:
    """The commands that make what is missing: evaluations, and honest ones on test."""
    missing = [report for row in rows if row.key is None for report in row.runs]
    if not missing and not any(row.honest for row in rows):
        missing = [report for row in rows for report in row.runs if report.has_test]
    if not missing:
        return []
    more = f", and likewise for {len(missing) - 1} more" if len(missing) > 1 else ""
    return [Line("To evaluate", f"{eval_command(missing[0])}{more}")]


def eval_command(report: RunReport) -> str:
    """What makes an evaluation; without test pictures of its own it needs a set that has some."""
    return f"vqc eval {report.run.folder}" + ("" if report.has_test else " --on SET")


# A grid -----------------------------------------------------------------------------------


def of_grid(grid: GridReport) -> list[Line]:
    """The answers of a grid: on test, how many photos, how sure."""
    total = sum(sum(place.states.values()) for place in grid.places)
    done = f"{grid.count(DONE):,} of {counted(total, 'training')} done"
    chosen = grid.chosen
    if chosen is None:
        why = grid.why_none()
        return [Line("Training set", f"{why} ({done})." if why else f"None is chosen yet: {done}.")]
    of = f"chosen of {counted(len(grid.places), 'training set')}"
    text = f"{chosen.said()}, {of} by {spelled(grid.metric)} on val ({grid.val}); {done}."
    lines = [Line("Training set", text, grid.mark), _on_test(grid)]
    known = {
        place.name: Candidate(place.cell.label, place.cell.cad, place.cell.real, values)
        for place in grid.places
        if place.combination == chosen.combination
        and (values := tuple(filter(math.isfinite, place.cell.scores.get(grid.metric, ()))))
    }
    photos, sure = [], []
    if chosen.name in known:
        candidates, best = list(known.values()), known[chosen.name]
        sign = headline_of(grid.task, [grid.metric])[1]
        photos.append(surety.photos_sentence(candidates, best, sign))
        sure.append(surety.sure_sentence(candidates, best))
    if grid.budget:
        photos.append(sentence(grid.budget[0]))
        sure.append(_level_words() if "(" in grid.budget[0] else "")
    for about, told in (("How many photos", photos), ("How sure", sure)):
        text = " ".join(filter(None, told))
        if text:
            lines.append(Line(about, text, grid.mark))
    return lines


def _on_test(grid: GridReport) -> Line:
    about = "On new photos"
    honest = [test for test in grid.tests if not test.mark and grid.metric in test.metrics]
    mean, spread, count = mean_and_spread([test.metrics[grid.metric] for test in honest])
    if count:
        repeats = f" (mean of {count} repeats)" if count > 1 else " (one training)"
        text = f"On test it reaches {spelled(grid.metric)} {said(mean, spread, DIGITS)}{repeats}."
        return Line(about, text, honest=True)
    if grid.tests:
        marks = "; ".join(dict.fromkeys(test.mark for test in grid.tests if test.mark))
        text = "There is no honest score on test, so there is no headline."
        commands = [test.command for test in grid.tests if test.command]
        text += f" The one that is not: {commands[0]}" if commands else ""
        return Line(about, text, marks or f"{spelled(grid.metric)} is missing")
    return Line(about, "It has not been scored on test, so there is no headline yet.")


def _level_words() -> str:
    from vqc.grid.budget import LEVEL_WORDS

    return LEVEL_WORDS


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    plain = text.strip()
    return plain[:1].upper() + plain[1:] + ("" if plain.endswith((".", "!", "?")) else ".")
