"""Whether what is asked for fits source, task and answers; all before a file is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from vqc.errors import InputError
from vqc.predict import source
from vqc.predict.output import require_free
from vqc.predict.prelabels import require_labels
from vqc.predict.reading import Shot
from vqc.predict.request import Request
from vqc.predict.source import Source
from vqc.tasks.contract import Prediction, Task
from vqc.tasks.settings import NONE_HELP, parse


def require_fitting(request: Request, task: Task, found: Source, folder: Path) -> Mapping[str, Any]:
    """Raises InputError for what does not fit; gives all settings of the task that it tells of."""
    faults, settings = list[str](), request.settings
    try:
        settings = _settings(task, request.settings)
    except InputError as error:
        faults.append(str(error))
    is_moving = found.live is not None or bool(found.clips)
    if settings.get("track") is True and not is_moving:
        faults.append("--track follows objects through a video or a camera's frames, not stills")
    if request.fps is not None and not 0 < request.fps < math.inf:
        faults.append(f"--fps: expected a number above 0, got {request.fps:g}")
    if request.fps is not None and not found.clips:
        faults.append("--fps: there is no video file among the sources")
    if request.limit is not None and request.limit < 1:
        faults.append(f"--limit: expected 1 or more, got {request.limit}")
    if faults:
        raise InputError("\n".join(faults))
    source.require_apart(found, request.sources, folder)
    require_free(folder, request.fresh)
    return settings


def _settings(task: Task, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the defaults and checked, where the task says what its settings are."""
    config = getattr(task, "predict_config", None)
    return given if config is None else asdict(config(**parse(config, given)))


def counts_words(task: Task, settings: Mapping[str, Any]) -> str:
    """From which score on an answer counts, as the task says it of its setting `conf`.

    Such as "least probability of a class that counts: 0.5 (--conf)"; where `conf` is None, what
    then holds by its help. Empty where the task tells of no such setting.
    """
    config = getattr(task, "predict_config", None)
    about = {f.name: str(f.metadata.get("help", "")) for f in fields(config)} if config else {}
    what, _, unset = about.get("conf", "").partition(NONE_HELP)
    conf = settings.get("conf")
    value = unset if conf is None else f"{conf:g} (--conf)"
    return f"{what}: {value}" if what and value else ""


def required(
    answers: Iterator[tuple[Shot, Prediction]], request: Request, task: Task
) -> Iterator[tuple[Shot, Prediction]]:
    """The answers, of which the first must be what was asked for: nothing is written yet."""
    for count, (shot, prediction) in enumerate(answers):
        if not count:
            _require_boxes(request, task, prediction.record())
        yield shot, prediction


def _require_boxes(request: Request, task: Task, record: Mapping[str, Any]) -> None:
    """Raises InputError for options that an answer without boxes, or class, cannot follow."""
    options = ["crops"] if request.crops else []
    if getattr(task, "predict_config", None) is None:  # else its fields tell
        options += [name for name in ("conf", "iou", "track") if name in request.settings]
    if options and "objects" not in record:
        raise InputError("\n".join(f"--{o}: the task {task.name} gives no boxes" for o in options))
    if request.as_set is not None:
        require_labels(task.name, record)
