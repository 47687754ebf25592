"""How far a job is: what its results say, and what Slurm's queue adds.

A shard is done where all its results are there, whoever made them; nothing is taken on trust.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vqc import journal, store
from vqc.batch.job import Job
from vqc.batch.slurm import RUNNING, WAITING
from vqc.errors import InputError
from vqc.frames import SCRATCH
from vqc.grid.model import planned
from vqc.journal import Note
from vqc.making import jobs_of
from vqc.runs import RESULT
from vqc.shards import all_of

State = Literal["done", "running", "waiting", "failed", "missing"]

GOOD_S = 600.0
"""A shard shall take about ten minutes, or its start costs too much of it."""
NOT_SUBMITTED = "not submitted"
"""Why a shard is missing that no submission has."""
_BROKEN = ("FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "PREEMPTED")


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One shard. done, total: its frames or trainings. why: the last that is known of it."""

    number: int
    state: State
    done: int
    total: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """All shards of a job. unit: frames or trainings. rate: of them a second, None while unknown;
    of shards that have not said theirs yet, that of the ones before.

    left_s: for what is not done, at that rate. sure: whether Slurm's queue could be asked.
    """

    job: Job
    shards: tuple[ShardStatus, ...]
    unit: str
    rate: float | None
    sure: bool

    @property
    def done(self) -> int:
        return sum(shard.done for shard in self.shards)

    @property
    def total(self) -> int:
        return sum(shard.total for shard in self.shards)

    @property
    def left_s(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate else None

    def in_state(self, *states: State) -> list[int]:
        """Numbers of the shards in one of these states."""
        return [shard.number for shard in self.shards if shard.state in states]


def shards_for(seconds: float, items: int) -> int:
    """How many shards for work that takes so long on one task: few and large."""
    return max(1, min(items, math.floor(seconds / GOOD_S)))


def status_of(job: Job, queue: Mapping[int, str] | None, whole: bool = False) -> Status:
    """queue: Slurm's state of each shard that it knows; None where it could not be asked.

    whole: whether the files of frames are read, so that spoilt ones do not count as done.
    Raises InputError where the set or the grid is not there any more.
    """
    if job.kind == "render":
        parts, notes, unit = _frames(job, whole), _notes(job), "frames"
    else:
        parts, notes, unit = _trainings(job), {}, "trainings"
    shards = tuple(
        _shard(job, number, part, (queue or {}).get(number), notes.get(number))
        for number, part in enumerate(parts, start=1)
    )
    running = [shard.number for shard in shards if shard.state == "running"]
    return Status(job, shards, unit, _rate(running, notes), queue is not None)


def _rate(running: Sequence[int], notes: Mapping[int, Note]) -> float | None:
    """Frames a second of the shards that run. One that has said nothing yet counts as the mean."""
    rates = {k: n.frames / n.seconds for k, n in notes.items() if n.frames and n.seconds > 0}
    mean = sum(rates.values()) / len(rates) if rates else 0.0
    return sum(rates.get(number, mean) for number in running) or None


def _shard(
    job: Job, number: int, part: tuple[int, int], queue: str | None, note: Note | None
) -> ShardStatus:
    done, total = part
    if done == total:
        return ShardStatus(number, "done", done, total)
    if queue in RUNNING:
        return ShardStatus(number, "running", done, total, note.host if note else "")
    if queue in WAITING:
        return ShardStatus(number, "waiting", done, total, str(queue).lower())
    logs = [job.log(sent, number) for sent in reversed(job.submissions) if number in sent.shards]
    never = "" if logs or queue else NOT_SUBMITTED
    why = (note.end if note else None) or next(filter(None, map(_last_line, logs)), never)
    begun = bool(done or note is not None or queue in _BROKEN or any(log.exists() for log in logs))
    if queue is not None and queue != "COMPLETED":
        why = ": ".join(filter(None, [queue.lower(), why]))
    return ShardStatus(number, "failed" if begun else "missing", done, total, why)


def _frames(job: Job, whole: bool) -> list[tuple[int, int]]:
    """Frames recorded, and frames in all, of every shard."""
    plan = store.plan_of(job.results)
    images = [image for image, _ in jobs_of(plan.recipe)]
    there = store.whole_records(plan, set(images)) if whole else store.records_of(job.results)
    parts: list[Sequence[str]] = [shard.of(images) for shard in all_of(job.shards)]
    return [(sum(image in there for image in part), len(part)) for part in parts]


def _notes(job: Job) -> dict[int, Note]:
    """The last note of every shard's newest journal."""
    found: dict[int, tuple[float, Note]] = {}
    for path, notes in journal.notes_in(job.results / SCRATCH):
        number, _, count = (notes[-1].shard or "").partition("/")
        if count == str(job.shards):
            changed, before = _changed(path), found.get(int(number))
            if before is None or changed >= before[0]:
                found[int(number)] = changed, notes[-1]
    return {number: note for number, (_, note) in found.items()}


def _trainings(job: Job) -> list[tuple[int, int]]:
    """Trainings finished, and trainings in all, of every shard of a grid."""
    names, runs = planned(job.results)
    if not names:
        raise InputError(f"{job.results}: expected the folder of a grid, with its grid.yaml")
    parts: list[Sequence[str]] = [shard.of(names) for shard in all_of(job.shards)]
    return [(sum((runs / n / RESULT).is_file() for n in part), len(part)) for part in parts]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _last_line(path: Path) -> str:
    """The last line of a log; empty where there is none."""
    try:
        lines = path.read_bytes()[-4000:].decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
