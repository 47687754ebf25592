"""The figures and pictures of one evaluation.

In: what `vqc.evaluations` read, and the set that was scored, where it is at hand. Out: figures
as files, and tiles of photos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.dataset import Dataset
from vqc.errors import InputError
from vqc.evaluations import Stored
from vqc.figures import bars, confusion, curves, legend, sheets
from vqc.figures.sheets import Drawn, Example, Tile
from vqc.formats import exported_box
from vqc.inspection import sheet
from vqc.report.reading import find_set
from vqc.types import Box, Frame

if TYPE_CHECKING:
    from PIL import Image

EXAMPLES, MISTAKES_DRAWN = 6, 24
"""Pictures on the sheets."""
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in a file. alt: what it is, for those who cannot see it."""

    file: Path
    alt: str
    wide: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Tiles to show. problem: why some or all are lacking, in words, or empty. key: the classes
    whose masks they show, with their colours."""

    examples: tuple[Tile, ...] = ()
    mistakes: tuple[Tile, ...] = ()
    problem: str = ""
    key: legend.Key = ()


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
        in_use = curves.in_use(stored.threshold, stored.per_class)
        place = in_use if curves.is_over_score(curve) else None
        file = out / f"{prefix}{name}.png"
        title = f"{curve.y_label} against {curve.x_label}"
        classes = list(stored.per_class)
        curves.draw(curve, file, title[:1].upper() + title[1:], mark, place, classes)
        found.append(Figure(file, f"{title} on {on}"))
    file = out / f"{prefix}groups.png"
    if stored.groups and bars.groups(stored.groups, file, f"By groups on {on}", mark):
        found.append(Figure(file, f"scores by {', '.join(stored.groups)} on {on}"))
    return found


def draw_photos(stored: Stored, roots: Sequence[Path], out: Path, prefix: str = "") -> Photos:
    """Predictions beside the truth and the worst mistakes, as tiles and as sheets in `out`.

    roots: sets, or folders of sets, to look for the scored one in. Where it is gone, there are
    the pictures that the task has drawn, and no others.
    """
    dataset = find_set(stored, roots)
    folder = Path() if dataset is None else dataset.folder
    title = f"on {stored.dataset_name}, {stored.split}"
    frames = () if dataset is None else dataset.manifest.frames
    sources = {frame.image: sheets.origin(frame) for frame in frames}
    # A picture that the manifest does not name is none of the set's.
    known = [m for m in stored.mistakes if m.image in sources or m.image in stored.drawn]
    try:
        worst = [
            sheets.mistake_tile(mistake, folder, sources, _opened(stored, mistake.image))
            for mistake in sheets.worst(known, MISTAKES_DRAWN)
        ]
        shown = [
            sheets.example_tile(example, folder, sources, _opened(stored, example.image))
            for example in examples(stored, dataset)
        ]
        key = _mask_key(stored)
    except InputError as error:
        return Photos(problem=str(error))
    if worst:
        file = out / f"{prefix}mistakes.png"
        sheets.draw_sheet(worst, file, f"Worst mistakes {title}", stored.mark, key=key)
    if shown:
        file, said = out / f"{prefix}examples.png", f"Truth and prediction {title}"
        sheets.draw_sheet(shown, file, said, stored.mark, columns=4, key=key)
    problem = _not_found(stored) if dataset is None else ""
    return Photos(tuple(shown), tuple(worst), problem, key)


def _mask_key(stored: Stored) -> legend.Key:
    """The colours of masks in what the task has drawn."""
    if not stored.drawn:
        return ()
    return legend.mask_key(next(stored.predictions(), {}), list(stored.per_class))


def _opened(stored: Stored, image: str) -> Image.Image | None:
    file = stored.drawn.get(image)
    return None if file is None else sheets.open_drawn(file)


def examples(stored: Stored, dataset: Dataset | None, count: int = EXAMPLES) -> list[Example]:
    """A few frames of the split with truth and prediction; drawn ones first.

    dataset: None where it is gone; then drawn ones only, and nothing is known of their truth.
    """
    if dataset is None:
        right, wrong = _drawn_images(stored)
        images, frames = (right + wrong)[:count], {}
    else:
        frames = {frame.image: frame for frame in _chosen(stored, dataset, count)}
        images = list(frames)
    if not images:
        return []
    answers = {
        str(record.get("image")): record
        for record in stored.predictions()
        if record.get("image") in images
    }
    found = []
    for image in images:
        if image in answers:
            answer, truth = answers[image], Drawn()
            if dataset is not None:
                truth = truth_of(frames[image], dataset, by_masks="masks" in answer)
            found.append(Example(image, truth, predicted_of(answer, stored.threshold)))
    return found


def _drawn_images(stored: Stored) -> tuple[list[str], list[str]]:
    """Drawn images without and with a mistake, sorted; the mistakes have a sheet of their own."""
    wrong = {mistake.image for mistake in stored.mistakes}
    drawn = sorted(stored.drawn)
    return [i for i in drawn if i not in wrong], [i for i in drawn if i in wrong]


def _chosen(stored: Stored, dataset: Dataset, count: int) -> list[Frame]:
    """Frames of the split, in turn from what they show; those that were drawn go before."""
    frames = [(dataset.folder, frame) for frame in dataset.frames(stored.split)]
    right, wrong = map(set, _drawn_images(stored))
    chosen: list[Frame] = []
    for group in (right, wrong, {f.image for _, f in frames} - right - wrong):
        members = [each for each in frames if each[1].image in group]
        chosen += [frame for _, frame in sheet.choose(members, count - len(chosen))]
    return chosen


def truth_of(frame: Frame, dataset: Dataset, by_masks: bool = False) -> Drawn:
    """The labels of a frame: its boxes, as the set's label files have them, or its label.

    by_masks: the classes of its masks are said instead of its label, as for an answer of masks.
    """
    boxes = []
    for note in frame.objects or ():
        box = exported_box(note, frame.width, frame.height, dataset.box)
        if box is not None:
            boxes.append((box, note.class_name, None))
    said = [text for text in (frame.label, frame.condition) if text is not None]
    if by_masks and frame.objects is not None:
        shown = {note.class_name for note in frame.objects if note.mask is not None}
        said = [name for name in dataset.manifest.classes if name in shown] or [_NOTHING]
    return Drawn(tuple(boxes), ", ".join(said))


def predicted_of(record: Mapping[str, Any], threshold: float) -> Drawn:
    """The answer in a line of predictions.jsonl; objects below the threshold do not count.

    Of masks their classes are said: each class has a threshold of its own, by which they are made.
    Raises InputError for an answer that is not as a task writes it.
    """
    try:
        found = [each for each in record.get("objects") or () if each["score"] >= threshold]
        boxes = [(_box(each["box"]), str(each["class"]), float(each["score"])) for each in found]
        said = [str(record[key]) for key in ("class", "label", "condition") if record.get(key)]
        if "masks" in record:
            said = [", ".join(str(mask["class"]) for mask in record["masks"]) or _NOTHING]
        elif "objects" not in record:
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


def drawn_before(stored: Stored, photos: Photos) -> list[Figure]:
    """Sheets that lie beside the evaluation, for where the pictures are gone.

    photos: what there is without them; it needs no sheet.
    """
    named = (
        ("examples.png", "truth and prediction", photos.examples),
        ("mistakes.png", "worst mistakes", photos.mistakes),
    )
    files = [(stored.folder / name, alt) for name, alt, tiles in named if not tiles]
    return [Figure(file, alt, wide=True) for file, alt in files if file.is_file()]
