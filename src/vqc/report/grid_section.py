"""The part of the page about a grid: what was chosen, and how scores follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vqc.counts import count_words, rank_of
from vqc.figures import grid as drawing
from vqc.figures.style import STUDY, spelled
from vqc.report import html
from vqc.report.answer import sentence
from vqc.report.compare import headline_of
from vqc.report.evaluation import slug
from vqc.report.grids import DONE, FAILED, WAITING, Against, GridReport, Place
from vqc.report.html import Markup, tag
from vqc.report.study import study

_NARROW = 5
"""With more columns than this, a map needs the width of the page."""


def grid_section(grid: GridReport, out: Path) -> Markup:
    """Everything about a grid; figures go into the folder `out`."""
    # Of several training sets with the same numbers, maps and curves show the chosen settings.
    return tag(
        "section",
        tag("h2", "The grid"),
        _overview(grid),
        _chosen(grid),
        study(grid, study_metrics(grid), headline_of(grid.task, [grid.metric])[1], out),
        _budget(grid),
        tag("h3", "Scores over CAD frames and photos ", html.marked(grid.mark)),
        tag("p", _key(grid), class_="note"),
        tag("div", *_heatmaps(grid, out), class_="figures"),
        *_curves(grid, out),
        tag("h3", "Every training set ", html.marked(grid.mark)),
        _table(grid),
        _failures(grid.places),
        tag("h3", "Notes") if grid.notes else None,
        html.listed(grid.notes),
        id="grid",
    )


def study_metrics(grid: GridReport) -> list[str]:
    """The grid's own metric first, then the others of the study that it has."""
    there = dict.fromkeys(name for place in grid.places for name in place.cell.scores)
    spelt = {spelled(name): name for name in there}
    known = [spelt[name] for name in STUDY if name in spelt]
    return list(dict.fromkeys([grid.metric, *known]))


def _overview(grid: GridReport) -> Markup:
    states = {state: grid.count(state) for state in (DONE, FAILED, WAITING)}
    counted = ", ".join(f"{count:,} {state}" for state, count in states.items() if count)
    facts: list[tuple[str, object]] = [
        ("grid", grid.name),
        ("training sets", f"{len(grid.places):,}"),
        ("trainings", counted or "none yet"),
        (
            "compared on",
            html.join([f"{grid.val}, by {spelled(grid.metric)} ", html.marked(grid.mark)]),
        ),
    ]
    return html.definitions([("task", grid.task), *facts] if grid.task else facts)


def _chosen(grid: GridReport) -> Markup:
    head = tag("h3", "The chosen training set")
    if grid.chosen is None:
        left = "None yet: the trainings that are left come first. The same vqc grid command goes on"
        text = f"{grid.why_none() or left}."
        return html.join([head, tag("p", text, class_="missing")])
    metrics = study_metrics(grid)
    rows = [
        [
            html.join([f"val ({grid.val}) ", html.marked(grid.mark)]),
            *(
                html.score(grid.chosen.cell.scores.get(name, ()), bool(grid.mark))
                for name in metrics
            ),
        ]
    ]
    marks = dict.fromkeys(test.mark for test in grid.tests)
    for mark in marks:
        same = [test for test in grid.tests if test.mark == mark]
        values = [[t.metrics[name] for t in same if name in t.metrics] for name in metrics]
        rows.append(
            [html.join(["test ", html.verdict(mark)]), *(html.score(v, bool(mark)) for v in values)]
        )
    heads = [grid.chosen.cell.label, *map(spelled, metrics)]
    text = "It has not been scored on test yet; the same vqc grid command does it at the end."
    missing = None if grid.tests else tag("p", text, class_="missing")
    return html.join([head, html.table(heads, rows), missing])


def _budget(grid: GridReport) -> Markup | None:
    if not grid.budget:
        return None
    from vqc.grid.budget import LEVEL_WORDS

    ranges = any("(" in line for line in grid.budget)
    return html.join(
        [
            tag("h3", "What more photos or renders would gain ", html.marked(grid.mark)),
            html.listed(map(sentence, grid.budget)),
            tag("p", LEVEL_WORDS, class_="note") if ranges else None,
        ]
    )


