"""`vqc look preview`: sheets that show what a look draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli import show
from vqc.cli.options import Backgrounds, Classes, Distractors, Environment, Step, Up

if TYPE_CHECKING:
    from vqc.asked import Request
    from vqc.frames import Plan


def preview(
    look: Annotated[str, typer.Argument(help="studio, bench, shopfloor or a FILE.yaml.")],
    step: Step,
    class_: Classes = None,
    backgrounds: Backgrounds = None,
    distractors: Distractors = None,
    environment: Environment = None,
    up: Up = "z",
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "320x240",
    count: Annotated[int, typer.Option(min=1, help="Frames on the sheet of draws.")] = 24,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Fields to show, such as camera.size,light.ambient or 'sensor.*'; may repeat "
            "[default: all that are left to chance]."
        ),
    ] = None,
    index: Annotated[
        int, typer.Option(min=0, help="The frame that is held while one field changes.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="As with vqc render.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="PNG [default: renders/LOOK-preview.png].")
    ] = None,
) -> None:
    """Show what a look draws, and what each of its fields does, before a set is made.

    Writes two sheets: the first frames with their boxes (OUT), and one frame again and again
    with one field changed in each row (OUT with -factors). The frames are those that vqc render
    makes with the same options.

    \b
    Examples:
      vqc look preview bench --step cad_models
      vqc look preview my_bench.yaml --step cad_models --backgrounds photos/tables --index 7
      vqc look preview bench --step cad_models --vary camera.size,light.ambient --vary 'sensor.*'
    """
    from vqc import asked
    from vqc.errors import InputError
    from vqc.frames import open_studio
    from vqc.preview import factors, sheets

    if look == asked.PLAIN:
        raise InputError(f"{look}: no look to show; vqc inspect shows a plain set")
    request = asked.Request(
        step=tuple(step), look=look, count=count, backgrounds=tuple(backgrounds or ()),
        distractors=tuple(distractors or ()), environment=environment, name="preview",
        picture={"size": size, "up": up}, classes=tuple(class_ or ()), seed=seed,
    )  # fmt: skip
    plan = _plan(request)
    recipe, block = plan.recipe, plan.recipe.look
    assert block is not None
    names = [name.strip() for text in vary or () for name in text.split(",") if name.strip()]
    chosen = factors.factors(block.look, names)
    target = Path("renders") / f"{Path(look).stem}-preview.png" if out is None else out
    if target.suffix.lower() != ".png":
        raise InputError(f"--out {target}: the sheets are PNGs; give a name that ends in .png")
    studio = open_studio(plan)
    try:
        with show.progress("draws", "frames", False) as update:
            typer.echo(sheets.draw_frames(studio, recipe, target, update))
        if chosen:
            second = target.with_name(f"{target.stem}-factors{target.suffix}")
            with show.progress("factors", "frames", False) as update:
                frame = sheets.Held(recipe, index)
                typer.echo(sheets.draw_factors(studio, frame, chosen, second, update))
    finally:
        studio.close()
    show.then(*_render(request))


def _plan(request: Request) -> Plan:
    """All that frames are made of; nothing is written."""
    import os
    import tempfile

    from vqc import asked, generate

    recipe, paths = asked.resolve(request)
    workers = len(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory(prefix="vqc-preview-") as nowhere,
        show.progress("read STEP", "files", False) as update,
    ):
        plan, remarks = generate.prepare(recipe, paths, Path(nowhere), workers, True, update)
    show.notes(remarks)
    block = recipe.look
    if block is not None and not block.backgrounds and "photo" in block.look.backdrop.kind.stated:
        show.notes(["the look wants photos; textures stand in for them without --backgrounds"])
    return plan


def _render(request: Request) -> list[str]:
    """The command that makes a set of the same look."""
    words = ["vqc", "render", "--look", request.look, "--count", "1000"]
    words += ["--name", Path(request.look).stem] if len(request.step) > 1 else []
    for option, given in (
        ("--step", request.step),
        ("--class", request.classes),
        ("--backgrounds", request.backgrounds),
        ("--distractors", request.distractors),
        ("--environment", [request.environment] if request.environment else []),
        ("--up", [] if request.picture["up"] == "z" else ["y"]),
        ("--seed", [request.seed] if request.seed else []),
    ):
        for value in given:
            words += [option, str(value)]
    return words
