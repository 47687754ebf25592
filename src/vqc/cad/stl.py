"""STL file → Assembly: for things that stand around, of which there is no STEP file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.errors import CadError

if TYPE_CHECKING:
    from vqc.types import Assembly

GREY_RGBA = (178, 178, 178, 255)
SHARP_DEG = 30.0
"""Triangles that meet at a larger angle meet in a sharp edge."""
MAX_TRIANGLES = 2_000_000


def read_stl(path: Path) -> Assembly:
    """One grey part; numbers are taken for millimetres, since the format has no unit.

    Raises CadError where there is no such file, or no triangle in it.
    """
    import numpy as np
    import trimesh

    from vqc.types import Assembly, Part

    try:
        content = path.read_bytes()
        with path.open("rb") as file:
            loaded = trimesh.load_mesh(file, file_type="stl")
        faces = len(loaded.faces)
    except OSError as error:
        raise CadError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # whatever the bytes make the reader stumble over
        raise CadError(f"{path}: is no STL file that can be read: {error}") from None
    if not 0 < faces <= MAX_TRIANGLES or not np.isfinite(loaded.vertices).all():
        raise CadError(f"{path}: expected 1 to {MAX_TRIANGLES:,} triangles, got {faces:,}")
    if len(np.unique(loaded.vertices, axis=0)) < 3:
        raise CadError(f"{path}: has no extent: all its points lie in one or two places")
    smooth = trimesh.graph.smooth_shade(loaded, angle=np.radians(SHARP_DEG))
    part = Part(
        path.stem,
        np.asarray(smooth.vertices, np.float64),
        np.asarray(smooth.vertex_normals, np.float32),
        np.asarray(smooth.faces, np.int64),
        np.tile(np.array(GREY_RGBA, np.uint8), (len(smooth.faces), 1)),
        np.eye(4)[None],
    )
    digest = hashlib.sha256(content).hexdigest()
    return Assembly(path.stem, path.name, digest, (part,), "mm", False)
