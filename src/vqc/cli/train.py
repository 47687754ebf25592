"""`vqc train`: a training set to a trained model."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli import extras, show
from vqc.cli.options import Batch, Device, Quiet, RunsFolder, Set, TaskName, Weights
from vqc.counts import counted

if TYPE_CHECKING:
    from vqc.train import Trained


def train(
    ctx: typer.Context,
    dataset: Annotated[Path, typer.Argument(help="Folder of a training set, by vqc mix.")],
    task: TaskName = "detect",
    name: Annotated[
        str | None, typer.Option(help="Name of the run [default: the set's name].")
    ] = None,
    out: RunsFolder = Path("runs"),
    weights: Weights = None,
    epochs: Annotated[int | None, typer.Option(help="How often the pictures are seen.")] = None,
    imgsz: Annotated[int | None, typer.Option(help="Longer side of the pictures, px.")] = None,
    batch: Batch = None,
    device: Device = None,
    freeze: Annotated[int | None, typer.Option(help="First layers that stay as they are.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    set_: Set = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option(help="tensorboard, wandb or mlflow; may repeat; none by itself."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again in the run's place.")] = False,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a model on a mixed set, into runs/<task>/<name>.

    The set is verified first and nothing is written into it. The val split chooses the best
    epoch; without one the last epoch counts. Stopped at any moment, the same command goes on;
    a finished run is not trained again. Any setting of the task is an option too, as --patience 20,
    or a bare --name for true; vqc tasks NAME lists them.

    \b
    Examples:
      vqc train datasets/cad500-real10
      vqc train datasets/cad500-real10 --weights yolov8s.pt --imgsz 1024 --epochs 100
      vqc train datasets/cad500-real10 --name scratch --weights yolov8n.yaml --set lr0=0.005
    """
    from vqc import tasks
    from vqc import train as trainer
    from vqc.runs import result_record

    headline = tasks.find(task).headline.metric
    options = {
        "weights": weights, "epochs": epochs, "imgsz": imgsz, "batch": batch,
        "device": device, "freeze": freeze, "seed": seed,
    }  # fmt: skip
    asked = trainer.Training(
        dataset=dataset,
        task=task,
        settings=extras.given(ctx, options, set_ or ()),
        root=out,
        name=name,
        fresh=fresh,
        trackers=tuple(tracker or ()),
    )
    silent = quiet or json
    with contextlib.ExitStack() as bars, extras.explained(ctx, f"the task {task}"):
        screen = _Screen(bars, silent, headline)
        trained = trainer.train(asked, screen, screen.verified)
    if json:
        record = result_record(trained.run) | {"was_there": trained.was_there}
        show.as_json(record | {"folder": str(trained.run.folder), "notes": list(trained.notes)})
    elif not quiet:
        _print(trained)


class _Screen:
    """A monitor that shows one bar after the other, and a line for each epoch.

    headline: the metric that is shown on val, beside the losses.
    """

    def __init__(self, bars: contextlib.ExitStack, silent: bool, headline: str) -> None:
        self._bars, self._silent, self._headline = bars, silent, headline
        self._update: dict[str, show.Update] = {}

    def _bar(self, what: str, unit: str) -> show.Update:
        if what not in self._update:
            self._bars.close()
            self._update[what] = self._bars.enter_context(show.progress(what, unit, self._silent))
        return self._update[what]

    def verified(self, done: int, total: int) -> None:
        self._bar("verify", "frames")(done, total)

    def progress(self, done: int, total: int) -> None:
        self._bar("train", "pictures")(done, total)

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        if not self._silent:
            losses = [key for key in metrics if key.startswith("train/") and "loss" in key]
            shown = [*losses, *({f"val/{self._headline}"} & metrics.keys())]
            found = [f"{key} {metrics[key]:.3f}" for key in shown]
            typer.echo(f"epoch {number}: {', '.join(found) or 'done'}", err=True)

    def resumed(self, epochs_done: int) -> None:
        if not self._silent:
            show.notes([f"goes on after epoch {epochs_done}"])


def _print(trained: Trained) -> None:
    from vqc import honesty

    run = trained.run
    show.notes(trained.notes)
    if trained.was_there:
        typer.echo(f"{run.folder}: was trained already, nothing changed")
    else:
        typer.echo(f"{run.folder}: {counted(run.epochs, 'epoch')} in {show.clock(run.seconds)}")
    if run.chosen_on is None:
        typer.echo(f"weights of the last epoch: {run.weights}")
    else:
        typer.echo(f"weights of epoch {run.best_epoch}, chosen on {run.chosen_on}: {run.weights}")
        found = ", ".join(f"{key} {value:.3f}" for key, value in run.metrics.items())
        mark = honesty.mark([f"{run.chosen_on} split"])
        if found:
            typer.echo(f"on {run.chosen_on}, which chose: {found} [{mark}]")
    show.then("vqc", "eval", run.folder)
