"""The parts of the page about runs: the comparison, and each run by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vqc.evaluations import Stored
from vqc.figures import bars, training
from vqc.figures.sheets import Tile
from vqc.figures.style import STUDY, spelled
from vqc.report import evaluation, html
from vqc.report.answer import eval_command
from vqc.report.compare import Row, main_evaluation, metrics_of
from vqc.report.html import Markup, tag
from vqc.report.reading import RunReport

Values = Mapping[str, float]


def comparison(rows: Sequence[Row], out: Path) -> Markup:
    """The study's table and bars: trainings in the order given."""
    metrics = metrics_of(rows)
    heads = ["training", *map(spelled, metrics), "photos", "a class", "CAD frames", "scored on"]
    body = []
    for row in rows:
        made_of = row.composition
        scores = [html.score(row.scores.get(name, ()), bool(row.mark)) for name in metrics]
        numbers: Sequence[object] = ("?", "?", "?")
        if made_of is not None:
            photos = f"{made_of.photos:,}" + (" simulated" if made_of.simulated else "")
            numbers = (photos, _range(made_of.a_class), f"{made_of.cad:,}")
        name = html.join([row.label, html.marked(row.mark)], " ")
        body.append([name, *scores, *numbers, row.scored_on])
    drawn = bars.runs(
        [bars.Bar(row.label, row.scores, row.mark) for row in rows],
        out / "comparison.png",
        metrics=_bar_metrics(metrics),
    )
    return tag(
        "section",
        tag("h2", "Runs compared"),
        html.table(heads, body, words=["scored on"]),
        tag("p", _spread_note(rows), class_="note") if _spread_note(rows) else None,
        _unlike(rows),
        html.figure(drawn, "bars of the scores above", wide=True) if drawn else None,
        _reasons({row.label: row.reasons for row in rows}),
        id="comparison",
    )


def run_section(
    report: RunReport, rows: Sequence[Row], roots: Sequence[Path], out: Path, number: int
) -> Markup:
    """Everything about one run; figures go into the folder `out`."""
    run = report.run
    own = next((row for row in rows if report in row.runs), None)
    found = main_evaluation(report, own.key if own else None)
    main = None if found is None else found[0]
    prefix = f"{number}-{evaluation.slug(run.name)}-"
    parts: list[object] = [tag("h2", run.name), _facts(report)]
    parts += [tag("p", problem, class_="missing") for problem in report.problems]
    if main is None:
        parts.append(
            html.join([
                tag("p", "This run has not been evaluated; the command is", class_="missing"),
                tag("pre", eval_command(report)),
            ])
        )  # fmt: skip
    else:
        others = [stored for stored in report.evaluations if stored is not main]
        parts += [_scores([main, *others]), *_details(main, roots, out, prefix)]
        for stored in others:
            label = f"Also scored on {stored.dataset_name}, {stored.split}"
            more = f"{prefix}{evaluation.slug(stored.folder.name)}-"
            inner = _details(stored, roots, out, more)
            parts.append(tag("details", tag("summary", label), html.marked(stored.mark), *inner))
    parts += [_training(report, out / f"{prefix}training.png"), *_origin(report)]
    return tag("section", *parts, id=f"run-{number}", class_="run")


# Comparison -------------------------------------------------------------------------------


def _bar_metrics(metrics: Sequence[str]) -> list[str]:
    study = [name for name in metrics if spelled(name) in STUDY]
    return study or list(metrics[:4])


def _range(ends: tuple[int, int]) -> str:
    return f"{ends[0]:,}" if ends[0] == ends[1] else f"{ends[0]:,}–{ends[1]:,}"


def _spread_note(rows: Sequence[Row]) -> str:
    if any(len(row.runs) > 1 for row in rows):
        return "± is the sample standard deviation over repeats that differ in the seed alone."
    return ""


def _unlike(rows: Sequence[Row]) -> Markup | None:
    if len({row.key for row in rows}) < 2:
        return None
    text = "Not all rows were scored on the same pictures: compare only those that were."
    return tag("p", text, class_="missing")


def _reasons(found: Mapping[str, Sequence[str]]) -> Markup | None:
    """Why scores are not honest, once for all rows that share the reasons."""
    labels: dict[tuple[str, ...], list[str]] = {}
    for label, reasons in found.items():
        if reasons:
            labels.setdefault(tuple(reasons), []).append(label)
    if not labels:
        return None
    items = [f"{', '.join(names)}: {'; '.join(reasons)}" for reasons, names in labels.items()]
    return tag("div", tag("h3", "Why scores are not honest"), html.listed(items))


# One run ----------------------------------------------------------------------------------


