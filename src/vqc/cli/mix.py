"""`vqc mix`: from renders and photos to a balanced training set."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show
from vqc.cli.options import (
    AllowLeaks,
    AllowShort,
    Box,
    From,
    MinVisibility,
    PerClassTest,
    PerClassVal,
    Quiet,
    Test,
    TestFraction,
    Val,
    ValFraction,
    ValSessions,
)  # fmt: skip

if TYPE_CHECKING:
    from vqc.mix import Count, Plan, Pool, Summary

COLUMNS = ("class", "renders", "train photos", "val", "test")


def mix(
    cad: Annotated[
        str, typer.Option(help="Renders in all, balanced over the classes; or all.")
    ] = "0",
    real: Annotated[
        str, typer.Option(help="Photos of each class, and as many backgrounds; or all.")
    ] = "0",
    background: Annotated[
        str | None,
        typer.Option(help="Photos of the empty place, or good ones; or all [default: as --real]."),
    ] = None,
    unlabelled: Annotated[
        str, typer.Option(help="Photos that nobody labelled, to train anomaly; or all.")
    ] = "0",
    ratio: Annotated[
        str | None, typer.Option(help="Renders to real training photos, such as 10:1.")
    ] = None,
    from_: From = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the mix [default: from --cad, --real, --seed].")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the mixes.")] = Path("datasets"),
    val: Val = None,
    test: Test = None,
    val_fraction: ValFraction = 0.0,
    val_sessions: ValSessions = 0.0,
    test_fraction: TestFraction = 0.0,
    per_class_val: PerClassVal = "40",
    per_class_test: PerClassTest = "40",
    val_cad: Annotated[
        int, typer.Option(help="Renders in val; every score on it is marked so.")
    ] = 0,
    select: Annotated[
        str, typer.Option(help="Which photos: random, or diverse in view and appearance.")
    ] = "random",
    weights: Annotated[
        Path | None, typer.Option(help="Detector whose features tell what is diverse.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    grey: Annotated[
        bool, typer.Option("--grey", help="Write grey copies of all pictures.")
    ] = False,
    box: Box = "modal",
    min_visibility: MinVisibility = 0.0,
    allow_short: AllowShort = False,
    allow_leaks: AllowLeaks = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a mix of that name.")] = False,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Mix renders and photos into a balanced training set of links, with splits.

    Takes every set under renders/ and datasets/ that is not a mix itself. With one seed, a
    larger --cad or --real keeps what a smaller one had. Sessions go to one split whole.

    \b
    Examples:
      vqc mix --cad 500 --real 10
      vqc mix --cad 500 --real 10 --test january --val-fraction 0.2
      vqc mix --real 20 --ratio 10:1 --from renders/boards --from datasets/december
      vqc mix --real all --test-fraction 0.3 --val-sessions 0.2 --from datasets/surfaces
    """
    from vqc import mix as mixer
    from vqc.grid.request import number_or_all

    request = mixer.Request(
        cad=_count("--cad", cad),
        real=_count("--real", real),
        background=None if background is None else _count("--background", background),
        unlabelled=_count("--unlabelled", unlabelled),
        ratio=_ratio(ratio),
        per_class_val=number_or_all("--per-class-val", per_class_val),
        per_class_test=number_or_all("--per-class-test", per_class_test),
        val_cad=val_cad,
        splits=mixer.SplitRules(
            val=tuple(val or ()),
            test=tuple(test or ()),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            val_sessions=val_sessions or None,
        ),
        select=select,  # type: ignore[arg-type]
        weights=weights,
        seed=seed,
        grey=grey,
        box=box,  # type: ignore[arg-type]
        min_visibility=min_visibility,
        allow_short=allow_short,
        allow_leaks=allow_leaks,
    )
    silent = quiet or json
    target = request.default_name if name is None else name
    folders, remarks = mixer.find_sets(from_)
    with show.progress("read manifests", "MB", silent) as update:
        pool = mixer.read_pool(
            folders, min_visibility, lambda done, total: update(done >> 20, total >> 20)
        )
    if not silent:
        _print_sets(pool)
    with show.progress("look at photos", "photos", silent) as update:
        plan = mixer.plan(pool, request, update)
    with show.progress(f"mix {target}", "frames", silent) as update:
        summary = mixer.build(plan, out, target, fresh, update)
    notes = [*remarks, *plan.notes]
    if json:
        show.as_json(_record(plan, summary, notes))
        return
    if quiet:
        return
    show.notes(notes)
    show.table(f"mix {target}", COLUMNS, _rows(plan))
    typer.echo("a frame with several classes counts for each of them")
    if summary.was_there:
        typer.echo(f"{summary.folder}: was there already, nothing changed")
    else:
        rate = f"{summary.frames:,} frames as {summary.placed} in {summary.seconds:.1f} s"
        typer.echo(f"{summary.folder}: {rate}")
    show.then("vqc", "inspect", summary.folder)
    if (plan.split > 0).any():
        why = "looks at pixels; mix compares hashes"
        show.then("vqc", "leaks", summary.folder, why=why, first=False)


def _print_sets(pool: Pool) -> None:
    """What is taken, before anything is drawn from it."""
    rows = [(s.prefix, s.kind, s.frames, str(s.folder)) for s in pool.sources]
    show.table("drawn from", ("set", "kind", "frames", "folder"), rows)


def _rows(plan: Plan) -> list[tuple[str | int, ...]]:
    """The plan's table, which says so where nobody photographed the empty place."""
    from vqc.mix.plan import BACKGROUND

    if plan.pool.is_background.any():
        return list(plan.table())
    return [
        (
            "(background: these sets have none)" if row[0] == BACKGROUND else row[0],
            *row[1:],
        )
        for row in plan.table()
    ]


def _record(plan: Plan, summary: Summary, notes: list[str]) -> dict[str, Any]:
    return {
        "folder": str(summary.folder),
        "frames": summary.frames,
        "placed": summary.placed,
        "was_there": summary.was_there,
        "sets": [
            {"name": s.parent.name, "sha256": s.parent.sha256, "frames": s.frames}
            for s in plan.pool.sources
        ],
        "table": [dict(zip(COLUMNS, row, strict=True)) for row in plan.table()],
        "notes": notes,
    }


def _count(option: str, text: str) -> Count:
    from vqc.grid.request import number_or_all

    number = number_or_all(option, text)
    return "all" if number is None else number


def _ratio(text: str | None) -> float | None:
    """Such as 10:1 or 10."""
    if text is None:
        return None
    from vqc.errors import InputError

    left, _, right = text.partition(":")
    with contextlib.suppress(ValueError):
        renders, photos = float(left), float(right or 1)
        if renders > 0 and photos > 0:
            return renders / photos
    raise InputError(f"--ratio: expected renders:photos, both above 0, such as 10:1, got {text}")
