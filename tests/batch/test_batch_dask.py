"""Shards on a Dask cluster of two workers: lost workers, poison, no cluster at all."""

import os
import random
import subprocess
import sys
import threading
import time

import pytest
from commands import run_vqc
from rendered import asked, digest

from vqc.batch import dask
from vqc.errors import InputError, VqcError

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster():
    made = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0
    )
    with made:
        yield made


def _double(item):
    return 2 * item


def _poison(item):
    if item == 3:
        os._exit(1)
    return item


def _refuses(item):
    if item == 1:
        raise VqcError("the disk is full")
    if item == 2:
        raise ValueError("odd")
    return item


def never(item):
    return 0


def ask(cluster, work, items):
    return dask.run(cluster.scheduler_address, work, items, never)


def test_every_item_has_an_outcome(cluster):
    found = {
        o.index: o.result for o in dask.run(cluster.scheduler_address, _double, range(9), never)
    }
    assert found == {n: 2 * n for n in range(9)}


def test_poison_is_set_aside_and_named_and_all_else_arrives(cluster):
    began = time.monotonic()
    found = {o.index: o for o in ask(cluster, _poison, range(8))}
    assert [n for n, o in found.items() if o.failure] == [3] and len(found) == 8
    assert "KilledWorker" in found[3].failure
    assert time.monotonic() - began < 120


def test_what_a_user_must_mend_is_told_at_once_and_the_rest_goes_on(cluster):
    found = {
        o.index: o.failure for o in dask.run(cluster.scheduler_address, _refuses, range(5), never)
    }
    assert found[1] == "the disk is full" and "ValueError: odd" in found[2]
    assert [found[n] for n in (0, 3, 4)] == [None] * 3


def test_no_scheduler_and_no_workers_are_told(monkeypatch):
    monkeypatch.setattr(dask, "WAIT_S", 4.0)
    with pytest.raises(InputError, match="expected a Dask scheduler that answers"):
        list(dask.run("tcp://127.0.0.1:9", _double, [1], never))
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.raises(InputError, match="expected a worker or more, got none"),
    ):
        list(dask.run(empty.scheduler_address, _double, [1], never))


def test_workers_that_leave_for_good_end_the_wait(monkeypatch):
    monkeypatch.setattr(dask, "WAIT_S", 5.0)
    made = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, scheduler_port=0
    )
    with made, pytest.raises(VqcError, match="no worker for 5 s"):
        threading.Timer(2.0, lambda: made.scale(0)).start()
        list(dask.run(made.scheduler_address, time.sleep, [60], never))


def test_a_worker_killed_up_to_twenty_times_loses_no_frame(steps, tmp_path):
    """One of two workers, again and again while a set is rendered."""
    rng, frames, killed = random.Random(3), 2000, 0
    local = tmp_path / "local"
    local.mkdir()
    run_vqc("render", *asked(steps, "--views", frames // 2), cwd=local, check=0)
    folder = tmp_path / "renders" / "set" / "images"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, scheduler_port=0
    ) as cluster:
        address = cluster.scheduler_address
        worker = another_worker(address, tmp_path)
        options = ("--engine", "dask", "--scheduler", address, "--shards", 8)
        command = subprocess.Popen(
            [sys.executable, "-m", "vqc", "render",
             *map(str, asked(steps, "--views", frames // 2, *options))],
            cwd=tmp_path,
        )  # fmt: skip
        try:
            while command.poll() is None:
                there = sum(1 for _ in folder.rglob("*.jpg")) if folder.exists() else 0
                is_up = len(cluster.scheduler_info["workers"]) == 2
                if killed < 20 and is_up and there >= (killed + 1) * frames / 24:
                    time.sleep(rng.uniform(0, 1))
                    worker.kill()
                    worker.wait()
                    killed += 1
                    worker = another_worker(address, tmp_path)
                time.sleep(0.02)
        finally:
            command.kill()
            worker.kill()
            worker.wait()
    assert command.wait() == 0 and killed >= 5, "fewer than 20 where the frames are quick"
    assert digest(tmp_path / "renders" / "set") == digest(local / "renders" / "set")


def another_worker(address, folder):
    """A worker without a nanny, which would give up where its worker dies while it starts."""
    options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
