"""`vqc inspect`, `vqc verify`, `vqc export`: look at a set, check it, hand it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show

if TYPE_CHECKING:
    from vqc.inspection.columns import Columns

MOST_ROWS = 60
"""A longer table is cut: a set may have a session for each of its pictures."""

Folder = Annotated[Path, typer.Argument(help="Folder of a set, such as renders/magnets.")]


def inspect(
    folders: Annotated[list[Path], typer.Argument(help="Folders of sets; one or several.")],
    out: Annotated[
        Path | None, typer.Option(help="Where the sheet goes [default: beside the first folder].")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames on the sheet.")] = 24,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Draw a contact sheet and charts of a set, and print what is in it.

    Several sets are looked at as one: give renders and photos before they are mixed, to see
    whether the objects are as large and in the same places (test photos are left out of that
    comparison: they choose nothing). The charts go beside the sheet.

    \b
    Examples:
      vqc inspect renders/magnets --frames 48 --out magnets.png
      vqc inspect renders/magnets datasets/hall
    """
    from vqc import inspection
    from vqc.inspection import charts, sheet
    from vqc.inspection.columns import columns_of
    from vqc.manifest import read_manifest

    once = list({folder.resolve(): folder for folder in folders}.values())
    manifests = [read_manifest(folder) for folder in once]
    pictures = [(d, f) for d, m in zip(once, manifests, strict=True) for f in m.frames]
    of = columns_of([f for _, f in pictures], [c for m in manifests for c in m.classes])
    name = "+".join(m.name for m in manifests)[:100]
    target = out or once[0].resolve().parent / f"{name}-sheet.png"
    sheet.draw(pictures, of.classes, frames, target)
    drawn = target.with_name(f"{target.stem.removesuffix('-sheet')}-charts.png")
    charts.draw(of, name, drawn)
    if json:
        sets = [{"name": m.name, "kind": m.kind} for m in manifests]
        record = {"sets": sets, "classes": of.classes, "counts": inspection.counts(of)}
        tables = {key: [asdict(row) for row in found] for key, found in _tables(of).items()}
        show.as_json(record | tables | {"sheet": str(target), "charts": str(drawn)})
        return
    _print_figures(of, ", ".join(f"{m.kind} set {m.name}" for m in manifests))
    typer.echo(f"sheet: {target}\ncharts: {drawn}")


def _tables(of: Columns) -> dict[str, Sequence[Any]]:
    from vqc import inspection
    from vqc.inspection.areas import areas

    return {
        "rows": inspection.rows(of),
        "balance": inspection.balance(of),
        "conditions": inspection.condition_balance(of),
        "sizes": inspection.sizes(of),
        "areas": areas(of),
    }


def _print_figures(of: Columns, title: str) -> None:
    from vqc import inspection

    tables = _tables(of)
    columns = ("class", "session", "frames", "boxes", "side", "centre", "visible")
    cells: list[tuple[Any, ...]] = [
        (
            row.class_name,
            row.session,
            row.frames,
            row.boxes,
            " ".join(f"{v:.2f}" for v in row.side or ()),
            " ".join(f"{v:.2f}" for v in row.centre or ()),
            "" if row.visibility is None else f"{row.visibility:.2f}",
        )
        for row in tables["rows"]
    ]
    _print_head(title, columns, cells)
    typer.echo("side: root of box area ÷ root of frame area, least, middle and largest;")
    typer.echo("centre: x and y as shares of the frame; visible: share; both the middle one\n")
    for key, what in (("balance", "class"), ("conditions", "condition")):
        cells = [(r.name, r.source, r.split or "", r.frames, r.boxes) for r in tables[key]]
        title = f"{what} by source and split"
        _print_head(title, (what, "source", "split", "frames", "boxes"), cells)
    columns = ("class", "CAD boxes", "photo boxes", "CAD side", "photo side", "ratio", "overlap")
    cells = [
        (r.class_name, r.cad_boxes, r.photo_boxes, r.cad_side, r.photo_side, r.ratio, r.overlap)
        for r in tables["sizes"]
    ]
    _print_head("middle side of CAD objects and of photographed ones", columns, cells)
    cells = [
        (r.class_name, r.frames, r.masks, " ".join(f"{v:,}" for v in r.area_px), r.share)
        for r in tables["areas"]
    ]
    of_masks = ("class", "frames", "masks", "least, middle, largest px", "middle share")
    _print_head("areas of masks", of_masks, cells)
    for row in tables["sizes"][:1]:
        typer.echo(f"{inspection.sentence(row)}\n")
    typer.echo(", ".join(f"{key}: {value:,}" for key, value in inspection.counts(of).items()))


def _print_head(title: str, columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> None:
    """A table's first rows; nothing where there is none."""
    if cells:
        show.table(title, columns, cells[:MOST_ROWS])
    if len(cells) > MOST_ROWS:
        typer.echo(f"and {len(cells) - MOST_ROWS:,} more rows: --json prints all of them")


def verify(
    folder: Folder,
    json: Annotated[bool, typer.Option("--json", help="Print the faults as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print faults only.")] = False,
) -> None:
    """Check that a set is whole: every file there, every byte and label as the manifest says.

    Exits with 1 where anything is wrong, and lists all of it.

    \b
    Example:
      vqc verify renders/magnets
    """
    from vqc.verify import verify as find_faults

    with show.progress(f"verify {folder}", "frames", quiet or json) as update:
        faults = find_faults(folder, on_progress=update)
    if json:
        show.as_json([{"file": f.file, "line": f.line, "message": f.message} for f in faults])
    else:
        for fault in faults:
            typer.echo(str(fault))
        if not quiet:
            typer.echo(f"{folder}: {len(faults)} fault(s)" if faults else f"{folder}: no fault")
    raise typer.Exit(1 if faults else 0)


def export(
    folder: Folder,
    format: Annotated[
        str,
        typer.Option(
            help="yolo, coco, voc, labelstudio, cvat, severstal, masks, classes or conditions."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="New folder to write [default: beside the set].")
    ] = None,
    box: Annotated[str, typer.Option(help="modal (what shows) or amodal (the whole).")] = "modal",
) -> None:
    """Write a set in another tool's format; images are linked where that works.

    \b
    Example:
      vqc export renders/magnets --format coco --out magnets-coco
    """
    from vqc.export import export as write

    target = out or folder.resolve().with_name(f"{folder.resolve().name}-{format}")
    write(folder, format, target, box, lambda line: show.notes([line]))  # type: ignore[arg-type]
    typer.echo(f"{target}")
