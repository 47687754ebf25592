"""`vqc intake`: photos, other people's labelled pictures and videos become a set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show

if TYPE_CHECKING:
    from vqc.intake.build import Result
    from vqc.types import Frame

SHOWN_FAULTS = 50
SHOWN_ROWS = 60


def intake(
    source: Annotated[Path, typer.Argument(help="Folder, archive (zip or tar), picture or video.")],
    name: Annotated[str, typer.Option(help="Name of the set.")],
    out: Annotated[Path, typer.Option(help="Folder that holds the sets.")] = Path("datasets"),
    format: Annotated[
        str | None,
        typer.Option(
            help="yolo, coco, voc, labelstudio, cvat, severstal, masks, conditions, classes or "
            "images [default: recognised]."
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            help="What is one photo shoot: a NAME for all; folder; column:X or column:X:PATTERN "
            "of the source's index.csv; regex:PATTERN, searched in the path; each, for every "
            "picture its own [default: one, named like the set, and one for each video]."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="train, val or test for all pictures [default: the source's own]."),
    ] = None,
    class_: Annotated[
        list[str] | None, typer.Option("--class", help="old=new class name; may repeat.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Class whose objects are dropped; may repeat.")
    ] = None,
    background: Annotated[
        bool,
        typer.Option("--background", help="Pictures without label were looked at: nothing there."),
    ] = False,
    source_: Annotated[
        str | None, typer.Option("--source", help="real, or cad for renders [default: real].")
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Renders that stand in for photos.")
    ] = False,
    fps: Annotated[float, typer.Option(help="Frames to take from each second of video.")] = 2.0,
    min_change: Annotated[
        float | None,
        typer.Option(
            help="Drop video frames that differ less than this from the last one, 0 to 1."
        ),
    ] = None,
    max_side: Annotated[
        int | None, typer.Option(help="Shrink longer pictures to this many pixels.")
    ] = None,
    max_mpx: Annotated[float, typer.Option(help="Megapixels above which a picture is refused.")] = (
        50.0
    ),
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave faulty pictures out, and list them.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Threads [default: one for each core].")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace the set that is there.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken in; write nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print faults and errors only.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print summary and all faults as JSON.")
    ] = False,
) -> None:
    """Take in photos, labelled pictures of other tools, or videos, as a set with a manifest.

    The format is recognised. Every fault of the source is told at once, and nothing is written
    while there is one, unless --skip-bad. The same command again takes in what is new.

    \b
    Examples:
      vqc intake photos --name boards --session folder
      vqc intake export.zip --name hall --class bolt_old=bolt --ignore person
      vqc intake empty-hall --name backgrounds --background
      vqc intake walk.mp4 --name walk --fps 2 --min-change 0.02
    """
    from vqc.intake.build import Manner, take_in
    from vqc.intake.request import Request

    request = Request(
        name=name,
        format=format,
        session=session,
        split=split,
        classes=tuple(class_ or ()),
        ignore=tuple(ignore or ()),
        background=background,
        source=source_,
        simulated=simulated,
        fps=fps,
        min_change=min_change,
        max_side=max_side,
        max_mpx=max_mpx,
    )
    manner = Manner(skip_bad, fresh, dry_run, jobs)
    silent = quiet or json
    result = take_in(
        source, request, out, manner, lambda what, unit: show.progress(what, unit, silent)
    )
    stopped = bool(result.faults) and not skip_bad
    if json:
        show.as_json(_record(result))
    else:
        if not quiet:
            show.notes(result.notes)
            _say_result(result)
        _say_faults(result, skip_bad)
    raise typer.Exit(2 if stopped or result.state == "faulty" else 0)


def _say_faults(result: Result, skip_bad: bool) -> None:
    """All faulty ones where they are skipped, else the first; on standard error."""
    shown = result.faults if skip_bad else result.faults[:SHOWN_FAULTS]
    for fault in shown:
        typer.echo(f"skipped: {fault}" if skip_bad else str(fault), err=True)
    if len(shown) < len(result.faults):
        more = len(result.faults) - len(shown)
        typer.echo(f"... and {more:,} more; --json lists all of them", err=True)
    if result.faults and not skip_bad:
        advice = "mend them, or leave these pictures out with --skip-bad"
        typer.echo(f"vqc: {len(result.faults):,} fault(s), nothing was written: {advice}", err=True)
    elif result.state == "faulty":
        typer.echo("vqc: no picture is left, nothing was written", err=True)


def _say_result(result: Result) -> None:
    typer.echo(f"format: {result.format} ({result.why})")
    frames = result.manifest.frames
    groups: dict[tuple[str, str], list[Frame]] = {}
    for frame in frames:
        groups.setdefault((frame.session, _split(frame)), []).append(frame)
    if result.state == "faulty":
        return
    if frames:
        columns = ("session", "split", "frames", "labelled", "backgrounds", "unlabelled")
        cells = [(*key, *_states(groups[key])) for key in sorted(groups)]
        show.table(str(result.folder), columns, cells[:SHOWN_ROWS])
    if len(groups) > SHOWN_ROWS:
        typer.echo(f"... and {len(groups) - SHOWN_ROWS:,} more rows; --json gives all of them")
    rows = _class_rows(result)
    if rows:
        show.table("", ("class", "frames", "boxes"), rows)
    conditions = Counter(frame.condition for frame in frames if frame.condition)
    if conditions:
        show.table("", ("condition", "frames"), sorted(conditions.items()))
    changed = {"turned": result.turned, "shrunk": result.shrunk, "converted": result.converted}
    if any(changed.values()):
        told = ", ".join(f"{count:,} {what}" for what, count in changed.items() if count)
        typer.echo(f"pictures {told}; photos that need none of this keep their bytes")
    new = f"{result.new:,} of {len(frames):,} frames are new"
    ends = {
        "new": f"{result.folder}: {len(frames):,} frames",
        "extended": f"{result.folder}: {new}",
        "unchanged": f"{result.folder}: nothing new, nothing was written",
        "dry run": f"{result.folder}: {new}; nothing was written (--dry-run)",
    }
    typer.echo(ends[result.state])
    if result.state in ("new", "extended", "unchanged"):
        show.then("vqc", "inspect", result.folder)


def _split(frame: Frame) -> str:
    return (frame.split or "none") + (" (same shoot)" if frame.same_shoot else "")


def _states(frames: list[Frame]) -> tuple[int, int, int, int]:
    """All frames, those with a label of any kind, those that show nothing, all others."""
    whole = [frame.label is not None or frame.condition is not None for frame in frames]
    nobody = sum(
        f.objects is None and not is_told for f, is_told in zip(frames, whole, strict=True)
    )
    empty = sum(frame.objects == () for frame in frames)
    return len(frames), len(frames) - nobody - empty, empty, nobody


def _class_rows(result: Result) -> list[tuple[str, int, int]]:
    """Class, frames that show it or are labelled with it, boxes."""
    frames, boxes = Counter[str](), Counter[str]()
    for frame in result.manifest.frames:
        names = [note.class_name for note in frame.objects or ()]
        boxes.update(names)
        frames.update({*names, *([frame.label] if frame.label else [])})
    return [(name, frames[name], boxes[name]) for name in result.manifest.classes]


def _record(result: Result) -> dict[str, Any]:
    groups = Counter((f.session, f.split, f.same_shoot) for f in result.manifest.frames)
    frames, labelled, empty, nobody = _states(list(result.manifest.frames))
    return {
        "folder": str(result.folder),
        "state": result.state,
        "format": result.format,
        "why": result.why,
        "frames": frames,
        "new": result.new,
        "labelled": labelled,
        "backgrounds": empty,
        "unlabelled": nobody,
        "turned": result.turned,
        "shrunk": result.shrunk,
        "converted": result.converted,
        "classes": [
            {"name": name, "frames": shown, "boxes": boxes}
            for name, shown, boxes in _class_rows(result)
        ],
        "sessions": [
            {"session": session, "split": split, "same_shoot": same, "frames": groups[key]}
            for key in sorted(groups, key=lambda k: (k[0], k[1] or "", k[2]))
            for session, split, same in [key]
        ],
        "notes": list(result.notes),
        "faults": [{"file": f.file, "line": f.line, "message": f.message} for f in result.faults],
    }
