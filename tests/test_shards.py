"""Which items are in a shard."""

import pytest

from vqc.errors import InputError
from vqc.shards import Shard, all_of, parse, ranges


@pytest.mark.parametrize(("items", "count"), [(0, 1), (1, 3), (10, 3), (10, 10), (97, 40), (40, 1)])
def test_every_item_is_in_one_shard_and_neighbours_stay_together(items, count):
    parts = [list(shard.of(range(items))) for shard in all_of(count)]
    assert [item for part in parts for item in part] == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "3", "3/", "a/b", "1/0", "-1/4", "1.5/4", ""])
def test_what_is_no_shard_is_told(text):
    with pytest.raises(InputError, match=r"--shard: expected K/N with K from 1 to N"):
        parse(text)


def test_a_shard_reads_as_it_is_written():
    assert parse("3/40") == Shard(3, 40) and str(Shard(3, 40)) == "3/40"


def test_ranges():
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
    assert ranges([]) == "" and ranges([5]) == "5"
