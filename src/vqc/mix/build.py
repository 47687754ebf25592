"""A plan → a folder of links with labels, data.yaml and manifest; whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from vqc import __version__
from vqc.contract import SET_NAME, is_set_name
from vqc.errors import InputError, OutputError, RecipeError, VqcError
from vqc.files import link_file
from vqc.formats import yolo
from vqc.manifest import CLASSES, DATA_YAML, RECIPE, read_manifest, write_lines
from vqc.mix.frames import JPEG, Drawn, drawn_frames, line_of, raw_json
from vqc.mix.plan import Plan
from vqc.mix.pool import SPLITS
from vqc.phash import phash
from vqc.types import Manifest, Progress

GREY_JPEG_QUALITY = 95

_GREY_BATCH = 64


@dataclass(frozen=True, slots=True)
class Summary:
    """What building did. placed: how the pictures got there. was_there: nothing was written."""

    folder: Path
    frames: int
    placed: str
    seconds: float
    was_there: bool


def build(
    plan: Plan,
    root: Path,
    name: str,
    fresh: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> Summary:
    """Write the mix `root/name`.

    on_progress: frames placed, frames in all. fresh: replace a mix that is there.
    Raises RecipeError where another mix has that name, InputError where something else has,
    the name cannot be a folder's or a picture is missing, OutputError where the folder cannot
    be written, and ManifestError where two pictures would have one name.
    """
    started = time.monotonic()
    if not is_set_name(name):
        raise InputError(f"--name: expected {SET_NAME}, got {name[:80]!r}")
    folder, recipe = root / name, recipe_text(plan, name)
    if _is_done(folder, recipe, fresh):
        return Summary(folder, len(plan.rows), "", time.monotonic() - started, True)
    temporary = folder.with_name(f".{name}.{uuid.uuid4().hex}.tmp")
    try:
        placed = _write(plan, temporary, name, recipe, on_progress)
        if _is_done(folder, recipe, fresh):  # another command made it meanwhile
            return Summary(folder, len(plan.rows), "", time.monotonic() - started, True)
        if folder.exists():
            old = folder.with_name(f".{name}.{uuid.uuid4().hex}.old")
            os.replace(folder, old)
            try:
                os.replace(temporary, folder)
            except OSError:
                os.replace(old, folder)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    except OutputError as error:  # the manifest
        raise OutputError(str(error).replace(temporary.name, name)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Summary(folder, len(plan.rows), placed, time.monotonic() - started, False)


def recipe_text(plan: Plan, name: str) -> str:
    """Everything that the mix follows from; parents by the hash of their manifests."""
    import yaml

    request = plan.request.record()
    weights = request.pop("weights")
    if weights is not None:
        request["weights_sha256"] = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    splits = {
        key: sorted(set(value)) if isinstance(value, tuple) else value
        for key, value in request.pop("splits").items()
        if value is not None  # a recipe without a seed of its own for the cuts is as it ever was
    }
    record = {
        "vqc_recipe": 1,
        "kind": "mix",
        "name": name,
        **request,
        **splits,
        "parents": [asdict(source.parent) for source in plan.pool.sources],
    }
    text: str = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)
    return text


def is_mix(folder: Path) -> bool:
    """Whether a folder, not a link to one, holds a mix, or nothing at all."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        text = (folder / RECIPE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return not any(folder.iterdir())
    return "\nkind: mix\n" in text


def _is_done(folder: Path, recipe: str, fresh: bool) -> bool:
    """Whether nothing is left to do; raises where something else is in the place."""
    if not os.path.lexists(folder):
        return False
    if not fresh and _is_same(folder, recipe):
        return True
    if not is_mix(folder):
        raise InputError(f"{folder} is there and is no mix; choose another --name")
    return False


def _is_same(folder: Path, recipe: str) -> bool:
    """Whether the folder holds the finished mix of this recipe; RecipeError for another."""
    import yaml

    if not is_mix(folder):
        return False
    try:
        old_text = (folder / RECIPE).read_text(encoding="utf-8")
        manifest = read_manifest(folder)
        old, new = yaml.safe_load(old_text), yaml.safe_load(recipe)
    except (OSError, ValueError, VqcError, yaml.YAMLError):
        return False  # nothing whole is there
    if old_text == recipe:
        return all((folder / frame.image).exists() for frame in manifest.frames)
    changed = [
        f"  {key}: {old.get(key)} there, {new.get(key)} asked for"
        for key in dict.fromkeys([*old, *new])
        if key != "parents" and old.get(key) != new.get(key)
    ]
    if old.get("parents") != new.get("parents"):
        changed.append("  the sets that it is made of, or their manifests")
    raise RecipeError(
        "\n".join([f"{folder} holds another mix; these differ:", *changed])
        + "\nGive another --name, or --fresh to replace it"
    )


