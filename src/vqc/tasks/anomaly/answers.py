"""What an anomaly detector answers for one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.tasks.anomaly.thresholds import HALF, Scale
from vqc.tasks.anomaly.truth import DEFECT, GOOD

WHOLE = (1.0, 1.0)
"""What a heat map covers that ends where the picture does."""
_DISTANCE_DIGITS = 6
_SCORE_DECIMALS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Anomalies:
    """A distance from what is good, and where it lies.

    distance: of the whole picture; scale: of its group, says from which distance on it is a defect.
    heat: (h, w), coarser than the picture. covers: how far it reaches from the upper left corner,
    in heights and widths of the picture, 1 or more. bottleneck: (16, 32, 32) of the autoencoder
    where it was asked for.
    """

    image: str
    distance: float
    scale: Scale
    group: int
    heat: NDArray[np.float32]
    covers: tuple[float, float] = WHOLE
    bottleneck: NDArray[np.float32] | None = None

    @property
    def is_anomaly(self) -> bool:
        return self.scale.is_anomaly(self.distance)

    @property
    def score(self) -> float:
        """[0, 1], HALF or more for a defect and less for a good frame."""
        score = round(self.scale.score(self.distance), _SCORE_DECIMALS)
        return max(score, HALF) if self.is_anomaly else min(score, HALF - 10**-_SCORE_DECIMALS)

    @property
    def verdict(self) -> str:
        return DEFECT if self.is_anomaly else GOOD

    def record(self) -> dict[str, Any]:
        """Plain values; distances to six digits."""
        return {
            "image": self.image,
            "score": self.score,
            "threshold": HALF,
            "anomaly": self.is_anomaly,
            "class": self.verdict,
            "condition": self.verdict,
            "distance": _short(self.distance),
            "distance_threshold": _short(self.scale.threshold),
            "group": self.group,
        }

    def row(self) -> dict[str, str | float]:
        """A row of the table of predictions."""
        return {
            "image": self.image,
            "score": self.score,
            "is_anomaly": int(self.is_anomaly),
            "distance": _short(self.distance),
            "group": self.group,
        }


def _short(value: float) -> float:
    return float(f"{value:.{_DISTANCE_DIGITS}g}")
