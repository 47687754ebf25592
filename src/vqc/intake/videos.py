"""One video of a source → frames of the set, written while it is decoded.

Nobody labelled them, unless the user says that they were looked at and show nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vqc.contract import is_text
from vqc.errors import InputError
from vqc.formats.source import Item, split_of
from vqc.intake.pictures import NO_TEXT, Taken, Taker, image_path, index_of
from vqc.intake.place import put
from vqc.intake.request import Recipe
from vqc.intake.sessions import rule_of, session_of, video_sessions
from vqc.intake.source import Found
from vqc.intake.video import VideoFrame, encode_jpeg, frames_of
from vqc.phash import phash
from vqc.types import ByteArray, Fault, Frame, Progress


@dataclass(frozen=True, slots=True)
class Clip:
    """One video to take in. session: a fault where there can be none. former: see `Job`."""

    file: str
    session: str | Fault
    former: tuple[Frame, ...] = ()


def clips_of(found: Found, recipe: Recipe, former: Mapping[str, Sequence[Frame]]) -> list[Clip]:
    """All videos; without --session each is a session of its own.

    A second one of the same bytes is at fault: it would be the same shoot under two names.
    """
    first: dict[str, str] = {}
    for file in sorted(found.videos, key=lambda file: (file not in former, file)):
        first.setdefault(found.videos[file], file)
    own = video_sessions(list(found.videos)) if recipe.session is None else {}
    rule = rule_of(recipe.session, recipe.name)
    clips = []
    for file, sha256 in found.videos.items():
        session = own.get(file) or session_of(Item(file, file), rule)
        if first[sha256] != file:
            session = Fault(file, None, f"the same video as {first[sha256]}, byte for byte")
        clips.append(Clip(file, session, tuple(former.get(file, ()))))
    return clips


def take_clip(taker: Taker, clip: Clip, first_index: int, update: Progress) -> list[Taken]:
    """The frames of a video; a single one with faults where any of it cannot be read.

    update: milliseconds of the video that are done, milliseconds in all.
    A video that the set has is not decoded again. Raises OSError only where the set cannot
    be written.
    """
    if isinstance(clip.session, Fault) or not is_text(clip.file):
        unnamed = Fault(ascii(clip.file)[1:-1], None, NO_TEXT)
        fault = clip.session if isinstance(clip.session, Fault) else unnamed
        return [Taken(clip.file, first_index, None, (fault,))]
    if clip.former:
        return [_kept(taker, clip, frame, clip.session) for frame in clip.former]
    recipe, taken = taker.recipe, list[Taken]()
    try:
        path, pixels = taker.root / clip.file, recipe.max_pixels
        for shot in frames_of(path, recipe.fps, recipe.min_change, update, pixels):
            index = first_index + len(taken)
            frame = _frame(taker, clip, shot, index, clip.session)
            taken.append(Taken(clip.file, index, frame, shrunk=_is_longer(shot.rgb, recipe)))
    except InputError as error:
        for one in taken:
            if taker.made is not None and one.frame is not None:
                (taker.made / one.frame.image).unlink()
        return [Taken(clip.file, first_index, None, (Fault(clip.file, None, str(error)),))]
    return taken


def _frame(taker: Taker, clip: Clip, shot: VideoFrame, index: int, session: str) -> Frame:
    rgb = _shrunk(shot.rgb, taker.recipe)
    data = encode_jpeg(rgb)
    frame = Frame(
        image=image_path(index, clip.file, ".jpg"),
        sha256=hashlib.sha256(data).hexdigest(),
        phash=phash(rgb),
        width=rgb.shape[1],
        height=rgb.shape[0],
        source=taker.recipe.source,
        session=session,
        simulated=taker.recipe.simulated,
        split=taker.recipe.split or split_of(clip.file),
        objects=() if taker.recipe.background else None,
        extra={"file": clip.file, "time_s": shot.time_s},
    )
    if taker.made is not None:
        put(taker.made / frame.image, data)
    return frame


def _kept(taker: Taker, clip: Clip, frame: Frame, session: str) -> Taken:
    if taker.made is not None:
        put(taker.made / frame.image, taker.there / frame.image, may_link=True)
    now = replace(frame, session=session)
    return Taken(clip.file, index_of(frame.image), now, former=frame)


def _is_longer(rgb: ByteArray, recipe: Recipe) -> bool:
    return recipe.max_side is not None and max(rgb.shape[:2]) > recipe.max_side


def _shrunk(rgb: ByteArray, recipe: Recipe) -> ByteArray:
    import numpy as np
    from PIL import Image

    if recipe.max_side is None or not _is_longer(rgb, recipe):
        return rgb
    height, width = rgb.shape[:2]
    scale = recipe.max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
