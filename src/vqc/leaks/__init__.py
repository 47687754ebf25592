"""The same picture on two sides of a split.

`by_hash` compares perceptual hashes alone and opens no picture; `find` looks at the pictures
of a set, and `draw_sheet` shows what it found.
"""

from __future__ import annotations

from vqc.leaks.drawing import draw_sheet
from vqc.leaks.hashes import HashPairs, by_hash
from vqc.leaks.search import Leaks, Pair, SharedSession, SplitCount, find

__all__ = [
    "HashPairs", "Leaks", "Pair", "SharedSession", "SplitCount", "by_hash", "draw_sheet", "find",
]  # fmt: skip
