"""Shards on a Dask cluster of two workers: lost workers, poison, no cluster at all."""

import gc
import json
import os
import random
import socket
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
dask_config = pytest.importorskip("dask.config")


@pytest.fixture
def cluster():
    """Of two workers that come again whenever they die.

    A LocalCluster gives a worker up that happens to be away 15 s after it was lost, which on a busy
    machine is while it starts for the fifth time.
    """
    with (
        dask_config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0
        ) as made,
    ):
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


def never(count):
    """The progress of items that nobody sees getting on."""
    return lambda: [0] * count


def ask(cluster, work, items):
    return dask.run(cluster.scheduler_address, work, items, never(len(items)))


def test_every_item_has_an_outcome(cluster):
    found = {o.index: o.result for o in ask(cluster, _double, range(9))}
    assert found == {n: 2 * n for n in range(9)}


def test_poison_is_set_aside_and_named_and_all_else_arrives(cluster):
    began = time.monotonic()
    found = {o.index: o for o in ask(cluster, _poison, range(8))}
    assert [n for n, o in found.items() if o.failure] == [3] and len(found) == 8
    assert "KilledWorker" in found[3].failure and "_poison" not in found[3].failure
    assert time.monotonic() - began < 120


def test_what_a_user_must_mend_is_told_at_once_and_the_rest_goes_on(cluster):
    found = {o.index: o.failure for o in ask(cluster, _refuses, range(5))}
    assert found[1] == "the disk is full" and "ValueError: odd" in found[2]
    assert [found[n] for n in (0, 3, 4)] == [None] * 3


def test_one_look_tells_how_far_all_items_are(cluster):
    looks = []

    def progress():
        looks.append(None)
        return [0] * 40

    assert len(list(dask.run(cluster.scheduler_address, _double, range(40), progress))) == 40
    assert len(looks) == 1, "or a large job reads all its journals again and again"


def test_an_item_that_gets_on_may_fail_more_often_than_others(cluster, tmp_path):
    """Each attempt adds a line, as a shard does that loses its worker now and then."""
    log = tmp_path / "log"
    log.touch()

    def progress():
        return [len(log.read_text().splitlines())]

    (found,) = dask.run(cluster.scheduler_address, _fifth_time_lucky, [log], progress)
    assert found.result == "done" and progress()[0] == 5 > dask.ATTEMPTS


def _fifth_time_lucky(log):
    with log.open("a") as file:
        file.write("one more\n")
    if len(log.read_text().splitlines()) < 5:
        raise RuntimeError("not yet")
    return "done"


def test_a_server_that_is_no_scheduler_is_told(monkeypatch):
    """As where the port is that of Dask's dashboard."""
    monkeypatch.setattr(dask, "WAIT_S", 2.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(InputError, match="expected a Dask scheduler that answers"),
    ):
        list(dask.run(f"tcp://127.0.0.1:{silent.getsockname()[1]}", _double, [1], never(1)))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9"])
