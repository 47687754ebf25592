"""Raw meshes of the kernel process → Assembly; and what there is to measure on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.cad.kernel import ARRAYS
from vqc.errors import CadError
from vqc.types import Assembly, ByteArray, FloatArray, IntArray, Part

GREY_RGBA = (178, 178, 178, 255)
"""The colour of whatever the file leaves uncoloured, 8-bit sRGB."""

_COLUMNS = {"nodes": 3, "normals": 3, "triangles": 3, "faces": 4}


@dataclass(frozen=True)
class _Mesh:
    """A body's mesh; colour: (F,) index into the palette, or -1."""

    vertices_mm: FloatArray
    normals: NDArray[np.float32]
    faces: IntArray
    colour: IntArray


def from_kernel(header: dict[str, Any], body: memoryview, source: str, sha256: str) -> Assembly:
    """What `vqc.cad.kernel` wrote, as an assembly named after the file `source`.

    Raises CadError where a coordinate is not finite or everything lies in one point.
    """
    meshes = list(_meshes(header["faces_of_body"], _arrays(header["sizes"], body)))
    palette = np.array(header["palette"], np.uint8).reshape(-1, 4)
    parts = [
        part
        for entry in header["parts"]
        if len(meshes[entry["body"]].faces)
        for part in _parts(entry, meshes[entry["body"]], palette)
    ]
    if not all(np.isfinite(p.vertices_mm).all() and np.isfinite(p.placements).all() for p in parts):
        raise CadError(f"{source}: the CAD kernel made points that are not finite numbers")
    assembly = Assembly(
        name=source.rpartition(".")[0] or source,
        source=source,
        sha256=sha256,
        parts=tuple(parts),
        unit=header["unit"],
        colored=len(palette) > 0 or any(entry["rgba"] for entry in header["parts"]),
        notes=tuple(header["notes"]),
    )
    if not parts or not size_mm(assembly).any():
        raise CadError(f"{source}: there is no geometry inside: its size is zero")
    return assembly


def size_mm(assembly: Assembly) -> FloatArray:
    """Extent along x, y and z, (3,), of all parts as placed."""
    corners = []
    for part in assembly.parts:
        for placement in part.placements:
            points = part.vertices_mm @ placement[:3, :3].T + placement[:3, 3]
            corners += [points.min(axis=0), points.max(axis=0)]
    return np.asarray(np.ptp(corners, axis=0))


def is_closed(part: Part) -> bool:
    """Whether the part's faces enclose a volume: no edge is open.

    Vertices within 1e-7 of the part's size count as one; then every edge must be walked
    as often in one direction as in the other. So a part of two solids that share an edge
    is closed, too.
    """
    low, extent = part.vertices_mm.min(axis=0), np.ptp(part.vertices_mm, axis=0).max()
    cells = np.round((part.vertices_mm - low) / (extent * 1e-7 or 1)).astype(np.int64)
    _, point = np.unique(cells, axis=0, return_inverse=True)
    start = point.reshape(-1)[part.faces]
    end = np.roll(start, -1, axis=1)
    edge = np.minimum(start, end) * len(cells) + np.maximum(start, end)
    _, edge = np.unique(edge, return_inverse=True)
    return not np.bincount(edge.ravel(), np.sign(end - start).ravel()).any()


def _arrays(sizes: dict[str, int], body: memoryview) -> dict[str, NDArray[Any]]:
    arrays, offset = {}, 0
    for name, code in ARRAYS.items():
        values = np.frombuffer(body, np.dtype(code), sizes[name], offset)
        arrays[name] = values.reshape(-1, _COLUMNS[name])
        offset += values.nbytes
    return arrays


def _meshes(faces_of_body: list[int], arrays: dict[str, NDArray[Any]]) -> Iterator[_Mesh]:
    face = node = triangle = 0
    for count in faces_of_body:
        rows = arrays["faces"][face : face + count].astype(np.int64)
        nodes, triangles = (
            slice(node, node + rows[:, 0].sum()),
            slice(triangle, triangle + rows[:, 1].sum()),
        )
        yield _mesh(
            rows, arrays["nodes"][nodes], arrays["normals"][nodes], arrays["triangles"][triangles]
        )
        face, node, triangle = face + count, nodes.stop, triangles.stop


def _mesh(rows: IntArray, nodes: Any, normals: Any, triangles: Any) -> _Mesh:
    """Join the faces of one body: number through, turn outwards, drop the degenerate."""
    n_nodes, n_triangles, inwards, colour = rows.T
    first = np.repeat(np.cumsum(n_nodes) - n_nodes, n_triangles)
    faces = triangles.astype(np.int64) - 1 + first[:, None]
    flip = np.repeat(inwards, n_triangles) == 1
    faces[flip] = faces[flip][:, ::-1]
    normals = normals * np.repeat(1 - 2 * inwards, n_nodes)[:, None].astype(np.float32)
    a, b, c = (nodes[faces[:, i]] for i in range(3))
    real = (a != b).any(axis=1) & (b != c).any(axis=1) & (c != a).any(axis=1)
    faces, colour = faces[real], np.repeat(colour, n_triangles)[real]
    return _Mesh(nodes.copy(), _unit_normals(normals, nodes, faces), faces, colour)


def _unit_normals(normals: Any, vertices: Any, faces: IntArray) -> NDArray[np.float32]:
    """Normals of length 1; where the kernel has none, the mean of the triangles by area."""
    length = np.linalg.norm(normals, axis=1)
    missing = ~(length > 0.5)  # catches NaN, too
    if missing.any():
        a, b, c = (vertices[faces[:, i]] for i in range(3))
        mean = np.zeros_like(vertices)
        np.add.at(mean, faces.ravel(), np.repeat(np.cross(b - a, c - a), 3, axis=0))
        mean[~mean.any(axis=1)] = (0, 0, 1)  # belongs to no triangle
        normals = np.where(missing[:, None], mean, normals)
        length = np.linalg.norm(normals, axis=1)
    return np.asarray(normals / length[:, None], np.float32)


def _parts(entry: dict[str, Any], mesh: _Mesh, palette: ByteArray) -> Iterator[Part]:
    """One part for each scale at which the mesh stands; a mirror is a negative scale.

    Scale and mirror go into the vertices, so that every placement is a rigid motion.
    """
    own = np.array(entry["rgba"] or GREY_RGBA, np.uint8)
    rgba = np.vstack([palette, own])[mesh.colour]
    placements = np.zeros((len(entry["placements"]), 4, 4))
    placements[:, :3] = np.reshape(entry["placements"], (-1, 3, 4))
    placements[:, 3, 3] = 1
    scales = np.round(np.cbrt(np.linalg.det(placements[:, :3, :3])), 9)
    for scale in np.unique(scales):
        rigid = placements[scales == scale]
        vertices, normals, faces = mesh.vertices_mm, mesh.normals, mesh.faces
        if scale != 1:
            rigid[:, :3, :3] /= scale
            vertices, normals = vertices * scale, normals * np.sign(scale).astype(np.float32)
            faces = faces[:, ::-1] if scale < 0 else faces
        yield Part(entry["name"], vertices, normals, np.ascontiguousarray(faces), rgba, rigid)
