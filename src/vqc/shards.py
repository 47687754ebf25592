"""A share of a job's frames, or of a grid's trainings: which ones, follows from two numbers.

Shards are runs of neighbours, so that a process stays with one part of a sweep, and differ by
one item at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vqc.errors import InputError

_TEXT = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Shard:
    """The number-th of count shares, counted from 1."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"--shard: expected K/N with K from 1 to N, such as 3/40, got {self}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, items: Sequence[_T]) -> Sequence[_T]:
        """This shard's items; every item is in exactly one of the shards."""
        first, last = ((n * len(items)) // self.count for n in (self.number - 1, self.number))
        return items[first:last]


def parse(text: str) -> Shard:
    """Such as 3/40; InputError for anything else."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise InputError(f"--shard: expected K/N with K from 1 to N, such as 3/40, got {text!r}")
    return Shard(int(match[1]), int(match[2]))


def all_of(count: int) -> Iterator[Shard]:
    """Every shard of so many."""
    return (Shard(number, count) for number in range(1, count + 1))


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers in few words, such as 1-3,7."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