def _key(grid: GridReport) -> str:
    text = (
        "Mean over repeats ± sample standard deviation. Hatched: no score there; crossed: every "
        "repeat failed; framed: the highest. The colours of each map have their own scale."
    )
    if len(grid.combinations) > 1:
        text += " Where several settings were tried, the best of them is shown at each place."
    if grid.chosen is not None and len({place.states.get(DONE, 0) for place in grid.places}) > 1:
        text += (
            f" {grid.chosen.cell.label} is chosen: only sets with the most finished repeats may be."
        )
    return text


def _heatmaps(grid: GridReport, out: Path) -> list[Markup]:
    """One for each metric; and of the grid's own metric one for each further setting."""
    cells = [place.cell for place in grid.places]
    wide = len({cell.cad for cell in cells}) > _NARROW
    found = []
    for metric in study_metrics(grid):
        file = out / f"grid-{slug(spelled(metric))}.png"
        title = f"{spelled(metric)} on val"
        drawing.heatmap(cells, metric, file, title, grid.mark)
        alt = f"{title} over CAD frames and photos a class"
        found.append(html.figure(file, alt, grid.mark, wide=wide))
    for combination in grid.combinations if len(grid.combinations) > 1 else ():
        mine = [place.cell for place in grid.places if place.combination == combination]
        file = out / f"grid-{slug(spelled(grid.metric))}-{slug(combination)}.png"
        title = f"{spelled(grid.metric)} on val, {combination}"
        drawing.heatmap(mine, grid.metric, file, title, grid.mark)
        alt = f"{title} over CAD frames and photos a class"
        found.append(html.figure(file, alt, grid.mark, wide=wide))
    return found


def _curves(grid: GridReport, out: Path) -> list[object]:
    cells = [place.cell for place in grid.places]
    metrics = study_metrics(grid)
    line = drawing.composition(cells, out / "grid-composition.png", grid.metric, metrics, grid.mark)
    if line is None:
        why = grid.why_none() or "No training is finished, so there is no curve yet"
        return [tag("p", f"{why}.", class_="missing")]
    kept = grid.chosen.combination if grid.chosen else grid.combinations[0]
    mine = [place.cell for place in grid.places if place.combination == kept]
    axes: tuple[Against, ...] = ("real", "cad")
    named = {"real": "photos a class", "cad": "CAD frames"}
    pair = []
    for against in axes:
        bands = [band for which, band in grid.bands if which == against]
        file = out / f"grid-against-{against}.png"
        if drawing.learning(mine, grid.metric, file, against, bands, grid.mark):
            alt = f"{spelled(grid.metric)} against {named[against]}"
            pair.append(html.figure(file, alt, grid.mark))
    of_all = f"scores of all training sets, sorted by {spelled(grid.metric)}"
    of = f" These are of {kept}." if kept and len(grid.combinations) > 1 else ""
    bands_too = " Shaded: what the photo budget expects." if grid.bands else ""
    text = f"Small points are single trainings, lines go through their means.{of}{bands_too}"
    return [
        html.figure(line, of_all, grid.mark, wide=True),
        tag("p", text, class_="note") if pair else None,
        tag("div", *pair, class_="figures") if pair else None,
    ]


def _table(grid: GridReport) -> Markup:
    metrics = study_metrics(grid)
    ordered = sorted(grid.places, key=lambda p: (rank_of(p.cell.real), p.cell.cad, p.combination))
    heads = ["training set", *map(spelled, metrics), "photos a class", "CAD frames", "trainings"]
    rows = []
    for place in ordered:
        states = ", ".join(f"{n} {state}" for state, n in place.states.items())
        label = place.cell.label + (" (chosen)" if place is grid.chosen else "")
        scores = [html.score(place.cell.scores.get(name, ()), bool(grid.mark)) for name in metrics]
        rows.append([label, *scores, count_words(place.cell.real), f"{place.cell.cad:,}", states])
    return html.table(heads, rows, words=["trainings"])


def _failures(places: Sequence[Place]) -> Markup | None:
    lines = [f"{place.cell.label}: {why}" for place in places for why in place.failures]
    if not lines:
        return None
    return html.join([tag("h3", "Trainings that failed"), html.listed(lines)])
