"""What share of a cell's time a grid spends around the training itself.

    python benchmarks/grid_overhead.py [--imgsz 320] [--epochs 20] [--device cpu] [--rounds 5]
                                       [--picture-ms 54]

Makes renders and photos of no content, as many as a cell of 500 renders and 20 photos of each of
three classes holds: 560 pictures an epoch. Every part around the training is done for real and
timed; of the rounds the median counts, by the clock, and in seconds of CPU beside it:

    of each cell    plan and build of the mix; verify, lineage, environment and the run's files
                    (vqc train whose fitting is left out)
    of a grid       reading the manifests; the start of a worker with its libraries; the chosen
                    cell's score on test; photo budget; pictures. Divided among twelve trainings.

The training is not run whole: a few batches are timed, as vqc grid --dry-run does, and scaled to
all epochs; its own start, its validations and its end count as training. --picture-ms takes a
measured time of a training picture instead.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("bracket", "magnet", "plate")
RENDERS, PHOTOS = 500, 20
SHOOTS = {"shop": 3 * PHOTOS, "attic": 48, "hall": 48}
SIZE = (640, 480)
TRAININGS = 12


def make_set(folder: Path, kind: str, sessions: dict[str, int]) -> None:
    """Boxes of one colour on noise, so that files have a usual size."""
    from PIL import Image

    from vqc.manifest import write_manifest
    from vqc.types import Annotation, Frame, Manifest

    rng, frames = np.random.default_rng(len(sessions)), []
    for session in (name for name, count in sessions.items() for _ in range(count)):
        number = len(frames)
        box = (40.0 + number % 300, 50.0, 140.0 + number % 300, 170.0 + number % 99)
        coarse = rng.integers(60, 200, (SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8)
        picture = Image.fromarray(coarse).resize(SIZE)
        picture.paste((255, 80 * (number % 3), 0), tuple(map(int, box)))
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=92)
        image = f"images/000/{number:06d}.jpg"
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).write_bytes(data.getvalue())
        sha256 = hashlib.sha256(data.getvalue()).hexdigest()
        name = CLASSES[number % 3]
        shown = (Annotation(name, box_xyxy=box, visibility=1.0),)
        source = "cad" if kind == "render" else "real"
        frames.append(
            Frame(image, sha256, sha256[:16], *SIZE, source, session=session, objects=shown)
        )
    recipe = f"vqc_recipe: 1\nkind: {kind}\n"
    (folder / "recipe.yaml").write_text(recipe)
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    write_manifest(folder, Manifest(kind, folder.name, CLASSES, tuple(frames), digest, "vqc"))


@dataclass(frozen=True)
class Import:
    """A job that needs what a training needs, and does nothing."""

    name: str = "import"

    def do(self, place: Any) -> dict[str, Any]:
        from vqc import ultra

        ultra.prepare()
        import ultralytics  # noqa: F401

        return {}


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of CPU, of this process and of those that it waited for."""

    clock: float
    cpu: float


def spent(do: Callable[[int], object], rounds: int) -> Spent:
    """Medians over the rounds; `do` is told the number of its round."""
    found = []
    for number in range(rounds):
        clock, before = time.perf_counter(), os.times()
        do(number)
        now = os.times()
        found.append((time.perf_counter() - clock, sum(now[:4]) - sum(before[:4])))
    medians = Spent(*(statistics.median(each) for each in zip(*found, strict=True)))
    print(f"measured: {medians.clock:.2f} s, {medians.cpu:.2f} s of CPU", file=sys.stderr)
    return medians


