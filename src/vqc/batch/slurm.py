"""Slurm: settings → an array script; a job → its queue; the queue → states.

Only sbatch and squeue are called, as their users would. Accounting (sacct) is not needed: what is
done, the results themselves say.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vqc.batch.job import LOGS, SCRIPT, Job, write_job
from vqc.errors import InputError, OutputError, VqcError
from vqc.files import replace_file
from vqc.shards import ranges

_SQUEUE = ("squeue", "--noheader", "--array", "--states=all", "-o", "%K %T")
"""Of what has ended, too, for as long as Slurm remembers it."""
SECONDS = 60.0
"""How long Slurm's commands may take to answer."""
_TIME = re.compile(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}")
_WORD = re.compile(r"[^\s'\"\\$`;|<>]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked of Slurm for each shard; None leaves it to the cluster.

    time: limit, as Slurm writes it: minutes, H:MM:SS or D-HH:MM:SS. gpus, cpus: of each shard.
    memory: such as 8G. throttle: shards at a time. requeue: whether Slurm starts a shard anew that
    lost its node. warn_s: seconds before the limit at which a shard is told to finish its frame.
    setup: shell lines before the command. command: what runs vqc, such as
    "srun shifter --image=vqc:1 vqc". extra: further options of sbatch, one a line.
    """

    account: str | None = None
    partition: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time: str | None = "60"
    gpus: int | None = None
    cpus: int | None = 4
    memory: str | None = None
    throttle: int | None = None
    requeue: bool = True
    warn_s: int = 60
    setup: tuple[str, ...] = ()
    command: str = f"{shlex.quote(sys.executable)} -m vqc"
    extra: tuple[str, ...] = ()


_TEXTS = ("account", "partition", "qos", "constraint", "memory")
_NUMBERS = {"gpus": 0, "cpus": 1, "throttle": 1, "warn_s": 0}
_LINES = ("setup", "extra")
_NAMES = tuple(field.name for field in fields(Settings))


def read_settings(given: Sequence[str]) -> Settings:
    """From KEY=VALUE texts and YAML files of such keys, later ones over earlier ones.

    Raises InputError with every fault.
    """
    record: dict[str, Any] = {}
    faults: list[str] = []
    for text in given:
        key, sign, value = text.partition("=")
        if sign and "/" not in key:
            record[key.strip().replace("-", "_")] = _plain(value)
        else:
            record |= _read_file(Path(text), faults)
    faults += [fault for key, value in record.items() if (fault := _fault(key, value))]
    if faults:
        raise InputError("\n".join(faults))
    if record.get("time") is not None:
        record["time"] = str(record["time"])
    lines = {k: _as_lines(record[k]) for k in _LINES if k in record}
    return Settings(**{**record, **lines})


def _plain(value: str) -> Any:
    import yaml

    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    # 1:30:00 is a number to YAML, a time to Slurm
    return value if isinstance(found, int) and ":" in value else found


def _read_file(path: Path, faults: list[str]) -> dict[str, Any]:
    import yaml

    try:
        # BaseLoader leaves every value as it is written: 1:30:00 is no number here
        found = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        faults.append(f"--slurm {path}: cannot be read: {error}")
        return {}
    if not isinstance(found, dict):
        faults.append(f"--slurm {path}: expected lines such as 'account: m1234'")
        return {}
    return {
        str(key): [str(line) for line in value] if isinstance(value, list) else _plain(str(value))
        for key, value in found.items()
    }


def _fault(key: str, value: Any) -> str:
    """What is wrong with one setting; empty where nothing is."""
    import difflib

    if key not in _NAMES:
        near = difflib.get_close_matches(key, _NAMES, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        return f"--slurm {key}: there is no such setting{hint} Known: {', '.join(_NAMES)}"
    if value is None and key not in ("requeue", "warn_s", "command", *_LINES):
        return ""
    expected = ""
    if key == "time" and not _TIME.fullmatch(str(value)):
        expected = "minutes, H:MM:SS or D-HH:MM:SS"
    elif key in _TEXTS and not _WORD.fullmatch(str(value)):
        expected = "one word"
    elif key in _NUMBERS and not (type(value) is int and value >= _NUMBERS[key]):
        expected = f"a whole number from {_NUMBERS[key]}"
    elif key == "requeue" and not isinstance(value, bool):
        expected = "true or false"
    elif key == "command" and not (isinstance(value, str) and value.strip()):
        expected = "a command that runs vqc"
    return f"--slurm {key}: expected {expected}, got {value!r}" if expected else ""


def _as_lines(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(value)
    return tuple(str(value).splitlines()) if value is not None else ()


def script(settings: Settings, job: Job) -> str:
    """The array script of a job; sbatch names the shards when it is submitted."""
    s = settings
    options = {
        "job-name": f"vqc-{job.name}",
        "output": str(job.folder / LOGS / "%A_%a.log"),
        "open-mode": "append",
        "account": s.account,
        "partition": s.partition,
        "qos": s.qos,
        "constraint": s.constraint,
        "time": s.time,
        "gpus": s.gpus or None,
        "cpus-per-task": s.cpus,
        "mem": s.memory,
        "signal": f"B:USR1@{s.warn_s}" if s.warn_s else None,
    }
    lines = [f"#SBATCH --{key}={value}" for key, value in options.items() if value is not None]
    lines.append("#SBATCH --requeue" if s.requeue else "#SBATCH --no-requeue")
    lines += [f"#SBATCH {line}" for line in s.extra]
    command = f"{s.command} {shlex.join(job.command)}"
    return "\n".join(
        [
            "#!/bin/bash",
            f"# {job.shards} shards; sbatch --array=1-{job.shards} {SCRIPT}, or vqc resume",
            *lines,
            *s.setup,
            f"cd {shlex.quote(str(job.where))}",
            "# exec: Slurm's signals are to reach vqc itself",
            f'exec {command} --shard "$SLURM_ARRAY_TASK_ID/{job.shards}"',
            "",
        ]
    )


def write_script(settings: Settings, job: Job) -> Job:
    """Keep the job and its script, ready to be handed over; OutputError where that fails."""
    job = replace(job, throttle=settings.throttle)
    write_job(job)
    path = job.folder / SCRIPT
    try:
        replace_file(path, script(settings, job).encode())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return job


def hand_over(job: Job, shards: Sequence[int]) -> Job:
    """Submit these shards of a job that is written, and keep what Slurm calls them.

    Raises VqcError with Slurm's own words where it does not take them.
    """
    array = ranges(sorted(shards)) + (f"%{job.throttle}" if job.throttle else "")
    answer = _call(["sbatch", "--parsable", f"--array={array}", str(job.folder / SCRIPT)])
    after = job.submitted(answer.strip().partition(";")[0], sorted(shards))
    write_job(after)
    return after


def queued(job: Job) -> Mapping[int, str] | None:
    """Slurm's state of each shard in its queue, such as RUNNING; None where no Slurm answers."""
    if shutil.which("squeue") is None:
        return None
    states: dict[int, str] = {}
    for submission in job.submissions:
        try:
            text = _call([*_SQUEUE, "-j", submission.id])
        except VqcError as error:
            if "Invalid job id" in str(error):  # Slurm has forgotten it: nothing of it goes on
                continue
            return None
        for line in text.splitlines():
            index, _, state = line.strip().partition(" ")
            if index.isdigit():
                states[int(index)] = state
    return states


def _call(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise InputError(
            f"{command[0]}: there is no such command here: expected a machine that submits to "
            "Slurm; --write-only writes the script for another one"
        ) from None
    except subprocess.TimeoutExpired:
        raise VqcError(f"{command[0]}: no answer for {SECONDS:g} s; try again later") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise VqcError(f"{shlex.join(command)}: {said or f'exit code {done.returncode}'}")
    return done.stdout