def _facts(report: RunReport) -> Markup:
    run, made_of = report.run, report.composition
    counted = "the best on val" if run.chosen_on else "the last one counts"
    facts: list[tuple[str, object]] = [("task", run.task), ("trained on", run.dataset_name)]
    if made_of is not None:
        facts.append(("training frames", made_of.said()))
        facts.append(("photos a class", _range(made_of.a_class)))
        facts.append(("background photos", f"{made_of.background:,}"))
    facts += [
        ("epochs", f"{run.epochs:,}, weights of {run.best_epoch:,} ({counted})"),
        ("seed", run.seed),
        ("training time", _duration(run.seconds)),
        ("classes", ", ".join(run.classes)),
        ("run", run.run_id),
    ]
    return html.definitions(facts)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _scores(evaluations: Sequence[Stored]) -> Markup:
    names = list(dict.fromkeys(name for stored in evaluations for name in stored.metrics))
    rows = []
    for stored in evaluations:
        verdict = html.marked(stored.mark) or tag("span", "honest score", class_="honest")
        label = html.join([f"{stored.dataset_name}, {stored.split}", verdict], " ")
        values = [
            html.score([stored.metrics[n]] if n in stored.metrics else [], bool(stored.mark))
            for n in names
        ]
        rows.append([label, *values, f"{stored.frames:,}", f"{stored.threshold:.2f}"])
    found = {f"{s.dataset_name}, {s.split}": s.reasons for s in evaluations}
    heads = ["scored on", *map(spelled, names), "frames", "threshold"]
    return tag("div", tag("h3", "Scores"), html.table(heads, rows), _reasons(found))


def _details(stored: Stored, roots: Sequence[Path], out: Path, prefix: str) -> list[object]:
    """Figures, classes, photos of one evaluation."""
    figures = evaluation.draw(stored, out, prefix)
    drawn = [html.figure(f.file, f.alt, wide=f.wide) for f in figures]
    photos = evaluation.draw_photos(stored, roots, out, prefix)
    parts: list[object] = [
        tag("div", *drawn, class_="figures") if drawn else None,
        _per_class(stored),
        _groups(stored),
    ]
    if photos.problem:
        kept = [html.figure(f.file, f.alt, wide=True) for f in evaluation.drawn_before(stored)]
        return [*parts, tag("h3", "Pictures"), tag("p", photos.problem, class_="missing"), *kept]
    parts += _tiles("Predictions beside the truth", photos.examples, stored.mark, "pairs")
    parts += _tiles("Worst mistakes", photos.mistakes, stored.mark, "tiles")
    if not stored.mistakes:
        parts.append(tag("p", "No mistake at this threshold.", class_="note"))
    return parts


def _per_class(stored: Stored) -> Markup | None:
    if not stored.per_class:
        return None
    names = list(dict.fromkeys(name for row in stored.per_class.values() for name in row))
    rows = [
        [class_name, *(_value(row.get(name), name, stored.mark) for name in names)]
        for class_name, row in stored.per_class.items()
    ]
    heads = ["class", *map(spelled, names)]
    head = tag("h3", "By class ", html.marked(stored.mark))
    return tag("div", head, html.table(heads, rows))


def _groups(stored: Stored) -> Markup | None:
    if not stored.groups:
        return None
    tables: list[object] = []
    for group, members in stored.groups.items():
        names = list(dict.fromkeys(name for row in members.values() for name in row))
        rows = [
            [member, *(_value(row.get(name), name, stored.mark) for name in names)]
            for member, row in members.items()
        ]
        tables.append(html.table([group, *map(spelled, names)], rows))
    head = tag("h3", "By groups ", html.marked(stored.mark))
    return tag("div", head, tag("div", *tables, class_="figures"))


def _value(value: float | None, name: str, mark: str) -> object:
    """A score, or a plain count."""
    if value is None:
        return "–"
    if name.lower() in bars.COUNTS:
        return f"{value:,.0f}"
    return html.score([value], bool(mark))


def _tiles(title: str, tiles: Sequence[Tile], mark: str, kind: str) -> list[object]:
    if not tiles:
        return []
    cards = []
    for tile in tiles:
        alt = ", ".join(tile.lines)
        pictures = [html.picture(image, alt) for image in tile.pictures]
        first, *others = tile.lines
        caption = tag("figcaption", tag("b", first), *(tag("span", line) for line in others))
        cards.append(tag("figure", tag("div", *pictures, class_="pictures"), caption))
    key = tag(
        "p",
        tag("span", "truth: full line", class_="truth"),
        " ",
        tag("span", "prediction: dashed line", class_="predicted"),
        class_="note",
    )
    return [tag("h3", f"{title} ", html.marked(mark)), key, tag("div", *cards, class_=kind)]


def _training(report: RunReport, out: Path) -> Markup | None:
    head = tag("h3", "Training")
    run = report.run
    mark = f"scores while training are of {run.chosen_on or 'training'}, not honest scores"
    drawn = None
    if report.training:
        title = f"Training of {run.name}"
        drawn = training.draw(report.training, out, title, mark, run.best_epoch)
    if drawn is None:
        return html.join([head, tag("p", "metrics.csv holds no epoch.", class_="missing")])
    return html.join(
        [head, html.figure(drawn, f"losses and scores of {run.name} by epoch", wide=True)]
    )


def _origin(report: RunReport) -> list[object]:
    """Lineage, settings and machine."""
    lines = "\n".join(report.lineage)
    lineage = tag("pre", lines) if lines else tag("p", "lineage.json is missing.", class_="missing")
    environment = _flat(report.environment)
    return [
        tag("h3", "Where the training set is from"),
        lineage,
        tag("details", tag("summary", "Settings"), _pairs(_flat(report.run.config))),
        tag("details", tag("summary", "Versions and machine"), _pairs(environment)),
    ]


def _pairs(record: Mapping[str, str]) -> Markup:
    if not record:
        return tag("p", "Not recorded.", class_="missing")
    return html.table(["name", "value"], list(record.items()), words=["value"])


def _flat(record: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested mappings as one, with dots between the names."""
    found: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found[f"{before}{key}"] = text
    return found
