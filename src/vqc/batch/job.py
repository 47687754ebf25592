"""What was handed to a scheduler, as a folder beside the results tells.

<parent>/.jobs/<name>/    job.json (the command, its shards, what was submitted), job.sh (the array
                          script) and logs/
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vqc.errors import InputError, OutputError
from vqc.files import replace_file

VERSION = 1
RECORD, SCRIPT, LOGS = "job.json", "job.sh", "logs"
_FOLDER = ".jobs"


@dataclass(frozen=True, slots=True)
class Submission:
    """One array of Slurm. shards: their numbers, from 1."""

    id: str
    shards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A command that is done in shards.

    results: the folder of the set or the grid, as an absolute path. kind: render or grid. command:
    what a shard is, without --shard; run in the folder `where`. shards: how many there are.
    throttle: how many of them at a time, None for as many as there is room for.
    """

    results: Path
    kind: str
    command: tuple[str, ...]
    where: Path
    shards: int
    throttle: int | None = None
    submissions: tuple[Submission, ...] = ()

    @property
    def name(self) -> str:
        return self.results.name

    @property
    def folder(self) -> Path:
        return job_folder(self.results)

    def submitted(self, id: str, shards: Sequence[int]) -> Job:
        """The job after one more submission."""
        return replace(self, submissions=(*self.submissions, Submission(id, tuple(shards))))

    def log(self, submission: Submission, shard: int) -> Path:
        """Where Slurm writes what a shard prints."""
        return self.folder / LOGS / f"{submission.id}_{shard}.log"


def job_folder(results: Path) -> Path:
    """Where the job of a set or a grid is kept."""
    return results.parent / _FOLDER / results.name


def write_job(job: Job) -> None:
    """Keep the job; OutputError where its folder cannot be written."""
    record = {"vqc_job": VERSION, **asdict(job)}
    record |= {"results": str(job.results), "where": str(job.where)}
    try:
        (job.folder / LOGS).mkdir(parents=True, exist_ok=True)
        replace_file(job.folder / RECORD, json.dumps(record, indent=2).encode())
    except OSError as error:
        raise OutputError(f"{job.folder}: cannot be written: {error.strerror or error}") from None


def read_job(results: Path) -> Job:
    """The job of a set or a grid, given as its folder; InputError where there is none."""
    file = job_folder(results.resolve()) / RECORD
    try:
        record: Any = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{results}: expected a set or a grid that went to a scheduler, got none: there is no "
            f"{file}; hand one over with vqc render … --engine slurm, or vqc grid … --engine slurm"
        ) from None
    except (OSError, ValueError) as error:
        raise _unread(file, f"cannot be read: {error}") from None
    version = record.get("vqc_job") if isinstance(record, dict) else None
    if version != VERSION:
        raise _unread(file, f"expected version {VERSION}, got {version!r}")
    try:
        sent = [Submission(str(s["id"]), tuple(s["shards"])) for s in record["submissions"]]
        return Job(
            results=Path(record["results"]),
            kind=record["kind"],
            command=tuple(record["command"]),
            where=Path(record["where"]),
            shards=int(record["shards"]),
            throttle=record["throttle"],
            submissions=tuple(sent),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unread(file, f"cannot be read: {type(error).__name__} {error}") from None


def _unread(file: Path, what: str) -> InputError:
    return InputError(f"{file}: {what}; {forget(file.parent)}")


def forget(folder: Path) -> str:
    """How a job is forgotten, by its folder."""
    return f"if nothing of it runs, rm -r {shlex.quote(str(folder))} forgets the job, and no result"


def earlier_job(results: Path) -> Job | None:
    """As `read_job`, and None where nothing of that name went to a scheduler."""
    return read_job(results) if (job_folder(results.resolve()) / RECORD).exists() else None


def find_jobs(roots: Sequence[Path] = (Path("renders"), Path("runs/grids"))) -> list[Path]:
    """Sets and grids that went to a scheduler, below the usual places, sorted."""
    found = (file.parent for root in roots for file in (root / _FOLDER).glob(f"*/{RECORD}"))
    return sorted(folder.parent.parent / folder.name for folder in found)
