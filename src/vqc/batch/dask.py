"""Shards on a Dask cluster that is there: native futures, and an end whatever happens to workers.

A worker that dies costs its shards what they were at: they go to another worker, which finds what
is finished. A shard that fails again and again without getting on is set aside, and the rest goes
on. joblib's Dask backend is not used: it hangs for ever on a task that always kills its worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import Any

from vqc.engines import Outcome
from vqc.errors import InputError, VqcError

ATTEMPTS = 3
"""Without getting on; Dask itself starts an item several times before it gives one of them up."""
WAIT_S = 60.0
"""How long to wait for a first worker, or for another one when all have gone."""
_LOOK_EVERY_S = 2.0
_ANSWER_S = 5.0
"""How long the scheduler has for an answer, and for a farewell."""
_CANCELLED = (CancelledError, asyncio.CancelledError)
"""What Dask raises for futures that its scheduler does not know any more."""


def run(
    address: str,
    work: Callable[[Any], Any],
    items: Sequence[Any],
    progress: Callable[[], Sequence[int]],
    watch: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Outcomes as they come, one for each item; work(item) runs on the cluster's workers.

    address: of the scheduler, such as tcp://host:8786, or a file that it wrote. progress: how far
    each item is, seen from here; one that gets on may lose any number of workers. watch: called
    every few seconds.
    Raises InputError where no cluster answers, and VqcError where the scheduler or all workers go
    for good. A VqcError of the work is its outcome at once: another attempt would end alike.
    """
    with _connected(address) as client:
        send = partial(_send, client, work)
        reached = list(progress())
        waiting = list(range(len(items)))
        pending: dict[Any, int] = {}
        failures = [0] * len(items)
        alone_since: float | None = None
        while waiting or pending:
            while waiting and len(pending) < _slots(client):
                index = waiting.pop(0)
                pending[send(items[index])] = index
            ended = [(pending.pop(f), *ending) for f, *ending in _ended(client, pending)]
            watch()
            broken = [i for i, _, error in ended if error and not isinstance(error, VqcError)]
            now = progress() if broken else reached
            for index in broken:
                failures[index] = 0 if now[index] > reached[index] else failures[index] + 1
                reached[index] = now[index]
            for index, result, error in ended:
                if isinstance(error, VqcError):
                    yield Outcome(index, failure=str(error))
                elif failures[index] >= ATTEMPTS:
                    why = f"{type(error).__name__}: {error}".splitlines()[0]
                    yield Outcome(index, failure=f"it fails again and again: {why}")
                elif error:
                    waiting.insert(0, index)
                else:
                    yield Outcome(index, result)
            alone_since = None if ended else _alone(client, alone_since)


def require_cluster(address: str) -> None:
    """Raises InputError where no cluster with a worker answers."""
    with _connected(address):
        pass


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of a cluster that has a worker; InputError where there is none."""
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "--engine dask needs Dask: pip install distributed, as on the cluster's workers"
        ) from None

    target = _target(address)

    class Sure(Client):  # type: ignore[misc]
        """Gives up where Dask's own waits for ever, or for a minute when it is collected."""

        def start(self, **settings: Any) -> None:
            """A server that is no scheduler, such as its dashboard, may never say a word."""
            super().start(callback_timeout=WAIT_S / 2 + 1, **settings)

        def __del__(self) -> None:
            pass

    client = None
    with _silenced("distributed.client"):
        try:
            try:
                client = Sure(target, timeout=WAIT_S / 2, set_as_default=False)
                client.wait_for_workers(1, timeout=WAIT_S)
            except Exception as error:  # transports raise whatever they like
                raise InputError(_why_not(address, client, error)) from None
            yield client
        finally:
            if client is not None:
                with contextlib.suppress(Exception, *_CANCELLED):
                    client.close(timeout=_ANSWER_S)


def _why_not(address: str, client: Any, error: Exception) -> str:
    if client is not None and isinstance(error, TimeoutError):
        return f"--scheduler {address}: expected a worker or more, got none in {WAIT_S:g} s"
    return (
        f"--scheduler {address}: expected a Dask scheduler that answers, such as "
        f"tcp://host:8786, got {type(error).__name__}: {error}"
    )


