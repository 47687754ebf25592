"""What a run's folder tells, for the report; pieces that are missing are told, not raised."""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vqc import evaluations, honesty, runs
from vqc.counts import counted
from vqc.dataset import Dataset
from vqc.errors import VqcError
from vqc.evaluations import Stored
from vqc.mix.reading import ROOTS
from vqc.runs import ENVIRONMENT, LINEAGE, METRICS, Run, dataset_of, read_json, read_run
from vqc.types import FloatArray, Frame

TRAIN = "train"
_SESSIONS = 3


@dataclass(frozen=True, slots=True)
class Composition:
    """What a run trained on.

    cad, real, simulated: frames of split train. a_class: the fewest and the most photos,
    simulated ones too, that a class has. background: photos that show nothing. parents: the
    SHA-256 of the sets that the training set was made from.
    """

    cad: int
    real: int
    simulated: int
    a_class: tuple[int, int]
    background: int
    parents: tuple[str, ...] = ()

    @property
    def photos(self) -> int:
        return self.real + self.simulated

    @property
    def asked(self) -> tuple[object, ...]:
        """What repeats share: which photos are drawn decides how many it takes."""
        return self.cad, self.a_class[0], bool(self.real), bool(self.simulated), self.parents

    def said(self) -> str:
        """Such as "150 CAD + 30 photos"."""
        photos = counted(self.real, "photo")
        if self.simulated:
            simulated = counted(self.simulated, "simulated photo")
            photos = f"{photos} + {simulated}" if self.real else simulated
        return f"{self.cad:,} CAD + {photos}"


@dataclass(frozen=True, slots=True)
class Scored:
    """The pictures that a score is of.

    key: equal where they are the same ones, in whichever training set they lie. name: in
    words, such as "test: january".
    """

    key: str
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class RunReport:
    """A finished run and what lies beside it.

    composition: None where the manifest is gone. mark: of the scores that training saw; empty
    where it saw none. chosen_key: equal where the same pictures chose the epoch; None where none
    did, or where they are not known. has_test: whether its own set has test pictures. scored: the
    pictures of each evaluation.
    training: columns of metrics.csv. lineage: sentences. environment: versions and machine.
    problems: what could not be read.
    """

    run: Run
    composition: Composition | None
    mark: str
    chosen_key: str | None
    has_test: bool
    evaluations: tuple[Stored, ...]
    scored: tuple[Scored, ...]
    training: Mapping[str, FloatArray]
    lineage: tuple[str, ...]
    environment: Mapping[str, Any]
    problems: tuple[str, ...]


def read_folder(folder: Path, roots: Sequence[Path] = ()) -> RunReport:
    """A finished run with all that is known of it. Raises InputError where there is none.

    roots: sets, or folders of sets, in which scored pictures may lie.
    """
    run = read_run(folder)
    problems: list[str] = []
    found = []
    for each in evaluations.found_in(folder):
        try:
            found.append(evaluations.read(each))
        except VqcError as error:
            problems.append(str(error))
    trained = None
    try:
        trained = dataset_of(run)
    except VqcError as error:
        problems.append(f"what it trained on is not known: {error}")
    return RunReport(
        run=run,
        composition=None if trained is None else composition_of(trained),
        mark=_training_mark(run, trained),
        chosen_key=_chosen_key(run, trained),
        has_test=trained is not None and bool(trained.frames("test")),
        evaluations=tuple(found),
        scored=tuple(_scored(stored, trained, roots) for stored in found),
        training=_training(folder / METRICS),
        lineage=_lineage(folder / LINEAGE, problems),
        environment=_json(folder / ENVIRONMENT, problems) or {},
        problems=tuple(problems),
    )


def _training_mark(run: Run, trained: Dataset | None) -> str:
    """Of the scores by epoch, which are of the split that chose the epoch."""
    if run.chosen_on is None:
        return ""
    if trained is None or not trained.frames(run.chosen_on):
        return honesty.mark([f"{run.chosen_on} split"])
    return honesty.judge(trained, trained, run.chosen_on).mark


