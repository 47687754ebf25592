"""The actors of a stage: VTK's objects for every body, kept from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.render import mesh, shading
from vqc.render.canvas import REPLACEMENTS, actor_of, polydata
from vqc.render.model import Model
from vqc.shot import Shot

ENVIRONMENT_PX = 512
COARSE = 64
"""Cells along a model's longest side in which its details are joined for shadows on the ground."""


class Cast:
    """Actors of some models; textures: what the shader reads, by the names that it knows."""

    def __init__(self, models: Sequence[Model], textures: Mapping[str, Texture]) -> None:
        self._models, self._textures = models, textures
        self._shapes: dict[tuple[str, int, int, bool], Any] = {}
        self._pool: dict[tuple[str, int, int, int], list[Any]] = {}

    def of(self, style: str, model: int, number: int, slot: int) -> list[Any]:
        """The actors of one instance, kept for the next frame; closed and open pieces apart.

        slot: how many of the same instance stand there before it.
        """
        key = (style, model, number, slot)
        if key not in self._pool:
            solid = self._models[model].meshes[number]
            sides = (True, False) if style == "lit" else (bool(solid.closed.all()),)
            pieces = [
                (closed, (solid.closed == closed) if style == "lit" else None) for closed in sides
            ]
            self._pool[key] = [
                self._actor(style, model, number, closed, faces)
                for closed, faces in pieces
                if faces is None or faces.any()
            ]
        return self._pool[key]

    def casters(self, shot: Shot) -> list[Any]:
        """An actor for each body with about as much detail as the map of the ground shows."""
        from vtkmodules.vtkCommonMath import vtkMatrix4x4

        actors, used = [], dict[int, int]()
        for body in shot.bodies:
            slot = used.get(body.model, 0)
            used[body.model] = slot + 1
            key = ("coarse", body.model, 0, slot)
            if key not in self._pool:
                shape = ("coarse", body.model, 0, False)
                if shape not in self._shapes:
                    self._shapes[shape] = _coarse(self._models[body.model])
                actor = actor_of(self._shapes[shape], REPLACEMENTS["flat"], False)
                actor.SetUserMatrix(vtkMatrix4x4())
                self._pool[key] = [actor]
            self._pool[key][0].GetUserMatrix().DeepCopy(body.pose.ravel().tolist())
            actors += self._pool[key]
        return actors

    def _actor(
        self, style: str, model: int, number: int, closed: bool, faces: NDArray[np.bool_] | None
    ) -> Any:
        from vtkmodules.vtkCommonDataModel import vtkDataObject
        from vtkmodules.vtkCommonMath import vtkMatrix4x4

        key = (style, model, number, closed)
        if key not in self._shapes:
            solid = self._models[model].meshes[number]
            self._shapes[key] = polydata(solid if faces is None else solid.only(faces))
            self._shapes[key].point_data["colour"] = self._models[model].colours[number]
        texts = REPLACEMENTS["flat"] if style == "flat" else shading.replacements()
        actor = actor_of(self._shapes[key], texts, closed)
        actor.GetMapper().ScalarVisibilityOff()
        # The shader needs millimetres; and what hides must be drawn from the very same numbers.
        actor.GetMapper().SetVBOShiftScaleMethod(0)
        actor.SetUserMatrix(vtkMatrix4x4())
        if style == "lit":
            actor.GetMapper().MapDataArrayToVertexAttribute(
                "colourIndex", "colour", vtkDataObject.FIELD_ASSOCIATION_POINTS, -1
            )
            for name, texture in self._textures.items():
                actor.GetProperty().SetTexture(name, texture.vtk)
        return actor


def _coarse(model: Model) -> Any:
    """The whole model, its vertices joined in cells of a grid, COARSE along the longest side."""
    from vtkmodules.vtkFiltersCore import vtkQuadricClustering

    whole = mesh.join(model.meshes)
    sides = np.ptp(whole.vertices[np.unique(whole.faces)], axis=0)
    cells = np.maximum(np.ceil(sides / max(float(sides.max()), 1e-9) * COARSE), 1).astype(int)
    clustering = vtkQuadricClustering()
    clustering.SetInputData(polydata(whole))
    clustering.AutoAdjustNumberOfDivisionsOff()
    clustering.SetNumberOfDivisions(*cells.tolist())
    clustering.Update()
    return clustering.GetOutput()


class Texture:
    """Numbers that a shader reads: a float texture with 1 or 4 channels."""

    def __init__(self, width: int, height: int, channels: int) -> None:
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkRenderingCore import vtkTexture

        self._values = np.zeros((width * height, channels), np.float32)
        self._array = numpy_to_vtk(self._values)
        self._image = vtkImageData()
        self._image.SetDimensions(width, height, 1)
        self._image.GetPointData().SetScalars(self._array)
        self.vtk = vtkTexture()
        self.vtk.SetInputData(self._image)
        self.vtk.SetColorModeToDirectScalars()

    def set(self, values: NDArray[np.float32]) -> None:
        """Replace all of them; lowest row first."""
        self._values[:] = values.reshape(self._values.shape)
        self._array.Modified()
        self._image.Modified()


def environment_texture(light: NDArray[np.float32] | None) -> Texture:
    """As a texture with coarser levels, which stand for reflections in rough surfaces."""
    import cv2

    if light is None:
        return Texture(1, 1, 4)
    texture = Texture(ENVIRONMENT_PX, ENVIRONMENT_PX // 2, 4)
    size = (ENVIRONMENT_PX, ENVIRONMENT_PX // 2)
    values = np.ones((size[1], size[0], 4), np.float32)
    values[..., :3] = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    texture.set(values)
    texture.vtk.SetRepeat(True)
    texture.vtk.SetInterpolate(True)
    texture.vtk.SetMipmap(True)
    texture.vtk.SetMaximumAnisotropicFiltering(1.0)  # it smears where the longitude starts again
    return texture
