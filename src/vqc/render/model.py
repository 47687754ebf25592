"""Something that can stand in a scene any number of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.render import mesh
from vqc.render.mesh import Mesh
from vqc.types import ByteArray, FloatArray, Instance, Scene


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Something that can stand in a scene any number of times.

    Its frame has its scene's axes and lies at that scene's centre.

    instances, center_mm, radius_mm: of the scene it was made of.
    palette: (C, 3) uint8 sRGB, the colours in it. meshes: one for each instance; `colours`: for
    each vertex of these, its row of the palette. hulls: points that span each instance.
    """

    instances: tuple[Instance, ...]
    center_mm: FloatArray
    radius_mm: float
    palette: ByteArray
    meshes: tuple[Mesh, ...]
    colours: tuple[NDArray[np.float32], ...]
    hulls: tuple[FloatArray, ...]


def model_of(scene: Scene) -> Model:
    """What the scene holds, as one thing that can be moved."""
    meshes = mesh.of_instances(scene)
    every = np.concatenate([m.rgb for m in meshes]).astype(np.uint32)
    codes, index = np.unique(every @ np.array([1 << 16, 1 << 8, 1], np.uint32), return_inverse=True)
    palette = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    cuts = np.cumsum([len(m.rgb) for m in meshes])[:-1]
    return Model(
        scene.instances,
        scene.center_mm,
        scene.radius_mm,
        palette,
        tuple(meshes),
        tuple(np.split(index.reshape(-1).astype(np.float32), cuts)),
        tuple(mesh.hull_points(m.vertices[np.unique(m.faces)]) for m in meshes),
    )
