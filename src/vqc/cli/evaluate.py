"""`vqc eval`: how a trained run does on a split of a set, and whether that score is honest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show
from vqc.counts import counted

if TYPE_CHECKING:
    from vqc.scoring import Scored
    from vqc.tasks.contract import Confusion, Evaluation

_ALL = "all"
_NAMED = 3
_MOST_PAIRS, _MOST_GROUPS = 10, 40
"""Rows of a table; the rest is in the figures and in evaluation.json."""
_LEFT_OUT = ("curves", "mistakes", "drawn")
"""Too long to print; they are in evaluation.json."""


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run, such as runs/detect/hall.")],
    on: Annotated[
        Path | None,
        typer.Option(help="Set to score on [default: the one that the run was trained on]."),
    ] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Score even where it is not honest, marked so.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="cpu, or a GPU such as 0 [default: a GPU, if any].")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score a run on pictures that neither trained nor chose, and draw what it did.

    A score that would not be honest (renders, a shoot that trained, the split that chose the
    epoch, pictures seen in training) is refused with the reasons, and exits with 1. Figures,
    the worst mistakes and all answers go to RUN/eval/<set>-<split>/.

    \b
    Examples:
      vqc eval runs/detect/hall
      vqc eval runs/detect/hall --on datasets/january
      vqc eval runs/detect/hall --split val --anyway
    """
    from vqc import scoring

    scored = scoring.score(run, on, split, anyway, device)
    if json:
        show.as_json(_record(scored))
    else:
        _print(scored)


def headline(scored: Scored) -> str:
    """The score in one line; where it is not honest, that comes first."""
    from vqc.tasks import find

    metric = find(scored.run.task).headline.metric
    score = f"{metric} {_text(scored.evaluation.metrics.get(metric, math.nan))}"
    on = f"on {_pictures(scored)}"
    if scored.verdict.honest:
        return f"{score} {on}, which neither trained nor chose"
    return f"NOT {scored.verdict.mark.removeprefix('not ')}: {score} {on}"


def _pictures(scored: Scored) -> str:
    """Such as "64 photos of shoot january" or "12 frames of sessions hall, qf-3f2a"."""
    frames = scored.frames
    are_photos = all(frame.source == "real" for frame in frames)
    sessions = sorted({frame.session for frame in frames})
    more = f" and {len(sessions) - _NAMED:,} more" if len(sessions) > _NAMED else ""
    noun, from_ = ("photo", "shoot") if are_photos else ("frame", "session")
    return (
        f"{counted(len(frames), noun)} of {from_}{'s' * (len(sessions) != 1)} "
        f"{', '.join(sessions[:_NAMED])}{more}"
    )


def _print(scored: Scored) -> None:
    from vqc.evaluations import PICTURES
    from vqc.figures.curves import threshold_words

    found = scored.evaluation
    title = f"{scored.run.name} on {scored.dataset.manifest.name}, {found.split}"
    _print_classes(title, found)
    if found.confusion is not None:
        _print_outcome(found.confusion, threshold_words(found.threshold, found.per_class))
    _print_groups(found.groups)
    show.notes(scored.verdict.reasons)
    typer.echo(headline(scored))
    typer.echo(f"{scored.folder}: evaluation.json, predictions.jsonl")
    beside = [file.name for file in scored.files]
    beside += [f"{PICTURES}/"] if found.drawn else []
    if beside:
        typer.echo(f"  and {', '.join(beside)}")


def _print_classes(title: str, found: Evaluation) -> None:
    """The metrics of every class and of all, with how many objects or frames each has.

    Where classes have thresholds of their own, these stand beside.
    """
    from vqc.figures.curves import OWN

    own = [OWN for values in found.per_class.values() if OWN in values]
    metrics = list(dict.fromkeys([*found.metrics, *own]))
    what, counts = _counts(found.confusion)
    counted = (what,) if counts else ()
    rows = [
        (name, *([counts[name]] if counts else ()), *_cells(values, metrics))
        for name, values in [*found.per_class.items(), (_ALL, found.metrics)]
    ]
    show.table(title, ("class", *counted, *metrics), rows)


def _counts(confusion: Confusion | None) -> tuple[str, dict[str, int]]:
    """What is counted, and class to how many; the rows of the matrix are the truth.

    Objects where there may be none, on the background; else every frame has its class.
    """
    if confusion is None:
        return "", {}
    from vqc.tasks.contract import BACKGROUND

    totals = confusion.counts.sum(axis=1).tolist()
    rows = dict(zip(confusion.names, totals, strict=True))
    what = "frames" if rows.pop(BACKGROUND, None) is None else "objects"
    return what, rows | {_ALL: sum(rows.values())}


def _print_outcome(confusion: Confusion, threshold: str) -> None:
    from vqc.scoring import outcome

    counts = ", ".join(f"{count:,} {name}" for name, count in outcome(confusion).items())
    typer.echo(f"answers from score {threshold} on: {counts}")
    names, table = confusion.names, confusion.counts
    wrong = [
        (int(table[row, column]), names[row], names[column])
        for row in range(len(names))
        for column in range(len(names))
        if row != column and table[row, column]
    ]
    wrong.sort(key=lambda pair: -pair[0])
    rows = [(truth, taken, count) for count, truth, taken in wrong[:_MOST_PAIRS]]
    if rows:
        show.table("what was taken for what", ("truth", "predicted", "times"), rows)
    if len(wrong) > len(rows):
        typer.echo(f"and others, {len(wrong):,} in all: confusion.png shows them")


def _print_groups(groups: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    rows_of = [(by, name, row) for by, rows in groups.items() for name, row in rows.items()]
    columns = list(dict.fromkeys(key for _, _, row in rows_of for key in row))
    if rows_of:
        cells = [(by, name, *_cells(row, columns)) for by, name, row in rows_of[:_MOST_GROUPS]]
        show.table("by groups", ("by", "group", *columns), cells)
    if len(rows_of) > _MOST_GROUPS:
        typer.echo(f"and others, {len(rows_of):,} in all: evaluation.json has them")


def _cells(values: Mapping[str, float], keys: Sequence[str]) -> list[int | str]:
    return [_cell(values.get(key, math.nan)) for key in keys]


def _cell(value: float) -> int | str:
    """A count as it is; a share with three places, or a dash where there is none."""
    return value if isinstance(value, int) else _text(value)


def _text(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"


def _record(scored: Scored) -> dict[str, Any]:
    """What evaluation.json holds, without the long parts, and where it all is."""
    from vqc.evaluations import FILE_NAME
    from vqc.runs import read_json
    from vqc.scoring import outcome

    stored = read_json(scored.folder / FILE_NAME)
    confusion = scored.evaluation.confusion
    return {
        "run": {"task": scored.run.task, "name": scored.run.name, "run_id": scored.run.run_id},
        "honest": scored.verdict.honest,
        "headline": headline(scored),
        **{key: value for key, value in stored.items() if key not in _LEFT_OUT},
        "outcome": None if confusion is None else outcome(confusion),
        "folder": str(scored.folder),
        "files": [str(file) for file in scored.files],
    }