def measure(options: argparse.Namespace) -> None:
    from vqc import grid as grids
    from vqc import mix, scoring
    from vqc.grid import pace, pictures
    from vqc.grid.book import Result
    from vqc.grid.crew import answers, gathered
    from vqc.grid.worker import Place
    from vqc.tasks import find
    from vqc.tasks.contract import Fitted
    from vqc.train import Training, train

    def seconds(do: Callable[[int], object]) -> Spent:
        return spent(do, options.rounds)

    make_set(Path("renders/parts"), "render", {"parts": RENDERS + 1})  # equal shares
    make_set(Path("datasets/photos"), "intake", SHOOTS)
    folders = mix.find_sets()[0]
    of_grid = {"read manifests": seconds(lambda _: mix.read_pool(folders))}
    pool = mix.read_pool(folders)
    rules = mix.SplitRules(val=("attic",), test=("hall",))
    settings = {"weights": "yolov8n.yaml", "imgsz": options.imgsz, "epochs": options.epochs,
                "device": options.device}  # fmt: skip

    def prepared(cad: tuple[int, ...], real: tuple[int, ...]) -> grids.Grid:
        request = mix.Request(cad=cad[-1], real=real[-1], background=0, splits=rules)
        asked = grids.GridRequest(request, cad, real, 1, settings=settings)
        return grids.prepare(grids.Asked(asked, pool))

    of_cell = {"plan the mix": seconds(lambda _: prepared((RENDERS,), (PHOTOS,)))}
    (trial,) = prepared((RENDERS,), (PHOTOS,)).trials
    plan = trial.drawn.plan
    of_cell["build the mix"] = seconds(lambda k: mix.build(plan, Path("cells"), f"cell{k}"))
    cell = Path("cells/cell0")

    Import().do(None)  # its time is that of the worker's start
    task = type(find("detect"))
    fit = task.fit

    def no_fit(self: object, dataset: object, config: object, folder: Path, _: object) -> Fitted:
        (folder / "best.pt").write_bytes(b"")
        return Fitted(1, 1, {"mAP50": 0.5}, "val")

    task.fit = no_fit
    of_cell["verify, lineage, environment, files"] = seconds(
        lambda k: train(Training(cell, settings=trial.settings, name=f"empty{k}"))
    )
    task.fit = fit

    job = pace.time_job(trial, "detect", Path("timing"))
    if options.picture_ms is None:
        found = job.do(Place(None, Path("told.json")))["pace"]
    else:
        each_s = options.picture_ms / 1000
        found = pace.Pace(0.0, each_s, pace.CHECK_SHARE * each_s)
    small = train(Training(job.dataset, settings={**job.settings, "epochs": 1}, name="small"))
    of_grid["score on test"] = seconds(
        lambda _: scoring.score(small.run.folder, cell, "test", device=options.device)
    )
    of_grid["start of a worker"] = seconds(_start(gathered, answers))

    grid = prepared((0, 150, 250, RENDERS), (5, 10, PHOTOS))
    book = grid.book()
    for number, each in enumerate(grid.trials):
        score = 0.5 + 0.03 * (number % 5)
        metrics = dict.fromkeys(("mAP50", "precision", "recall", "F1"), score)
        book.results[each.name] = Result("done", metrics, 20, 20, 1.0)
    of_grid["photo budget"] = seconds(lambda _: pictures.photo_budget(book))
    of_grid["pictures"] = seconds(lambda _: pictures.draw_pictures(book, Path("drawn")))
    tell(found, found.seconds(trial), of_cell, of_grid, trial.images, options)


def _start(gathered: Any, answers: Any) -> Callable[[int], object]:
    from grid_overhead import Import as Job  # the worker looks for it in a module of that name

    def start(number: int) -> None:
        with gathered(Path("worker.log")) as crew:
            ((_, answer),) = answers(crew, [Job()])
            assert answer == {}, answer

    return start


def tell(
    found: Any,
    training_s: float,
    of_cell: dict[str, Spent],
    of_grid: dict[str, Spent],
    images: int,
    options: argparse.Namespace,
) -> None:
    parts = [(name, each, 1) for name, each in of_cell.items()]
    parts += [(name, each, TRAININGS) for name, each in of_grid.items()]
    around = sum(each.clock / cells for _, each, cells in parts)
    around_cpu = sum(each.cpu / cells for _, each, cells in parts)
    whole = training_s + around
    print(f"{images} pictures × {options.epochs} epochs at {options.imgsz} px on "
          f"{options.device}: {1000 * found.picture_s:.1f} ms a picture, "
          f"{1000 * found.check_s:.1f} ms one of val, {found.start_s:.1f} s start and end; "
          f"training {training_s:.0f} s")  # fmt: skip
    print(f"{'':44} {'s':>8} {'CPU s':>8} {'of a cell':>10}")
    for name, each, cells in parts:
        label = name if cells == 1 else f"{name} (1/{cells} of it)"
        share = each.clock / cells / whole
        print(f"{label:44} {each.clock:8.2f} {each.cpu:8.2f} {share:10.2%}")
    print(f"{'all around the training':44} {around:8.2f} {around_cpu:8.2f} {around / whole:10.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--picture-ms", type=float, help="of training, instead of timed batches")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vqc-bench-") as folder:
        os.chdir(folder)
        measure(options)


if __name__ == "__main__":
    main()
