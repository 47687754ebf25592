import numpy as np
import pytest

from vqc import leaks
from vqc.phash import phash


def hashes(count, seed):
    """As real ones: half of the bits set."""
    bits = np.random.default_rng(seed).permuted(np.tile([0, 1], (count, 32)), axis=1)
    return np.packbits(bits.astype(np.uint8), axis=1).view(">u8").ravel().astype(np.uint64)


def flipped(value, bits):
    return np.uint64(int(value) ^ sum(1 << (7 * k) for k in range(bits)))


@pytest.mark.parametrize("bits", [0, 1, 4, 6])
def test_near_hashes_are_found_with_their_distance(bits):
    train, other = hashes(300, 1), hashes(40, 2)
    other[7] = flipped(train[123], bits)
    found = leaks.by_hash(train, other)
    assert (found.train.tolist(), found.other.tolist()) == ([123], [7])
    assert found.bits.tolist() == [bits]


def test_hashes_that_are_further_apart_are_not_found():
    train, other = hashes(300, 1), hashes(40, 2)
    other[7] = flipped(train[123], leaks.hashes.NEAR_BITS + 1)
    assert len(leaks.by_hash(train, other).bits) == 0
    other[7] = flipped(train[123], leaks.hashes.NEAR_BITS)
    assert leaks.by_hash(train, other).train.tolist() == [123]


def test_every_pair_across_the_blocks_is_found_in_order():
    train = hashes(70_000, 3)  # more than one block
    other = np.array([train[69_999], train[0], train[66_000]])
    train[500] = train[0]
    found = leaks.by_hash(train, other)
    pairs = list(zip(found.other.tolist(), found.train.tolist(), strict=True))
    assert pairs == [(0, 69_999), (1, 0), (1, 500), (2, 66_000)]


def test_of_very_many_look_alikes_the_nearest_are_told():
    """As a camera that stands still gives them; over two blocks."""
    far, near = hashes(1, 4)[0], hashes(1, 5)[0]
    train = np.full(70_000, flipped(far, 3))
    train[[5, 69_000]] = far
    found = leaks.by_hash(train, np.array([far, near]))
    assert set(found.other.tolist()) == {0} and len(found.bits) == leaks.hashes.MOST
    assert {5, 69_000} <= set(found.train.tolist()) and found.bits.tolist().count(0) == 2


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_plain_pictures_say_nothing(grey):
    plain = np.array([int(phash(np.full((48, 64, 3), grey, np.uint8)), 16)], np.uint64)
    assert len(leaks.by_hash(plain, plain).bits) == 0


def test_an_empty_side_has_no_pair():
    none = np.empty(0, np.uint64)
    assert len(leaks.by_hash(none, hashes(3, 1)).bits) == 0
    assert len(leaks.by_hash(hashes(3, 1), none).bits) == 0
