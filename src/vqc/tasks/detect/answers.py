"""What a detector answers for one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vqc.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Objects found in one picture, the surest first.

    boxes_xyxy: (N, 4) pixels, half-open. scores: (N,) in [0, 1]. class_names: one an object.
    track_ids: one an object where objects are followed through a video; None for one that
    is not, or where nothing is followed.
    """

    image: str
    boxes_xyxy: FloatArray
    scores: FloatArray
    class_names: tuple[str, ...]
    track_ids: tuple[int | None, ...] | None = None

    @property
    def score(self) -> float:
        return float(self.scores.max()) if len(self.scores) else 0.0

    def record(self) -> dict[str, Any]:
        """Boxes in pixels, rounded to a hundredth; scores to five places."""
        ids = self.track_ids or (None,) * len(self.scores)
        objects = []
        for box, score, name, track in zip(
            self.boxes_xyxy.tolist(), self.scores.tolist(), self.class_names, ids, strict=True
        ):
            found = {"class": name, "score": round(score, 5), "box": [round(v, 2) for v in box]}
            objects.append(found if track is None else found | {"track": track})
        return {"image": self.image, "score": round(self.score, 5), "objects": objects}
