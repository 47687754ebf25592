"""run(work, items): the same function on many items in supervised worker processes.

Every worker is a fresh interpreter that is sent a picklable `open_worker`; what that returns
is called with one item after another. A worker that dies or stalls costs the item it was at
one of its attempts and is replaced; an item that has none left is set aside and the rest goes
on. Nothing is kept in the workers, so losing one at any moment loses no result.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from vqc.errors import VqcError

ATTEMPTS = 3
STALL_S = 600.0
QUEUE = 2
"""Items a worker holds, so that it never waits for the next one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of items[index]: its result, or why it was set aside."""

    index: int
    result: Any = None
    failure: str | None = None


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection
    place: int
    held: deque[int] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)
    group: Any = None


class _Waiting:
    """Items that no worker has yet, by group, and the attempts that failed so far."""

    def __init__(self, groups: Sequence[Any]) -> None:
        self._group_of = groups
        self._queues: dict[Any, deque[int]] = {}
        self._failures: dict[int, int] = {}
        for index in range(len(groups)):
            self.put_back(index)

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put_back(self, index: int) -> None:
        self._queues.setdefault(self._group_of[index], deque()).append(index)

    def take(self, worker: _Worker, crew: Sequence[_Worker]) -> int:
        """The next item for a worker: of its own group, else of the one that lacks workers most."""
        if worker.group not in self._queues:
            there = Counter(other.group for other in crew)
            worker.group = max(self._queues, key=lambda g: len(self._queues[g]) / (1 + there[g]))
        queue = self._queues[worker.group]
        index = queue.popleft()
        if not queue:
            del self._queues[worker.group]
        return index

    def failed(self, index: int, why: str) -> Outcome | None:
        """Another attempt for the item, or its last outcome."""
        self._failures[index] = count = self._failures.get(index, 0) + 1
        if count < ATTEMPTS:
            self.put_back(index)
            return None
        return Outcome(index, failure=f"{count} attempts failed; the last: {why}")


def run(
    open_worker: Callable[[], Callable[[Any], Any]],
    items: Sequence[Any],
    workers: int,
    groups: Sequence[Any] | None = None,
    stall_s: float = STALL_S,
    queue: int = QUEUE,
    environments: Sequence[Mapping[str, str]] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Outcome, None, None]:
    """Outcomes as they come, one for each item.

    groups: one key an item; a worker goes on with items of one group while there are any,
    for work that has a price whenever the group changes. queue: items a worker holds; 1 for long
    ones, which must not wait behind another one while a worker is idle. environments: what is
    added to the environment of each worker; in turn, where they are fewer. stop: asked again and
    again; once it is true, workers finish what they hold and the iterator ends.
    Raises at once any VqcError that a worker raises; whatever else goes wrong there counts
    as a failed attempt at its item. Leaving the iterator ends the workers.
    """
    waiting = _Waiting(groups or [None] * len(items))
    crew: list[_Worker] = []
    unborn = 0  # workers in a row that died before finishing anything
    try:
        while (waiting and not stop()) or any(w.held for w in crew):
            while len(crew) < workers and waiting and not stop():
                crew.append(_start(open_worker, _free_place(crew), environments))
            for worker in crew:
                while waiting and not stop() and len(worker.held) < queue:
                    _hand(worker, waiting.take(worker, crew), items)
            ready = wait([w.pipe for w in crew], timeout=1.0)
            for worker in list(crew):
                if worker.pipe in ready:
                    for outcome in _receive(worker, waiting):
                        unborn = 0
                        yield outcome
                stalled = worker.held and time.monotonic() - worker.since > stall_s
                if stalled or worker.pipe.closed:
                    crew.remove(worker)
                    culprit = worker.held.popleft() if worker.held else None
                    for index in worker.held:
                        waiting.put_back(index)
                    why = _bury(worker, stall_s if stalled else None)
                    unborn += 1
                    if culprit is None:
                        if unborn > ATTEMPTS * workers:
                            raise VqcError(f"worker processes end at once: {why}")
                    elif (given_up := waiting.failed(culprit, why)) is not None:
                        yield given_up
    finally:
        for worker in crew:
            worker.process.kill()
        for worker in crew:
            _bury(worker, None)


def _free_place(crew: Sequence[_Worker]) -> int:
    """The first number that no worker has."""
    taken = {worker.place for worker in crew}
    return next(number for number in range(len(crew) + 1) if number not in taken)


def _start(
    open_worker: Callable[[], Callable[[Any], Any]],
    place: int,
    environments: Sequence[Mapping[str, str]],
) -> _Worker:
    more = environments[place % len(environments)] if environments else {}
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            # -P: nothing that lies in the working directory is to be imported
            [sys.executable, "-P", "-m", "vqc.engines", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **more},
        )
    worker = _Worker(process, ours, place)
    with contextlib.suppress(OSError):
        ours.send(open_worker)
    return worker


def _hand(worker: _Worker, index: int, items: Sequence[Any]) -> None:
    if not worker.held:
        worker.since = time.monotonic()
    worker.held.append(index)
    with contextlib.suppress(OSError):  # a dead worker shows when its pipe is read
        worker.pipe.send((index, items[index]))


def _receive(worker: _Worker, waiting: _Waiting) -> Iterator[Outcome]:
    """Read one message; close the pipe when the worker is gone."""
    try:
        kind, index, value = worker.pipe.recv()
    except (EOFError, OSError):
        worker.pipe.close()
        return
    worker.since = time.monotonic()
    if kind == "stop":
        raise value
    worker.held.remove(index)
    if kind == "done":
        yield Outcome(index, value)
    elif (outcome := waiting.failed(index, value)) is not None:
        yield outcome


def _bury(worker: _Worker, stalled_s: float | None) -> str:
    """End the process if it still runs, and say how it ended."""
    if stalled_s is not None:
        worker.process.kill()
    worker.pipe.close()
    try:
        code = worker.process.wait(10)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        code = worker.process.wait()
    if stalled_s is not None:
        return f"no answer for {stalled_s:g} s"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _serve(pipe: Connection) -> None:
    """The worker's side: open once, then answer item after item until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    try:
        work = pipe.recv()()
    except (EOFError, OSError):
        return
    except VqcError as error:
        pipe.send(("stop", None, error))
        return
    while True:
        try:
            index, item = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = ("done", index, work(item))
        except VqcError as error:
            answer = ("stop", index, error)
        except Exception:
            answer = ("failed", index, traceback.format_exc(limit=-3).strip())
        try:
            pipe.send(answer)
        except OSError:
            return


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
