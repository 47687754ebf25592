"""Parts and a look → labelled pictures: the scenes are drawn, lit, labelled and photographed.

look ──draw──▶ Shot ──stage──▶ light and layers ──annotate──▶ objects
                                 └──sensor──▶ picture
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc import lens, sensor
from vqc.annotate import annotate, through_lens
from vqc.errors import InputError
from vqc.geometry import box_of_points, transform, world2cam
from vqc.look import gadgets, shapes
from vqc.look.draw import draw_shot
from vqc.look.place import Place
from vqc.look.rest import center_of_mass, stable_poses
from vqc.look.schema import Look
from vqc.look.stock import Prop, Stock
from vqc.render import mesh
from vqc.render.drawing import most_frequent
from vqc.render.model import Model, model_of
from vqc.render.stage import Stage
from vqc.scene import LabelRules, build_scene
from vqc.shot import Shot
from vqc.types import Annotation, ByteArray, Intrinsics, Scene, View

SOLIDS_OF_A_KIND, GADGETS_OF_A_KIND = 2, 3
"""A frame's distractors are drawn from that many of each kind, in sizes and colours of its own."""
_SHAPES = 0x51A7E5  # tells their generator from those of the frames


@dataclass(frozen=True, slots=True)
class Format:
    """How large the pictures are, and what goes with them. aa: see `render.drawing`."""

    width: int
    height: int
    aa: int = 2
    masks: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One picture, as the camera gives it before it is compressed, and what is on it.

    rgb: (H, W, 3) uint8 sRGB.
    """

    rgb: ByteArray
    objects: tuple[Annotation, ...]
    shot: Shot


class Studio:
    """Takes pictures of one set of parts.

    parts: a scene for each trained part. others: scenes whose objects stand around unlabelled.
    photos: paths of pictures for backgrounds. environment: (H, W, 3) float32 linear light from
    all around, longitude by latitude, up at the top; or None.
    Raises VqcError where this machine offers no off-screen OpenGL.
    """

    def __init__(
        self,
        parts: Sequence[Scene],
        format: Format,
        seed: int,
        others: Sequence[Scene] = (),
        photos: Sequence[Path] = (),
        environment: NDArray[np.float32] | None = None,
    ) -> None:
        self._format, self._seed = format, seed
        rng = np.random.default_rng([seed, _SHAPES])
        solids = [
            build_scene(shapes.shape(kind, rng), kind, LabelRules()).scene
            for kind in shapes.KINDS * SOLIDS_OF_A_KIND + gadgets.KINDS * GADGETS_OF_A_KIND
        ]
        models = [model_of(scene) for scene in parts]
        files = [model_of(_unlabelled(scene)) for scene in others]
        simple = [model_of(_unlabelled(scene)) for scene in solids]
        self.stock = Stock(
            tuple(map(prop_of, models)),
            tuple(map(prop_of, files)),
            tuple(map(prop_of, simple)),
            tuple(photos),
            environment is not None,
        )
        self._stage = Stage(
            [*models, *files, *simple], format.width, format.height, format.aa, environment
        )

    @property
    def renderer(self) -> str:
        """OpenGL's name of what draws."""
        return self._stage.name

    def draw(self, look: Look, part: int, index: int) -> Shot:
        """The scene of a frame. part: which of the parts is its subject."""
        place = Place(self._seed, index, part)
        return draw_shot(look, self.stock, place, self._format.width, self._format.height)

    def take(self, shot: Shot) -> Photo:
        """Its picture and labels, each proven. Raises LabelError."""
        light, objects = self.light(shot)
        return Photo(sensor.expose(light, shot.sensor), objects, shot)

    def light(self, shot: Shot) -> tuple[sensor.LightArray, tuple[Annotation, ...]]:
        """The light that falls on the sensor, and the labels, each proven. Raises LabelError."""
        scene = self._stage.place(shot)
        if shot.view.intrinsics.distortion is not None:
            return self._light_through_lens(shot, scene)
        exposure = self._stage.draw(shot)
        objects = annotate(scene, shot.view, exposure.layers, self._stage, self._format.masks)
        return exposure.light, objects

    def _light_through_lens(
        self, shot: Shot, scene: Scene
    ) -> tuple[sensor.LightArray, tuple[Annotation, ...]]:
        """Drawn and proven as a pinhole sees it, on a frame large enough; then bent, all alike."""
        import cv2

        k, aa = shot.view.intrinsics, self._format.aa
        glass = lens.glass(k, aa)
        flat = replace(shot, view=replace(shot.view, intrinsics=glass.pinhole))
        exposure = self._stage.draw(flat)
        layers = exposure.layers
        light = cv2.remap(exposure.light, *glass.picture_at, cv2.INTER_LINEAR)
        samples = exposure.id_samples[glass.samples_at]
        ids = most_frequent(samples, aa)
        seen_px = np.bincount(samples.ravel() + 1, minlength=len(scene.instances) + 2) / aa**2
        objects = []
        for thing in annotate(scene, flat.view, layers, self._stage):
            number = thing.instance or 0
            points = transform(world2cam(shot.view.pose), self._stage.dense_outline(number))
            bent = through_lens(thing, ids, lens.project_bent(points, k), self._format.masks)
            if bent.box_xyxy and (bent.truncated or (thing.visibility or 0) < 1):
                whole_px = self._whole_px(flat.view, glass, k, number)
                share = min(seen_px[number + 1] / whole_px, 1.0) if whole_px else 1.0
                bent = replace(bent, visibility=round(float(share), 6))
            objects.append(bent)
        return light, tuple(objects)

    def _whole_px(self, view: View, glass: lens.Glass, k: Intrinsics, number: int) -> float:
        """Pixels of an object's whole silhouette as the lens would show it, hidden or not."""
        x0, y0, x1, y1 = box_of_points(self._stage.outline_px(view, number))
        left, top, right, bottom = floor(x0), floor(y0), ceil(x1), ceil(y1)
        aa = self._format.aa
        cells = self._stage.coverage(view, number, (left, top, right, bottom), aa)
        rows, cols = np.nonzero(cells)
        x = (cols + 0.5) / aa + left - glass.offset[0]
        y = (rows + 0.5) / aa + top - glass.offset[1]
        return float(lens.area_scale(np.stack([x, y], axis=1), k).sum()) / aa**2

    def close(self) -> None:
        """Free the window."""
        self._stage.close()


