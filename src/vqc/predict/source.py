"""What a user calls SOURCE → the pictures, videos or the camera behind it.

In: texts as typed: files, folders, glob patterns, a camera's number, an RTSP address. Out:
`Source`, sorted, every name in it free of passwords and unique.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vqc.errors import InputError
from vqc.formats.source import IMAGE_SUFFIXES, list_source, stem
from vqc.intake.video import VIDEO_SUFFIXES

SCHEMES = ("rtsp://", "rtsps://")
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class File:
    """A picture or a video. name: its path below the source's folder, with '/'.

    stem: the same without suffix where that is still unique, to name what is made of it.
    """

    path: Path
    name: str
    stem: str


@dataclass(frozen=True, slots=True)
class Live:
    """address: the camera's number, or the RTSP address with whatever password is in it.

    name: what may be shown and written down. slug: the same as a file's name.
    """

    address: int | str
    name: str

    @property
    def slug(self) -> str:
        return _slug(self.name)


@dataclass(frozen=True, slots=True)
class Source:
    """name: short, for a folder's name. Either `live` is there, or files are."""

    name: str
    stills: tuple[File, ...] = ()
    clips: tuple[File, ...] = ()
    live: Live | None = None


def find(texts: Sequence[str]) -> Source:
    """What the texts stand for. Raises InputError with everything that leads nowhere."""
    lives = [live for text in texts if (live := _live(text)) is not None]
    if lives:
        if len(texts) > 1:
            raise InputError(f"{lives[0].name}: a camera is a source of its own; give nothing else")
        return Source(lives[0].slug, live=lives[0])
    faults: list[str] = []
    found: dict[Path, None] = {}
    for text in texts:
        try:
            found |= dict.fromkeys(_files(text))
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("\n".join(faults))
    paths = sorted(found, key=lambda path: path.as_posix())
    root = _root(texts, paths)
    return Source(
        name=_slug(_name(texts, root)),
        stills=_named([p for p in paths if not _is_video(p)], root),
        clips=_named([p for p in paths if _is_video(p)], root),
    )


def require_apart(source: Source, texts: Sequence[str], out: Path) -> None:
    """Raise InputError where what is made would be taken for a source the next time."""
    place = out.resolve()
    for text in texts:
        folder = Path(text)
        if source.live is None and folder.is_dir() and place.is_relative_to(folder.resolve()):
            raise InputError(f"{out} lies in the source {text}: choose another place with --out")


def _live(text: str) -> Live | None:
    if text.isascii() and text.isdigit() and not Path(text).exists():
        return Live(int(text), f"camera-{int(text)}")
    if not text.lower().startswith(SCHEMES):
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"the RTSP address is none: {error}") from None
    if not host:
        raise InputError("the RTSP address names no host; expected rtsp://HOST/PATH")
    # Neither user, password nor query: cameras take passwords in any of them.
    place = host if port is None else f"{host}:{port}"
    return Live(text, f"{parts.scheme}://{place}{parts.path}")


def _files(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        return _inside(path)
    if path.is_file():
        return [path]
    if _OTHER_SCHEME.match(text):
        scheme = text.partition("://")[0]
        raise InputError(f"{scheme}://…: expected an address that begins with rtsp:// or rtsps://")
    if glob.has_magic(text):
        hits = sorted(Path(hit) for hit in glob.glob(text, recursive=True))
        suffixes = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
        files = [p for p in hits if p.is_file() and p.name.lower().endswith(suffixes)]
        if files:
            return files
        raise InputError(f"{text}: no picture and no video fits this pattern")
    raise InputError(
        f"{text}: there is no such file or folder; expected pictures, a video, a camera's number "
        "or an RTSP address"
    )


def _inside(folder: Path) -> list[Path]:
    try:
        listing = list_source(folder)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from None
    files = listing.ending(*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    if not files:
        kinds = " ".join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
        raise InputError(f"{folder}: no picture and no video inside (looked for {kinds})")
    return [folder / file for file in files]


def _root(texts: Sequence[str], paths: Sequence[Path]) -> Path:
    """The folder that all files lie in."""
    if len(texts) == 1 and Path(texts[0]).is_dir():
        return Path(texts[0]).absolute()
    return Path(os.path.commonpath([path.absolute().parent for path in paths]))


def _name(texts: Sequence[str], root: Path) -> str:
    """The file's stem, or the name of the folder."""
    path = Path(texts[0])
    if len(texts) == 1 and path.is_file():
        return path.stem
    return root.resolve().name


def _named(paths: Sequence[Path], root: Path) -> tuple[File, ...]:
    names = [path.absolute().relative_to(root).as_posix() for path in paths]
    stems = Counter(stem(name).lower() for name in names)
    return tuple(
        File(path, name, stem(name) if stems[stem(name).lower()] == 1 else name)
        for path, name in zip(paths, names, strict=True)
    )


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _slug(name: str) -> str:
    """Such as `rtsp-10.0.0.7-554-door`, for a folder's name."""
    return re.sub(r"[^\w.-]+", "-", name.replace("://", "-")).strip("-.") or "pictures"
