"""A shot → light, ids and silhouettes: the renderer of looks, where every frame has another scene.

Models are loaded once; each frame places bodies of them anew. Everything is drawn in one window
as in `vqc.render`, with the same samples, ids and proofs; only the surfaces are lit by `shading`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.geometry import box_of_points, crop, project, transform, world2cam
from vqc.render import ground, mesh, shading
from vqc.render.canvas import Canvas, Tile
from vqc.render.cast import Cast, Texture, environment_texture
from vqc.render.drawing import UNLABELLED_CODE, Drawing, average, decode_ids, finer, touched
from vqc.render.model import Model
from vqc.shot import Body, Lamp, Shot
from vqc.types import ByteArray, FloatArray, Instance, Intrinsics, Layers, Scene, View

ENVIRONMENT_LEVELS = 7.0
"""The level of its texture that is all but one colour: 4 × 2 pixels."""
SHADOW_PX = 512
"""Side of the first lamp's shadow map."""


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """Layers, without their picture, and the light that falls on the sensor.

    light: (H, W, 3) float32, linear; 1 is white. id_samples: (H · aa, W · aa), the ids before
    each pixel took one.
    """

    layers: Layers
    light: NDArray[np.float32]
    id_samples: NDArray[np.int32]


class Stage(Drawing):
    """Draws shots of one frame size, one after another.

    environment: (H, W, 3) float32 linear light from all around, or None; longitude from left to
    right, latitude from the top down.
    Raises VqcError where this machine offers no off-screen OpenGL.
    """

    def __init__(
        self,
        models: Sequence[Model],
        width: int,
        height: int,
        aa: int = 2,
        environment: NDArray[np.float32] | None = None,
    ) -> None:
        self._models, self.aa, self._count = models, aa, 0
        side = (max(width * aa, SHADOW_PX), max(height * aa, SHADOW_PX))
        self._canvas = Canvas(*side, (0, 0, 0))
        self._table_width = shading.table_width(max(len(m.palette) for m in models))
        self._textures = {
            "table": Texture(self._table_width, 1 + shading.MAX_BODIES, 4),
            "shadowMap": Texture(SHADOW_PX, SHADOW_PX, 1),
            "environment": environment_texture(environment),
        }
        self._actors = Cast(models, self._textures)
        self._around = (
            None if environment is None else shading.light_around(environment, ENVIRONMENT_LEVELS)
        )
        self._items: list[tuple[Body, int]] = []
        self._casters: list[Any] = []
        self._dense: dict[tuple[int, int], FloatArray] = {}

    # What stands where ---------------------------------------------------------------------

    def place(self, shot: Shot) -> Scene:
        """Put the shot's bodies in place; all other methods then speak of it.

        Returns it as a scene whose instances have no meshes: what `annotate` needs.
        """
        items = [
            (body, number)
            for body in shot.bodies
            for number in range(len(self._models[body.model].instances))
        ]
        items.sort(key=lambda item: self._instance(*item).class_name is None)
        self._items = items
        self._count = sum(self._instance(*item).class_name is not None for item in items)
        rows = {id(body): row for row, body in enumerate(shot.bodies, start=1)}
        lit, flat, used = [], [], dict[tuple[int, int], int]()
        for order, (body, number) in enumerate(items, start=1):
            slot = used.get((body.model, number), 0)
            used[body.model, number] = slot + 1
            at = body.pose.ravel().tolist()
            code = order if order <= self._count else UNLABELLED_CODE
            for actor in self._actors.of("flat", body.model, number, slot):
                actor.GetUserMatrix().DeepCopy(at)
                actor.GetProperty().SetColor(*((code >> s & 255) / 255 for s in (0, 8, 16)))
                flat.append(actor)
            for actor in self._actors.of("lit", body.model, number, slot):
                actor.GetUserMatrix().DeepCopy(at)
                shaders = actor.GetShaderProperty()
                shaders.GetVertexCustomUniforms().SetUniformi("bodyRow", rows[id(body)])
                shaders.GetFragmentCustomUniforms().SetUniformi("bodyRow", rows[id(body)])
                lit.append(actor)
        self._casters = self._actors.casters(shot)
        # What is drawn first in one colour hides what lies behind before that is shaded.
        self._canvas.fill("lit", [*flat, *lit])
        self._canvas.fill("ids", flat)
        for order in range(self._count):
            self._canvas.fill(f"alone {order + 1}", [flat[order]])
        return Scene(tuple(self._standing(*item) for item in items), np.zeros(3), 1.0)

    def _instance(self, body: Body, number: int) -> Instance:
        return self._models[body.model].instances[number]

    def _standing(self, body: Body, number: int) -> Instance:
        """An instance where it stands now."""
        model, instance = self._models[body.model], self._instance(body, number)
        to_center = np.eye(4)
        to_center[:3, 3] = -model.center_mm
        return replace(instance, members=(), pose=body.pose @ to_center @ instance.pose)

    def outline_px(self, view: View, instance: int) -> FloatArray:
        body, number = self._items[instance - 1]
        hull = self._models[body.model].hulls[number]
        return project(transform(world2cam(view.pose) @ body.pose, hull), view.intrinsics)

    def dense_outline(self, instance: int) -> FloatArray:
        """(N, 3) points of an instance's edges in world axes, near to each other.

        Through a lens straight edges are not straight: corners do not span the outline then.
        """
        body, number = self._items[instance - 1]
        key = (body.model, number)
        if key not in self._dense:
            self._dense[key] = mesh.dense_points(self._models[body.model].meshes[number])
        return transform(body.pose, self._dense[key])

    def triangles_px(self, view: View, instance: int) -> FloatArray:
        body, number = self._items[instance - 1]
        solid = self._models[body.model].meshes[number]
        at = transform(world2cam(view.pose) @ body.pose, solid.vertices)
        corners: FloatArray = project(at, view.intrinsics)[solid.faces]
        return corners

    # Drawing -------------------------------------------------------------------------------

    def draw(self, shot: Shot) -> Exposure:
        """The shot that was placed."""
        if shot.light.environment_turn_deg is not None and self._around is not None:
            red, green, blue = (self._around.on_ground() * self._around.gain(shot.light)).tolist()
            shot = replace(shot, light=replace(shot.light, above=(red, green, blue)))
        view = shot.view
        k = view.intrinsics
        boxes = [box_of_points(self.outline_px(view, i + 1)) for i in range(len(self._items))]
        light = self._backdrop(shot)
        ids = np.zeros((k.height, k.width), np.int32)
        samples = np.zeros((k.height * self.aa, k.width * self.aa), np.int32)
        visible_px = (0.0,) * self._count
        x0, y0, x1, y1 = touched(boxes, k)
        if x1 > x0 and y1 > y0:
            inside = (slice(y0, y1), slice(x0, x1))
            self._tell(shot)
            part = finer(crop(k, x0, y0, x1 - x0, y1 - y0, 1), self.aa)
            lit, codes = (self._samples(view, layer, part) for layer in ("lit", "ids"))
            sent, cover = _decoded(average(lit, self.aa))
            light[inside] *= 1.0 - cover[..., None]
            light[inside] += sent
            y2, y3, x2, x3 = (v * self.aa for v in (y0, y1, x0, x1))
            samples[y2:y3, x2:x3] = decode_ids(codes)
            ids[inside], visible_px = self._read_ids(samples[y2:y3, x2:x3])
        silhouettes = self._silhouettes(view, ids, visible_px, boxes)
        rgb = np.zeros((0, 0, 3), np.uint8)
        return Exposure(Layers(rgb, ids, silhouettes, visible_px), light, samples)

    def _samples(self, view: View, layer: str, part: Intrinsics) -> ByteArray:
        """A layer through a camera whose frame may be larger than the window."""
        drawn = np.zeros((part.height, part.width, 4), np.uint8)
        pieces = list(self._pieces(part))
        pictures = self._draw(view, [Tile(layer, piece) for piece, _ in pieces])
        for picture, (_, place) in zip(pictures, pieces, strict=True):
            drawn[place] = picture
        return drawn

    def _backdrop(self, shot: Shot) -> NDArray[np.float32]:
        if shot.ground is None:
            return ground.backdrop(shot, None, None)
        points = self._points(shot)
        window = ground.window_around(points, shot.light)
        towards, owner = ground.directions(shot.light)
        size = crop(shot.view.intrinsics, 0, 0, ground.MAP_PX, ground.MAP_PX, 1)
        top_mm = max(float(points[:, 2].max()), 0.0)
        tiles = []
        for number, direction in enumerate(towards):
            self._canvas.fill(f"flat {number}", self._casters)
            tiles.append(Tile(f"flat {number}", size, window.clip(direction, top_mm)))
        drawn = self._canvas.draw(tiles, np.eye(4), 0.0, 1.0)
        shadows = [picture[..., 3] > 0 for picture in drawn]
        light_map = ground.received(shot.light, shadows, owner)
        return ground.backdrop(shot, window, light_map)

    def _points(self, shot: Shot) -> FloatArray:
        """(N, 3) points that span all bodies."""
        return np.concatenate(
            [transform(b.pose, p) for b in shot.bodies for p in self._models[b.model].hulls]
        )

    def _tell(self, shot: Shot) -> None:
        """Write the frame's numbers into the table, and draw the first lamp's shadows."""
        camera = world2cam(shot.view.pose)
        shadow = self._cast(shot, camera) if shot.light.lamps else None
        rows = [shading.table_of_light(shot.light, camera, shadow, self._around)]
        for body in shot.bodies:
            scale = 1.0 / self._models[body.model].radius_mm
            rows.append(shading.table_of_body(body, camera @ body.pose, scale))
        self._textures["table"].set(shading.table(rows, self._table_width))

    def _cast(self, shot: Shot, camera: FloatArray) -> shading.ShadowMap:
        """Draw what the first lamp sees."""
        lamp = shot.light.lamps[0]
        clip, reach_mm = _lamp_clip(lamp, self._points(shot))
        size = crop(shot.view.intrinsics, 0, 0, SHADOW_PX, SHADOW_PX, 1)
        self._canvas.draw([Tile("ids", size, clip)], np.eye(4), 0.0, 1.0)
        self._textures["shadowMap"].set(self._canvas.z_buffer(SHADOW_PX, SHADOW_PX))
        texel_mm = 2 * reach_mm / SHADOW_PX
        blur = np.tan(np.radians(min(lamp.size_deg, 60)) / 2) * 0.12 + 1.5 / SHADOW_PX
        to_map = clip @ np.linalg.inv(camera) @ np.linalg.inv(shading.CV_TO_GL)
        return shading.ShadowMap(to_map, 2.0 * texel_mm, float(min(blur, 0.05)), 0.002)

    def _draw(self, view: View, tiles: Sequence[Tile]) -> list[ByteArray]:
        near, far = self._clipping(view)
        return self._canvas.draw(tiles, world2cam(view.pose), near, far)

    def _clipping(self, view: View) -> tuple[float, float]:
        camera = world2cam(view.pose)
        low, high = np.inf, 0.0
        for body in {id(body): body for body, _ in self._items}.values():
            model = self._models[body.model]
            z = float((camera @ body.pose)[2, 3])
            reach = model.radius_mm * float(np.linalg.norm(body.pose[:3, 0])) * 1.001
            low, high = min(low, z - reach), max(high, z + reach)
        return max(low, high * 1e-3), high

    def _layer_alone(self, instance: int) -> str:
        return f"alone {instance}"


