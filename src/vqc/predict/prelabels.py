"""Answers → a set under datasets/, to be corrected in a labelling tool and taken in again.

It is a set like any that `vqc intake` makes, and by its own writer, but marked: its header
and every frame say `prelabels`, and its objects, or the frames where a task tells the class of
the whole picture, have a `score`. Nobody has looked at them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vqc import __version__
from vqc.contract import SET_NAME, is_set_name, is_text
from vqc.errors import InputError, VqcError
from vqc.intake import picture as intake_picture
from vqc.intake import place
from vqc.intake.pictures import NO_TEXT, image_path
from vqc.intake.request import Recipe
from vqc.intake.sessions import video_sessions
from vqc.intake.video import encode_jpeg
from vqc.manifest import read_manifest
from vqc.phash import phash
from vqc.pictures import LARGEST_MPX
from vqc.predict.reading import Shot, shown
from vqc.predict.source import File, Live, Source
from vqc.runs import Run
from vqc.types import Annotation, Frame, Manifest

MARK = "prelabels"
"""The field of the header and of every frame that says that nobody looked at the labels."""


@dataclass(frozen=True, slots=True)
class PrelabelRecipe(Recipe):
    """What the set follows from. prelabels: the run and its settings."""

    prelabels: Mapping[str, Any] = field(default_factory=dict)


class Prelabels:
    """The set while it is made; `close` must be called whatever happens."""

    def __init__(self, folder: Path, run: Run, source: Source) -> None:
        """folder: from `require_free`."""
        self.folder, self._run = folder, run
        self._sessions = video_sessions([clip.name for clip in source.clips])
        self._files: dict[str, str] = {}
        self._frames: list[Frame] = []
        self.faults: list[str] = []
        self._closing = contextlib.ExitStack()
        self._work = self._closing.enter_context(place.workplace(folder, dry_run=False))

    def add(self, shot: Shot, record: Mapping[str, Any]) -> None:
        """A picture with what was found on it. Raises OSError where it cannot be stored."""
        require_labels(self._run.task, record)
        if not is_text(shot.of.name):
            self.faults.append(f"{ascii(shot.of.name)[1:-1]}: not in the set: {NO_TEXT}")
            return
        frame = self._stored_still(shot) if shot.time_s is None else self._stored_frame(shot)
        if frame is not None:
            self._frames.append(_labelled(frame, record))

    def finish(self, settings: Mapping[str, Any]) -> int:
        """Put the set in its place; gives the number of its pictures."""
        if not self._frames:
            return 0
        recipe = self._recipe(settings)
        manifest = Manifest(
            kind="intake",
            name=self.folder.name,
            classes=self._run.classes,
            frames=tuple(sorted(self._frames, key=lambda frame: frame.image)),
            recipe_sha256=recipe.sha256(),
            created_by=f"vqc {__version__}",
            extra={MARK: True},
        )
        place.finish(self._work, self.folder, manifest, recipe)
        return len(self._frames)

    def close(self) -> None:
        """Remove what is unfinished."""
        self._closing.close()

    def _stored_still(self, shot: Shot) -> Frame | None:
        """The file's own bytes, unless it has to be turned or is HEIC."""
        assert isinstance(shot.of, File)
        path, name = shot.of.path, shot.of.name
        picture = intake_picture.open_picture(path, None, round(LARGEST_MPX * 1e6))
        if isinstance(picture, str):
            self.faults.append(f"{shown(path)}: not in the set: {picture}")
            return None
        twin = self._files.setdefault(picture.sha256, name)
        if twin != name:
            self.faults.append(f"{shown(path)}: not in the set: the same picture as {twin}")
            return None
        image = image_path(len(self._frames), name, picture.suffix)
        content = path if picture.data is None else picture.data
        place.put(self._work / "set" / image, content)
        return self._frame(shot, image, picture.sha256, picture.phash)

    def _stored_frame(self, shot: Shot) -> Frame:
        data = encode_jpeg(shot.picture.rgb)
        file = shot.of.name if isinstance(shot.of, File) else f"{shot.of.slug}.jpg"
        image = image_path(len(self._frames), file, ".jpg")
        place.put(self._work / "set" / image, data)
        return self._frame(shot, image, hashlib.sha256(data).hexdigest(), phash(shot.picture.rgb))

    def _frame(self, shot: Shot, image: str, sha256: str, look: str) -> Frame:
        height, width = shot.picture.rgb.shape[:2]
        session = self.folder.name
        if shot.time_s is not None:
            session = shot.of.slug if isinstance(shot.of, Live) else self._sessions[shot.of.name]
        time = {} if shot.time_s is None else {"time_s": round(shot.time_s, 6)}
        return Frame(
            image=image,
            sha256=sha256,
            phash=look,
            width=width,
            height=height,
            source="real",
            session=session,
            extra={"file": shot.of.name, MARK: True, **time},
        )

    def _recipe(self, settings: Mapping[str, Any]) -> PrelabelRecipe:
        run = {"name": self._run.name, "run_id": self._run.run_id, "task": self._run.task}
        return PrelabelRecipe(
            name=self.folder.name, format="predictions", session=None, split=None, classes={},
            ignore=(), background=False, source="real", simulated=False, fps=0.0,
            min_change=None, max_side=None, max_mpx=float(LARGEST_MPX),
            prelabels={"run": run, "settings": dict(settings)},
        )  # fmt: skip


def require_labels(task: str, record: Mapping[str, Any]) -> None:
    """Raises InputError where a record has nothing that could become a label."""
    if "objects" not in record and "class" not in record:
        raise InputError(
            f"--as-set: the task {task} gives no boxes to label with, and no class of a picture"
        )


def _labelled(frame: Frame, record: Mapping[str, Any]) -> Frame:
    """With the objects of the record, or with the class that it gives to the whole picture."""
    if "objects" in record:
        return replace(frame, objects=tuple(map(_annotation, record["objects"])))
    extra = {**frame.extra, "score": record["score"]}
    return replace(frame, label=record["class"], extra=extra)


def _annotation(thing: Mapping[str, Any]) -> Annotation:
    """An object of a record; its score, and whatever else it says, is kept."""
    x0, y0, x1, y1 = thing["box"]
    extra = {key: value for key, value in thing.items() if key not in ("class", "box")}
    return Annotation(class_name=thing["class"], box_xyxy=(x0, y0, x1, y1), extra=extra)


def require_free(root: Path, name: str, fresh: bool) -> Path:
    """The folder of the set. Raises InputError where the name or the place cannot be used.

    Only a set of the same kind may be replaced: nobody's photos and labels go.
    """
    if not is_set_name(name):
        raise InputError(f"--as-set: expected {SET_NAME}, got {name[:80]!r}")
    folder = root / name
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return folder
    try:
        is_ours = read_manifest(folder).extra.get(MARK) is True
    except VqcError:
        is_ours = False
    if not is_ours:
        raise InputError(f"{folder} is there and holds no pre-labels; choose another --as-set NAME")
    if not fresh:
        raise InputError(
            f"{folder} holds pre-labels already; --fresh replaces them, another --as-set NAME "
            "keeps both"
        )
    return folder
