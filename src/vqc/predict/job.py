"""One `vqc predict` from beginning to end.

Pictures are read ahead on one thread and, where a GPU computes, drawn, encoded and written on
another; the model has the main thread. Its time is what the task's iterator takes, less what it
waits for pictures.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from vqc import __version__
from vqc.predict import fitting, reading, source
from vqc.predict.live import Window, has_display
from vqc.predict.output import Output
from vqc.predict.prelabels import Prelabels, require_free
from vqc.predict.reading import Shot
from vqc.predict.request import Request
from vqc.predict.sink import Sink
from vqc.predict.source import Source
from vqc.predict.speed import Speed, Watch
from vqc.predict.threads import ReadAhead, WriteBehind
from vqc.runs import Run, read_run
from vqc.tasks import find
from vqc.tasks.contract import Picture, Prediction, Task
from vqc.types import Progress

ROOT, SETS = Path("predictions"), Path("datasets")
_AHEAD, _BEHIND = 8, 8


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. frames: pictures answered. total: how many there were, as far as known.

    objects: class to how many, None where the task gives none. classes: class to how many
    pictures, where the task tells the class of the whole picture or masks; without_class: how
    many are of none, None where it tells of no class. least_score: --conf, or what the task takes
    for it; None where the task has no such number, or each class its own. counts: from which
    score on an answer counts, in the words of the task; empty where it has none.
    videos: drawn ones. faults: what could not be read, or not be put into the set. stopped:
    interrupted before the end of the files. dropped: frames of a camera that came while the
    model was busy. as_set: the set of pre-labels and how many pictures it holds.
    """

    folder: Path
    frames: int
    total: int
    least_score: float | None
    counts: str
    objects: Mapping[str, int] | None
    classes: Mapping[str, int]
    without_class: int | None
    speed: Speed | None
    videos: tuple[Path, ...]
    faults: tuple[str, ...]
    stopped: bool
    dropped: int
    as_set: tuple[Path, int] | None


