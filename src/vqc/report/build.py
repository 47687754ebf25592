"""Folders of runs and a grid → the page and its figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.report import answer
from vqc.report.compare import Row, rows_of
from vqc.report.comparison import comparison
from vqc.report.grid_section import grid_section
from vqc.report.grids import GridReport, is_grid, read_grid
from vqc.report.html import Markup
from vqc.report.page import page
from vqc.report.reading import RunReport, read_folder
from vqc.report.sections import Place, run_section, share_of
from vqc.types import Progress

_OURS = re.compile(r"(\d+-.+|grid-.+|comparison)\.png")
"""Names of figures in a report's folder."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to report on.

    folders: runs in the order of the comparison, and at most one grid. out: the HTML file;
    figures go beside it, into <stem>-figures. data: where the scored pictures are, sets or
    folders of sets, beside the usual places. title: of the page, or None.
    """

    folders: tuple[Path, ...]
    out: Path
    data: tuple[Path, ...] = ()
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of it. answer: the first lines. figures: the folder that holds them."""

    page: Path
    page_bytes: int
    figures: Path
    runs: int
    answer: tuple[str, ...]


def build(request: Request, on_progress: Progress = lambda done, total: None) -> Summary:
    """Write the page and its figures.

    Raises InputError once, for every folder that is neither a finished run nor a grid, and
    OutputError where something cannot be written.
    """
    grid, runs = _read(request)
    rows = rows_of(runs) if runs else []
    figures = request.out.with_name(f"{request.out.stem}-figures")
    _clear(figures)
    total = len(runs) + (grid is not None) + (len(runs) > 1)
    sections: list[Markup] = []
    parts: list[tuple[str, str]] = []
    if len(runs) > 1:
        sections.append(comparison(rows, figures))
        parts.append(("Comparison", "comparison"))
        on_progress(len(sections), total)
    if grid is not None:
        sections.append(grid_section(grid, figures))
        parts.append(("The grid", "grid"))
        on_progress(len(sections), total)
    for number, run in enumerate(runs, start=1):
        place = Place(number, is_open=total == 1, share=share_of(len(runs), figures))
        sections.append(run_section(run, rows, request.data, figures, place))
        on_progress(len(sections), total)
    said = answer.of_runs(rows) if grid is None else answer.of_grid(grid)
    links = [(run.run.name, f"run-{number}") for number, run in enumerate(runs, start=1)]
    text = page(request.title or _title(grid, rows), said, parts, links, sections)
    try:
        replace_file(request.out, text.encode())
    except OSError as error:
        raise OutputError(f"{request.out}: cannot be written: {error.strerror or error}") from None
    lines = tuple(line.said() for line in said)
    return Summary(request.out, len(text.encode()), figures, len(runs), lines)


def _read(request: Request) -> tuple[GridReport | None, list[RunReport]]:
    faults = []
    if request.out.suffix.lower() not in (".html", ".htm"):
        faults.append(f"--out {request.out}: a report is HTML; give a name that ends in .html")
    if not request.folders:
        faults.append("there is nothing to report on; give folders of runs, or of a grid")
    faults += [f"--data {f}: there is no such folder" for f in request.data if not f.is_dir()]
    grids: list[GridReport] = []
    runs: list[RunReport] = []
    for folder in dict.fromkeys(request.folders):
        try:
            if is_grid(folder):
                grids.append(read_grid(folder))
            else:
                runs.append(read_folder(folder, request.data))
        except InputError as error:
            faults.append(str(error))
    if len(grids) > 1:
        faults.append("a report is on one grid; give each grid a report of its own")
    if faults:
        raise InputError("\n".join(faults))
    grid = grids[0] if grids else None
    return grid, runs or _runs_of(grid, request.data)


def _runs_of(grid: GridReport | None, roots: Sequence[Path]) -> list[RunReport]:
    """Without runs of their own, the first repeat of the chosen set stands for a grid."""
    for folder in grid.chosen.runs if grid and grid.chosen else ():
        try:
            return [read_folder(folder, roots)]
        except InputError:
            continue  # grids may be read where their runs are not
    return []


def _clear(figures: Path) -> None:
    """Remove the figures of an earlier report of that name, and nothing else."""
    try:
        for file in sorted(figures.glob("*.png")):
            if _OURS.fullmatch(file.name):
                file.unlink()
    except OSError as error:
        raise OutputError(f"{figures}: cannot be written: {error.strerror or error}") from None


def _title(grid: GridReport | None, rows: Sequence[Row]) -> str:
    if grid is not None:
        return f"Grid {grid.name}"
    return rows[0].label if len(rows) == 1 else f"{len(rows)} trainings compared"
