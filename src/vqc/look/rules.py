"""What a field of a look may hold, and what is wrong where it holds something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vqc.look.distributions import (
    Choice,
    Constant,
    Distribution,
    Uniform,
    did_you_mean,
    flow,
    is_number,
    plain,
    shown,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field may hold, and what it means.

    kind: number, whole and word are distributions; a share is a number, the share of frames in
        which something is so; intrinsics are six numbers or nothing.
    low, high: bounds of every draw, both included. words: the words that there are.
    """

    kind: Literal["number", "whole", "word", "share", "intrinsics"]
    meaning: str
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    words: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What may stand there, in words."""
        if self.kind == "word":
            return f"{', '.join(self.words[:-1])} or {self.words[-1]}"
        if self.kind == "intrinsics":
            return "null or [fx, fy, cx, cy, width, height], six numbers in pixels"
        whole = "whole " * (self.kind == "whole")
        share = ", a share" * (self.kind == "share")
        return f"a {whole}number from {self.low:g} to {self.high:g}{share}"

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, after the name of its field; None where it fits."""
        if isinstance(value, Distribution) and self.kind in ("number", "whole", "word"):
            return _stated_fault(self, value)
        fits = False
        if self.kind == "share":
            fits = is_number(value) and 0 <= value <= 1
        elif self.kind == "intrinsics":
            fits = value is None or _is_camera(value)
        return None if fits else f"expected {self.expected}, got {shown(value)}"


def _stated_fault(rule: Rule, given: Distribution) -> str | None:
    """The first value that a distribution names and the field cannot hold, in words."""
    in_steps = rule.kind == "whole" and isinstance(given, Constant | Choice | Uniform)
    for value in given.stated:
        if isinstance(value, str):
            fits = value in rule.words
        else:
            fits = rule.kind != "word" and rule.low <= value <= rule.high
            fits = fits and (not in_steps or value == int(value))
        if fits:
            continue
        if isinstance(value, str) and rule.kind == "word":
            return f"there is no {shown(value)}{did_you_mean(value, rule.words)}"
        whole_text = flow(plain(given))
        inside = "" if isinstance(given, Constant) else f" in {whole_text[:100]}"
        return f"expected {rule.expected}, got {shown(value)}{inside}"
    return None


def _is_camera(value: Any) -> bool:
    """Whether it is fx, fy, cx, cy, width, height; the principal point may lie anywhere."""
    if not isinstance(value, tuple) or len(value) != 6 or not all(map(is_number, value)):
        return False
    return all(value[i] > 0 for i in (0, 1, 4, 5))
