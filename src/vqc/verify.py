"""A set's folder against its manifest: every fault, and none that is not there.

In: a folder. Out: faults. Images are hashed and decoded on threads; both let go of the
interpreter's lock.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from vqc.contract import is_inside_path, is_sha256
from vqc.errors import InputError, ManifestError
from vqc.formats import BoxKind, rle, yolo
from vqc.manifest import CLASSES, DATA_YAML, FILE_NAME, RECIPE, digest_of, find_manifest, parse
from vqc.pictures import IMAGE_FORMATS, prepare
from vqc.types import Fault, Frame, Manifest, Progress

LAYERS = ("depth", "normals")


def verify(
    folder: Path | str,
    jobs: int | None = None,
    on_progress: Progress = lambda done, total: None,
) -> list[Fault]:
    """Every fault of a set, sorted by file and line; an empty list where it is sound.

    jobs: threads, by default one for each core. on_progress: frames looked at, frames in
    all. Files that the manifest does not know are only looked for where the manifest itself
    is sound, since a faulty line would make its files look surplus.
    Raises InputError where there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder")
    try:
        data = find_manifest(root).read_bytes()
    except (ManifestError, OSError) as error:
        return [Fault(FILE_NAME, None, f"missing or not readable: {error}")]
    manifest, faults = parse(data)
    if manifest is None:
        return faults
    sound = not faults
    faults += _digest_faults(data) if sound else []
    box, recipe_faults = _check_recipe(root, manifest)
    faults += recipe_faults + list(_check_lists(root, manifest))
    faults_of = _FrameChecker(root.resolve(), manifest, box).faults
    lines = range(2, len(manifest.frames) + 2) if sound else repeat(None)
    prepare()
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        for done, found in enumerate(pool.map(faults_of, manifest.frames, lines), start=1):
            faults += found
            on_progress(done, len(manifest.frames))
    if sound:
        faults += _surplus(root, _known_files(manifest))
    return sorted(faults, key=lambda f: (f.file, f.line or 0, f.message))


@dataclass(frozen=True, slots=True)
class _FrameChecker:
    root: Path
    manifest: Manifest
    box: BoxKind

    def faults(self, frame: Frame, line: int | None) -> list[Fault]:
        """Everything wrong with the files of one frame, and with its masks and layers."""
        found = list(self._picture(frame.image, frame.sha256, frame))
        for layer in LAYERS:
            if layer in frame.extra:
                found += self._layer(frame, layer, line)
        for i, note in enumerate(frame.objects or ()):
            try:
                if note.mask is not None:
                    rle.area(note.mask)
            except ManifestError as error:
                found.append(Fault(FILE_NAME, line, f"objects[{i}].{error}"))
        if frame.objects is not None:
            found += self._labels(frame, line)
        return found

    def _picture(self, file: str, digest: str, frame: Frame) -> Iterator[Fault]:
        data = _read(self.root, file, may_link=self.manifest.kind == "mix")
        if isinstance(data, Fault):
            yield data
            return
        if hashlib.sha256(data).hexdigest() != digest:
            yield Fault(file, None, "changed: its sha256 is not the manifest's")
        problem = _decode(data, (frame.width, frame.height))
        if problem:
            yield Fault(file, None, problem)

    def _layer(self, frame: Frame, layer: str, line: int | None) -> Iterator[Fault]:
        path, digest = frame.extra[layer], frame.extra.get(f"{layer}_sha256")
        if not is_inside_path(path) or not path.startswith(f"{layer}/"):
            yield Fault(FILE_NAME, line, f"{layer}: expected a path {layer}/…, got {path!a}")
        elif not is_sha256(digest):
            yield Fault(FILE_NAME, line, f"{layer}_sha256: expected 64 lower-case hex digits")
        else:
            yield from self._picture(path, str(digest), frame)

    def _labels(self, frame: Frame, line: int | None) -> Iterator[Fault]:
        file, classes = yolo.label_path(frame.image), self.manifest.classes
        size = (frame.width, frame.height)
        try:
            expected = yolo.label_text(frame.objects or (), classes, *size, self.box)
        except ManifestError as error:
            yield Fault(FILE_NAME, line, str(error))
            return
        yield from _compare(self.root, file, expected)


