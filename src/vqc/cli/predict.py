"""`vqc predict` and `vqc export-model`: a finished run at work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import extras, show
from vqc.cli.options import Quiet
from vqc.counts import counted

if TYPE_CHECKING:
    from vqc.export_model import Exported
    from vqc.predict.job import Result

SHOWN_FAULTS = 50
NONE = "none of these"


def predict(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, such as runs/detect/m1.")],
    source: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, videos, folders or glob patterns; the number of a camera, such as 0; "
            "or an RTSP address."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write [default: predictions/RUN-SOURCE].")
    ] = None,
    conf: Annotated[
        float | None,
        typer.Option(
            help="Least score of an object, or probability of a class or pixel [default: 0.25 for "
            "objects, else what the run chose]."
        ),
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option(help="Overlap from which two boxes are one object [default: 0.7]."),
    ] = None,
    imgsz: Annotated[
        int | None, typer.Option(help="Longer side for the network, px [default: the run's].")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, or a GPU such as 0 [default: a GPU if there is one].")
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Follow objects through a video, and number them.")
    ] = False,
    fps: Annotated[
        float | None, typer.Option(help="Frames of each second of a video [default: all].")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Stop after so many pictures.")] = None,
    crops: Annotated[
        bool, typer.Option("--crops", help="Write every object as a picture, by class.")
    ] = False,
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Write no drawn pictures and no video.")
    ] = False,
    no_show: Annotated[
        bool, typer.Option("--no-show", help="Open no window for a camera.")
    ] = False,
    as_set: Annotated[
        str | None,
        typer.Option(help="Write datasets/NAME: labels to be corrected, not to be trained on."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value: another setting of the task; may repeat."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace earlier predictions, also --as-set's.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print faults and errors only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Find what a run has learnt in new pictures, a video or a camera, and draw it.

    Writes drawn pictures, or an mp4 that browsers play, and predictions.jsonl with a line for
    each picture. A camera is shown in a window; q or Ctrl-C ends it, and the video is whole.
    What cannot be read is listed at the end, and the command exits with 1. Any setting that the
    task has for predicting is an option too, as --batch 4.

    \b
    Examples:
      vqc predict runs/detect/magnets photos
      vqc predict runs/detect/magnets walk.mp4 --track --conf 0.4
      vqc predict runs/detect/magnets rtsp://10.0.0.7/door --limit 1000
      vqc predict runs/detect/magnets new-photos --as-set to-correct
      vqc export datasets/to-correct --format cvat
    """
    from vqc.predict.job import predict as run_job
    from vqc.predict.request import Request

    options = {"conf": conf, "iou": iou, "imgsz": imgsz, "device": device, "track": track or None}
    request = Request(
        run=run,
        sources=tuple(source),
        out=out,
        settings=extras.given(ctx, options, set_ or ()),
        images=not no_images,
        crops=crops,
        show=not no_show,
        as_set=as_set,
        fps=fps,
        limit=limit,
        fresh=fresh,
    )
    with (
        show.progress("predict", "pictures", quiet or json) as update,
        extras.explained(ctx, "the task of this run"),
    ):
        result = run_job(request, update, lambda note: None if quiet else show.notes([note]))
    if json:
        show.as_json(_record(result))
    else:
        if not quiet:
            _say(result)
        _say_faults(result.faults)
    if result.stopped:
        _say_stopped(result, as_set)
    raise typer.Exit(130 if result.stopped else 1 if result.faults else 0)


