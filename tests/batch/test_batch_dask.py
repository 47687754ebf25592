"""Shards on a Dask cluster of two workers: lost workers, poison, no cluster at all."""

import os
import random
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


def test_a_worker_killed_twenty_times_loses_no_frame(cluster, steps, tmp_path):
    """One of two workers, again and again at random moments, while a set is rendered."""
    local = tmp_path / "local"
    local.mkdir()
    run_vqc("render", *asked(steps, "--views", 1500), cwd=local, check=0)
    rng, over, killed = random.Random(3), threading.Event(), []

    def kill():
        while not over.wait(rng.uniform(0.2, 1.5)) and len(killed) < 20:
            process = cluster.workers[0].process
            # Dask's nanny gives up for good where its worker dies before it has registered
            if process is not None and process.status.name == "running":
                killed.append(process.pid)
                os.kill(process.pid, 9)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        options = ("--engine", "dask", "--scheduler", cluster.scheduler_address, "--shards", 6)
        run_vqc("render", *asked(steps, "--views", 1500), *options, cwd=tmp_path, check=0)
    finally:
        over.set()
        thread.join()
    assert len(killed) == 20, "it was over before so many could be killed"
    assert digest(tmp_path / "renders" / "set") == digest(local / "renders" / "set")
