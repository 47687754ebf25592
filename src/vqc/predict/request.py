"""What is asked of a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. settings: of the task. out: None for `predictions/<run>-<source>`.

    images: write drawn pictures or a drawn video. crops: every object as a picture. show: a
    window for a camera, where there is a display. as_set: name of a set of pre-labels.
    fps: frames to take from each second of a video. limit: how many pictures at most.
    """

    run: Path
    sources: tuple[str, ...]
    out: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    images: bool = True
    crops: bool = False
    show: bool = True
    as_set: str | None = None
    fps: float | None = None
    limit: int | None = None
    fresh: bool = False
