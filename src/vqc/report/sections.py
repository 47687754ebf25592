"""The part of the page about one run: scores, figures, photos, training, lineage, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc import honesty
from vqc.errors import InputError
from vqc.evaluations import Stored
from vqc.figures import bars, curves, training
from vqc.figures.legend import Key
from vqc.figures.sheets import Tile
from vqc.figures.style import mean_and_spread, said, spelled
from vqc.report import evaluation, html
from vqc.report.answer import eval_command
from vqc.report.compare import Row, headline_of, main_evaluation
from vqc.report.comparison import ranged, reasons
from vqc.report.html import DIGITS, Markup, tag
from vqc.report.reading import RunReport
from vqc.runs import ANEW

MANY = 6
"""A page on more runs than this shows fewer pictures of each."""
_NO_EPOCH = f"metrics.csv is missing, or holds no epoch that reads; {ANEW}."


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a run's pictures the page shows, and how well. sheets: where all of them are."""

    examples: int = 6
    mistakes: int = 12
    quality: int = 80
    sheets: str = ""


def share_of(runs: int, figures: Path) -> Share:
    """A page on many runs shows fewer pictures of each, or no browser would like to open it."""
    return Share() if runs <= MANY else Share(4, 6, 60, figures.name)


@dataclass(frozen=True, slots=True)
class Place:
    """Of a run in the page. number: from 1. is_open: shown from the start, not folded."""

    number: int
    is_open: bool
    share: Share = Share()


def run_section(
    report: RunReport, rows: Sequence[Row], roots: Sequence[Path], out: Path, place: Place
) -> Markup:
    """Everything about one run; figures go into the folder `out`."""
    run = report.run
    own = next((row for row in rows if report in row.runs), None)
    found = main_evaluation(report, own.key if own else None)
    main = None if found is None else found[0]
    prefix = f"{place.number}-{evaluation.slug(run.name)}-"
    parts: list[object] = [_facts(report)]
    parts += [tag("p", problem, class_="missing") for problem in report.problems]
    if main is None:
        text = "This run has not been evaluated; the command is"
        parts += [tag("p", text, class_="missing"), tag("pre", eval_command(report))]
    else:
        others = [stored for stored in report.evaluations if stored is not main]
        parts += [_scores([main, *others]), *_details(main, roots, out, prefix, place.share)]
        for stored in others:
            more = f"{prefix}{evaluation.slug(stored.folder.name)}-"
            summary = html.join([f"Also scored on {_name(stored)}", html.verdict(stored.mark)], " ")
            inner = _details(stored, roots, out, more, place.share)
            parts.append(tag("details", tag("summary", summary), *inner))
    parts += [_training(report, out / f"{prefix}training.png"), *_origin(report)]
    head = html.join([tag("h2", run.name), _in_short(report, main)], " ")
    # The id lies inside, so that a link to it opens the fold.
    body = tag("div", *parts, id=f"run-{place.number}", class_="run-body")
    folded = {"open": "" if place.is_open else None}
    return tag("details", tag("summary", head), body, class_="run", **folded)


def _in_short(report: RunReport, main: Stored | None) -> Markup | None:
    """The one score that stands for a run, with its mark."""
    if main is None:
        return html.marked("not evaluated")
    name, _ = headline_of(report.run.task, list(main.metrics))
    if name not in main.metrics:
        return None
    value = said(*mean_and_spread([main.metrics[name]])[:2], DIGITS)
    text = f"{spelled(name)} {value} on {main.split}"
    return html.join([tag("span", text, class_="in-short"), html.verdict(main.mark)], " ")


def _name(stored: Stored) -> str:
    return f"{stored.dataset_name}, {stored.split}"


# One run ----------------------------------------------------------------------------------