def _lamp_clip(lamp: Lamp, points: FloatArray) -> tuple[FloatArray, float]:
    """World → clip coordinates of parallel light on all points; half the map's width in mm."""
    back = np.asarray(lamp.towards)
    side = np.cross([0.0, 0.0, 1.0] if abs(back[2]) < 0.9 else [1.0, 0.0, 0.0], back)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(back, side), back])
    seen = points @ axes.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    middle, reach = (low + high) / 2, float((high - low)[:2].max()) / 2 * 1.02
    clip = np.eye(4)
    clip[:3, :3] = axes
    clip[:3, 3] = -middle
    clip[:2] /= reach
    clip[2] *= -2.0 / (float(high[2] - low[2]) * 1.02 + 1e-6)
    return clip, reach


def _decoded(rgba: ByteArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Averaged samples of the shader → linear light times cover, and cover."""
    levels = (np.arange(256) / 255) ** shading.GAMMA * shading.HEADROOM
    table = levels.astype(np.float32)
    cover: NDArray[np.float32] = (rgba[..., 3] / 255).astype(np.float32)
    light: NDArray[np.float32] = table[rgba[..., :3]]
    edge = (rgba[..., 3] > 0) & (rgba[..., 3] < 255)
    share = cover[edge][:, None]
    whole = np.minimum(rgba[edge][:, :3].astype(np.float32) / 255 / share, 1.0)
    light[edge] = whole**shading.GAMMA * shading.HEADROOM * share
    return light, cover
