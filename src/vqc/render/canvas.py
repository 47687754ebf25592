"""One off-screen window, what can be drawn in it, and the bytes read back: all of VTK.

Lighting is computed for each vertex and triangles are filled with the blend, because on a
CPU the fragments are what costs. PyVista wraps the meshes; its Plotter is left out, since it
takes longer to open than a hundred frames take to draw (docs/architecture.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqc.errors import VqcError
from vqc.render.mesh import Mesh
from vqc.types import ByteArray, FloatArray, Intrinsics

Style = Literal["lit", "normals", "flat"]

# Where a closed surface is, its back is never seen and not drawn. Elsewhere both sides are,
# each lit as if it faced the camera. The lights stand still in camera axes (x right, y up,
# z backwards): a key light from the upper left, a fill light from the right, and a sky.
REPLACEMENTS: dict[Style, dict[tuple[str, str], str]] = {
    "lit": {
        ("vertex", "Normal::Dec"): "//VTK::Normal::Dec\nout vec2 shadeVS;\n",
        ("vertex", "Normal::Impl"): """//VTK::Normal::Impl
  vec3 n = normalize(normalMatrix * normalMC);
  float key = dot(n, normalize(vec3(-0.45, 0.65, 0.62)));
  float fill = dot(n, normalize(vec3(0.75, -0.05, 0.66)));
  vec4 gain = vec4(0.52, 0.24, 0.28, 0.16);
  shadeVS.x = dot(gain, vec4(max(key, 0.0), max(fill, 0.0), 0.5 + 0.5 * n.y, 1.0));
  shadeVS.y = dot(gain, vec4(max(-key, 0.0), max(-fill, 0.0), 0.5 - 0.5 * n.y, 1.0));
""",
        ("fragment", "Normal::Dec"): "in vec2 shadeVS;\n",
        ("fragment", "Normal::Impl"): "\n",
        ("fragment", "Light::Impl"): """
  float shade = gl_FrontFacing ? shadeVS.x : shadeVS.y;
  gl_FragData[0] = vec4(shade * diffuseColor, 1.0);
""",
    },
    "normals": {
        ("vertex", "Normal::Dec"): "//VTK::Normal::Dec\nout vec3 normalVS;\n",
        ("vertex", "Normal::Impl"): """//VTK::Normal::Impl
  normalVS = normalMatrix * normalMC;
""",
        ("fragment", "Normal::Dec"): "in vec3 normalVS;\n",
        ("fragment", "Normal::Impl"): "\n",
        ("fragment", "Light::Impl"): """
  vec3 n = normalize(gl_FrontFacing ? normalVS : -normalVS);
  gl_FragData[0] = vec4(vec3(n.x, -n.y, -n.z) * 0.5 + 0.5, 1.0);
""",
    },
    "flat": {
        ("fragment", "Normal::Dec"): "\n",
        ("fragment", "Normal::Impl"): "\n",
        ("fragment", "Light::Impl"): "\n  gl_FragData[0] = vec4(diffuseColor, 1.0);\n",
    },
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture to draw: which layer, through which part of the camera's image plane.

    clip: (4, 4) world → clip coordinates, instead of the camera; only the size of the intrinsics
        counts then.
    """

    layer: str
    intrinsics: Intrinsics
    clip: FloatArray | None = None


