"""`vqc tasks`: what can be trained, and with which settings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show

if TYPE_CHECKING:
    from vqc.tasks import Listed
    from vqc.tasks.contract import Task


def tasks(
    name: Annotated[str | None, typer.Argument(help="A task, to see all its settings.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List the tasks that vqc train knows, plugins included; with a NAME, its settings.

    A plugin that cannot be used says why, and the others work. docs/tasks.md shows how to
    write one.

    \b
    Examples:
      vqc tasks
      vqc tasks detect
    """
    from vqc import tasks as registry

    if name is not None:
        _one(registry.find(name), json)
        return
    rows = registry.listed()
    if json:
        show.as_json([_record(row) for row in rows])
        return
    lines = [(r.name, r.origin, _headline(r), r.failure or "works") for r in rows]
    show.table("tasks", ("task", "from", "headline", "state"), lines)


def _one(task: Task, json: bool) -> None:
    """A task's settings; JSON holds its headline too."""
    from vqc.tasks.settings import describe_fields

    config: Any = getattr(task, "config", None)
    known = isinstance(config, type) and dataclasses.is_dataclass(config)
    settings = describe_fields(config) if known else []
    if json:
        record = {
            "name": task.name,
            "headline": dataclasses.asdict(task.headline),
            "settings": [dataclasses.asdict(setting) for setting in settings],
        }
        show.as_json(record)
        return
    better = "higher" if task.headline.higher_is_better else "lower"
    rows = [(s.name, s.kind, _default(s.default), s.help) for s in settings]
    columns = ("setting", "value", "default", "what")
    show.table(f"{task.name}: {task.headline.metric}, {better} is better", columns, rows)
    if not known:
        show.notes([f"{task.name} does not list its settings: it has no dataclass `config`"])
    else:
        typer.echo(f"vqc train DATASET --task {task.name} --set setting=value")


def _headline(row: Listed) -> str:
    """The metric that a task is judged by; nothing for one that cannot be used."""
    from vqc import tasks as registry

    return "" if row.failure else str(getattr(registry.find(row.name).headline, "metric", ""))


def _record(row: Listed) -> dict[str, Any]:
    return {
        "name": row.name,
        "origin": row.origin,
        "headline": _headline(row) or None,
        "failure": row.failure,
    }


def _default(value: Any) -> str:
    """A default as it would be typed."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value) or "(empty)"
