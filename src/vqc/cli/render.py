"""`vqc render`: from STEP files to labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import engines, show
from vqc.cli.options import (
    AllowMixed,
    Backgrounds,
    Distractors,
    Engine,
    Environment,
    Scheduler,
    Shard,
    Shards,
    Slurm,
    Up,
    WriteOnly,
)
from vqc.counts import counted

if TYPE_CHECKING:
    from vqc.frames import Plan
    from vqc.generate import Estimate, Summary
    from vqc.recipe import RenderRecipe
    from vqc.shards import Shard as Share


def render(
    step: Annotated[
        list[Path],
        typer.Option(
            help="STEP file, or a folder of them; may repeat. The class is the file's stem."
        ),
    ],
    step_deg: Annotated[
        float | None,
        typer.Option(help="Step of the default sweep in degrees [default: 15, for 360 views]."),
    ] = None,
    azimuth: Annotated[
        str | None, typer.Option(help="START:STOP:STEP in degrees, both ends included.")
    ] = None,
    elevation: Annotated[
        str | None, typer.Option(help="The same; --elevation=-30:40:10 where it starts below 0.")
    ] = None,
    tilt: Annotated[str | None, typer.Option(help="The same, about the optical axis.")] = None,
    views: Annotated[
        int | None,
        typer.Option(help="This many views, well spread over the ranges, instead of a sweep."),
    ] = None,
    look: Annotated[
        str,
        typer.Option(
            help="plain: the views above; studio, bench, shopfloor or a FILE.yaml: scenes drawn "
            "at random (docs/looks.md)."
        ),
    ] = "plain",
    count: Annotated[
        int | None, typer.Option(help="Frames of a look, classes in turn [default: 500].")
    ] = None,
    backgrounds: Backgrounds = None,
    distractors: Distractors = None,
    environment: Environment = None,
    name: Annotated[str | None, typer.Option(help="Name of the set [default: the stem].")] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the sets.")] = Path("renders"),
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "1024x768",
    fov: Annotated[
        float | None, typer.Option(help="Vertical field of view in degrees [default: 30].")
    ] = None,
    fill: Annotated[
        float | None,
        typer.Option(
            help="Diameter of the part's sphere ÷ the frame's shorter side [default: 0.8]."
        ),
    ] = None,
    up: Up = "z",
    color: Annotated[
        str | None, typer.Option(help="cad: the file's colours; grey: one for all [default: cad].")
    ] = None,
    background: Annotated[
        str | None, typer.Option(help="Colour by name or as #rrggbb [default: white].")
    ] = None,
    format: Annotated[str, typer.Option(help="jpg or png.")] = "jpg",
    aa: Annotated[
        int, typer.Option(help="Samples along a pixel's side: 1 none, 2 four a pixel, up to 4.")
    ] = 2,
    masks: Annotated[bool, typer.Option("--masks", help="Store instance masks.")] = False,
    depth: Annotated[bool, typer.Option("--depth", help="Store depth as 16-bit PNG.")] = False,
    normals: Annotated[bool, typer.Option("--normals", help="Store normals as PNG.")] = False,
    condition: Annotated[
        str | None, typer.Option(help="State of the part, such as good (for anomaly sets).")
    ] = None,
    drop_part: Annotated[
        list[str] | None, typer.Option(help="Leave out components whose name fits; may repeat.")
    ] = None,
    label_by: Annotated[
        str, typer.Option(help="file: one object a file; part: every named component is a class.")
    ] = "file",
    class_: Annotated[
        list[str] | None,
        typer.Option(
            "--class", help="stem=name, or component=name with --label-by part; may repeat."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Components that stay unlabelled; may repeat.")
    ] = None,
    deflection: Annotated[
        float | None,
        typer.Option(help="Mesh error ÷ the part's size [default: a quarter of a pixel]."),
    ] = None,
    angle_deg: Annotated[float, typer.Option(help="Largest angle between mesh facets.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Recorded with every frame.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes [default: one a core, or those on GPUs].")
    ] = None,
    per_gpu: Annotated[
        int | None, typer.Option(min=1, help="Processes on each GPU there is [default: 4].")
    ] = None,
    engine: Engine = "local",
    shard: Shard = None,
    shards: Shards = None,
    slurm: Slurm = None,
    write_only: WriteOnly = False,
    scheduler: Scheduler = None,
    mixed: AllowMixed = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the set and start again.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say how many frames, how long, how big; write nothing."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Render STEP files to pictures with exact labels and a manifest.

    Stopped at any point, the same command goes on with what is missing. More views or one
    more --step extend a set, a larger --count one of a look; any other change is refused, with
    the difference. Shards may be rendered anywhere, side by side into one folder and more than
    once; the set is the same in the end.

    \b
    Examples:
      vqc render --step magnet.stp --step-deg 15
      vqc render --step cad_models --name magnets --views 500
      vqc render --step qd.step --elevation=-30:40:10 --tilt=-20:20:10
      vqc render --step magnet.step --label-by part --class 'bolt*=bolt'
      vqc render --step cad_models --look bench --count 2000 --backgrounds photos/tables
      vqc render --step cad_models --name magnets --views 500 --shard 3/40
      vqc render --step cad_models --name magnets --engine slurm --slurm account=m1234
    """
    from vqc import asked, generate, gpus
    from vqc import shards as shares

    share = None if shard is None else shares.parse(shard)
    _require_whole(share, fresh)
    where = engines.Where(engine, shard, shards, tuple(slurm or ()), write_only, scheduler)
    voice = engines.Voice(quiet, json)
    optional = {"fov_deg": fov, "fill": fill, "color": color, "background": background}
    request = asked.Request(
        step=tuple(step),
        step_deg=step_deg,
        axes=(azimuth, elevation, tilt),
        views=views,
        look=look,
        count=count,
        backgrounds=tuple(backgrounds or ()),
        distractors=tuple(distractors or ()),
        environment=environment,
        name=name,
        picture={
            **{key: value for key, value in optional.items() if value is not None},
            "size": size,
            "up": up,
            "format": format,
            "aa": aa,
            "masks": masks,
            "depth": depth,
            "normals": normals,
            "condition": condition,
        },
        label_by=label_by,
        classes=tuple(class_ or ()),
        ignore=tuple(ignore or ()),
        drop=tuple(drop_part or ()),
        deflection=deflection,
        angle_deg=angle_deg,
        seed=seed,
    )
    workers = gpus.bound_workers(jobs, per_gpu)
    recipe, paths = asked.resolve(request)
    with show.progress("read STEP", "files", voice.silent) as update:
        plan, remarks = generate.prepare(recipe, paths, out, workers.count, fresh, update)
    if not voice.silent:
        show.notes(remarks)
    if dry_run:
        _say_estimate(plan, generate.estimate(plan, workers, fresh), json)
        return
    if engine == "slurm":
        engines.render_to_slurm(plan, workers, fresh, where, voice)
        return
    try:
        if engine == "dask":
            engines.render_on_dask(plan, workers, fresh, where, voice, (jobs or 1, mixed))
            fresh = False
        with show.progress(f"render {recipe.name}", "frames", voice.silent) as update:
            summary = generate.render_set(plan, workers, fresh, update, share, mixed)
    except KeyboardInterrupt:
        again = "the same command without --fresh" if fresh else "the same command"
        typer.echo(f"stopped; {again} goes on with what is missing", err=True)
        raise typer.Exit(130) from None
    if json or not quiet:
        if share is None:
            _say_summary(plan.recipe, summary, json)
        else:
            _say_shard(share, summary, json)