class Canvas:
    """An off-screen window of fixed size, and layers of meshes that can be drawn in it.

    Raises VqcError where this machine offers no off-screen OpenGL.
    """

    def __init__(self, width: int, height: int, background: tuple[int, int, int]) -> None:
        self.width, self.height = width, height
        self._background = background
        self._window, self._messages = _open_window(width, height)
        self._layers: dict[str, Any] = {}

    @cached_property
    def capabilities(self) -> dict[str, str]:
        """What OpenGL says of itself, such as "OpenGL version string"."""
        self._window.Render()
        lines = str(self._window.ReportCapabilities()).splitlines()
        pairs = (line.partition(":") for line in lines)
        return {key.strip(): value.strip() for key, _, value in pairs}

    @property
    def renderer(self) -> str:
        """OpenGL's name of what draws."""
        return self.capabilities.get("OpenGL renderer string", "?")

    def add_layer(
        self, name: str, meshes: Sequence[Mesh], style: Style, codes: Sequence[int] | None = None
    ) -> None:
        """Meshes that are drawn together under a name; with `codes`, each in one flat colour."""
        renderer = self._new_layer(name)
        for k, mesh in enumerate(meshes):
            renderer.AddActor(_actor(mesh, style, None if codes is None else codes[k]))

    def add_part_of(self, layer: str, number: int, name: str) -> None:
        """A layer that holds just one mesh of another one, sharing its buffers."""
        self._new_layer(name).AddActor(list(self._layers[layer].GetActors())[number])

    def fill(self, name: str, actors: Sequence[Any]) -> None:
        """Let a layer hold these actors and nothing else."""
        renderer = self._layers[name] if name in self._layers else self._new_layer(name)
        renderer.RemoveAllViewProps()
        for actor in actors:
            renderer.AddActor(actor)

    def has_layer(self, name: str) -> bool:
        return name in self._layers

    def draw(
        self, tiles: Sequence[Tile], world2cam: FloatArray, near: float, far: float
    ) -> list[ByteArray]:
        """(H, W, 4) bytes of every tile, upper row first; alpha is 0 where nothing was drawn.

        Small tiles share one drawing of the window, which has a price of its own.
        No tile may be larger than the canvas.
        """
        pictures: dict[int, ByteArray] = {}
        for sheet in self._sheets(tiles):
            for renderer in self._layers.values():
                renderer.SetDraw(False)
            for number, left, low in sheet:
                renderer, k = self._layers[tiles[number].layer], tiles[number].intrinsics
                right, high = left + k.width, low + k.height
                renderer.SetDraw(True)
                renderer.SetViewport(
                    left / self.width, low / self.height, right / self.width, high / self.height
                )
                camera, clip = renderer.GetActiveCamera(), tiles[number].clip
                if clip is None:
                    _aim(camera, world2cam, k, near, far)
                else:
                    _aim_outright(camera, clip)
            self._window.Render()
            self._complain()
            pixels = self._read(
                max(left + tiles[n].intrinsics.width for n, left, _ in sheet),
                max(low + tiles[n].intrinsics.height for n, _, low in sheet),
            )
            for number, left, low in sheet:
                k = tiles[number].intrinsics
                pictures[number] = pixels[low : low + k.height, left : left + k.width][::-1]
        return [pictures[number] for number in range(len(tiles))]

    def _new_layer(self, name: str) -> Any:
        from vtkmodules.vtkRenderingCore import vtkLight, vtkRenderer

        renderer = vtkRenderer()
        renderer.SetAutomaticLightCreation(False)
        renderer.AddLight(vtkLight())  # unused, but without one VTK withholds the normals
        renderer.SetBackground(*(c / 255 for c in self._background))
        renderer.SetBackgroundAlpha(0.0)
        renderer.SetActiveCamera(_new_camera())
        self._window.AddRenderer(renderer)
        self._layers[name] = renderer
        return renderer

    def _sheets(self, tiles: Sequence[Tile]) -> list[list[tuple[int, int, int]]]:
        """Tiles packed on shelves, highest first: (tile, left, low) for each drawing.

        A layer can be drawn from one camera at a time, so it stands once on a sheet.
        """
        sheets: list[list[tuple[int, int, int]]] = []
        used: set[str] = set()
        left = low = shelf = 0
        order = sorted(range(len(tiles)), key=lambda n: (-tiles[n].intrinsics.height, n))
        for number in order:
            tile, k = tiles[number], tiles[number].intrinsics
            if left + k.width > self.width:
                left, low, shelf = 0, low + shelf, 0
            if not sheets or tile.layer in used or low + k.height > self.height:
                sheets.append([])
                used, left, low, shelf = set(), 0, 0, 0
            sheets[-1].append((number, left, low))
            used.add(tile.layer)
            left, shelf = left + k.width, max(shelf, k.height)
        return sheets

    def _read(self, width: int, height: int) -> ByteArray:
        """(height, width, 4) bytes of the lower left corner, lowest row first."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        buffer = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, buffer)
        pixels: ByteArray = vtk_to_numpy(buffer).reshape(height, width, 4)
        return pixels

    def z_buffer(self, width: int, height: int) -> NDArray[np.float32]:
        """(H, W) depths in [0, 1] of the single tile that was drawn last, lowest row first."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkFloatArray

        buffer = vtkFloatArray()
        self._window.GetZbufferData(0, 0, width - 1, height - 1, buffer)
        depths: NDArray[np.float32] = vtk_to_numpy(buffer).reshape(height, width)
        return depths

    def z_mm(self, width: int, height: int, near: float, far: float) -> NDArray[np.float64]:
        """(H, W) distance along the optical axis of the single tile that was drawn last."""
        z_ndc = 2.0 * self.z_buffer(width, height)[::-1].astype(np.float64) - 1.0
        z: NDArray[np.float64] = 2.0 * far * near / (far + near - z_ndc * (far - near))
        return z

    def close(self) -> None:
        """Free the window and all that it holds."""
        self._window.Finalize()

    def _complain(self) -> None:
        said = self._messages.GetOutput()
        if "error" in said.lower():
            raise VqcError(f"OpenGL cannot draw this: {said.strip()[-600:]}; see `vqc doctor`")