def export_model(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, such as runs/detect/m1.")],
    format: Annotated[str, typer.Option(help="onnx, torchscript or openvino.")] = "onnx",
    imgsz: Annotated[
        int | None, typer.Option(help="Side of its square input, px [default: the run's].")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with pictures to compare on [default: the run's set]."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace an earlier export.")] = False,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Write a run's model for other software, and prove that it answers the same.

    The file goes to RUN/export. Both models look at the same pictures; where boxes or scores
    differ by more than the tolerance, the file is not kept and the command exits with 1.

    \b
    Examples:
      vqc export-model runs/detect/magnets --format onnx
      vqc export-model runs/detect/magnets --format torchscript --imgsz 960
    """
    from vqc.export_model import export

    exported = export(run, format, imgsz, data, fresh)
    if json:
        show.as_json(exported.record())
    elif not quiet:
        show.notes(exported.notes)
        _say_export(exported)
    if not exported.agrees:
        typer.echo(f"vqc: {exported.verdict()}", err=True)
        raise typer.Exit(1)


def _say(result: Result) -> None:
    shown = dict(result.classes if result.objects is None else result.objects)
    if result.without_class:
        shown[NONE] = result.without_class
    if shown:
        what = "pictures" if result.objects is None else "objects"
        show.table("found", ("class", what), list(shown.items()))
    typer.echo(_found(result))
    if result.dropped:
        typer.echo(f"{result.dropped:,} frames of the camera came while the model was busy")
    speed = result.speed
    if speed is not None:
        typer.echo(
            f"{speed.frames_per_s:.1f} pictures a second: {speed.model_ms:.1f} ms of model and "
            f"{speed.other_ms:.1f} ms of everything else each (start-up left out)"
        )
    if result.as_set is not None:
        folder, frames = result.as_set
        typer.echo(f"{folder}: {frames:,} pictures with labels that nobody has checked")
        if result.objects is None:
            why = "cvat or labelstudio too, as tags"
            show.then("vqc", "export", folder, "--format", "classes", why=why)
        else:
            show.then("vqc", "export", folder, "--format", "cvat", why="or labelstudio")
    typer.echo(f"{result.folder}")


def _found(result: Result) -> str:
    """Such as "3 pictures, 7 objects with a score from 0.25 on (--conf)"; of answers that are no
    objects, what the task says of when they count."""
    pictures = counted(result.frames, "picture")
    if result.objects is None:
        return f"{pictures}; {result.counts}" if result.counts else pictures
    objects, least = sum(result.objects.values()), result.least_score
    with_ = "" if least is None else f" with a score from {least:g} on (--conf)"
    return f"{pictures}, {counted(objects, 'object')}{with_}"


def _say_stopped(result: Result, as_set: str | None) -> None:
    """How far it came, and what that leaves."""
    typer.echo(
        f"vqc: stopped after {result.frames:,} of {result.total:,} pictures; the files of these "
        f"are whole, in {result.folder}",
        err=True,
    )
    if as_set is not None:
        typer.echo(f"vqc: datasets/{as_set} was not made: it would lack pictures", err=True)


def _say_faults(faults: tuple[str, ...]) -> None:
    for fault in faults[:SHOWN_FAULTS]:
        typer.echo(fault, err=True)
    if len(faults) > SHOWN_FAULTS:
        more = len(faults) - SHOWN_FAULTS
        typer.echo(f"... and {more:,} more; --json lists all of them", err=True)
    if faults:
        typer.echo(f"vqc: {len(faults):,} fault(s); the rest is done", err=True)


def _record(result: Result) -> dict[str, Any]:
    import dataclasses

    speed = result.speed
    return {
        "folder": str(result.folder),
        "pictures": result.frames,
        "pictures_in_all": result.total,
        "least_score": result.least_score,
        "objects": None if result.objects is None else dict(result.objects),
        "classes": dict(result.classes),
        "none_of_these": result.without_class,
        "speed": None if speed is None else dataclasses.asdict(speed),
        "videos": [str(path) for path in result.videos],
        "dropped": result.dropped,
        "stopped": result.stopped,
        "as_set": None
        if result.as_set is None
        else {"folder": str(result.as_set[0]), "pictures": result.as_set[1]},
        "faults": list(result.faults),
    }


def _say_export(exported: Exported) -> None:
    rows = [(name, value) for name, value in exported.figures().items()]
    show.table(f"{exported.format} against the original", ("what", ""), rows)
    if exported.agrees:
        typer.echo(f"{exported.file}")
