"""The figures and pictures of one evaluation.

In: what `vqc.evaluations` read, and the set that was scored, where it is at hand. Out: figures
as files, and tiles of photos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.dataset import Dataset
from vqc.errors import InputError
from vqc.evaluations import Stored
from vqc.figures import bars, confusion, curves, sheets
from vqc.figures.sheets import Drawn, Example, Tile
from vqc.formats import exported_box
from vqc.inspection import sheet
from vqc.report.reading import find_set
from vqc.types import Box, Frame

EXAMPLES, MISTAKES_DRAWN = 6, 24
"""Pictures on the sheets."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in a file. alt: what it is, for those who cannot see it."""

    file: Path
    alt: str
    wide: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Tiles to show. problem: why there is none, in words, or empty."""

    examples: tuple[Tile, ...] = ()
    mistakes: tuple[Tile, ...] = ()
    problem: str = ""


def draw(stored: Stored, out: Path, prefix: str = "") -> list[Figure]:
    """Write confusion matrix, curves and groups into the folder `out`, those that there are."""
    mark, on = stored.mark, f"{stored.dataset_name}, {stored.split}"
    found = []
    if stored.confusion is not None:
        file = out / f"{prefix}confusion.png"
        confusion.draw(stored.confusion, file, f"Confusion matrix on {on}", mark)
        found.append(Figure(file, f"confusion matrix on {on}", len(stored.confusion.names) > 16))
    for number, curve in enumerate(stored.curves):
        name = slug(curve.name) or f"curve-{number}"
        place = stored.threshold if curves.is_over_score(curve) else None
        file = out / f"{prefix}{name}.png"
        title = f"{curve.y_label} against {curve.x_label}"
        curves.draw(curve, file, title[:1].upper() + title[1:], mark, place)
        found.append(Figure(file, f"{title} on {on}"))
    file = out / f"{prefix}groups.png"
    if stored.groups and bars.groups(stored.groups, file, f"By groups on {on}", mark):
        found.append(Figure(file, f"scores by {', '.join(stored.groups)} on {on}"))
    return found


def draw_photos(stored: Stored, roots: Sequence[Path], out: Path, prefix: str = "") -> Photos:
    """Predictions beside the truth and the worst mistakes, as tiles and as sheets in `out`.

    roots: sets, or folders of sets, to look for the scored one in.
    """
    dataset = find_set(stored, roots)
    if dataset is None:
        return Photos(problem=_not_found(stored))
    title = f"on {stored.dataset_name}, {stored.split}"
    frames = {frame.image: frame for frame in dataset.manifest.frames}
    sources = {image: sheets.origin(frame) for image, frame in frames.items()}
    # A picture that the manifest does not name is none of the set's.
    known = [mistake for mistake in stored.mistakes if mistake.image in frames]
    try:
        worst = [
            sheets.mistake_tile(mistake, dataset.folder, sources)
            for mistake in sheets.worst(known, MISTAKES_DRAWN)
        ]
        shown = [
            sheets.example_tile(example, dataset.folder, sources)
            for example in examples(stored, dataset)
        ]
    except InputError as error:
        return Photos(problem=str(error))
    if worst:
        file = out / f"{prefix}mistakes.png"
        sheets.draw_sheet(worst, file, f"Worst mistakes {title}", stored.mark)
    if shown:
        file = out / f"{prefix}examples.png"
        sheets.draw_sheet(shown, file, f"Truth and prediction {title}", stored.mark, columns=4)
    return Photos(tuple(shown), tuple(worst))


def examples(stored: Stored, dataset: Dataset, count: int = EXAMPLES) -> list[Example]:
    """A few frames of the split, in turn from what they show, with truth and prediction."""
    frames = [(dataset.folder, frame) for frame in dataset.frames(stored.split)]
    chosen = {frame.image: frame for _, frame in sheet.choose(frames, count)}
    answers = {
        str(record.get("image")): record
        for record in stored.predictions()
        if record.get("image") in chosen
    }
    return [
        Example(image, truth_of(frame, dataset), predicted_of(answers[image], stored.threshold))
        for image, frame in chosen.items()
        if image in answers
    ]


def truth_of(frame: Frame, dataset: Dataset) -> Drawn:
    """The labels of a frame: its boxes, as the set's label files have them, or its label."""
    boxes = []
    for note in frame.objects or ():
        box = exported_box(note, frame.width, frame.height, dataset.box)
        if box is not None:
            boxes.append((box, note.class_name, None))
    said = [text for text in (frame.label, frame.condition) if text is not None]
    return Drawn(tuple(boxes), ", ".join(said))


def predicted_of(record: Mapping[str, Any], threshold: float) -> Drawn:
    """The answer in a line of predictions.jsonl; objects below the threshold do not count.

    Raises InputError for an answer that is not as a task writes it.
    """
    try:
        found = [each for each in record.get("objects") or () if each["score"] >= threshold]
        boxes = [(_box(each["box"]), str(each["class"]), float(each["score"])) for each in found]
        said = [str(record[key]) for key in ("class", "label", "condition") if record.get(key)]
        if "objects" not in record:
            said.append(f"{float(record['score']):.2f}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"predictions.jsonl: not an answer ({error!r}): {record}") from None
    return Drawn(tuple(boxes), " ".join(said))


def _box(values: Any) -> Box:
    x0, y0, x1, y1 = map(float, values)
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise ValueError(f"a box is not finite: {values}")
    return x0, y0, x1, y1


def slug(text: str) -> str:
    """A text as part of a file name."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return "-".join(filter(None, plain.split("-")))[:60]


def _not_found(stored: Stored) -> str:
    return (
        f"The pictures of {stored.dataset_name} (manifest {stored.manifest_sha256[:8]}…) are not "
        "here; --data FOLDER says where they are."
    )


def drawn_before(stored: Stored) -> list[Figure]:
    """Sheets that lie beside the evaluation, for where the pictures are gone."""
    named = (("examples.png", "truth and prediction"), ("mistakes.png", "worst mistakes"))
    files = [(stored.folder / name, alt) for name, alt in named]
    return [Figure(file, alt, wide=True) for file, alt in files if file.is_file()]
