"""What a classifier answers: for a whole picture, or for each labelled box of a scored one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vqc.types import Box, FloatArray

_DIGITS, _PIXEL_DIGITS = 5, 2


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One picture's class.

    classes: K names. probabilities: (K,), calibrated, they sum up to 1. threshold: the least
    probability that counts; below it the answer is "none of these".
    """

    image: str
    classes: tuple[str, ...]
    probabilities: FloatArray
    threshold: float

    @property
    def score(self) -> float:
        """Probability of the likeliest class, also where it does not count."""
        return round(float(self.probabilities.max()), _DIGITS)

    @property
    def class_name(self) -> str | None:
        """The likeliest class; None for none of these."""
        best = int(self.probabilities.argmax())
        return self.classes[best] if self.probabilities[best] >= self.threshold else None

    def record(self) -> dict[str, Any]:
        """Probabilities to five places; `class` is null for none of these."""
        shares = [round(share, _DIGITS) for share in self.probabilities.tolist()]
        return {
            "image": self.image,
            "score": self.score,
            "class": self.class_name,
            "probabilities": dict(zip(self.classes, shares, strict=True)),
        }

    def rows(self) -> list[dict[str, str | float]]:
        """One row of a table; the class is empty for none of these."""
        return [
            {"image": self.image, "class": self.class_name or "", "probability": self.score}
        ]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """The classes of a picture's labelled boxes; as a set with boxes is scored.

    found: each box, px, with the answer for its crop.
    """

    image: str
    found: tuple[tuple[Box, Answer], ...]

    @property
    def score(self) -> float:
        return max((answer.score for _, answer in self.found), default=0.0)

    def record(self) -> dict[str, Any]:
        """As a detector's; boxes that are none of these are left out."""
        objects: list[Mapping[str, Any]] = [
            {
                "class": answer.class_name,
                "score": answer.score,
                "box": [round(edge, _PIXEL_DIGITS) for edge in box],
            }
            for box, answer in self.found
            if answer.class_name is not None
        ]
        return {"image": self.image, "score": self.score, "objects": objects}
