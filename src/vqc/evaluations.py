"""Evaluations on disk: how a run did on one split of a set, and whether that score is honest.

In: a task's `Evaluation` and the verdict on it. Out: `evaluation.json`, `predictions.jsonl` and
the pictures that the task has drawn, in `runs/<task>/<name>/eval/<set>-<split>/`, and back.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.intake.video import encode_jpeg
from vqc.runs import EVALUATIONS, json_bytes, read_json
from vqc.tasks.contract import Confusion, Curve, Evaluation, Mistake
from vqc.types import Box, ByteArray, FloatArray

FILE_NAME = "evaluation.json"
PREDICTIONS = "predictions.jsonl"
PICTURES = "pictures"
"""The folder of what the task has drawn."""
VERSION = 1
CURVE_POINTS = 200
"""A curve is thinned to so many points."""
_ANEW = "vqc eval makes it anew"
_CURVE_DECIMALS = 5
_PIXEL_DECIMALS = 2
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """An evaluation as its folder tells; fields as in `Evaluation`, predictions apart.

    folder: where it lies. dataset_name, manifest_sha256: the set that was scored. simulated:
    whether renders stood in for photos. mark, reasons: why the score is not honest, in a few
    words and in sentences; empty where it is. Metrics are NaN where they are not defined. drawn:
    image to the file of the picture that the task has drawn of it.
    """

    folder: Path
    dataset_name: str
    manifest_sha256: str
    split: str
    frames: int
    simulated: bool
    mark: str
    reasons: tuple[str, ...]
    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    threshold: float
    confusion: Confusion | None
    curves: tuple[Curve, ...]
    groups: Mapping[str, Mapping[str, Mapping[str, float]]]
    mistakes: tuple[Mistake, ...]
    drawn: Mapping[str, Path]

    @property
    def honest(self) -> bool:
        return not self.mark and not self.reasons

    def predictions(self) -> Iterator[dict[str, Any]]:
        """The answers, one an image, read as they are asked for.

        Raises InputError where the file cannot be read or a line is not a JSON object.
        """
        file = self.folder / PREDICTIONS
        try:
            with file.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise InputError(f"{file}:{number}: expected a JSON object; {_ANEW}")
                    yield record
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}; {_ANEW}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}: not JSON: {error}; {_ANEW}") from None


def folder_of(run: Path, dataset_name: str, split: str) -> Path:
    """Where the evaluation of a run on one split of a set lies."""
    return run / EVALUATIONS / f"{dataset_name}-{split}"


def found_in(run: Path) -> list[Path]:
    """The folders of a run's evaluations, sorted; those without result are left out."""
    return sorted(file.parent for file in (run / EVALUATIONS).glob(f"*/{FILE_NAME}"))


def write(
    folder: Path,
    evaluation: Evaluation,
    mark: str,
    reasons: Sequence[str],
    dataset_name: str,
    sha256: str,
    simulated: bool = False,
) -> Path:
    """Write an evaluation, its predictions and drawn pictures; returns the path of its JSON file.

    mark, reasons: of the verdict, empty where the score is honest. sha256: of the manifest of
    the set. What is not finite is written as null. Raises OutputError where that fails.
    """
    record: dict[str, Any] = {
        "vqc_evaluation": VERSION,
        "dataset": {"name": dataset_name, "sha256": sha256},
        "split": evaluation.split,
        "frames": evaluation.frames,
        "simulated": simulated,
        "mark": mark,
        "reasons": list(reasons),
        "metrics": _finite(evaluation.metrics),
        "per_class": _finite(evaluation.per_class),
        "threshold": float(evaluation.threshold),
        "confusion": _confusion_record(evaluation.confusion),
        "curves": [_curve_record(curve) for curve in evaluation.curves],
        "groups": _finite(evaluation.groups),
        "mistakes": [_mistake_record(mistake) for mistake in evaluation.mistakes],
        "drawn": _picture_names(evaluation.drawn),
    }
    lines = [json.dumps(p.record(), ensure_ascii=False) for p in evaluation.predictions]
    file = folder / FILE_NAME
    try:
        replace_file(folder / PREDICTIONS, "".join(f"{line}\n" for line in lines).encode())
        for image, name in record["drawn"].items():
            replace_file(folder / PICTURES / name, encode_jpeg(evaluation.drawn[image]))
        # Last: where it is, the rest is whole.
        replace_file(file, json_bytes(record))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return file


