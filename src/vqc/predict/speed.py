"""How fast it went, once it was under way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

WARM_UP = 5
"""Answers that do not count: start-up and the first ones are slower than all others."""


@dataclass(frozen=True, slots=True)
class Speed:
    """frames: how many were timed. model_ms, other_ms: of one frame; together the whole."""

    frames: int
    frames_per_s: float
    model_ms: float
    other_ms: float


class Watch:
    """Times of the main thread. count: answers so far."""

    def __init__(self) -> None:
        self._model_s = self._waited_s = 0.0
        self._marks: list[tuple[float, float]] = []
        self.count = 0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While the model waits for a picture."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._waited_s += time.perf_counter() - begun

    @contextlib.contextmanager
    def model(self) -> Iterator[None]:
        """While the model is asked for an answer; what it waits for inside does not count."""
        begun, waited_s = time.perf_counter(), self._waited_s
        try:
            yield
        finally:
            self._model_s += time.perf_counter() - begun - (self._waited_s - waited_s)

    def answered(self) -> None:
        """An answer came, and was handed on."""
        self.count += 1
        if self.count <= WARM_UP:
            self._marks.append((time.perf_counter(), self._model_s))

    def speed(self) -> Speed | None:
        """From the last answer of the warm-up until now; None where too little is left."""
        warm = min(WARM_UP, self.count // 2)
        frames = self.count - warm
        if not warm:
            return None
        begun, model_s = self._marks[warm - 1]
        total_s, model_s = time.perf_counter() - begun, self._model_s - model_s
        return Speed(
            frames, frames / total_s, model_s / frames * 1e3, (total_s - model_s) / frames * 1e3
        )