def _decode(data: bytes, size: tuple[int, int]) -> str | None:
    """What is wrong with a picture; its size is compared before a pixel is decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as picture:
            if picture.size != size:
                width, height = picture.size
                return f"is {width} x {height} pixels, the manifest says {size[0]} x {size[1]}"
            picture.load()
    except Exception as error:  # a decoder may raise anything on broken data
        return f"does not open as a picture ({type(error).__name__})"
    return None


def _check_recipe(root: Path, manifest: Manifest) -> tuple[BoxKind, list[Fault]]:
    """The kind of box in the label files, and what is wrong with the recipe."""
    import yaml

    data = _read(root.resolve(), RECIPE)
    if isinstance(data, Fault):
        return "modal", [data]
    if hashlib.sha256(data).hexdigest() != manifest.recipe_sha256:
        return "modal", [Fault(RECIPE, None, "changed: its sha256 is not the manifest's")]
    try:
        recipe = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return "modal", [Fault(RECIPE, None, f"not YAML: {error}")]
    box = recipe.get("box", "modal") if isinstance(recipe, dict) else "modal"
    if box not in ("modal", "amodal"):
        return "modal", [Fault(RECIPE, None, f"box: expected modal or amodal, got {box!a}")]
    return ("amodal" if box == "amodal" else "modal"), []


def _check_lists(root: Path, manifest: Manifest) -> Iterator[Fault]:
    """classes.txt, and the data.yaml of a mixed set."""
    texts = {CLASSES: yolo.names_text(manifest.classes)}
    if manifest.kind == "mix":
        texts[DATA_YAML] = yolo.data_yaml(manifest.classes, {f.split for f in manifest.frames})
    for file, expected in texts.items():
        yield from _compare(root.resolve(), file, expected)


def _compare(root: Path, file: str, expected: str) -> Iterator[Fault]:
    """A text file against what the manifest gives: the first line that differs."""
    data = _read(root, file)
    if isinstance(data, Fault):
        yield data
    elif data != expected.encode():
        found, wanted = data.split(b"\n"), expected.encode().split(b"\n")
        same = (a == b for a, b in zip(found, wanted, strict=False))
        at = next((i for i, equal in enumerate(same) if not equal), min(len(found), len(wanted)))
        got, want = (
            ascii(lines[at][:80])[1:] if at < len(lines) else "the end" for lines in (found, wanted)
        )
        yield Fault(file, at + 1, f"got {got}, the manifest says {want}")


def _read(root: Path, file: str, may_link: bool = False) -> bytes | Fault:
    """A file's bytes; a fault where it is missing, odd, or reached over a link.

    may_link: the file itself, not its folders, may be a link.
    """
    path = root / file
    try:
        straight = path.parent.resolve() / path.name if may_link else path.resolve()
        if straight != path:
            return Fault(file, None, "is a link or lies behind one, which could lead anywhere")
        if not path.is_file():
            return Fault(file, None, "not a file" if path.exists() else "missing")
        return path.read_bytes()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        return Fault(file, None, f"cannot be read: {error}")


def _digest_faults(data: bytes) -> list[Fault]:
    digest = json.loads(data.split(b"\n", 1)[0]).get("digest")
    if digest is None:
        return [Fault(FILE_NAME, 1, "digest: missing, so changes after writing cannot be found")]
    if digest_of(data, digest) == digest:
        return []
    return [Fault(FILE_NAME, None, "changed after it was written: its digest does not fit")]


def _known_files(manifest: Manifest) -> set[str]:
    known = {FILE_NAME, CLASSES, RECIPE} | ({DATA_YAML} if manifest.kind == "mix" else set())
    for frame in manifest.frames:
        known.add(frame.image)
        known |= {str(frame.extra[layer]) for layer in LAYERS if layer in frame.extra}
        if frame.objects is not None:
            known.add(yolo.label_path(frame.image))
    return known


def _surplus(root: Path, known: set[str]) -> Iterator[Fault]:
    for parent, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in names + links:
            file = Path(parent, name).relative_to(root).as_posix()
            if file not in known and not file.endswith(".cache"):
                shown = file.encode(errors="backslashreplace").decode()
                yield Fault(shown, None, "surplus: the manifest does not know this file")