def _aim(camera: Any, world2cam: FloatArray, k: Intrinsics, near: float, far: float) -> None:
    """Place a camera outright, and give it the pinhole's own projection matrix."""
    _, down, forward = world2cam[:3, :3]
    position = -world2cam[:3, :3].T @ world2cam[:3, 3]
    reach = np.linalg.norm(position) or 1.0
    camera.SetPosition(*position)
    camera.SetFocalPoint(*(position + forward * reach))
    camera.SetViewUp(*(-down))
    camera.SetClippingRange(near, far)
    rows = np.zeros((4, 4))
    rows[0, 0], rows[0, 2] = 2 * k.fx / k.width, 1 - 2 * k.cx / k.width
    rows[1, 1], rows[1, 2] = 2 * k.fy / k.height, 2 * k.cy / k.height - 1
    rows[2, 2], rows[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
    rows[3, 2] = -1.0
    camera.GetExplicitProjectionTransformMatrix().DeepCopy(rows.ravel().tolist())
    camera.Modified()


def _aim_outright(camera: Any, clip: FloatArray) -> None:
    """Leave the whole way from the world to clip coordinates to the projection matrix."""
    camera.SetPosition(0, 0, 0)
    camera.SetFocalPoint(0, 0, -1)
    camera.SetViewUp(0, 1, 0)
    camera.GetExplicitProjectionTransformMatrix().DeepCopy(clip.ravel().tolist())
    camera.Modified()


def _open_window(width: int, height: int) -> tuple[Any, Any]:
    """The window, and the sink that VTK's messages go to instead of the terminal."""
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the OpenGL classes)
    from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    messages = vtkStringOutputWindow()
    vtkOutputWindow.SetInstance(messages)
    window = vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(True)
    window.SetSize(width, height)
    window.Initialize()
    if not window.GetInitialized():  # SupportsOpenGL() says yes without a context, too
        raise VqcError(
            "no off-screen OpenGL: neither EGL nor OSMesa could open a window; "
            "`vqc doctor` says which library is missing and how to get it"
        )
    return window, messages


def _new_camera() -> Any:
    from vtkmodules.vtkCommonMath import vtkMatrix4x4
    from vtkmodules.vtkRenderingCore import vtkCamera

    camera = vtkCamera()
    camera.SetExplicitProjectionTransformMatrix(vtkMatrix4x4())
    camera.SetUseExplicitProjectionTransformMatrix(True)
    return camera


def polydata(mesh: Mesh) -> Any:
    """A mesh as VTK draws it, with normals."""
    import pyvista

    data = pyvista.PolyData.from_regular_faces(mesh.vertices.astype(np.float32), mesh.faces)
    data.point_data.active_normals = mesh.normals.astype(np.float32)
    return data


def actor_of(data: Any, shaders: Mapping[tuple[str, str], str], hides_backs: bool) -> Any:
    """Something to draw; shaders: (stage, mark of VTK's template) → text."""
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetBackfaceCulling(hides_backs)
    for (stage, mark), text in shaders.items():
        add = getattr(actor.GetShaderProperty(), f"Add{stage.capitalize()}ShaderReplacement")
        add(f"//VTK::{mark}", True, text, False)
    return actor


def _actor(mesh: Mesh, style: Style, code: int | None) -> Any:
    data = polydata(mesh)
    actor = actor_of(data, REPLACEMENTS[style], bool(mesh.closed.all()))
    mapper = actor.GetMapper()
    if code is None:
        data.point_data["rgb"] = mesh.rgb
        data.point_data.active_scalars_name = "rgb"
        mapper.SetScalarModeToUsePointData()
    else:
        mapper.ScalarVisibilityOff()
        actor.GetProperty().SetColor(*((code >> shift & 255) / 255 for shift in (0, 8, 16)))
    return actor
