"""A job array on a real Slurm: what is killed, requeued and cancelled, and what comes of it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import run_vqc
from rendered import digest
from slurm_here import wait_for

pytest_plugins = ["slurm_here"]


def asked(steps):
    return ("--step", steps / "ball.step", "--step", steps / "block.step", "--name", "set",
            "--views", 400, "--size", "160x120")  # fmt: skip


def processes_of(shard):
    """Process ids of the commands that are at a shard."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"--shard" in words and shard.encode() in words and b"vqc" in words:
                    yield int(entry.name)


def states(env, root):
    """Shards by state, as vqc jobs tells."""
    said = subprocess.run(
        [*COMMAND, "jobs", "renders/set", "--json"],
        cwd=root, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (record,) = json.loads(said.stdout)
    found = {}
    for shard in record["shards"]:
        found.setdefault(shard["state"], []).append(shard["shard"])
    return found, record


COMMAND = [sys.executable, "-c", "from vqc.cli import main; main()"]


def slurm_says(env, *command):
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def reference(steps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    run_vqc("render", *asked(steps), "--quiet", cwd=folder, check=0)
    return digest(folder / "renders" / "set")


def test_killed_requeued_and_cancelled_shards(slurm, steps, tmp_path, reference):
    here = {**os.environ, **slurm, "COLUMNS": "160"}

    def vqc(*words):
        done = subprocess.run(
            [*COMMAND, *map(str, words)],
            cwd=tmp_path, env=here, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        return done.stdout

    slurm_options = ("--slurm", "cpus=1", "--slurm", "throttle=2", "--slurm", "time=30")
    said = vqc(
        "render", *asked(steps), "--jobs", 1, "--engine", "slurm", "--shards", 8, *slurm_options
    )
    job = said.partition(": job ")[2].partition(",")[0]
    assert job.isdigit() and "shards 1-8" in said
    again = subprocess.run(
        [*COMMAND, "render", *map(str, asked(steps)), "--engine", "slurm", "--shards", "8"],
        cwd=tmp_path, env=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 2 and "are in Slurm's queue" in again.stderr
    assert slurm_says(here, "scancel", f"{job}_8").returncode == 0
    killed, requeued = set(), False

    def meddle():
        nonlocal requeued
        for number in {2, 5} - killed:
            for process in processes_of(f"{number}/8"):
                os.kill(process, signal.SIGKILL)
                killed.add(number)
        if not requeued and any(processes_of("3/8")):
            requeued = slurm_says(here, "scontrol", "requeue", f"{job}_3").returncode == 0
        queue = slurm_says(here, "squeue", "-h", "-j", job)
        return not queue.stdout.strip()

    wait_for(meddle, 400)
    assert killed == {2, 5} and requeued
    found, record = states(here, tmp_path)
    assert found["done"] == [1, 3, 4, 6, 7], record
    assert sorted(found.get("failed", []) + found.get("missing", [])) == [2, 5, 8], record
    assert {2, 5} <= set(found["failed"]), record
    merged = subprocess.run(
        [*COMMAND, "merge", "renders/set"], cwd=tmp_path, env=here, capture_output=True, text=True
    )
    assert merged.returncode == 1 and "frames are missing" in merged.stderr
    assert "has shards 2,5,8" in vqc("resume", "renders/set")
    wait_for(lambda: states(here, tmp_path)[0].get("done") == list(range(1, 9)), 300)
    assert "nothing to submit" in vqc("resume", "renders/set")
    vqc("merge", "renders/set")
    assert digest(tmp_path / "renders" / "set") == reference


def test_a_shard_told_that_its_time_is_over_leaves_cleanly_and_goes_on(slurm, steps, tmp_path):
    here = {**os.environ, **slurm}
    done = subprocess.run(
        [*COMMAND, "render", *map(str, asked(steps)), "--views", "3000", "--jobs", "1",
         "--engine", "slurm", "--shards", "1", "--slurm", "cpus=1"],
        cwd=tmp_path, env=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    job = done.stdout.partition(": job ")[2].partition(",")[0]
    folder = tmp_path / "renders" / "set"
    wait_for(lambda: len(list(folder.rglob("*.jpg"))) > 3, 120)
    assert slurm_says(here, "scancel", "--batch", "--signal=USR1", f"{job}_1").returncode == 0
    log = tmp_path / "renders/.jobs/set/logs" / f"{job}_1.log"
    wait_for(lambda: log.exists() and "told to stop with" in log.read_text(), 60)

    def goes_on():  # exit code 75 is what this Slurm requeues
        return "RUNNING" in slurm_says(here, "squeue", "-h", "-j", job, "-o", "%T").stdout

    wait_for(goes_on, 60)
    slurm_says(here, "scancel", job)
