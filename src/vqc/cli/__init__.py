"""The command line: parse, call the library, print. One short function a verb.

Nothing heavy is imported here, so that `vqc --help` costs no more than Typer itself.
"""

from __future__ import annotations

import sys

import typer

from vqc.cli import (
    batch,
    cad,
    data,
    evaluate,
    extras,
    grid,
    leaks,
    look,
    machine,
    mix,
    photos,
    predict,
    render,
    report,
    tasks,
    train,
    tune,
)  # fmt: skip
from vqc.errors import VqcError

app = typer.Typer(
    name="vqc",
    help="From CAD to a vision model that works on real photos.",
    epilog="Start with: vqc render --step part.step",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="convert")(cad.convert)
app.command(name="render")(render.render)
app.command(name="merge")(batch.merge)
app.command(name="jobs")(batch.jobs)
app.command(name="resume")(batch.resume)
app.add_typer(look.app, name="look")
app.command(name="intake")(photos.intake)
app.command(name="mix")(mix.mix)
app.command(name="leaks")(leaks.leaks)
app.command(name="train", cls=extras.TaskCommand)(train.train)
app.command(name="eval")(evaluate.evaluate)
app.command(name="grid", cls=extras.TaskCommand)(grid.grid)
app.command(name="tune", cls=extras.TaskCommand)(tune.tune)
app.command(name="report")(report.report)
app.command(name="predict", cls=extras.TaskCommand)(predict.predict)
app.command(name="export-model")(predict.export_model)
app.command(name="tasks")(tasks.tasks)
app.command(name="inspect")(data.inspect)
app.command(name="verify")(data.verify)
app.command(name="export")(data.export)
app.command(name="doctor")(machine.doctor)


def version(show: bool) -> None:
    if show:
        from vqc import __version__

        typer.echo(f"vqc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    show_version: bool = typer.Option(
        False, "--version", callback=version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    pass


def main() -> None:
    """Entry point: a user's mistake ends in one message and an exit code, never a traceback."""
    try:
        app()
    except VqcError as error:
        typer.echo(f"vqc: {error}", err=True)
        sys.exit(error.exit_code)
