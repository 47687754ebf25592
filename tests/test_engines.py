import os
import random
import signal
import threading
import time

import jobs
import pytest

from vqc import engines
from vqc.errors import LabelError, VqcError


def results(outcomes):
    return {o.index: o.failure or o.result for o in outcomes}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_item_is_done_once(workers):
    outcomes = list(engines.run(jobs.opener("square"), list(range(20)), workers))
    assert sorted(o.index for o in outcomes) == list(range(20))
    assert all(o.result == o.index**2 for o in outcomes)


def test_nothing_to_do():
    assert list(engines.run(jobs.opener("square"), [], 2)) == []


def test_an_item_that_kills_its_worker_is_set_aside_and_the_rest_is_done(tmp_path):
    found = results(engines.run(jobs.opener("poison", tmp_path), list(range(12)), 2))
    assert "3 attempts failed" in found[3] and "SIGKILL" in found[3]
    assert {k: v for k, v in found.items() if k != 3} == {k: k for k in range(12) if k != 3}


def test_workers_stay_with_their_group_while_it_lasts():
    groups = [k // 25 for k in range(100)]
    done = results(engines.run(jobs.opener("who"), list(range(100)), 2, groups))
    visits = {(pid, groups[k]) for k, pid in done.items()}
    assert len(visits) <= 5  # four groups; the last may be shared


def test_an_exception_is_told_with_its_cause():
    found = results(engines.run(jobs.opener("raises"), list(range(5)), 1))
    assert "two is not liked" in found[2] and len(found) == 5


def test_an_error_for_the_user_stops_everything():
    with pytest.raises(LabelError, match="frame 2 is wrong"):
        list(engines.run(jobs.opener("wrong_label"), list(range(50)), 2))
    with pytest.raises(LabelError, match="cannot open"):
        list(engines.run(jobs.opener("cannot open"), list(range(5)), 2))


def test_workers_that_cannot_even_start_are_no_endless_loop():
    with pytest.raises(VqcError, match=r"end at once|attempts"):
        outcomes = list(engines.run(jobs.opener("dies at once"), list(range(5)), 2))
        if all(o.failure for o in outcomes):
            raise VqcError(outcomes[0].failure)


def test_an_item_that_hangs_is_given_up(monkeypatch):
    """The time holds from the start of a worker, which may take a while on a busy machine."""
    monkeypatch.setattr(engines, "ATTEMPTS", 2)
    found = results(engines.run(jobs.opener("hangs"), list(range(4)), 2, stall_s=4.0))
    assert "no answer" in found[1] and [found[k] for k in (0, 2, 3)] == [0, 2, 3]


@pytest.mark.parametrize("seed", range(4))
def test_workers_killed_at_random_lose_nothing(tmp_path, seed):
    """Twice each time: a third one might hit the same item, which then is given up."""
    stop = threading.Event()

    def killer():
        rng = random.Random(seed)
        for _ in range(2):
            time.sleep(rng.uniform(0.1, 0.3))
            for marker in sorted(tmp_path.glob("*.pid")):
                marker.unlink(missing_ok=True)
                try:
                    os.kill(int(marker.stem), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                break
            if stop.is_set():
                return

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        outcomes = list(engines.run(jobs.opener("slow", tmp_path), list(range(50)), 2))
    finally:
        stop.set()
        thread.join()
    assert sorted(o.index for o in outcomes) == list(range(50))
    assert sum(o.failure is not None for o in outcomes) == 0


def test_leaving_early_ends_the_workers(tmp_path):
    outcomes = engines.run(jobs.opener("slow", tmp_path), list(range(1000)), 2)
    next(outcomes)
    outcomes.close()
    for marker in tmp_path.glob("*.pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(marker.stem), 0)
