"""Reading ahead and writing behind, each on a thread of its own, while the model computes.

No module may be imported for the first time by two threads at once: CPython 3.11 was seen to
lock up. So both classes do their work in the caller's thread until they are started, which is
done after the first answer: by then everything was imported.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_TICK_S = 0.1
_PATIENCE_S = 5.0
_END = object()


class ReadAhead(Generic[T]):
    """An iterator whose next items are made while the last one is used.

    depth: how many wait. newest_only: one that nobody took in time gives way to the next,
    as a camera needs it; `dropped` counts them. stop: once set, there are no more items.
    """

    def __init__(
        self, items: Generator[T, None, None], depth: int, newest_only: bool, stop: threading.Event
    ) -> None:
        self._items, self._stop = items, stop
        self._newest_only = newest_only
        self._ready: queue.Queue[Any] = queue.Queue(1 if newest_only else depth)
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self.dropped = 0

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        """Go on with a thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
            self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._stop.is_set():
            raise StopIteration
        if self._thread is None:
            return next(self._items)
        while True:
            try:
                kind, value = self._ready.get(timeout=_TICK_S)
                break
            except queue.Empty:
                if self._stop.is_set():
                    raise StopIteration from None
        if kind is _END:
            self._stop_reading()
            if value is not None:
                raise value
            raise StopIteration
        return value  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the thread and the items; a camera that hangs is left behind."""
        self._stop_reading()
        if self._thread is None:
            self._items.close()
        else:
            self._thread.join(_PATIENCE_S)

    def _stop_reading(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            for item in self._items:
                if not self._put((None, item)):
                    break
            self._items.close()
        except BaseException as error:
            failure = error
        self._put((_END, failure), may_drop=False)

    def _put(self, item: Any, may_drop: bool = True) -> bool:
        """False where nobody wants anything any more."""
        while not self._closed.is_set():
            try:
                self._ready.put(item, timeout=0 if self._newest_only else _TICK_S)
                return True
            except queue.Full:
                if self._newest_only and may_drop:
                    with contextlib.suppress(queue.Empty):
                        self._ready.get_nowait()
                        self.dropped += 1
                else:
                    self._closed.wait(_TICK_S / 10)
        return False


class WriteBehind(Generic[T]):
    """Does `work` on item after item, in their order, while the caller goes on.

    The first error ends it and is raised in the caller's thread.
    """

    def __init__(self, work: Callable[[T], None], depth: int) -> None:
        self._work = work
        self._waiting: queue.Queue[Any] = queue.Queue(depth)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Go on with a thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)
            self._thread.start()

    def put(self, item: T) -> None:
        if self._thread is None:
            self._work(item)
        else:
            self._hand_over(item)

    def finish(self) -> None:
        """Wait until everything is done."""
        if self._thread is not None:
            self._hand_over(_END)
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def abandon(self) -> None:
        """Drop what waits, and wait for what is under way."""
        if self._thread is None:
            return
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                while True:
                    self._waiting.get_nowait()
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(_END)
            self._thread.join(_TICK_S)

    def _hand_over(self, item: Any) -> None:
        """With an eye on the thread: once it has failed, nobody makes room in a full queue."""
        while self._failure is None:
            with contextlib.suppress(queue.Full):
                self._waiting.put(item, timeout=_TICK_S)
                return
        raise self._failure

    def _run(self) -> None:
        try:
            while (item := self._waiting.get()) is not _END:
                self._work(item)
        except BaseException as error:
            self._failure = error
