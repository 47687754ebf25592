"""`vqc convert`: STEP to STL and GLB."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vqc.cli import show


def convert(
    step: Annotated[list[Path], typer.Argument(help="STEP files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("renders/meshes"),
    deflection: Annotated[
        float, typer.Option(help="Largest mesh error, as a fraction of the part's size.")
    ] = 0.0005,
    angle_deg: Annotated[float, typer.Option(help="Largest angle between mesh facets.")] = 20.0,
    timeout: Annotated[float, typer.Option(help="Seconds allowed for a file.")] = 600.0,
    memory_gb: Annotated[float, typer.Option(help="Memory allowed for a file.")] = 8.0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Files read at a time [default: all cores].")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Convert STEP files to STL, and to GLB with names and colours.

    Meshes are in millimetres, whatever the file's unit; a GLB's root node turns them into
    the metres and Y up that glTF asks for. What was converted before, with the same
    settings, is not done again.

    \b
    Examples:
      vqc convert magnet.stp
      vqc convert cad_models --out meshes --deflection 0.0001
    """
    from vqc import cad

    settings, limits = cad.MeshSettings(deflection, angle_deg), cad.ReadLimits(timeout, memory_gb)
    files = cad.find_step_files(step)
    done: list[Path] = []
    with show.progress("convert", "files", quiet or json) as update:
        update(0, len(files))

        def advance(path: Path) -> None:
            done.append(path)
            update(len(done), len(files))

        results = cad.convert(files, out, settings, limits, jobs, advance)
    if json:
        import dataclasses

        show.as_json([dataclasses.asdict(result) for result in results])
    elif not quiet:
        columns = ("part", "parts", "placed", "triangles", "size in mm", "unit", "watertight")
        rows = [
            (
                result.name,
                result.parts,
                result.occurrences,
                result.triangles,
                " × ".join(f"{side:.4g}" for side in result.size_mm),
                result.unit,
                "yes" if result.watertight else "no",
            )
            for result in results
        ]
        show.table(str(out), columns, rows)
        show.notes([f"{result.source}: {note}" for result in results for note in result.notes])
