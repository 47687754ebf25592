"""Meshed assemblies kept on disk, by the content of the STEP file and the settings.

An entry that is missing, damaged or of another version counts as absent, and a cache
that cannot be written is no error: it only saves time.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.cad.settings import MeshSettings

if TYPE_CHECKING:
    from vqc.types import Assembly

FORMAT = 1
"""Raised whenever the same file and settings would give another mesh."""

_STACKED = ("vertices_mm", "normals", "faces", "face_rgba", "placements")


def folder() -> Path:
    """Where meshes are kept: $VQC_CACHE, else $XDG_CACHE_HOME/vqc, else ~/.cache/vqc."""
    if own := os.environ.get("VQC_CACHE"):
        return Path(own) / "meshes"
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "vqc" / "meshes"


def import_all() -> None:
    """Import whatever reading imports on its way, here and now.

    Two threads that import at the same moment can wait for each other for ever (seen with
    CPython 3.11), so this comes before threads read.
    """
    import io

    import numpy as np

    import vqc.cad.mesh
    import vqc.types  # noqa: F401

    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros(1))
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as arrays:
        arrays["x"].tobytes()


def entry(sha256: str, settings: MeshSettings) -> Path:
    """The file that holds the mesh of a STEP file with this hash."""
    key = json.dumps([FORMAT, sha256, asdict(settings)])
    return folder() / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"


def load(path: Path, source: str) -> Assembly | None:
    """The entry as an assembly named after the file `source`; None where it is no use."""
    if not path.is_file():
        return None
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            return _unstacked(header, {name: arrays[name] for name in _STACKED}, source)
    except Exception:  # whatever a damaged file may raise: it is made again
        return None


def save(path: Path, assembly: Assembly) -> None:
    """Write an entry: whole, or not at all."""
    import tempfile

    import numpy as np

    header, arrays = _stacked(assembly)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, allow_pickle=False, header=header, **arrays)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _stacked(assembly: Assembly) -> tuple[Any, dict[str, Any]]:
    """The header as bytes, and each kind of array joined; shared arrays appear once."""
    import numpy as np

    parts: list[dict[str, Any]] = [{"name": part.name} for part in assembly.parts]
    stacked = {}
    for name in _STACKED:
        distinct = {id(array): array for array in (getattr(p, name) for p in assembly.parts)}
        stops = np.cumsum([len(array) for array in distinct.values()]).tolist()
        spans = dict(zip(distinct, zip([0, *stops], stops, strict=False), strict=True))
        for entry, part in zip(parts, assembly.parts, strict=True):
            entry[name] = spans[id(getattr(part, name))]
        stacked[name] = np.concatenate(list(distinct.values()))
    whole = {name: getattr(assembly, name) for name in ("sha256", "unit", "colored", "notes")}
    return np.frombuffer(json.dumps({**whole, "parts": parts}).encode(), np.uint8), stacked


def _unstacked(header: dict[str, Any], stacked: dict[str, Any], source: str) -> Assembly:
    from vqc.types import Assembly, Part

    views: dict[tuple[str, int, int], Any] = {}

    def view(name: str, start: int, stop: int) -> Any:
        return views.setdefault((name, start, stop), stacked[name][start:stop])

    parts = tuple(
        Part(part["name"], *(view(name, *part[name]) for name in _STACKED))
        for part in header["parts"]
    )
    return Assembly(
        name=source.rpartition(".")[0] or source,
        source=source,
        sha256=header["sha256"],
        parts=parts,
        unit=header["unit"],
        colored=header["colored"],
        notes=tuple(header["notes"]),
    )
