"""`vqc inspect`, `vqc verify`, `vqc export`: look at a set, check it, hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vqc.cli import show

Folder = Annotated[Path, typer.Argument(help="Folder of a set, such as renders/magnets.")]


def inspect(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(help="Where the sheet goes [default: beside the folder].")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames on the sheet.")] = 24,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Draw a contact sheet of a set, and print what is in it.

    \b
    Example:
      vqc inspect renders/magnets --frames 48 --out magnets.png
    """
    import dataclasses

    from vqc import inspection
    from vqc.manifest import read_manifest

    manifest = read_manifest(folder)
    rows = inspection.rows(manifest)
    counts = inspection.counts(manifest)
    target = out or folder.resolve().parent / f"{manifest.name}-sheet.png"
    sheet = inspection.contact_sheet(folder, manifest, frames, target)
    if json:
        record = {"name": manifest.name, "kind": manifest.kind, "classes": manifest.classes}
        classes = [dataclasses.asdict(row) for row in rows]
        show.as_json(record | {"counts": counts, "rows": classes, "sheet": str(sheet)})
        return
    columns = ("class", "session", "frames", "boxes", "side", "centre", "visible")
    cells = [
        (
            row.class_name,
            row.session,
            row.frames,
            row.boxes,
            " ".join(f"{v:.2f}" for v in row.side) if row.side else "",
            " ".join(f"{v:.2f}" for v in row.centre) if row.centre else "",
            "" if row.visibility is None else f"{row.visibility:.2f}",
        )
        for row in rows
    ]
    show.table(f"{manifest.kind} set {manifest.name}", columns, cells)
    typer.echo("side: root of box area ÷ root of frame area, least, middle and largest;")
    typer.echo("centre: x and y as shares of the frame; visible: share; both the middle one")
    typer.echo(", ".join(f"{key}: {value:,}" for key, value in counts.items()))
    typer.echo(f"sheet: {sheet}")


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
    format: Annotated[str, typer.Option(help="yolo, coco or voc.")],
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