def read(folder: Path) -> Stored:
    """The evaluation in a folder. Raises InputError where there is none, or none that reads."""
    file = folder / FILE_NAME
    record = read_json(file, _ANEW)
    if record.get("vqc_evaluation") != VERSION:
        got = record.get("vqc_evaluation")
        raise InputError(f"{file}: expected vqc_evaluation {VERSION}, got {got!r}; {_ANEW}")
    try:
        return _stored(folder, record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: not an evaluation ({error!r}); {_ANEW}") from None


def thinned(curve: Curve, points: int = CURVE_POINTS) -> Curve:
    """The curve with at most `points` of its points, both ends among them."""
    if len(curve.x) <= points:
        return curve
    kept = np.linspace(0, len(curve.x) - 1, points).round().astype(np.int64)
    lines = {name: np.asarray(line)[kept] for name, line in curve.lines.items()}
    return replace(curve, x=np.asarray(curve.x)[kept], lines=lines)


# Writing ----------------------------------------------------------------------------------


def _finite(value: Any) -> Any:
    """Nested mappings of numbers as JSON holds them."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _confusion_record(confusion: Confusion | None) -> dict[str, Any] | None:
    if confusion is None:
        return None
    return {"names": list(confusion.names), "counts": np.asarray(confusion.counts).tolist()}


def _curve_record(curve: Curve) -> dict[str, Any]:
    curve = thinned(curve)
    return {
        "name": curve.name,
        "x_label": curve.x_label,
        "y_label": curve.y_label,
        "x": _rounded(curve.x),
        "lines": {name: _rounded(line) for name, line in curve.lines.items()},
        "is_histogram": curve.is_histogram,
    }


def _picture_names(drawn: Mapping[str, ByteArray]) -> dict[str, str]:
    """Image to the name of a file in PICTURES: plain, short, and no other image's."""
    return {
        image: f"{number:03d}-{_UNSAFE.sub('-', image.rpartition('/')[2])[:_NAME_LENGTH]}.jpg"
        for number, image in enumerate(sorted(drawn), start=1)
    }


def _rounded(values: FloatArray) -> list[float | None]:
    return [
        round(value, _CURVE_DECIMALS) if math.isfinite(value) else None
        for value in np.asarray(values, np.float64).tolist()
    ]


def _mistake_record(mistake: Mistake) -> dict[str, Any]:
    record = asdict(mistake)
    for key in ("score", "severity"):
        record[key] = round(float(record[key]), _CURVE_DECIMALS)
    for key in ("box", "truth_box"):
        if record[key] is not None:
            record[key] = [round(float(v), _PIXEL_DECIMALS) for v in record[key]]
    return record


# Reading ----------------------------------------------------------------------------------


def _stored(folder: Path, record: Mapping[str, Any]) -> Stored:
    confusion = record["confusion"]
    groups = {str(k): _tables(v) for k, v in record["groups"].items()}
    return Stored(
        folder=folder,
        dataset_name=str(record["dataset"]["name"]),
        manifest_sha256=str(record["dataset"]["sha256"]),
        split=str(record["split"]),
        frames=int(record["frames"]),
        simulated=record["simulated"] is True,
        mark=str(record["mark"]),
        reasons=tuple(map(str, record["reasons"])),
        metrics=_numbers(record["metrics"]),
        per_class=_tables(record["per_class"]),
        threshold=float(record["threshold"]),
        confusion=None if confusion is None else _confusion(confusion),
        curves=tuple(map(_curve, record["curves"])),
        groups=groups,
        mistakes=tuple(map(_mistake, record["mistakes"])),
        drawn=_drawn(folder, record.get("drawn", {})),  # the oldest evaluations have none
    )


def _drawn(folder: Path, record: Mapping[str, Any]) -> dict[str, Path]:
    outside = [name for name in record.values() if Path(name).name != name]
    if outside:
        raise ValueError(f"expected the name of a file in {PICTURES}/, got {outside[0]!r}")
    return {str(image): folder / PICTURES / name for image, name in record.items()}


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {str(key): _number(value) for key, value in record.items()}


def _tables(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {str(key): _numbers(row) for key, row in record.items()}


def _confusion(record: Mapping[str, Any]) -> Confusion:
    names = tuple(map(str, record["names"]))
    counts = np.array(record["counts"], np.int64).reshape(len(names), len(names))
    return Confusion(names, counts)


def _curve(record: Mapping[str, Any]) -> Curve:
    x = _array(record["x"])
    lines = {str(name): _array(line) for name, line in record["lines"].items()}
    if any(line.shape != x.shape for line in lines.values()):
        raise ValueError(f"curve {record['name']}: a line is not as long as its x")
    return Curve(
        str(record["name"]), str(record["x_label"]), str(record["y_label"]), x, lines,
        bool(record.get("is_histogram")),  # older evaluations do not say
    )  # fmt: skip


def _array(values: Sequence[Any]) -> FloatArray:
    return np.array([_number(value) for value in values], np.float64)


def _mistake(record: Mapping[str, Any]) -> Mistake:
    return Mistake(
        image=str(record["image"]),
        kind=str(record["kind"]),
        truth=_text(record["truth"]),
        predicted=_text(record["predicted"]),
        score=float(record["score"]),
        severity=float(record["severity"]),
        box=_box(record["box"]),
        truth_box=_box(record["truth_box"]),
        likeliest=_text(record.get("likeliest")),  # older evaluations have neither
        dice=None if record.get("dice") is None else float(record["dice"]),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _box(values: Any) -> Box | None:
    if values is None:
        return None
    x0, y0, x1, y1 = map(float, values)
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise ValueError(f"a box is not finite: {values}")
    return x0, y0, x1, y1