def _chosen_key(run: Run, trained: Dataset | None) -> str | None:
    if run.chosen_on is None or trained is None or not trained.frames(run.chosen_on):
        return None
    return _key(trained.frames(run.chosen_on))


def composition_of(dataset: Dataset) -> Composition:
    """What a training set holds in split train."""
    frames = dataset.frames(TRAIN)
    photos = [frame for frame in frames if frame.simulated or frame.source == "real"]
    shown = Counter(name for frame in photos for name in shows(frame))
    each = [shown[name] for name in dataset.manifest.classes] or [0]
    return Composition(
        cad=len(frames) - len(photos),
        real=sum(not frame.simulated for frame in photos),
        simulated=sum(frame.simulated for frame in photos),
        a_class=(min(each), max(each)),
        background=sum(frame.objects == () and frame.label is None for frame in photos),
        parents=tuple(sorted(parent.sha256 for parent in dataset.manifest.parents)),
    )


def _scored(stored: Stored, trained: Dataset | None, roots: Sequence[Path]) -> Scored:
    """All mixes with one test shoot hold the same test photos: their hashes tell, not the mix."""
    own = trained is not None and trained.sha256 == stored.manifest_sha256
    dataset = trained if own else find_set(stored, roots)
    if dataset is None:
        name = f"{stored.dataset_name}, {stored.split}"
        return Scored(f"{stored.manifest_sha256} {stored.split}", name)
    frames = dataset.frames(stored.split)
    sessions = sorted({frame.session for frame in frames})
    more = f" and {len(sessions) - _SESSIONS} more" if len(sessions) > _SESSIONS else ""
    name = f"{stored.split}: {', '.join(sessions[:_SESSIONS])}{more}"
    return Scored(_key(frames), name)


def _key(frames: Sequence[Frame]) -> str:
    """Equal for the same pictures."""
    text = " ".join(sorted(frame.sha256 for frame in frames))
    return hashlib.sha256(text.encode()).hexdigest()


def find_set(stored: Stored, roots: Sequence[Path]) -> Dataset | None:
    """The scored set, known again by its manifest, in the roots or in the usual places.

    None where it is not there, or does not read any more.
    """
    run_folder = stored.folder.resolve().parent.parent
    usual = runs.set_roots(run_folder, ROOTS)
    try:
        return runs.find_set(stored.dataset_name, stored.manifest_sha256, [*roots, *usual])
    except VqcError:
        return None


def shows(frame: Frame) -> set[str]:
    """The classes in a frame, from its objects and its label."""
    labels = {frame.label} if frame.label is not None else set()
    return labels | {note.class_name for note in frame.objects or ()}


def _training(file: Path) -> dict[str, FloatArray]:
    """Columns of metrics.csv, NaN for what is no number; nothing where there is no such file."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines, skipinitialspace=True))
    except (OSError, ValueError, csv.Error):
        return {}
    names: Sequence[str] = [name.strip() for name in rows[0] if name] if rows else ()
    clean = [{(k or "").strip(): v for k, v in row.items()} for row in rows]
    return {name: np.array([_number(row.get(name)) for row in clean]) for name in names}


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return math.nan


def _lineage(file: Path, problems: list[str]) -> tuple[str, ...]:
    from vqc.lineage import sentences

    record = _json(file, problems)
    if record is None:
        return ()
    try:
        return tuple(sentences(record))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        problems.append(f"{file}: not a lineage ({error!r}); {runs.ANEW}")
        return ()


def _json(file: Path, problems: list[str]) -> dict[str, Any] | None:
    """None where there is no such file, or where it does not read, which is then a problem."""
    if not file.is_file():
        return None
    try:
        return read_json(file, runs.ANEW)
    except VqcError as error:
        problems.append(str(error))
        return None
