"""Batches come in order, whole, and epochs show every frame equally often."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.tasks.learning.reading import batches, epoch_order


def test_batches_are_in_order_and_complete():
    got = list(batches(lambda n: n * n, range(10), 4, jobs=3))
    assert got == [[0, 1, 4, 9], [16, 25, 36, 49], [64, 81]]
    assert list(batches(lambda n: n, [], 4)) == []


def test_what_a_thread_raises_is_raised():
    def load(number):
        if number == 5:
            raise ValueError("picture 5")
        return number

    with pytest.raises(ValueError, match="picture 5"):
        list(batches(load, range(8), 2))


@pytest.mark.parametrize(("frames", "count"), [(10, 4), (4, 10), (7, 7), (5, None)])
def test_every_frame_is_seen_equally_often(frames, count):
    epochs = [epoch_order(frames, count, 0, epoch) for epoch in range(20)]
    assert {len(order) for order in epochs} == {count or frames}
    times = np.bincount(np.concatenate(epochs), minlength=frames)
    assert times.max() - times.min() <= 1


def test_orders_follow_from_seed_and_epoch():
    one, same, other = (
        epoch_order(50, 20, 1, 3),
        epoch_order(50, 20, 1, 3),
        epoch_order(50, 20, 2, 3),
    )
    assert (one == same).all()
    assert (one != other).any()
