"""Tiny sets with splits, and trainings of them in processes that can be watched and killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vqc.dataset import Dataset, open_dataset
from vqc.formats import yolo
from vqc.manifest import write_manifest
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("blue", "red")
COLOURS = {"blue": (30, 30, 220), "red": (220, 30, 30)}
SPLITS = {"train": 5, "val": 3, "test": 2}
SIDE = 64
SMALL = {
    "weights": "yolov8n.yaml", "imgsz": 32, "batch": 3, "epochs": 2, "device": "cpu",
}  # fmt: skip
"""Settings with which a training is through in a second or two. Batches of one are refused."""


def write_set(
    root: Path,
    splits: Mapping[str, int] = SPLITS,
    classes: Sequence[str] = CLASSES,
    box: str = "modal",
    empty: Sequence[int] = (1,),
) -> Dataset:
    """Red and blue squares on noise, as vqc mix would leave them; name: the folder's.

    empty: numbers of pictures that show nothing. The amodal box of a square is as large again.
    """
    frames, number = [], 0
    for split, count in splits.items():
        for _ in range(count):
            shown = [] if number in empty else [classes[number % len(classes)]]
            frames.append(_frame(root, split, number, shown, classes, box))
            number += 1
    return finish_set(root, frames, classes, box)


def _frame(
    root: Path, split: str, number: int, shown: Sequence[str], classes: Sequence[str], box: str
) -> Frame:
    rng = np.random.default_rng(number)
    pixels = rng.integers(90, 150, (SIDE, SIDE, 3), np.uint8)
    notes = []
    for name in shown:
        x, y = (int(v) for v in rng.integers(4, SIDE - 30, 2))
        pixels[y : y + 24, x : x + 24] = COLOURS.get(name, (0, 200, 0))
        whole = (x - 12.0, y - 12.0, x + 36.0, y + 36.0)
        notes.append(
            Annotation(
                name, instance=1, box_xyxy=(x, y, x + 24, y + 24), amodal_box_xyxy=whole
            )
        )  # fmt: skip
    image = f"images/{split}/{number:03d}.png"
    return add_frame(root, image, Image.fromarray(pixels), tuple(notes), classes, box)


def add_frame(
    root: Path,
    image: str,
    picture: Image.Image,
    objects: tuple[Annotation, ...],
    classes: Sequence[str] = CLASSES,
    box: str = "modal",
    **options: Any,
) -> Frame:
    """A picture and its label file, written; options: for Pillow's save."""
    file, split = root / image, image.split("/")[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file, **options)
    width, height = picture.size
    labels = root / yolo.label_path(image)
    labels.parent.mkdir(parents=True, exist_ok=True)
    labels.write_text(yolo.label_text(objects, classes, width, height, box))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Frame(
        image, digest, digest[:16], width, height, "real", session=split, split=split,
        objects=objects,
    )  # fmt: skip


