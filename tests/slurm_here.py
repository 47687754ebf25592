"""A Slurm of one make-believe node, for tests that ask for it: `pytest_plugins = ["slurm_here"]`.

Every worker of pytest-xdist that needs one has its own: other ports, another folder.

PYTEST_DONT_REWRITE: a test imports its functions before pytest takes it as a plugin.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "slurm.sh"
COMMANDS = ("sbatch", "slurmctld", "slurmd", "munged", "mungekey")
FOREIGN = ("SLURM", "SBATCH_", "SQUEUE_", "SCANCEL_", "SINFO_")
"""How variables begin that would tell of another Slurm, as where the tests are a job themselves."""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[Mapping[str, str]]:
    """The environment in which sbatch and its like ask a Slurm with 8 cores and 2 GPUs."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if not all(shutil.which(name, path=path) for name in COMMANDS):
        pytest.skip("Slurm is not installed: scripts/slurm.sh install")
    if os.geteuid() != 0:
        pytest.skip("only root may start a Slurm: scripts/slurm.sh start")
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    folder = tmp_path_factory.mktemp("slurm")
    try:
        begun = _run(own, str(SCRIPT), "start", str(folder))
        assert begun.returncode == 0, begun.stderr
        yield {**own, "SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        ended = _run(own, str(SCRIPT), "stop", str(folder))
    assert ended.returncode == 0, ended.stderr


def submit(slurm: Mapping[str, str], script: Path, *options: str) -> str:
    """The number of a batch job that runs `script` in its folder."""
    done = _run(slurm, "sbatch", "--parsable", f"--chdir={script.parent}", *options, str(script))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def states(slurm: Mapping[str, str], job: str) -> list[str]:
    """The states of a job's tasks, which Slurm remembers for minutes; waiting ones may be one."""
    done = _run(slurm, "squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    """Returns once `what` holds."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"not so after {seconds:g} s"
        time.sleep(0.1)


def _run(environment: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
