"""The report's first paragraph: the best honest score in words, or why there is none yet."""

from __future__ import annotations

from collections.abc import Sequence

from vqc.errors import VqcError
from vqc.figures.style import mean_and_spread, said, spelled
from vqc.report.compare import Row, metrics_of
from vqc.report.grids import DONE, GridReport
from vqc.report.html import DIGITS
from vqc.report.reading import RunReport


def headline_of(task: str, rows: Sequence[Row]) -> tuple[str, bool]:
    """The metric that a task's runs are compared by, and whether more is better.

    As the plugin says; without it the known one that the runs have, else their first.
    """
    from vqc.tasks import find

    names = metrics_of(rows)
    try:
        headline = find(task).headline
        for name in names:
            if headline.metric in (name, spelled(name)):
                return name, headline.higher_is_better
    except VqcError:  # a report is read where the task need not be installed
        pass
    spelt = {spelled(name): name for name in names}
    return spelt.get("mAP50") or next(iter(names), ""), True


def of_runs(rows: Sequence[Row]) -> list[str]:
    """The answer of a comparison, a sentence each."""
    metric, more_is_better = headline_of(rows[0].runs[0].run.task, rows)
    scored = [
        (mean_and_spread(row.scores.get(metric, ())), row)
        for row in rows
        if row.honest and mean_and_spread(row.scores.get(metric, ()))[2]
    ]
    if not scored:
        return [_no_headline(rows), *_missing(rows)]
    sign = 1 if more_is_better else -1
    # Scores on different sets are not compared: the set that most rows share decides.
    keys = [row.key for _, row in scored]
    common = max(dict.fromkeys(keys), key=keys.count)
    (mean, spread, count), best = max(
        (each for each in scored if each[1].key == common), key=lambda each: sign * each[0][0]
    )
    compared = keys.count(common)
    among = f"Of {compared} trainings that can be compared, the best is " if compared > 1 else ""
    made_of = f" ({best.composition.said()})" if best.composition else ""
    mean_of = "mean " if count > 1 else ""
    lines = [
        f"{among}{best.label}{made_of}: {mean_of}{spelled(metric)} {said(mean, spread, DIGITS)}, "
        f"an honest score on {best.frames:,} frames ({best.scored_on})."
    ]
    if compared > 1:
        lines.append("Picked as the best by this very score, it is a little too good.")
    others = len(rows) - compared
    if others:
        lines.append(
            f"{others} of {len(rows)} rows cannot be compared with it: their scores are marked, or "
            "of another set."
        )
    return [*lines, *_missing(rows)]


def of_grid(grid: GridReport) -> list[str]:
    """The answer of a grid, a sentence each."""
    done = grid.count(DONE)
    total = sum(sum(place.states.values()) for place in grid.places)
    lines = []
    honest = [test for test in grid.tests if not test.mark and grid.metric in test.metrics]
    if grid.chosen is None:
        lines.append(f"No training set is chosen yet: {done} of {total} trainings are done.")
    elif honest:
        score = mean_and_spread([test.metrics[grid.metric] for test in honest])
        repeats = f" (mean of {score[2]} repeats)" if score[2] > 1 else ""
        lines.append(
            f"Of {len(grid.places)} training sets, {grid.chosen.cell.label} is chosen; on test it "
            f"reaches {spelled(grid.metric)} {said(*score[:2], DIGITS)}{repeats}, an honest score."
        )
    elif grid.tests:
        lines.append(
            f"Of {len(grid.places)} training sets, {grid.chosen.cell.label} is chosen. Its score "
            f"on test is no headline: {grid.tests[0].mark or 'it lacks ' + grid.metric}."
        )
    else:
        lines.append(
            f"Of {len(grid.places)} training sets, {grid.chosen.cell.label} is chosen. It has not "
            "been scored on test, so there is no headline yet."
        )
    return [*lines, *(f"{line.rstrip('.')}." for line in grid.budget[:1])]


def _no_headline(rows: Sequence[Row]) -> str:
    if all(row.key is None for row in rows):
        return "There is no score to show: no run has been evaluated yet."
    marks = "; ".join(dict.fromkeys(row.mark for row in rows if row.key is not None and row.mark))
    why = f" ({marks})" if marks else ""
    return f"There is no honest score yet, so there is no headline{why}."


def _missing(rows: Sequence[Row]) -> list[str]:
    """The commands that make what is missing."""
    missing = [report for row in rows if row.key is None for report in row.runs]
    if not missing:
        return []
    more = f", and likewise for {len(missing) - 1} more" if len(missing) > 1 else ""
    return [f"To evaluate: {eval_command(missing[0])}{more}."]


def eval_command(report: RunReport) -> str:
    """What makes an evaluation; without test pictures of its own it needs a set that has some."""
    return f"vqc eval {report.run.folder}" + ("" if report.has_test else " --on SET")