def _say_estimate(plan: Plan, estimate: Estimate, json: bool) -> None:
    record = {
        "folder": str(plan.folder),
        "frames": estimate.frames,
        "missing": estimate.missing,
        "seconds": round(estimate.seconds, 1),
        "megabytes": round(estimate.megabytes, 1),
    }
    if json:
        show.as_json(record)
        return
    typer.echo(
        f"{plan.folder}: {counted(estimate.frames, 'frame')}, {estimate.missing:,} to make, "
        f"in about {estimate.seconds:.0f} s and {estimate.megabytes:.0f} MB; nothing was written"
    )


def _require_whole(shard: Share | None, fresh: bool) -> None:
    from vqc.errors import InputError

    if shard is not None and fresh:
        raise InputError(
            "--fresh deletes the whole set, also what other shards made: give it without --shard"
        )


def _in_software(names: Sequence[str]) -> str:
    from vqc.render.devices import is_software

    return ", in software" if all(map(is_software, names)) else ""


def _made(summary: Summary) -> str:
    """Such as "1 frame made in 0.5 s (2.0 a second), 9 were there"."""
    rate = summary.made / summary.seconds if summary.seconds else 0.0
    made = f"{counted(summary.made, 'frame')} made in {summary.seconds:.1f} s"
    there = f"{summary.found:,} {'was' if summary.found == 1 else 'were'} there"
    return f"{made} ({rate:.1f} a second), {there}"


def _say_shard(shard: Share, summary: Summary, json: bool) -> None:
    rate = summary.made / summary.seconds if summary.seconds else 0.0
    if json:
        show.as_json(
            {
                "folder": str(summary.folder),
                "shard": str(shard),
                "frames": summary.frames,
                "made": summary.made,
                "found": summary.found,
                "seconds": round(summary.seconds, 2),
                "frames_per_second": round(rate, 1),
            }
        )
        return
    typer.echo(f"{summary.folder}: shard {shard}: {_made(summary)}")
    show.then("vqc", "merge", summary.folder, why="joins the shards when all are done")


def _say_summary(recipe: RenderRecipe, summary: Summary, json: bool) -> None:
    from vqc.store import RENDERERS

    manifest = summary.manifest
    assert manifest is not None
    frames = manifest.frames
    rate = summary.made / summary.seconds if summary.seconds else 0.0
    record: dict[str, Any] = {
        "folder": str(summary.folder),
        "classes": list(manifest.classes),
        "frames": len(frames),
        "made": summary.made,
        "found": summary.found,
        "seconds": round(summary.seconds, 2),
        "frames_per_second": round(rate, 1),
        "subpixel": sum(any("subpixel" in o.extra for o in f.objects or ()) for f in frames),
    }
    if json:
        show.as_json(record)
        return
    objects = [o for f in frames for o in f.objects or ()]
    rows = [
        (
            c,
            sum(any(o.class_name == c for o in f.objects or ()) for f in frames),
            sum(o.class_name == c for o in objects),
            sum(o.class_name == c and o.box_xyxy is not None for o in objects),
        )
        for c in manifest.classes
    ]
    show.table(f"{summary.folder}", ("class", "frames", "objects", "boxes"), rows)
    typer.echo(f"{_made(summary)}; every label proven against the geometry")
    if drawn_by := manifest.extra.get(RENDERERS):
        typer.echo(f"drawn by {', '.join(drawn_by)}{_in_software(drawn_by)}")
    if record["subpixel"]:
        show_it = "frame shows" if record["subpixel"] == 1 else "frames show"
        typer.echo(f"{record['subpixel']:,} {show_it} matter thinner than a pixel (subpixel)")
    show.then("vqc", "inspect", summary.folder)
