"""What a task is: the types between the core and a plugin, and nothing else.

A task is a class registered under the entry-point group `vqc.tasks`. It trains, scores,
predicts and draws; run folders, resuming, lineage, the honest-score gate, trackers, grids and
reports are the core's, so a plugin gets them for nothing. docs/tasks.md shows how to write one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vqc.dataset import Dataset
from vqc.runs import Run
from vqc.types import Box, ByteArray, FloatArray, IntArray

BACKGROUND = "(background)"
"""The name of "nothing there" in a confusion matrix."""

Row = Mapping[str, str | float]
"""A row of a task's table of predictions: columns to values."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The metric by which trainings of a task are compared."""

    metric: str
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image to predict on.

    name: what it is called in the answer. rgb: (H, W, 3) uint8. track: pictures of one
    track are neighbours in time (frames of one video), or None.
    """

    name: str
    rgb: ByteArray
    track: str | None = None


class Prediction(Protocol):
    """What a task answers for one image; every task has its own type.

    image: the picture's name. score: how sure it is, [0, 1]; 0 where nothing was found.
    """

    @property
    def image(self) -> str: ...

    @property
    def score(self) -> float: ...

    def record(self) -> dict[str, Any]:
        """The answer as plain JSON values, with `image` and `score`."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve over a threshold or a recall.

    name: such as "precision-recall". x: (N,). lines: for every class, and for all of them
    under "all", the (N,) values. is_histogram: x are the middles of bins of one width, values
    are the bins' shares.
    """

    name: str
    x_label: str
    y_label: str
    x: FloatArray
    lines: Mapping[str, FloatArray]
    is_histogram: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """names: classes, and BACKGROUND last for a detector. counts: (K, K), row is the truth,
    column what was predicted."""

    names: tuple[str, ...]
    counts: IntArray


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong answer, for the sheet of the worst ones.

    kind: such as "missed", "false" or "confused". truth, predicted: class names, or None.
    score: how sure the model was. box: where it looked, truth_box: where the object is; px.
    severity: the worst come first. likeliest: where the answer was "none of these", the class
    that came nearest to being one; the score is of it. dice: of the masks of truth and answer,
    where both show the class.
    """

    image: str
    kind: str
    truth: str | None
    predicted: str | None
    score: float
    severity: float
    box: Box | None = None
    truth_box: Box | None = None
    likeliest: str | None = None
    dice: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How a run does on one split.

    metrics: names to values, in [0, 1] where they are shares; holds the task's headline.
    per_class: class to the same kind of metrics. threshold: the score from which on an
    answer counts, in the confusion matrix and among the mistakes. Where classes differ in it,
    each has its own among its metrics, as `threshold`, and this is the least of them.
    groups: such as {"object size": {"small": {"objects": 12, "recall": 0.5}}}.
    predictions: the answers, one an image. drawn: some of the frames' images, each to an
    (H, W, 3) uint8 picture with truth and answer on it, as the task draws them: its worst
    mistakes and a few examples. Empty where boxes on the photo say it all.
    """

    split: str
    frames: int
    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    threshold: float
    confusion: Confusion | None = None
    curves: tuple[Curve, ...] = ()
    groups: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    drawn: Mapping[str, ByteArray] = field(default_factory=dict)


class Monitor(Protocol):
    """What training tells while it goes on."""

    def progress(self, done: int, total: int) -> None:
        """Pictures seen and pictures to see, over all epochs."""

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Epoch `number`, counted from 1, has ended, before its checkpoint is written."""

    def resumed(self, epochs_done: int) -> None:
        """Training goes on after this epoch; what was told of later ones does not count."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fitting gave: epochs trained, the one whose weights count (from 1), and its metrics.

    chosen_on: the split that chose the epoch or a threshold, which the metrics are of; None where
    nothing was chosen.
    """

    epochs: int
    best_epoch: int
    metrics: Mapping[str, float]
    chosen_on: str | None


class Config(Protocol):
    """Settings of a training; a frozen dataclass with a field for each."""

    @property
    def seed(self) -> int: ...

    def identity(self) -> dict[str, Any]:
        """Plain values that decide what comes out: no device, no worker counts, no paths."""


class Task(Protocol):
    """A task plugin. config: the dataclass whose fields are its settings.

    It may have three members more. predict_config: a dataclass whose fields are the settings of
    `predict`, which then are checked before anything is written; a field `conf` is the least score
    that counts, and a field `track` whether objects are followed. rows(prediction): the answer as
    rows of a table, `list[dict[str, str | float]]`, all with the same keys; `vqc predict` then
    writes predictions.csv with the columns of the first row. check_machine(config): raises
    InputError where this machine lacks what a config asks for, such as a device; it is asked
    before an old run is removed.
    """

    name: str
    headline: Headline
    config: type

    def configure(self, settings: Mapping[str, Any]) -> Config:
        """Settings by name, values typed or as text from the command line, to a config.

        Raises InputError once, for every unknown name (with the nearest known one) and every
        value that does not fit.
        """

    def check(self, dataset: Dataset) -> None:
        """Raises InputError once, with every frame and field that this task lacks."""

    def fit(self, dataset: Dataset, config: Any, run_dir: Path, monitor: Monitor) -> Fitted:
        """Train into `run_dir`, and leave the weights there as `best.pt`.

        On a run_dir that was cut off it goes on, and at most one epoch is lost. Files appear
        whole. Nothing is written into the dataset, and `test` is not looked at. Where training
        can start from the weights of another run, keep `vqc.lineage.seen(run_dir)` in the weights
        and hand it to `vqc.lineage.inherit` of the run that starts from them.
        """

    def evaluate(self, run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
        """Score a run on a split."""

    def predict(
        self, run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
    ) -> Iterator[tuple[Picture, Prediction]]:
        """Answers as they come, each with its picture. settings: as `--set` of vqc predict."""

    def draw(self, picture: Picture, prediction: Any) -> ByteArray:
        """(H, W, 3) uint8: the picture with the answer on it, or beside it.

        Pictures of one size give drawings of one size, as the frames of a video need it.
        """
