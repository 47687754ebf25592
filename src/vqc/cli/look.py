"""`vqc look`: what helps to write looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vqc.cli import look_preview, show
from vqc.cli.options import Backgrounds, Classes, Distractors, Environment, Step, Up

app = typer.Typer(
    name="look",
    help="Make looks: files that say what is left to chance in rendered pictures.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def fit(
    photos: Annotated[
        list[Path], typer.Option(help="Set with training photos whose boxes are known; may repeat.")
    ],
    step: Step,
    out: Annotated[Path, typer.Option(help="The look to write; a sheet .png goes beside it.")],
    from_: Annotated[
        str, typer.Option("--from", help="Look to start from: a name or a FILE.yaml.")
    ] = "bench",
    class_: Classes = None,
    frames: Annotated[int, typer.Option(help="Frames to compare the photos with.")] = 60,
    size: Annotated[
        str, typer.Option(help="Width x height of the renders to come, in pixels.")
    ] = "640x480",
    backgrounds: Backgrounds = None,
    distractors: Distractors = None,
    environment: Environment = None,
    up: Up = "z",
    seed: Annotated[int, typer.Option(help="Of the frames that are compared.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Overwrite what is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Make a look whose renders are as a few training photos are.

    Size and place in the frame come from the boxes; brightness, contrast, colour balance,
    noise, sharpness and JPEG quality from the pixels. Photos of val and test are never
    looked at.

    \b
    Examples:
      vqc look fit --photos datasets/shoot --step cad_models --out my_bench.yaml
      vqc look fit --photos datasets/shoot --step magnet.step --from studio
        --backgrounds photos/tables --out lab.yaml
    """
    from vqc.twin import job
    from vqc.twin.sheet import TITLES, rows

    request = job.Asked(
        photos=tuple(photos),
        step=tuple(step),
        base=from_,
        out=out,
        frames=frames,
        size=size,
        classes=tuple(class_ or ()),
        backgrounds=tuple(backgrounds or ()),
        distractors=tuple(distractors or ()),
        environment=environment,
        up=up,
        seed=seed,
        fresh=fresh,
    )
    twin = job.make(request, lambda what, unit: show.progress(what, unit, quiet))
    if quiet:
        return
    show.notes(twin.notes)
    title = f"{out}, from {twin.photos} photos, and {request.sheet}"
    show.table(title, ("mean ± spread", *TITLES), rows(twin.samples))
    again = [
        ("--step", step), ("--class", class_), ("--backgrounds", backgrounds),
        ("--distractors", distractors), ("--environment", environment and [environment]),
    ]  # fmt: skip
    words = [word for name, values in again for value in values or () for word in (name, value)]
    words += ["--up", up] if up != "z" else []
    show.then("vqc", "render", *words, "--look", out, "--size", size, "--name", out.stem)


app.command()(look_preview.preview)
