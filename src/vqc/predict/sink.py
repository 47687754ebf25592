"""What becomes of an answer: counted, drawn, written down, and put into a set of pre-labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vqc.predict.output import Output, reporting
from vqc.predict.prelabels import Prelabels
from vqc.predict.reading import Shot
from vqc.tasks.contract import Prediction, Row, Task
from vqc.types import ByteArray


class Sink:
    """Takes answers, on whatever thread.

    objects: class to how many; None where the task gives none. classes: class to how many
    pictures, where it tells the class of the whole picture or masks of classes. without_class:
    pictures of none of them; None where it tells of no class. latest: drawn last. draws: whether
    pictures are drawn, to be written or to be shown.
    """

    def __init__(
        self, task: Task, output: Output, prelabels: Prelabels | None, draws: bool
    ) -> None:
        self._task, self._output, self._prelabels, self._draws = task, output, prelabels, draws
        self._rows: Callable[[Prediction], Sequence[Row]] | None = getattr(task, "rows", None)
        self.objects: Counter[str] | None = Counter()
        self.classes: Counter[str] = Counter()
        self.without_class: int | None = None
        self.latest: ByteArray | None = None

    @property
    def videos(self) -> tuple[Path, ...]:
        return tuple(self._output.videos)

    @property
    def faults(self) -> tuple[str, ...]:
        """What could not be put into the set of pre-labels."""
        return () if self._prelabels is None else tuple(self._prelabels.faults)

    def begin(self, asked: Mapping[str, Any]) -> None:
        self._output.begin(asked, None if self._rows is None else self._task.name)

    def write(self, answer: tuple[Shot, Prediction]) -> None:
        """Raises OutputError where something cannot be written."""
        shot, prediction = answer
        record = prediction.record()
        if shot.time_s is not None:
            record = record | {"frame": shot.frame, "time_s": round(shot.time_s, 6)}
        drawn = self._task.draw(shot.picture, prediction) if self._draws else None
        rows = () if self._rows is None else self._rows(prediction)
        self._output.add(shot, record, drawn, rows)
        if self._prelabels is not None:
            with reporting(self._prelabels.folder):
                self._prelabels.add(shot, record)
        self._count(record)
        self.latest = drawn

    def _count(self, record: Mapping[str, Any]) -> None:
        if "objects" not in record:
            self.objects = None
            shown = _classes_of(record)
            if shown is not None:
                self.classes.update(shown)
                self.without_class = (self.without_class or 0) + (not shown)
        elif self.objects is not None:
            self.objects.update(thing["class"] for thing in record["objects"])

    def finish(self, complete: bool, settings: Mapping[str, Any]) -> tuple[Path, int] | None:
        """Make all of it whole; gives the set of pre-labels and its pictures, if there is one.

        complete: nothing is missing because of an interruption; else there is no such set.
        """
        self._output.finish(complete)
        if self._prelabels is None or not complete:
            return None
        frames = self._prelabels.finish(settings)
        return (self._prelabels.folder, frames) if frames else None


def _classes_of(record: Mapping[str, Any]) -> set[str] | None:
    """What a picture shows by its answer; None where the answer is of another kind."""
    if "masks" in record:
        return {mask["class"] for mask in record["masks"]}
    if "class" in record:
        return set() if record["class"] is None else {record["class"]}
    return None
