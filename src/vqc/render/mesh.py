"""The triangles that are drawn: many placed parts → few NumPy arrays in one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.types import ByteArray, FloatArray, IntArray, Part, Scene

GREY = (178, 178, 178)


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles ready to draw.

    vertices: (V, 3) float64, relative to the scene's centre. normals: (V, 3) float64.
    rgb: (V, 3) uint8. faces: (F, 3) int64. closed: (F,) bool, whether the triangle belongs
    to a closed surface seen from outside only, so that its back never shows.
    """

    vertices: FloatArray
    normals: FloatArray
    rgb: ByteArray
    faces: IntArray
    closed: NDArray[np.bool_]

    def only(self, faces: NDArray[np.bool_]) -> Mesh:
        """The same vertices with some of the triangles."""
        return Mesh(self.vertices, self.normals, self.rgb, self.faces[faces], self.closed[faces])


def of_instances(scene: Scene) -> list[Mesh]:
    """One mesh for each instance; what a repeated part needs is worked out once."""
    ready: dict[int, tuple[Part, ByteArray, NDArray[np.bool_]]] = {}
    meshes = []
    for instance in scene.instances:
        pieces = []
        for part, at in instance.members:
            if id(part) not in ready:
                flat, rgb = _colour_by_vertex(part)
                ready[id(part)] = flat, rgb, np.full(len(flat.faces), hides_its_back(flat))
            pieces.append(_place(*ready[id(part)], at, scene.center_mm, scene.grey))
        meshes.append(join(pieces))
    return meshes


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    if len(meshes) == 1:
        return meshes[0]
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.rgb for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]),
        np.concatenate([m.closed for m in meshes]),
    )


def hull_points(vertices: FloatArray) -> FloatArray:
    """The vertices of the convex hull: they span the outline from every side.

    All vertices where there is no hull to speak of (fewer than four, or a flat shape).
    """
    from scipy.spatial import ConvexHull, QhullError

    if len(vertices) > 4:
        try:
            hull: FloatArray = vertices[ConvexHull(vertices).vertices]
            return hull
        except QhullError:
            pass
    return vertices


def dense_points(solid: Mesh, gap: float = 0.01) -> FloatArray:
    """(N, 3) the vertices, and points on long edges; gap: between them, by the mesh's diagonal."""
    used = np.unique(solid.faces)
    pairs = np.sort(np.concatenate([solid.faces[:, [0, 1]], solid.faces[:, [1, 2]],
                                    solid.faces[:, [2, 0]]]), axis=1)  # fmt: skip
    start, end = solid.vertices[np.unique(pairs, axis=0).T]
    step_mm = gap * float(np.linalg.norm(np.ptp(solid.vertices[used], axis=0)))
    counts = np.ceil(np.linalg.norm(end - start, axis=1) / max(step_mm, 1e-9)).astype(int)
    found = [solid.vertices[used]]
    for count in np.unique(counts[counts > 1]):
        chosen = counts == count
        share = (np.arange(1, count) / count)[:, None, None]
        found.append((start[chosen] * (1 - share) + end[chosen] * share).reshape(-1, 3))
    return np.concatenate(found)


def hides_its_back(part: Part) -> bool:
    """Whether every connected piece is a closed surface that is wound outwards.

    Closed: each directed edge has exactly one partner that runs the other way, after
    vertices at the same place are joined. Outwards: its signed volume is positive.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, same = np.unique(part.vertices_mm, axis=0, return_inverse=True)
    faces = same.reshape(-1)[part.faces]
    count = int(faces.max()) + 1
    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    forward = np.sort(start * count + end)
    if (forward[1:] == forward[:-1]).any():
        return False
    if not np.array_equal(forward, np.sort(end * count + start)):
        return False
    links = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(count, count))
    piece = connected_components(links, directed=False)[1][faces[:, 0]]
    a, b, c = (part.vertices_mm - part.vertices_mm.mean(axis=0))[part.faces.T]
    volume = np.bincount(piece, np.einsum("ij,ij->i", a, np.cross(b, c)))
    return bool((volume > 0).all())


def _colour_by_vertex(part: Part) -> tuple[Part, ByteArray]:
    """The part with one colour a vertex; corners are split where two colours share one."""
    rgb = np.empty((len(part.vertices_mm), 3), np.uint8)
    rgb[part.faces] = part.face_rgba[:, None, :3]
    if (rgb[part.faces] == part.face_rgba[:, None, :3]).all():
        return part, rgb
    corners = part.faces.ravel()
    split = Part(
        part.name,
        part.vertices_mm[corners],
        part.normals[corners],
        np.arange(len(corners)).reshape(-1, 3),
        part.face_rgba,
        part.placements,
    )
    return split, np.repeat(part.face_rgba[:, :3], 3, axis=0)


def _place(
    part: Part,
    rgb: ByteArray,
    closed: NDArray[np.bool_],
    at: FloatArray,
    center_mm: FloatArray,
    grey: bool,
) -> Mesh:
    linear = at[:3, :3]
    normals = part.normals @ np.linalg.inv(linear)
    mirrored = np.linalg.det(linear) < 0
    return Mesh(
        part.vertices_mm @ linear.T + (at[:3, 3] - center_mm),
        normals,
        np.broadcast_to(np.array(GREY, np.uint8), rgb.shape) if grey else rgb,
        part.faces[:, ::-1] if mirrored else part.faces,
        closed,
    )
