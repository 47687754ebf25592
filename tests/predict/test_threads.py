"""Reading ahead and writing behind keep order, pass errors on, and never keep old frames."""

from __future__ import annotations

import threading

import pytest

from vqc.predict.threads import ReadAhead, WriteBehind


def ahead(items, newest_only=False, stop=None):
    return ReadAhead(items, 4, newest_only, stop or threading.Event())


def test_items_come_in_their_order_before_and_after_the_start():
    reader = ahead(k for k in range(50))
    first = next(reader)
    reader.start()
    assert [first, *reader] == list(range(50)) and reader.dropped == 0


def test_a_camera_gives_its_newest_frame():
    """However late the next one is asked for: nothing piles up."""
    all_came = threading.Event()

    def camera():
        yield from range(100)
        all_came.set()

    reader = ahead(camera(), newest_only=True)
    assert next(reader) == 0
    reader.start()
    assert all_came.wait(30)
    assert list(reader) == [99] and reader.dropped == 98


def test_an_error_of_the_items_is_raised_after_what_came():
    def broken():
        yield 1
        yield 2
        raise ValueError("torn")

    reader = ahead(broken())
    assert next(reader) == 1
    reader.start()
    assert next(reader) == 2
    with pytest.raises(ValueError, match="torn"):
        next(reader)


def test_nothing_comes_after_stop_even_from_a_camera_that_hangs():
    stop, let_go = threading.Event(), threading.Event()

    def hanging():
        yield 1
        let_go.wait(30)

    reader = ahead(hanging(), newest_only=True, stop=stop)
    assert next(reader) == 1
    reader.start()
    stop.set()
    assert list(reader) == []
    let_go.set()
    reader.close()


def test_closing_ends_items_that_nobody_takes():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    reader = ahead(endless())
    next(reader)
    reader.start()
    reader.close()
    assert closed.wait(30)


def test_work_is_done_in_order():
    done = []
    writer = WriteBehind(done.append, 2)
    writer.put(0)
    assert done == [0]  # at once, before the start
    writer.start()
    for k in range(1, 20):
        writer.put(k)
    writer.finish()
    assert done == list(range(20))


def test_an_error_of_the_work_reaches_the_caller():
    def fails(item):
        if item == 3:
            raise OSError("full")

    writer = WriteBehind(fails, 2)
    writer.start()
    with pytest.raises(OSError, match="full"):
        for k in range(1000):
            writer.put(k)
        writer.finish()
    writer.abandon()


def test_work_that_fails_while_much_waits_does_not_hang_the_end():
    begun, let_go, raised = threading.Event(), threading.Event(), []

    def fails(item):
        begun.set()
        let_go.wait(30)
        raise OSError("full")

    writer = WriteBehind(fails, 1)
    writer.start()
    writer.put(0)
    assert begun.wait(30)
    writer.put(1)  # now the queue is full

    def finish():
        try:
            writer.finish()
        except OSError as error:
            raised.append(str(error))

    finishing = threading.Thread(target=finish, daemon=True)
    finishing.start()
    threading.Timer(0.2, let_go.set).start()
    finishing.join(60)
    assert raised == ["full"] and not finishing.is_alive()


def test_what_waits_can_be_abandoned():
    begun, let_go, done = threading.Event(), threading.Semaphore(0), []

    def slow(item):
        begun.set()
        let_go.acquire(timeout=60)
        done.append(item)

    writer = WriteBehind(slow, 4)
    writer.start()
    for k in range(4):
        writer.put(k)
    assert begun.wait(30)
    for seconds in (0.2, 1.0):  # the second one for where this thread comes late
        threading.Timer(seconds, let_go.release).start()
    writer.abandon()
    assert done[0] == 0 and len(done) < 4
