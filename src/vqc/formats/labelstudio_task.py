"""One task of Label Studio: its picture's address, and the results that hold for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from vqc.formats.labels import Wrong
from vqc.formats.source import IMAGE_SUFFIXES

SHAPES = ("rectanglelabels", "polygonlabels", "brushlabels", "labels")
UNREADABLE = ("ellipselabels", "ellipse", "ellipsis", "bitmasklabels", "bitmask", "vectorlabels")


def full(task: Any) -> Mapping[str, Any]:
    """A task as the full export has it; JSON-MIN holds the results of one annotation flat."""
    if not isinstance(task, dict):
        raise Wrong(f"expected a task, got {type(task).__name__}")
    if "data" in task or "annotation_id" not in task:
        return task
    results: list[dict[str, Any]] = []
    for key, value in task.items():
        if key in ("choice", "choices") or (isinstance(value, dict) and "choices" in value):
            given = value["choices"] if isinstance(value, dict) else value
            listed = given if isinstance(given, list) else [given]
            results.append({"type": "choices", "value": {"choices": listed}})
        for region in value if isinstance(value, list) else ():
            if isinstance(region, dict):
                kind = next((k for k in region if k in (*SHAPES, *UNREADABLE)), None)
                results.append({**region, "type": kind or "without type", "value": region})
    data = {key: value for key, value in task.items() if isinstance(value, str)}
    return {"data": data, "annotations": [{"result": results}]}


def image_of(task: Mapping[str, Any]) -> str:
    """The path or name of a task's picture, percent codes resolved."""
    data = task.get("data")
    if not isinstance(data, dict):
        raise Wrong(".data: expected an object with the picture's address")
    paths = {k: _path_of(v) for k, v in data.items() if isinstance(v, str)}
    found = {k: p for k, p in paths.items() if p.lower().endswith(IMAGE_SUFFIXES)}
    if "image" in found:
        return found["image"]
    if len(found) != 1:
        raise Wrong(f".data: expected the address of one picture, got {len(found)}")
    return next(iter(found.values()))


def _path_of(address: str) -> str:
    """
    >>> _path_of("/data/local-files/?d=a/b%20c.jpg"), _path_of("s3://bucket/a/b.jpg?X=1")
    ('a/b c.jpg', 'a/b.jpg')
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.path.rstrip("/").endswith("local-files"):
        return parse_qs(parts.query).get("d", [""])[0]
    if not parts.scheme and not address.startswith("/data/"):
        return unquote(address)  # a plain path: '?' and '#' may be part of the name
    return unquote(parts.path).lstrip("/")


def annotation_of(task: Mapping[str, Any]) -> tuple[str, Sequence[Any]] | None:
    """Where the one annotation that holds is, and its results; None where there is none."""
    key = "annotations" if "annotations" in task else "completions"
    given = task.get(key, [])
    if not isinstance(given, list) or not all(isinstance(a, dict) for a in given):
        raise Wrong(f".{key}: expected a list of annotations")
    done = [(i, a) for i, a in enumerate(given) if not a.get("was_cancelled")]
    truths = [(i, a) for i, a in done if a.get("ground_truth")]
    if len(done) > 1 and len(truths) != 1:
        raise Wrong(
            f".{key}: {len(done)} annotations, and {len(truths)} of them ground truth: which one "
            "holds? Mark one as ground truth in Label Studio"
        )
    if not done:
        return None
    i, annotation = truths[0] if len(done) > 1 else done[0]
    results = annotation.get("result")
    if not isinstance(results, list):
        raise Wrong(f".{key}[{i}].result: expected a list")
    return f".{key}[{i}]", results
