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
import tempfile
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
RUNNING = ("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "STOPPED", "SUSPENDED")
WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESIZING")
SECONDS = 60.0
"""How long Slurm's commands may take to answer."""
_TIME = re.compile(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}")
_WORD = re.compile(r"[^\s'\"\\$`;<>]+")
_PLAIN = re.compile(r"[\w./:@%+,=-]+")


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
_ALWAYS = ("requeue", "warn_s", "command")
"""Not left to the cluster."""
_NAMES = tuple(field.name for field in fields(Settings))
_EMPTY = ("", "null", "~")
_TRUE = ("true", "yes")


def read_settings(given: Sequence[str]) -> Settings:
    """From KEY=VALUE texts and YAML files of such keys, later ones over earlier ones.

    Values are taken as they are written: 010 is ten, and a word is never a truth value. An empty
    one leaves the setting to the cluster. Raises InputError with every fault.
    """
    texts: dict[str, str | list[str]] = {}
    faults: list[str] = []
    for text in given:
        key, sign, value = text.partition("=")
        if sign and "/" not in key:
            texts[key.strip().replace("-", "_")] = value
        else:
            texts |= _read_file(Path(text), faults)
    record: dict[str, Any] = {}
    for key, found in texts.items():
        try:
            record[key] = _value(key, found)
        except ValueError as error:
            faults.append(f"--slurm {key}: {error}")
    if faults:
        raise InputError("\n".join(faults))
    return Settings(**record)


def _read_file(path: Path, faults: list[str]) -> dict[str, str | list[str]]:
    import yaml

    try:
        # BaseLoader leaves every value as it is written: 1:30:00 is no number here
        found = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        faults.append(f"--slurm {path}: cannot be read: {error}")
        return {}
    if not isinstance(found, dict):
        got = "a list" if isinstance(found, list) else f"'{found}'" if found else "nothing"
        faults.append(f"--slurm {path}: expected lines such as 'account: m1234', got {got}")
        return {}
    return {str(key): value for key, value in found.items()}


def _value(key: str, given: str | list[str]) -> Any:
    """One setting, of its type. Raises ValueError with what is wrong."""
    import difflib

    if key not in _NAMES:
        near = difflib.get_close_matches(key, _NAMES, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ValueError(f"there is no such setting{hint} Known: {', '.join(_NAMES)}")
    if key in _LINES:
        if given in _EMPTY:
            return ()
        lines = given.splitlines() if isinstance(given, str) else given
        if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
            return tuple(lines)
        raise ValueError(f"expected lines, got {given!r}")
    text = given.strip() if isinstance(given, str) else None
    if text in _EMPTY and key not in _ALWAYS:
        return None
    looks, words = _expected(key)
    if text is None or not looks.fullmatch(text):
        raise ValueError(f"expected {words}, got {given!r}")
    if key == "requeue":
        return text.lower() in _TRUE
    return int(text) if key in _NUMBERS else text


def _expected(key: str) -> tuple[re.Pattern[str], str]:
    """How the text of a setting looks, and the same in words."""
    if key == "time":
        return _TIME, "minutes, H:MM:SS or D-HH:MM:SS"
    if key == "requeue":
        return re.compile("(?i)true|yes|false|no"), "true or false"
    if key in _NUMBERS:
        least = _NUMBERS[key]
        return re.compile("0*[1-9][0-9]*" if least else "[0-9]+"), f"a whole number from {least}"
    if key in _TEXTS:
        return _WORD, "one word"
    return re.compile(r"(?s).*\S.*"), "a command that runs vqc"


def script(settings: Settings, job: Job) -> str:
    """The array script of a job; sbatch names the shards when it is submitted."""
    s = settings
    options = {
        "job-name": f"vqc-{job.name}",
        "output": _pattern(job.folder / LOGS) + "/%A_%a.log",
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
    lines = [f"#SBATCH --{k}={_quoted(str(v))}" for k, v in options.items() if v is not None]
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


def _quoted(text: str) -> str:
    """As sbatch reads a value in a script: only double quotes keep blanks and single quotes."""
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', '\\"') + '"'


def _pattern(path: Path) -> str:
    """A path in a file name of Slurm's, where % stands for something."""
    if "\\" in str(path) or "\n" in str(path):
        raise InputError(
            f"{path}: Slurm takes no path with a backslash or a line break; use another folder"
        )
    return str(path).replace("%", "%%")


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


def require_taken(settings: Settings, job: Job) -> None:
    """Ask Slurm whether it would take the job; nothing is written, nothing is submitted.

    Raises VqcError with Slurm's own words where it would not, InputError where there is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SCRIPT
        path.write_text(script(settings, job), encoding="utf-8")
        try:
            _call(["sbatch", "--test-only", f"--array=1-{job.shards}", str(path)])
        except InputError:
            raise
        except VqcError as error:
            said = f"{error}\nNothing was changed or submitted; other --slurm settings may help"
            raise VqcError(said) from None


def hand_over(job: Job, shards: Sequence[int]) -> Job:
    """Submit these shards of a job that is written, and keep what Slurm calls them.

    Raises VqcError with Slurm's own words where it does not take them.
    """
    array = ranges(sorted(shards)) + (f"%{job.throttle}" if job.throttle else "")
    script = job.folder / SCRIPT
    try:
        answer = _call(["sbatch", "--parsable", f"--array={array}", str(script)])
    except InputError:
        raise
    except _SilentError as error:
        raise VqcError(f"{error}; it may have been taken: look with squeue first") from None
    except VqcError as error:
        said = f"{error}\n{script} says what was asked: change it there, or give the first command"
        raise VqcError(f"{said} again with other --slurm settings") from None
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


def at_work(job: Job) -> list[int] | None:
    """Shards that are in Slurm's queue, sorted; None where no Slurm answers."""
    states = queued(job)
    if states is None:
        return None
    return sorted(n for n, state in states.items() if state in (*RUNNING, *WAITING))


class _SilentError(VqcError):
    """A command of Slurm's gave no answer in time."""


def _call(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise InputError(
            f"{command[0]}: there is no such command here: expected a machine that submits to "
            "Slurm; --write-only writes the script for another one"
        ) from None
    except subprocess.TimeoutExpired:
        raise _SilentError(f"{command[0]}: no answer for {SECONDS:g} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise VqcError(f"{shlex.join(command)}: {said or f'exit code {done.returncode}'}")
    return done.stdout