def finish_set(
    root: Path, frames: Sequence[Frame], classes: Sequence[str] = CLASSES, box: str = "modal"
) -> Dataset:
    """The files that make a folder of frames a training set."""
    recipe = f"vqc_recipe: 1\nkind: mix\nname: {root.name}\nbox: {box}\n".encode()
    (root / "recipe.yaml").write_bytes(recipe)
    (root / "classes.txt").write_text(yolo.names_text(classes))
    (root / "data.yaml").write_text(yolo.data_yaml(classes, {f.split for f in frames}))
    digest = hashlib.sha256(recipe).hexdigest()
    ordered = tuple(sorted(frames, key=lambda frame: frame.image))
    manifest = Manifest("mix", root.name, tuple(classes), ordered, digest, "vqc 0.1.0")
    write_manifest(root, manifest)
    return open_dataset(root)


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Everything below a folder, itself too: when it was changed, and the hash of what it holds."""
    return {
        str(path): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *sorted(folder.rglob("*"))]
    }


# Trainings in processes of their own ---------------------------------------------------------


class Host:
    """A process that has imported everything, and forks one child for each training.

    In the children no connection is made: every try is noted, and fails. Noted is every file
    that they open, too. A killed child leaves nothing but its files, as after a power cut.
    """

    def __init__(self, folder: Path, cwd: Path) -> None:
        self.log = folder / "log.jsonl"
        self.log.touch()
        command = [sys.executable, "-P", "-c", _SERVE, str(Path(__file__).parent), str(self.log)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, cwd=cwd, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, die_at: int = 0, **asked: Any) -> int:
        """Begin a training, with the arguments of `vqc.train.Training`; its process id.

        die_at: it is killed with signal 9 as it is about to open, rename or remove a file below
        the working directory for the so manieth time; 0: never. Unlike a time, that hits every
        moment alike on a quick machine and on a busy one.
        """
        return self._ask({"start": asked, "die_at": die_at})

    def wait(self, pid: int) -> int:
        """How the child ended: its exit code, or less than 0 for a signal."""
        return self._ask({"wait": pid})

    def said(self, pid: int | None = None, what: str | None = None) -> list[dict[str, Any]]:
        """What the children noted, in order; a line that is still being written is left out."""
        whole = self.log.read_text().rpartition("\n")[0]
        rows = [json.loads(line) for line in whole.splitlines()]
        return [
            row for row in rows if pid in (None, row["pid"]) and what in (None, row["what"])
        ]  # fmt: skip

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(300)
        self._process.stdout.close()

    def _ask(self, question: Mapping[str, Any]) -> int:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the host is gone"
        return int(answer)


_SERVE = "import sys; sys.path.append(sys.argv[1]); import training; training.serve(sys.argv[2])"


def serve(log: str) -> None:
    """The host's own loop: fork, kill, tell."""
    import torch

    from vqc import ultra

    torch.set_num_threads(1)
    ultra.prepare()
    from vqc.tasks.detect import trainer  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        if "start" in question:
            pid = os.fork()
            if pid == 0:
                os._exit(_child(log, question["start"], question["die_at"]))
            answer = pid
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
        answers.write(f"{answer}\n")
        answers.flush()


def _child(log: str, asked: dict[str, Any], die_at: int) -> int:
    """One training; 0, or 2 after a message to the user, or 3 after anything else."""
    from vqc.errors import VqcError
    from vqc.train import Training, train

    notes = os.open(log, os.O_WRONLY | os.O_APPEND)

    def note(what: str, value: Any) -> None:
        row = {"pid": os.getpid(), "what": what, "value": value}
        os.write(notes, (json.dumps(row) + "\n").encode())

    _watch(note, die_at)

    class Told:
        def progress(self, done: int, total: int) -> None: ...

        def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
            note("epoch", number)

        def resumed(self, epochs_done: int) -> None:
            note("resumed", epochs_done)

    asked |= {"dataset": Path(asked["dataset"]), "root": Path(asked["root"])}
    try:
        train(Training(**asked), Told(), lambda done, total: note("verified", [done, total]))
    except VqcError as error:
        note("message", str(error))
        return 2
    except BaseException as error:
        note("broken", repr(error))
        raise
    return 0


def _watch(note: Any, die_at: int) -> None:
    """Note every file that is opened, and every try to reach a network, which fails."""
    import socket

    here, steps = os.getcwd() + os.sep, iter(range(1, sys.maxsize))

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.rename", "os.remove") and isinstance(
            arguments[0], str | bytes | os.PathLike
        ):
            path = os.fsdecode(arguments[0])
            if os.path.abspath(path).startswith(here) and next(steps) == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if event == "open":
                note("open", path)
        elif event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            note("network", f"{event} {arguments[1:]}")

    def refuse(*arguments: Any, **_: Any) -> None:
        note("network", repr(arguments))
        raise OSError("no network in tests")

    for name in ("getaddrinfo", "create_connection", "gethostbyname"):
        setattr(socket, name, refuse)
    socket.socket.connect = socket.socket.connect_ex = refuse  # type: ignore[assignment]
    sys.addaudithook(audit)
