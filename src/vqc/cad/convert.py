"""`vqc convert`: STEP files → STL, GLB and a record of what is in them.

A file that was converted with the same settings before, and whose results still have the
hashes of the record, is not touched again; that check loads nothing but this module.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.cad import cache
from vqc.cad.reader import open_step, read_step, stop_reading
from vqc.cad.settings import MeshSettings, ReadLimits
from vqc.errors import CadError, InputError, OutputError, VqcError
from vqc.files import replace_file

if TYPE_CHECKING:
    from vqc.types import Assembly

RECORD_FORMAT = 1
STEP_SUFFIXES = (".step", ".stp")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of one STEP file.

    parts: distinct ones; occurrences: places where they stand. triangles: as placed.
    size_mm: extent along x, y, z. watertight: whether every part is closed. reused:
    whether the results of an earlier run were found and kept.
    """

    name: str
    source: str
    parts: int
    occurrences: int
    triangles: int
    size_mm: tuple[float, float, float]
    unit: str
    watertight: bool
    notes: tuple[str, ...]
    reused: bool


def find_step_files(paths: Sequence[Path], suffixes: tuple[str, ...] = STEP_SUFFIXES) -> list[Path]:
    """The given STEP files, and those of the given folders in order of name; each once.

    suffixes: what the names of files in folders may end in.

    Raises InputError naming every path that is missing and every folder without any.
    """
    found: dict[Path, Path] = {}
    faults = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(
                p for p in path.iterdir() if p.suffix.lower() in suffixes and p.is_file()
            )
            faults += [] if inside else [f"{path}: no {' or '.join(suffixes)} file in this folder"]
        elif not path.exists():
            faults.append(f"{path}: there is no such file or folder")
        elif not path.is_file():
            faults.append(f"{path}: is not a file; expected a STEP file or a folder of them")
        for file in inside:
            if not _is_usable(file.name):
                name = ascii(file.name)
                faults.append(
                    f"{name}: its name cannot name a set; rename the file: no dot or "
                    "blank at its ends, nothing unprintable, at most 200 bytes"
                )
            found.setdefault(file.resolve(), file)
    if faults:
        raise InputError("\n".join(faults))
    return list(found.values())


def _is_usable(name: str) -> bool:
    """Whether a file's name can go into other file names, class lists and messages."""
    stem = name.rpartition(".")[0] or name
    clean = name.isprintable() and stem == stem.strip() and not stem.startswith(".")
    return clean and len(name.encode()) <= 200


def convert(
    paths: Sequence[Path],
    out_dir: Path,
    settings: MeshSettings | None = None,
    limits: ReadLimits | None = None,
    jobs: int | None = None,
    on_done: Callable[[Path], None] = lambda path: None,
) -> list[Conversion]:
    """Write `<stem>.stl`, `.glb` and `.json` into `out_dir` for every STEP file.

    paths: files or folders. jobs: files to read at a time, by default as many as there
    are cores. on_done: called with each path once it is read, or found done before.
    Raises InputError naming every file that is of no use, and then nothing is written;
    OutputError where `out_dir` cannot be written.
    """
    settings = settings or MeshSettings()
    files = find_step_files(paths)
    _check_stems(files)

    done: dict[Path, Conversion] = {}
    for path in files:
        with suppress(CadError):  # reading will say it, with the faults of the others
            if (before := _done_before(path, out_dir, settings)) is not None:
                done[path] = before
                on_done(path)
    rest = [path for path in files if path not in done]
    read = read_each(
        lambda path: read_step(path, settings, limits), rest, jobs or os.cpu_count() or 1, on_done
    )
    done |= {p: _write(a, out_dir, settings) for p, a in zip(rest, read, strict=True)}
    return [done[path] for path in files]


def _check_stems(files: Sequence[Path]) -> None:
    same = defaultdict(list)
    for path in files:
        same[path.stem].append(str(path))
    faults = [
        f"{' and '.join(paths)} would both become {stem}.stl; rename one, or convert them apart"
        for stem, paths in same.items()
        if len(paths) > 1
    ]
    if faults:
        raise InputError("\n".join(faults))


def read_each(
    read: Callable[[Path], Assembly],
    files: Sequence[Path],
    jobs: int,
    on_done: Callable[[Path], None],
) -> list[Assembly]:
    """`read` every file, several at a time, each in a kernel process of its own.

    Raises InputError with the faults of all of them at once.
    """
    if not files:
        return []
    from concurrent.futures import ThreadPoolExecutor, as_completed

    cache.import_all()
    faults = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        tasks = {pool.submit(read, path): path for path in files}
        for task in as_completed(tasks):
            if isinstance(error := task.exception(), VqcError):
                faults[tasks[task]] = str(error)
            else:
                task.result()
            on_done(tasks[task])
    except BaseException:  # such as Ctrl-C: wait for nobody
        pool.shutdown(wait=False, cancel_futures=True)
        stop_reading()
        raise
    pool.shutdown()
    if faults:
        raise CadError("\n".join(faults[path] for path in files if path in faults))
    return [task.result() for task in tasks]


def _done_before(path: Path, out_dir: Path, settings: MeshSettings) -> Conversion | None:
    """The record of an earlier conversion that still holds, in all its files."""
    record_path = out_dir / f"{path.stem}.json"
    if not record_path.is_file():
        return None
    with open_step(path) as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    asked = _head(path.name, sha256, settings)
    try:
        record = json.loads(record_path.read_bytes())
        if any(record[key] != value for key, value in asked.items()):
            return None
        for name, expected in record["files"].items():
            with (out_dir / Path(name).name).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != expected:
                    return None
        return _conversion(record, reused=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not a record of ours: converted anew


def _head(source: str, sha256: str, settings: MeshSettings) -> dict[str, Any]:
    """What decides whether an earlier conversion may be kept."""
    return {
        "vqc_mesh": RECORD_FORMAT,
        "source": source,
        "source_sha256": sha256,
        "settings": asdict(settings),
    }


def _write(assembly: Assembly, out_dir: Path, settings: MeshSettings) -> Conversion:
    from vqc.cad.export import glb_bytes, stl_bytes
    from vqc.cad.mesh import is_closed, size_mm

    outputs = {".stl": stl_bytes(assembly), ".glb": glb_bytes(assembly)}
    stem = Path(assembly.source).stem
    parts = [
        {
            "name": part.name,
            "occurrences": len(part.placements),
            "triangles": len(part.faces),
            "watertight": is_closed(part),
        }
        for part in assembly.parts
    ]
    record = {
        **_head(assembly.source, assembly.sha256, settings),
        "unit": assembly.unit,
        "size_mm": [round(float(extent), 6) for extent in size_mm(assembly)],
        "parts": parts,
        "notes": assembly.notes,
        "files": {stem + end: hashlib.sha256(data).hexdigest() for end, data in outputs.items()},
    }
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    outputs[".json"] = text.encode(errors="backslashreplace")  # a part's name may be no text
    for end, data in outputs.items():
        path = out_dir / (stem + end)
        try:
            replace_file(path, data)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    return _conversion(record, reused=False)


def _conversion(record: dict[str, Any], reused: bool) -> Conversion:
    parts = record["parts"]
    x, y, z = record["size_mm"]
    return Conversion(
        name=Path(record["source"]).stem,
        source=record["source"],
        parts=len(parts),
        occurrences=sum(part["occurrences"] for part in parts),
        triangles=sum(part["occurrences"] * part["triangles"] for part in parts),
        size_mm=(x, y, z),
        unit=record["unit"],
        watertight=all(part["watertight"] for part in parts),
        notes=tuple(record["notes"]),
        reused=reused,
    )
