"""A run on one split of a set → a score, and whether it is honest: the same for every task.

In: a run folder and the folder of a set. Out: what the task found, the verdict of the honesty
gate, and a folder with both, figures and the worst mistakes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vqc import evaluations
from vqc.dataset import SPLITS, Dataset, changed, open_dataset
from vqc.errors import InputError, OutputError
from vqc.honesty import Verdict, judge, require_honest
from vqc.lineage import ancestors
from vqc.manifest import FILE_NAME, digest_of, find_manifest
from vqc.runs import SETS, Run, dataset_of, own_dataset, read_run, set_folders, set_roots
from vqc.tasks import find
from vqc.tasks.contract import BACKGROUND, Confusion, Evaluation, Task
from vqc.types import Frame

if TYPE_CHECKING:
    from PIL import Image

SHEET_MISTAKES = 24
_SHOWN = 20


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What scoring gave. folder: holds evaluation.json and `files`, the pictures."""

    run: Run
    dataset: Dataset
    evaluation: Evaluation
    verdict: Verdict
    folder: Path
    files: tuple[Path, ...]

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames that were scored."""
        return self.dataset.frames(self.evaluation.split)


def score(
    run_folder: Path,
    on: Path | None = None,
    split: str = "test",
    insist: bool = False,
    device: str = "",
) -> Scored:
    """Score a run, and write runs/<task>/<name>/eval/<set>-<split>/.

    on: folder of the set; None for the one that the run was trained on, wherever it is under
    datasets/. insist: also where the score is not honest; it is marked so, in words.
    What is checked first: the manifest's digest and the hash of every picture that is scored.
    Labels come from the manifest, so no other file matters.
    Raises InputError, HonestyError, ManifestError, and whatever the task raises.
    """
    run = read_run(run_folder)
    task = find(run.task)
    if split not in SPLITS:
        raise InputError(f"--split: expected {', '.join(SPLITS)}, got {split[:80]}")
    dataset = _of_run(run) if on is None else open_dataset(on)
    trained = dataset_of(run)
    dataset = _with_classes(run, dataset)
    verdict = judge(trained, dataset, split, ancestors(run.folder))
    require_honest(verdict, insist)
    _require_sound(task, dataset, split)
    evaluation = task.evaluate(run, dataset, split, device)
    name = dataset.manifest.name
    folder = evaluations.folder_of(run.folder, name, split)
    simulated = any(frame.simulated for frame in dataset.frames(split))
    _clear(folder)
    files = _draw(folder, evaluation, dataset, verdict.mark, f"{run.name} on {name}, {split}")
    evaluations.write(
        folder, evaluation, verdict.mark, verdict.reasons, name, dataset.sha256, simulated
    )
    return Scored(run, dataset, evaluation, verdict, folder, files)


def outcome(confusion: Confusion) -> dict[str, int]:
    """Answers by how they went, all of them; those on background where the matrix has it."""
    counts = confusion.counts
    has_background = confusion.names[-1] == BACKGROUND
    inner = counts[:-1, :-1] if has_background else counts
    right = int(inner.trace())
    found = {"right": right, "confused": int(inner.sum()) - right}
    if has_background:
        found |= {"missed": int(counts[:-1, -1].sum()), "false": int(counts[-1, :-1].sum())}
    return found


# Which set --------------------------------------------------------------------------------


def _of_run(run: Run) -> Dataset:
    found = own_dataset(run)
    if found is not None:
        return found
    folders = set_folders(run.dataset_name, set_roots(run.folder))
    named = (folder for folder in folders if folder.name == run.dataset_name)
    changed = any((folder / FILE_NAME).is_file() for folder in named)
    why = "the set of that name has another manifest now" if changed else "it is not there"
    raise InputError(
        f"{run.folder} was trained on the set {run.dataset_name} (manifest sha256 "
        f"{run.manifest_sha256[:8]}…), looked for under {SETS}/: {why}; --on names a set to score"
    )


def _with_classes(run: Run, dataset: Dataset) -> Dataset:
    """The set with the run's classes in their order; it may lack some, but have no other one."""
    classes = dataset.manifest.classes
    foreign = [name for name in classes if name not in run.classes]
    if foreign:
        raise InputError(
            f"{dataset.folder} has classes that {run.folder} does not know: {', '.join(foreign)}\n"
            f"  the set: {', '.join(classes)}\n  the run: {', '.join(run.classes)}\n"
            "Give a set of the run's classes, or train on a mix with all of them"
        )
    if classes == run.classes:
        return dataset
    return replace(dataset, manifest=replace(dataset.manifest, classes=run.classes))


