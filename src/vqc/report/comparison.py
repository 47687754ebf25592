"""The part of the page that compares: trainings as a table and as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vqc.counts import counted
from vqc.figures import bars
from vqc.figures.style import STUDY, spelled
from vqc.report import html
from vqc.report.compare import Row, kind_of, letters_of, metrics_of
from vqc.report.html import Markup, tag

_SPREAD = "± is the sample standard deviation over repeats that differ in seed and photos drawn."
_NOT_ALIKE = "Not all rows were scored on the same pictures: compare only rows with one letter."
_NOT_SCORED = "Rows that have not been evaluated cannot be compared with the others."


def comparison(rows: Sequence[Row], out: Path) -> Markup:
    """The study's table and bars: trainings in the order given."""
    metrics = metrics_of(rows)
    letters = letters_of(rows)
    heads = [
        "training", *map(spelled, metrics), "photos", "photos a class", "CAD frames", "scored on",
    ]  # fmt: skip
    body = []
    for row in rows:
        scores = [html.score(row.scores.get(name, ()), bool(row.mark)) for name in metrics]
        body.append([_name(row, rows), *scores, *_numbers(row), _scored_on(row, letters)])
    drawn = bars.runs(
        [bars.Bar(_bar_label(row, letters), row.scores, row.mark) for row in rows],
        out / "comparison.png",
        metrics=_drawn(metrics),
    )
    marks = "; ".join(dict.fromkeys(row.mark for row in rows if row.mark))
    return tag(
        "section",
        tag("h2", "Comparison"),
        html.table(heads, body, words=["scored on"]),
        tag("p", _SPREAD, class_="note") if any(len(row.runs) > 1 for row in rows) else None,
        tag("p", _NOT_ALIKE, class_="missing") if letters else None,
        tag("p", _NOT_SCORED, class_="missing") if any(r.key is None for r in rows) else None,
        html.figure(drawn, "bars of the scores above", marks, wide=True) if drawn else None,
        reasons({row.label: row.reasons for row in rows}),
        id="comparison",
    )


def _drawn(metrics: Sequence[str]) -> list[str]:
    """Of the columns those with a panel: the first, which is the headline, and the study's."""
    shown = [name for name in metrics[1:] if spelled(name) in STUDY]
    return [*metrics[:1], *(shown or metrics[1:4])]


def reasons(found: Mapping[str, Sequence[str]]) -> Markup | None:
    """Why scores are not honest, once for all rows that share the reasons."""
    labels: dict[tuple[str, ...], list[str]] = {}
    for label, why in found.items():
        if why:
            labels.setdefault(tuple(why), []).append(label)
    if not labels:
        return None
    items = [f"{', '.join(names)}: {'; '.join(why)}" for why, names in labels.items()]
    return tag("div", tag("h3", "Why scores are not honest"), html.listed(items))


def ranged(ends: tuple[int, int]) -> str:
    """Such as "5" or "19–21"."""
    return f"{ends[0]:,}" if ends[0] == ends[1] else f"{ends[0]:,}–{ends[1]:,}"


def _name(row: Row, rows: Sequence[Row]) -> Markup:
    kind = kind_of(row, rows)
    said = tag("small", kind, class_="kind") if kind else None
    verdict = html.verdict(row.mark) if row.key is not None else html.marked(row.mark)
    return html.join([row.label, said, verdict], " ")


def _numbers(row: Row) -> Sequence[str]:
    """Photos, photos a class and CAD frames, over all repeats."""
    found = row.compositions
    if not found:
        return "?", "?", "?"
    ends = min(c.photos for c in found), max(c.photos for c in found)
    a_class = min(c.a_class[0] for c in found), max(c.a_class[1] for c in found)
    simulated = " simulated" if any(c.simulated for c in found) else ""
    return ranged(ends) + simulated, ranged(a_class), f"{found[0].cad:,}"


def _scored_on(row: Row, letters: Mapping[str, str]) -> str:
    if row.key is None:
        return row.scored_on
    letter = f"{letters[row.key]}: " if row.key in letters else ""
    return f"{letter}{row.scored_on}, {counted(row.frames, 'frame')}"


def _bar_label(row: Row, letters: Mapping[str, str]) -> str:
    letter = letters.get(row.key or "")
    return f"{row.label}, on {letter}" if letter else row.label
