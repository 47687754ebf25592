"""A small project: renders and three shoots of photos, with tasks that need no training."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import plugins
from sets import CLASSES, finish, frame

from vqc import mix
from vqc.errors import VqcError
from vqc.grid.worker import Place
from vqc.tune import Asked, Budget, parse, prepare, search
from vqc.tune.loop import SILENT
from vqc.types import Annotation

RENDERS = 24
SHOOTS = {"shop": 24, "attic": 12, "hall": 12}
SPACE = ("cad=0..16", "real=2", "lr0=1e-5..1e-1:log", "freeze=0,10,20")
SPLITS = mix.SplitRules(val=("attic",), test=("hall",))


@contextlib.contextmanager
def project(root: Path, monkeypatch) -> Iterator[Path]:
    """The working folder, with `tuned` and `lossy` among the tasks, here and in new processes."""
    package = root / "package"
    package.mkdir()
    code = Path(__file__).with_name("tune_plugin.py").read_text()
    plugins.install(
        package, "tune-plugin", code, tuned="tune_plugin:Tuned", lossy="tune_plugin:Lossy"
    )
    renders(root / "renders/magnets")
    photos(root / "datasets/photos")
    monkeypatch.chdir(root)
    with plugins.on_path(package):
        yield root


def renders(root: Path) -> None:
    made = [frame(root, k, objects=(_box(k),)) for k in range(RENDERS)]
    finish(root, "render", made)


def photos(root: Path) -> None:
    """By fours: a background, three of the classes in turns."""
    made = []
    sessions = [session for session, count in SHOOTS.items() for _ in range(count)]
    for number, session in enumerate(sessions, start=100):
        objects = () if number % 4 == 0 else (_box(number),)
        name = f"images/000/p_{number:06d}.png"
        item = frame(root, number, name, objects=objects, session=session, seed=None)
        phash = hashlib.sha256(str(number).encode()).hexdigest()[:16]
        made.append(replace(item, source="real", view=None, phash=phash))
    finish(root, "intake", made, name="photos")


def _box(number: int) -> Annotation:
    name = CLASSES[number % 2]
    return Annotation(name, box_xyxy=(4.0, 5.0, 30.0, 20.0 + number % 9), visibility=1.0)


def asked(space=SPACE, runs=6, minutes=None, **options) -> Asked:
    pool = mix.read_pool(mix.find_sets()[0])
    given = {"splits": SPLITS, "task": "tuned", "name": "bowl", **options}
    wanted = None if space is None else parse(space)
    return Asked(pool=pool, space=wanted, budget=Budget(runs, minutes), **given)


def here(job, crew):
    """Work in this process, which is much quicker."""
    try:
        return job.do(Place(None, crew.folder / f"{job.name}.json"))
    except VqcError as error:
        return {"failure": str(error)}


@contextlib.contextmanager
def light_processes(root: Path) -> Iterator[None]:
    """Processes that are started meanwhile do without torch, which takes seconds to import."""
    stub = root / "stub"
    stub.mkdir()
    (stub / "torch.py").write_text(
        "class cuda:\n"
        "    device_count = staticmethod(lambda: 0)\n"
        "    is_initialized = staticmethod(lambda: False)\n"
        "def get_num_threads():\n"
        "    return 1\n"
    )
    with plugins.on_path(stub):
        yield


def tune(work=here, watcher=SILENT, **options):
    """A decided search, and what it found."""
    made = prepare(asked(**options))
    return made, search(made, watcher, work)


def done() -> list[str]:
    """What was really trained: run, epoch and pictures, a line each."""
    log = Path("runs/done.log")
    return log.read_text().splitlines() if log.is_file() else []