@contextlib.contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Nothing of a logger: it prints tracebacks of a lost scheduler, which a message tells of."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _target(address: str) -> str:
    """The scheduler's address, out of its file if it is one; InputError for what is neither."""
    from distributed.comm.addressing import get_address_host_port

    said, found = f"--scheduler {address}", address
    if os.path.isfile(address):
        found = _written_in(Path(address), said)
        said += ": its address"
    elif ":" not in address:
        got = "a folder" if os.path.isdir(address) else "no such file"
        raise InputError(f"{said}: {got}: expected a scheduler file or tcp://HOST:PORT")
    try:
        get_address_host_port(found)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{said}: expected tcp://HOST:PORT or a file that is there, got {found}: {error}"
        ) from None
    return found


def _written_in(file: Path, said: str) -> str:
    """The address that a scheduler wrote into its file."""
    expected = f'{said}: expected a file of dask scheduler --scheduler-file, {{"address": …}}'
    try:
        record = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{said}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{expected}, got no JSON: {error}") from None
    address = record.get("address") if isinstance(record, dict) else None
    if not isinstance(address, str):
        raise InputError(f"{expected}, got the address {address!r}")
    return address


def _send(client: Any, work: Callable[[Any], Any], item: Any) -> Any:
    """A future; its short name is what Dask's messages tell, or they would tell all of the work."""
    return client.submit(work, item, key=f"vqc-{uuid.uuid4()}", retries=0)


def _slots(client: Any) -> int:
    """How many items to have on the cluster: one a thread, at least one.

    Of those that wait on a worker for others, too, Dask would say that they have killed it.
    """
    with contextlib.suppress(OSError, *_CANCELLED):
        threads: dict[str, int] = client.sync(client.scheduler.ncores, callback_timeout=_ANSWER_S)
        return max(1, sum(threads.values()))
    return 1


def _ended(client: Any, pending: Any) -> list[tuple[Any, Any, Exception | None]]:
    """Futures that have ended, with result or error; waits a little for the first.

    Raises VqcError where the scheduler has gone: its futures have gone with it.
    """
    from distributed import wait

    with contextlib.suppress(TimeoutError, *_CANCELLED), client.as_current():
        wait(list(pending), timeout=_LOOK_EVERY_S, return_when="FIRST_COMPLETED")
    try:
        ended = [(f, *ending) for f in list(pending) if f.done() and (ending := _ending(f))]
    except OSError:
        ended = None
    if ended is None or client.status != "running":
        raise VqcError(
            "the connection to the Dask scheduler was lost; what is finished is kept, and the same "
            "command goes on"
        )
    return ended


def _ending(future: Any) -> tuple[Any, Exception | None] | None:
    """The result of a future, or its error; None where one is to look again.

    A result may be lost with its worker before it is fetched. Then Dask does the work again, and
    fetching lasts until that has ended, well or not.
    """
    dropped = RuntimeError("the scheduler has dropped it, as where it is told to restart")
    try:
        if future.status == "finished":
            return future.result(timeout=_ANSWER_S), None
        return None, future.exception(timeout=_ANSWER_S) or dropped
    except _CANCELLED:
        return None, dropped
    except Exception as error:
        if future.status == "error" or isinstance(error, TimeoutError):
            return None
        raise


def _alone(client: Any, since: float | None) -> float | None:
    """Since when there has been no worker, or no answer; VqcError where that is too long."""
    with contextlib.suppress(OSError, *_CANCELLED):
        if client.sync(client.scheduler.identity, callback_timeout=_ANSWER_S)["workers"]:
            return None
    since = time.monotonic() if since is None else since
    if time.monotonic() - since > WAIT_S:
        raise VqcError(
            f"the Dask cluster has had no worker for {WAIT_S:g} s, or its scheduler does not "
            "answer; what is finished is kept, and the same command goes on"
        )
    return since
