"""`vqc report`: runs and grids as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vqc.cli import show
from vqc.cli.options import Quiet


def report(
    folders: Annotated[
        list[Path], typer.Argument(help="Runs, in the order to compare them, or a grid.")
    ],
    out: Annotated[Path, typer.Option(help="The HTML file; figures go beside it.")] = Path(
        "report.html"
    ),
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="The set that was scored, or a folder of sets [default: datasets, renders]."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write one HTML page on runs or a grid: scores, figures, worst mistakes, lineage.

    The page needs no network and no other file. A score that is not honest carries its mark
    wherever it stands, and is never the headline. Runs that differ in the seed alone share a
    row. A grid is shown with its maps, curves and photo budget.

    \b
    Examples:
      vqc report runs/detect/cad500-real10
      vqc report runs/detect/real5 runs/detect/cad150-real5 --out study.html
      vqc report runs/grids/magnets --out grid.html
    """
    from vqc.report.build import Request, build

    silent = quiet or json
    with show.progress("draw", "parts", silent) as update:
        made = build(Request(tuple(folders), out, tuple(data or ()), title), update)
    if json:
        show.as_json(
            {
                "page": str(made.page),
                "bytes": made.page_bytes,
                "figures": str(made.figures),
                "runs": made.runs,
                "answer": list(made.answer),
            }
        )
        return
    if quiet:
        return
    for line in made.answer:
        typer.echo(line)
    typer.echo(f"page: {made.page} ({made.page_bytes / 1e6:.1f} MB)\nfigures: {made.figures}")