def predict(
    request: Request,
    on_progress: Progress = lambda done, total: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Result:
    """Predict, draw and write. on_progress: pictures done, and in all as far as it is known.

    on_note: what the user should know before the first picture.
    Ctrl-C and a termination signal end it after the picture under way: a video is whole, and
    so is every line. Raises InputError before anything is written where something does not
    fit, and OutputError.
    """
    job = _checked(request)
    found = job.found
    reading.prepare()
    stop, faults = threading.Event(), list[str]()
    with contextlib.ExitStack() as closing, _interruptible(stop) as signals:
        shots = reading.shots(found, request.fps, request.limit, faults)
        feed = _Feed(ReadAhead(shots, _AHEAD, found.live is not None, stop))
        closing.callback(feed.ahead.close)
        answers = feed.answers(job.task.predict(job.run, feed.pictures(), request.settings))
        window = _window(request, job, closing, on_note)
        sink = _sink(request, job, closing, draws=request.images or window is not None)
        total = reading.count(found, request.fps, request.limit) or 0
        answers = fitting.required(answers, request, job.task)
        for count in _go(answers, feed, sink, _asked(request, job), closing):
            on_progress(count, max(count, total))
            if window is not None and sink.latest is not None and not window.show(sink.latest):
                stop.set()
        stopped = bool(signals) and found.live is None
        made = sink.finish(not stopped, request.settings)
        return Result(
            folder=job.folder,
            frames=feed.watch.count,
            total=max(total, feed.watch.count),
            least_score=job.least_score,
            counts=job.counts,
            objects=None if sink.objects is None else dict(sorted(sink.objects.items())),
            classes=dict(sorted(sink.classes.items())),
            without_class=sink.without_class,
            speed=feed.watch.speed(),
            videos=sink.videos,
            faults=(*faults, *sink.faults),
            stopped=stopped,
            dropped=feed.ahead.dropped,
            as_set=made,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A request that was checked: nothing is written yet. set_folder: of the pre-labels."""

    run: Run
    task: Task
    found: Source
    folder: Path
    set_folder: Path | None
    least_score: float | None
    counts: str


def _checked(request: Request) -> _Job:
    """Raises InputError for whatever does not fit."""
    run = read_run(request.run)
    task = find(run.task)
    found = source.find(request.sources)
    folder = request.out or ROOT / f"{run.name}-{found.name}"
    settings = fitting.require_fitting(request, task, found, folder)
    least = settings.get("conf")
    least_score = float(least) if isinstance(least, int | float) else None
    counts = fitting.counts_words(task, settings)
    return _Job(run, task, found, folder, _set_folder(request), least_score, counts)


def _sink(request: Request, job: _Job, closing: contextlib.ExitStack, draws: bool) -> Sink:
    is_moving = job.found.live is not None or bool(job.found.clips)
    output = Output(job.folder, request.images, request.crops, is_moving, request.fresh)
    closing.callback(output.abandon)
    prelabels = None
    if job.set_folder is not None:
        prelabels = Prelabels(job.set_folder, job.run, job.found)
        closing.callback(prelabels.close)
    return Sink(job.task, output, prelabels, draws)


def _go(
    answers: Iterator[tuple[Shot, Prediction]],
    feed: _Feed,
    sink: Sink,
    asked: Mapping[str, Any],
    closing: contextlib.ExitStack,
) -> Iterator[int]:
    """Answer after answer to the sink; gives how many there are so far."""
    behind = WriteBehind(sink.write, _BEHIND)
    closing.callback(behind.abandon)
    for answer in answers:
        if not feed.watch.count:
            sink.begin(asked)
        behind.put(answer)
        feed.watch.answered()
        if feed.watch.count == 1:  # by now everything was imported
            feed.ahead.start()
            if _has_gpu():
                behind.start()
        yield feed.watch.count
    if not feed.watch.count and not feed.ahead.is_stopped:
        sink.begin(asked)
    behind.finish()


def _has_gpu() -> bool:
    """Whether a GPU computes here. A network on the CPU uses every core, and a thread that writes
    beside it costs a fifth of the speed (benchmarks/predict_speed.py, two cores)."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


class _Feed:
    """Pictures for the task, and its answers with the shots that they belong to."""

    def __init__(self, ahead: ReadAhead[Shot]) -> None:
        self.ahead, self.watch = ahead, Watch()
        self._asked: dict[str, Shot] = {}

    def pictures(self) -> Iterator[Picture]:
        while True:
            with self.watch.waiting():
                shot = next(self.ahead, None)
            if shot is None:
                return
            self._asked[shot.picture.name] = shot
            yield shot.picture

    def answers(
        self, answers: Iterator[tuple[Picture, Prediction]]
    ) -> Iterator[tuple[Shot, Prediction]]:
        while True:
            with self.watch.model():
                answer = next(answers, None)
            if answer is None:
                return
            picture, prediction = answer
            yield self._asked.pop(picture.name), prediction


def _set_folder(request: Request) -> Path | None:
    if request.as_set is None:
        return None
    return require_free(SETS, request.as_set, request.fresh)


def _window(
    request: Request,
    job: _Job,
    closing: contextlib.ExitStack,
    on_note: Callable[[str], None],
) -> Window | None:
    if job.found.live is None:
        return None
    if request.show and not has_display():
        on_note("no window: no display answers here (DISPLAY); Ctrl-C ends, --no-show is silent")
    if not request.show or not has_display():
        return None
    window = Window(f"vqc predict {job.run.name}")
    closing.callback(window.close)
    return window


def _asked(request: Request, job: _Job) -> dict[str, Any]:
    """The content of predict.json; a camera's password is not in it."""
    run, live = job.run, job.found.live
    return {
        "vqc_predict": 1,
        "run": {"name": run.name, "run_id": run.run_id, "task": run.task},
        "source": [live.name] if live is not None else list(request.sources),
        "settings": dict(request.settings),
        "least_score": job.least_score,
        "fps": request.fps,
        "limit": request.limit,
        "created_by": f"vqc {__version__}",
    }


@contextlib.contextmanager
def _interruptible(stop: threading.Event) -> Iterator[list[int]]:
    """The first Ctrl-C or termination signal sets `stop`, the second ends the program at once.

    Gives the signals that came. Outside of the main thread none can be caught.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)
        stop.set()
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():
        before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
