"""Shards on a Dask cluster that is there: native futures, and an end whatever happens to workers.

A worker that dies costs its shards what they were at: they go to another worker, which finds what
is finished. A shard that fails again and again without getting on is set aside, and the rest goes
on. joblib's Dask backend is not used: it hangs for ever on a task that always kills its worker.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from vqc.engines import Outcome
from vqc.errors import InputError, VqcError

ATTEMPTS = 3
"""Without getting on; Dask itself starts an item several times before it gives one of them up."""
WAIT_S = 60.0
"""How long to wait for a first worker, or for another one when all have gone."""
_LOOK_EVERY_S = 2.0


def run(
    address: str,
    work: Callable[[Any], Any],
    items: Sequence[Any],
    progress: Callable[[Any], int],
    watch: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Outcomes as they come, one for each item; work(item) runs on the cluster's workers.

    address: of the scheduler, such as tcp://host:8786, or a file that it wrote. progress: how far
    an item is, seen from here; one that gets on may lose any number of workers. watch: called every
    few seconds.
    Raises InputError where no cluster answers, and VqcError where all workers go for good. A
    VqcError of the work is its outcome at once: another attempt would end alike.
    """
    client = _connect(address)
    with contextlib.closing(client):
        send = partial(client.submit, work, pure=False, retries=0)
        pending = {send(item): index for index, item in enumerate(items)}
        failures = [0] * len(items)
        reached = [progress(item) for item in items]
        alone_since: float | None = None
        while pending:
            done = _finished(client, pending)
            watch()
            for future in done:
                index = pending.pop(future)
                error = future.exception() if future.status != "cancelled" else "cancelled"
                if future.status == "finished":
                    yield Outcome(index, future.result())
                    continue
                now = progress(items[index])
                failures[index] = 0 if now > reached[index] else failures[index] + 1
                reached[index] = now
                if isinstance(error, VqcError):
                    yield Outcome(index, failure=str(error))
                elif failures[index] >= ATTEMPTS:
                    why = f"{type(error).__name__}: {error}".splitlines()[0]
                    yield Outcome(index, failure=f"it fails again and again: {why}")
                else:
                    pending[send(items[index])] = index
            alone_since = _alone(client, alone_since)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "--engine dask needs Dask: pip install distributed, as on the cluster's workers"
        ) from None
    path = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        client = Client(**path, timeout=WAIT_S / 2, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"--scheduler {address}: expected a Dask scheduler that answers, such as "
            f"tcp://host:8786, got {type(error).__name__}: {error}"
        ) from None
    try:
        client.wait_for_workers(1, timeout=WAIT_S)
    except TimeoutError:
        client.close()
        raise InputError(
            f"--scheduler {address}: expected a worker or more, got none in {WAIT_S:g} s"
        ) from None
    return client


def _finished(client: Any, pending: Any) -> list[Any]:
    """Futures that have ended; waits a little for the first."""
    from distributed import wait

    with contextlib.suppress(TimeoutError), client.as_current():
        wait(list(pending), timeout=_LOOK_EVERY_S, return_when="FIRST_COMPLETED")
    if client.status not in ("running", "connecting"):
        raise VqcError("the Dask scheduler has gone; what is finished is kept")
    return [future for future in pending if future.done()]


def _alone(client: Any, since: float | None) -> float | None:
    """Since when there has been no worker; VqcError where that is too long."""
    with contextlib.suppress(OSError, TimeoutError):
        if client.scheduler_info()["workers"]:
            return None
    since = time.monotonic() if since is None else since
    if time.monotonic() - since > WAIT_S:
        raise VqcError(f"the Dask cluster has had no worker for {WAIT_S:g} s; what is done is kept")
    return since
