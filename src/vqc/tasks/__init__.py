"""Tasks by name, found through the entry-point group `vqc.tasks`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from vqc.errors import InputError
from vqc.tasks.contract import Task

GROUP = "vqc.tasks"


@dataclass(frozen=True, slots=True)
class Listed:
    """A registered task. failure: why it cannot be used, or None."""

    name: str
    origin: str
    failure: str | None


def find(name: str) -> Task:
    """The task of that name.

    Raises InputError for an unknown name, for two plugins of one name, and for a plugin that
    does not import.
    """
    registered = _entry_points()
    if name not in registered:
        near = difflib.get_close_matches(name, registered, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(sorted(registered)) or "none; is vqc installed?"
        raise InputError(f"--task {name}: there is no such task{hint} Known: {known}")
    points = registered[name]
    if len(points) > 1:
        raise InputError(f"task {name} is registered twice: {', '.join(map(_origin, points))}")
    task, failure = _load(points[0])
    if task is None:
        raise InputError(f"task {name} ({_origin(points[0])}) cannot be used: {failure}")
    return task


def listed() -> list[Listed]:
    """Every registered task, sorted by name; those that fail say why."""
    rows = []
    for name, points in sorted(_entry_points().items()):
        for point in points:
            twice = "registered twice" if len(points) > 1 else None
            rows.append(Listed(name, _origin(point), twice or _load(point)[1]))
    return rows


def _entry_points() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        if point not in found.setdefault(point.name, []):
            found[point.name].append(point)
    return found


def _load(point: EntryPoint) -> tuple[Task | None, str | None]:
    try:
        task: Task = point.load()()
    except (Exception, SystemExit) as error:  # a foreign plugin may raise anything
        return None, f"{type(error).__name__}: {error}"
    lacking = [m for m in _MEMBERS if not hasattr(task, m)]
    if lacking:
        return None, f"it lacks {', '.join(lacking)}"
    if task.name != point.name:
        return None, f"it is registered as {point.name} and calls itself {task.name}"
    return task, None


_MEMBERS = (
    "name", "headline", "config", "configure", "check", "fit", "evaluate", "predict", "draw",
)  # fmt: skip


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "unknown package"
    return f"{point.value} of {package}"
