"""`vqc leaks`: the same picture on two sides of a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show

if TYPE_CHECKING:
    from vqc.leaks import Leaks

SHOWN = 20


def leaks(
    dataset: Annotated[
        Path, typer.Argument(help="Folder of a set with splits, such as datasets/cad500-real10.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="PNG of the worst pairs side by side [default: beside the set]."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Find the same, or nearly the same, picture on two sides of a split.

    Also when it was encoded again, resized, made brighter or darker, cropped by 5 %, mirrored,
    or is the next frame of a video; and sessions that are in two splits. Exits with 1 where
    anything leaks.

    \b
    Example:
      vqc leaks datasets/cad500-real10 --out leaks.png
    """
    from vqc.errors import InputError
    from vqc.leaks import draw_sheet, find

    target = out or dataset.resolve().with_name(f"{dataset.resolve().name}-leaks.png")
    if target.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the sheet is a PNG; give a name that ends in .png")
    with show.progress(f"leaks {dataset}", "pictures", quiet or json) as update:
        found = find(dataset, on_progress=update)
    sheet = draw_sheet(dataset, found.pairs, target) if found.pairs else None
    if json:
        show.as_json(_record(found) | {"sheet": None if sheet is None else str(sheet)})
    else:
        _tell(found, dataset, sheet)
    raise typer.Exit(1 if found.found else 0)


def _tell(found: Leaks, dataset: Path, sheet: Path | None) -> None:
    if found.pairs:
        columns = ("kind", "score", "first", "picture", "second", "picture ")
        rows = [
            (p.kind, f"{p.score:.2f}", p.first.split, p.first.image, p.second.split, p.second.image)
            for p in found.pairs[:SHOWN]
        ]
        more = f", the worst {SHOWN} shown" if len(found.pairs) > SHOWN else ""
        show.table(f"{len(found.pairs):,} pairs on two sides of a split{more}", columns, rows)
    if found.sessions:
        cells = [
            (
                s.session,
                ", ".join(f"{n:,} {split}" for split, n in zip(s.splits, s.frames, strict=True)),
                "allowed: marked as same shoot" if s.is_allowed else "a leak",
            )
            for s in found.sessions
        ]
        show.table("sessions in several splits", ("session", "frames", "what it is"), cells)
    for count in found.splits:
        typer.echo(f"{count.split}: {count.touched:,} of {count.frames:,} frames touched")
    if found.without_split:
        typer.echo(f"without split, not looked at: {found.without_split:,} frames")
    if sheet is not None:
        typer.echo(f"sheet: {sheet}")
    typer.echo(f"{dataset}: {'leaks' if found.found else 'no leak'}")


def _record(found: Leaks) -> dict[str, Any]:
    return {
        "name": found.name,
        "leaks": found.found,
        "pairs": [
            {
                "kind": p.kind,
                "score": p.score,
                "splits": [p.first.split, p.second.split],
                "images": [p.first.image, p.second.image],
                "sessions": [p.first.session, p.second.session],
            }
            for p in found.pairs
        ],
        "splits": [
            {"split": c.split, "frames": c.frames, "touched": c.touched} for c in found.splits
        ],
        "sessions": [
            {
                "session": s.session,
                "frames": dict(zip(s.splits, s.frames, strict=True)),
                "marked": s.marked,
            }
            for s in found.sessions
        ],
        "without_split": found.without_split,
    }