def read_environment(path: Path) -> NDArray[np.float32]:
    """(H, W, 3) linear light of a panorama, .hdr or an ordinary picture. Raises InputError."""
    import cv2

    found = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if found is None:
        raise InputError(
            f"{path}: cannot be read as an environment map; expected .hdr or a picture"
        )
    if found.shape[1] != 2 * found.shape[0] or found.shape[0] < 16:
        raise InputError(
            f"{path}: expected a panorama twice as wide as high (all around by up to down), of "
            "32x16 pixels or more, "
            f"got {found.shape[1]}x{found.shape[0]}"
        )
    rgb = np.ascontiguousarray(found[..., ::-1])
    if rgb.dtype == np.uint16:  # an ordinary picture with finer levels
        rgb = (rgb // 257).astype(np.uint8)
    light = sensor.srgb_to_linear(rgb) if rgb.dtype == np.uint8 else rgb.astype(np.float32)
    if not np.isfinite(light).all() or light.min() < 0:
        raise InputError(f"{path}: holds light that is no number, or below 0; write it anew")
    return light


def prop_of(model: Model) -> Prop:
    """What placing a model needs."""
    whole = mesh.join(model.meshes)
    hull = mesh.hull_points(np.concatenate(model.hulls))
    rests = stable_poses(hull, center_of_mass(whole.vertices, whole.faces))
    return Prop(model.palette, hull, float(np.ptp(hull, axis=0).max()), rests)


def _unlabelled(scene: Scene) -> Scene:
    return replace(scene, instances=tuple(replace(i, class_name=None) for i in scene.instances))