def test_no_scheduler_is_told_and_nothing_else_is(address, monkeypatch, capfd):
    """A client that never came to be used to add a traceback when it was collected."""
    monkeypatch.setattr(dask, "WAIT_S", 2.0)
    with pytest.raises(InputError, match="expected a Dask scheduler that answers"):
        list(dask.run(address, _double, [1], never(1)))
    gc.collect()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("missing.json", "no such file: expected a scheduler file or tcp://HOST:PORT"),
        ("folder", "a folder: expected a scheduler file or tcp://HOST:PORT"),
        ("nonsense", "no such file"),
        ("foo://bar:1", "unknown address scheme 'foo'"),
        ("tcp://127.0.0.1", "missing port number"),
        ("tcp://127.0.0.1:many", "expected tcp://HOST:PORT"),
        ("broken.json", "got no JSON"),
        ("empty.json", "got the address None"),
        ("list.json", "got the address None"),
        ("number.json", "got the address 5"),
        ("word.json", "its address: expected tcp://HOST:PORT"),
    ],
)
def test_what_is_no_address_is_told_before_anybody_is_asked(address, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(distributed, "Client", None)
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.json").write_text("{")
    for name, record in {"empty": {}, "list": [1], "number": {"address": 5}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    (tmp_path / "word.json").write_text(json.dumps({"address": "word"}))
    with pytest.raises(InputError) as error:
        list(dask.run(address, _double, [1], never(1)))
    assert told in str(error.value) and f"--scheduler {address}" in str(error.value)


def test_a_cluster_without_workers_is_told(monkeypatch):
    monkeypatch.setattr(dask, "WAIT_S", 2.0)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.raises(InputError, match="expected a worker or more, got none"),
    ):
        list(dask.run(empty.scheduler_address, _double, [1], never(1)))


def test_a_scheduler_that_is_killed_is_told_and_nothing_else_is(tmp_path, capfd):
    file = tmp_path / "any name"
    scheduler = dask_process("scheduler", "--port", "0", "--scheduler-file", file)
    try:
        wait_for(file, scheduler)
        worker = another_worker(json.loads(file.read_text())["address"], tmp_path)
        try:
            with pytest.raises(VqcError, match="connection to the Dask scheduler was lost"):
                list(dask.run(str(file), time.sleep, [60], never(1), scheduler.kill))
        finally:
            end(worker)
    finally:
        end(scheduler)
    gc.collect()
    assert capfd.readouterr().err == ""


def wait_for(file, process):
    """A file that a process writes something into; as long as that one lives."""
    while not (file.exists() and file.stat().st_size):
        assert process.poll() is None
        time.sleep(0.05)


def test_workers_that_leave_for_good_end_the_wait(monkeypatch):
    monkeypatch.setattr(dask, "WAIT_S", 3.0)
    made = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, scheduler_port=0
    )
    with made, pytest.raises(VqcError, match="no worker for 3 s"):
        threading.Timer(2.0, lambda: made.scale(0)).start()
        list(ask(made, time.sleep, [60]))


def test_workers_killed_up_to_twenty_times_lose_no_frame(steps, tmp_path):
    """Either of two workers, again and again while a set is rendered.

    Not always the same one: where starts are slow it would never make a frame, and whatever it
    begins would look as if it killed its workers.
    """
    rng, frames, killed = random.Random(3), 2000, 0
    local = tmp_path / "local"
    local.mkdir()
    run_vqc("render", *asked(steps, "--views", frames // 2), cwd=local, check=0)
    folder = tmp_path / "renders" / "set" / "images"
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, dashboard_address=None, scheduler_port=0
    ) as cluster:
        address = cluster.scheduler_address
        workers = [another_worker(address, tmp_path) for _ in range(2)]
        options = ("--engine", "dask", "--scheduler", address, "--shards", 8)
        command = subprocess.Popen(
            [sys.executable, "-m", "vqc", "render",
             *map(str, asked(steps, "--views", frames // 2, *options))],
            cwd=tmp_path,
        )  # fmt: skip
        try:
            while command.poll() is None:
                there = sum(1 for _ in folder.rglob("*.jpg")) if folder.exists() else 0
                are_up = len(cluster.scheduler_info["workers"]) == 2
                if killed < 20 and are_up and there >= (killed + 1) * frames / 24:
                    time.sleep(rng.uniform(0, 1))
                    end(workers.pop(rng.randrange(2)))
                    killed += 1
                    workers.append(another_worker(address, tmp_path))
                time.sleep(0.02)
        finally:
            for process in (command, *workers):
                end(process)
    assert command.returncode == 0 and killed >= 5, "fewer than 20 where the frames are quick"
    assert digest(tmp_path / "renders" / "set") == digest(local / "renders" / "set")


def end(process):
    process.kill()
    process.wait()


def another_worker(address, folder):
    """A worker without a nanny, which would give up where its worker dies while it starts."""
    options = ("--no-nanny", "--nthreads", "1", "--local-directory", folder)
    return dask_process("worker", address, *options)


def dask_process(kind, *options):
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard",
         *map(str, options)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_an_address_that_is_refused_leaves_the_set_as_it_was(vqc, steps, tmp_path):
    asked = ("render", "--step", steps / "ball.step", "--views", 4, "--size", "64x48")
    vqc(*asked, check=0)
    dask = ("--engine", "dask", "--scheduler", "missing.json", "--fresh")
    assert "no such file" in vqc(*asked, *dask, check=2).stderr
    assert (tmp_path / "renders/ball/manifest.jsonl").exists()