def _facts(report: RunReport) -> Markup:
    run, made_of = report.run, report.composition
    why = f"chosen on {run.chosen_on}" if run.chosen_on else "the last one counts"
    facts: list[tuple[str, object]] = [("task", run.task), ("trained on", run.dataset_name)]
    if made_of is not None:
        facts.append(("training frames", made_of.said()))
        facts.append(("photos a class", ranged(made_of.a_class)))
        facts.append(("background photos", f"{made_of.background:,}"))
    facts += [
        ("epochs", f"{run.epochs:,}, weights of epoch {run.best_epoch:,} ({why})"),
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
        label = html.join([_name(stored), html.verdict(stored.mark)], " ")
        values = [
            html.score([stored.metrics[n]] if n in stored.metrics else [], bool(stored.mark))
            for n in names
        ]
        threshold = curves.threshold_words(stored.threshold, stored.per_class)
        rows.append([label, *values, f"{stored.frames:,}", threshold])
    found = {_name(stored): stored.reasons for stored in evaluations}
    heads = ["scored on", *map(spelled, names), "frames", "threshold"]
    return tag("div", tag("h3", "Scores"), html.table(heads, rows), reasons(found))


def _details(
    stored: Stored, roots: Sequence[Path], out: Path, prefix: str, share: Share
) -> list[object]:
    """Figures, classes, photos of one evaluation."""
    figures = evaluation.draw(stored, out, prefix)
    drawn = [html.figure(f.file, f.alt, stored.mark, wide=f.wide) for f in figures]
    photos = evaluation.draw_photos(stored, roots, out, prefix)
    parts: list[object] = [
        tag("div", *drawn, class_="figures") if drawn else None,
        _per_class(stored),
        _groups(stored),
    ]
    if photos.problem:
        kept = [_kept(each, stored.mark) for each in evaluation.drawn_before(stored, photos)]
        parts += [tag("h3", "Pictures"), tag("p", photos.problem, class_="missing"), *kept]
    shown = (
        ("Predictions beside the truth", photos.examples[: share.examples]),
        ("Worst mistakes", photos.mistakes[: share.mistakes]),
    )
    for title, tiles in shown:
        parts += _tiles(title, tiles, stored.mark, (share.quality, photos.key))
    if share.sheets and photos.examples:
        text = f"More of them, and sharper: {share.sheets}/{prefix}examples.png and mistakes.png."
        parts.append(tag("p", text, class_="note"))
    if not stored.mistakes and not photos.problem:
        parts.append(tag("p", "No mistake at this threshold.", class_="note"))
    return parts


def _kept(figure: evaluation.Figure, mark: str) -> Markup:
    """A figure of the evaluation's folder, or what is wrong with its file."""
    try:
        return html.figure(figure.file, figure.alt, mark, wide=True)
    except InputError as error:
        text = f"The figure of {figure.alt} is left out: {error}; vqc eval draws it again."
        return tag("p", text, class_="missing")


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


def _tiles(title: str, tiles: Sequence[Tile], mark: str, look: tuple[int, Key]) -> list[object]:
    """look: quality of the pictures, and the classes whose masks they show."""
    if not tiles:
        return []
    quality, classes = look
    cards = []
    for tile in tiles:
        sides = ("truth", "prediction") if len(tile.pictures) > 1 else ("",)
        pictures = [
            html.picture(image, ", ".join(filter(None, (side, *tile.lines))), quality)
            for side, image in zip(sides, tile.pictures, strict=True)
        ]
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
    boxed = any(tile.boxed for tile in tiles)
    named = [
        tag("span", name, class_="masked", style=f"border-color: {colour}")
        for name, colour in classes
    ]
    masked = tag("p", html.join(named, " "), class_="note") if named else None
    kind = "pairs" if any(tile.across > 1 for tile in tiles) else "tiles"
    head = tag("h3", f"{title} ", html.marked(mark))
    return [head, key if boxed else None, masked, tag("div", *cards, class_=kind)]


def _training(report: RunReport, out: Path) -> Markup | None:
    run = report.run
    mark = report.mark or honesty.mark(["training frames"])
    # The figure scrolls on a phone, where its own mark may be out of sight.
    head = tag("h3", "Training ", html.marked(mark) if report.training else None)
    drawn = None
    if report.training:
        title = f"Training of {run.name}"
        drawn = training.draw(report.training, out, title, mark, run.best_epoch)
    if drawn is None:
        return html.join([head, tag("p", _NO_EPOCH, class_="missing")])
    return html.join(
        [head, html.figure(drawn, f"losses and scores of {run.name} by epoch", mark, wide=True)]
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