def _write(plan: Plan, folder: Path, name: str, recipe: str, on_progress: Progress) -> str:
    """All files of the mix; returns how the pictures were placed."""
    lines: list[tuple[str, str]] = []
    ways: dict[str, None] = {}
    made: set[str] = set()
    folder.mkdir(parents=True)
    for drawn, way in _placed(plan, folder, made):
        if drawn.labels is not None:
            labels = yolo.label_path(drawn.image)
            _make_folder(folder, labels, made)
            _write_new(f"{folder}/{labels}", drawn.labels.encode())
        lines.append((drawn.image, line_of(drawn.record)))
        ways[way] = None
        on_progress(len(lines), len(plan.rows))
    head = Manifest(
        kind="mix",
        name=name,
        classes=plan.classes,
        frames=(),
        recipe_sha256=hashlib.sha256(recipe.encode()).hexdigest(),
        created_by=f"vqc {__version__}",
        parents=tuple(source.parent for source in plan.pool.sources),
    )
    there = [SPLITS[number] for number in sorted(set(plan.split.tolist()))]
    texts = {
        RECIPE: recipe,
        CLASSES: yolo.names_text(plan.classes),
        DATA_YAML: yolo.data_yaml(plan.classes, there),
    }
    for file_name, text in texts.items():
        (folder / file_name).write_text(text, encoding="utf-8", newline="\n")
    write_lines(folder, head, [line for _, line in sorted(lines)])
    return " and ".join(ways)


def _placed(plan: Plan, folder: Path, made: set[str]) -> Iterator[tuple[Drawn, str]]:
    """Every frame with its pictures in place, and how they got there."""
    frames = drawn_frames(plan)
    if not plan.request.grey:
        for drawn in frames:
            yield drawn, _link(drawn.files, folder, made)
        return
    import cv2  # noqa: F401  (not first by two threads at once)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        while batch := list(islice(frames, _GREY_BATCH)):
            for drawn in batch:
                _make_folder(folder, drawn.image, made)
            for drawn in pool.map(lambda drawn: _turn_grey(drawn, folder), batch):
                _link(drawn.files[1:], folder, made)
                yield drawn, "grey copies"


def _link(files: Sequence[tuple[str, str]], folder: Path, made: set[str]) -> str:
    way = ""
    for source, target in files:
        _make_folder(folder, target, made)
        try:
            way = link_file(source, f"{folder}/{target}")
        except FileNotFoundError:
            raise _missing(source) from None
    return way


def _turn_grey(drawn: Drawn, folder: Path) -> Drawn:
    """Write the picture without its colours, in its own format, and describe the new bytes."""
    import cv2

    source, target = drawn.files[0]
    try:
        data = np.fromfile(source, np.uint8)
    except FileNotFoundError:
        raise _missing(source) from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from None
    grey = None
    with contextlib.suppress(cv2.error):  # an empty file, or one too large for it
        grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey is None:
        raise InputError(f"{source}: does not open as a picture; vqc verify lists every fault")
    is_jpeg = target.lower().endswith(JPEG)
    quality = [cv2.IMWRITE_JPEG_QUALITY, GREY_JPEG_QUALITY] if is_jpeg else []
    _, encoded = cv2.imencode(Path(target).suffix, grey, quality)
    data = encoded.tobytes()
    _write_new(f"{folder}/{target}", data)
    hashes = {
        "sha256": raw_json(hashlib.sha256(data).hexdigest()),
        "phash": raw_json(phash(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))),
    }
    return replace(drawn, record=drawn.record | hashes)


def _missing(source: str) -> InputError:
    return InputError(f"{source} is missing; vqc verify lists every fault of its set")


def _write_new(path: str, data: bytes) -> None:
    """Half the time of `open`, which counts for a hundred thousand label files."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)


def _make_folder(folder: Path, target: str, made: set[str]) -> None:
    parent = target.rpartition("/")[0]
    if parent not in made:
        (folder / parent).mkdir(parents=True, exist_ok=True)
        made.add(parent)
