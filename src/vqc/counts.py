"""Numbers of things in words; how many photos of each class: a number, or all there are."""

from __future__ import annotations

import math
from typing import Literal

ALL: Literal["all"] = "all"
Count = int | Literal["all"]
"""How many frames; "all" takes what there is, and nothing falls short."""


def counted(count: int, noun: str) -> str:
    """Such as "1 frame" or "2,000 frames"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def rank_of(count: Count) -> float:
    """For sorting: all are more than any number."""
    return math.inf if count == ALL else count


def count_words(count: Count) -> str:
    """Such as "1,000" or "all"."""
    return ALL if count == ALL else f"{count:,}"


def photos_words(count: Count) -> str:
    """Such as "20 photos a class" or "all photos"."""
    if count == ALL:
        return "all photos"
    return f"{counted(count, 'photo')} a class"