# Whether it is sound ----------------------------------------------------------------------


def _require_sound(task: Task, dataset: Dataset, split: str) -> None:
    """Raises InputError where the task lacks something, or where a picture is not as it was."""
    frames = dataset.frames(split)
    task.check(replace(dataset, manifest=replace(dataset.manifest, frames=frames)))
    data = find_manifest(dataset.folder).read_bytes()
    digest = json.loads(data.split(b"\n", 1)[0]).get("digest")
    faults = changed(dataset, frames)
    if digest is None or digest_of(data, digest) != digest:
        faults.insert(0, f"{FILE_NAME}: changed after it was written: its digest does not fit")
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        shown = [f"  {fault}" for fault in (*faults[:_SHOWN], *more)]
        raise InputError(
            "\n".join([f"{dataset.folder} is not as its manifest says:", *shown])
            + "\nMake it again (vqc mix --fresh); vqc verify tells all that is wrong"
        )


# What it leaves ---------------------------------------------------------------------------


def _clear(folder: Path) -> None:
    """Remove what an earlier scoring left, its result first, so that nothing is mixed."""
    try:
        (folder / evaluations.FILE_NAME).unlink(missing_ok=True)
        pictures = (folder / evaluations.PICTURES).glob("*.jpg")
        for file in sorted([*folder.glob("*.png"), *pictures]):
            file.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None


def _draw(
    folder: Path, evaluation: Evaluation, dataset: Dataset, mark: str, title: str
) -> tuple[Path, ...]:
    """Figures and the sheet of mistakes; the mark stands on each of them."""
    from vqc.figures import bars, confusion, curves, legend, sheets

    drawn: list[Path | None] = []
    if evaluation.confusion is not None:
        threshold = curves.threshold_words(evaluation.threshold, evaluation.per_class)
        at = f"{title}: confusion from score {threshold} on"
        drawn.append(confusion.draw(evaluation.confusion, folder / "confusion.png", at, mark))
    for curve in evaluation.curves:
        in_use = curves.in_use(evaluation.threshold, evaluation.per_class)
        at_score = in_use if curves.is_over_score(curve) else None
        file = folder / f"{curve.name}.png"
        at = f"{title}: {curve.name}"
        drawn.append(curves.draw(curve, file, at, mark, at_score, dataset.manifest.classes))
    drawn.append(bars.groups(evaluation.groups, folder / "groups.png", f"{title}: groups", mark))
    sources = {frame.image: sheets.origin(frame) for frame in dataset.frames(evaluation.split)}
    tiles = [
        sheets.mistake_tile(mistake, dataset.folder, sources, _image(evaluation, mistake.image))
        for mistake in sheets.worst(evaluation.mistakes, SHEET_MISTAKES)
    ]
    if tiles:
        at = f"{title}: the {len(tiles)} worst mistakes"
        answer = evaluation.predictions[0].record() if evaluation.predictions else {}
        key = legend.mask_key(answer, dataset.manifest.classes) if evaluation.drawn else ()
        drawn.append(sheets.draw_sheet(tiles, folder / "mistakes.png", at, mark, key=key))
    return tuple(file for file in drawn if file is not None)


def _image(evaluation: Evaluation, image: str) -> Image.Image | None:
    """What the task has drawn of an image, if it has."""
    from PIL import Image

    drawn = evaluation.drawn.get(image)
    return None if drawn is None else Image.fromarray(drawn)
