"""Every data type that crosses from one module to another; NumPy and the standard library only.

Lengths are millimetres, angles degrees, colours 8-bit sRGB. Boxes are `xyxy` in pixels,
half-open: pixel (i, j) covers [i, i+1) × [j, j+1), so x1 is the last pixel + 1.
Transforms are 4×4, act on column vectors and are named source2target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ByteArray = NDArray[np.uint8]

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, half-open."""

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""

Region = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels of the frame, half-open, inside it or not."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One mesh of an assembly and every place where it stands.

    name: the part's own name in the file; None where the file gives none.
    vertices_mm: (V, 3) float64 in the part's own frame.
    normals: (V, 3) float32, unit length, pointing outwards; vertices are not shared
        across sharp edges, so shading needs nothing else.
    faces: (F, 3) int64 indices into the vertices, counter-clockwise from outside.
    face_rgba: (F, 4) uint8 sRGB; the default grey where the file gives no colour.
    placements: (K, 4, 4) float64, part2assembly, one for each occurrence.
    """

    name: str | None
    vertices_mm: FloatArray
    normals: NDArray[np.float32]
    faces: IntArray
    face_rgba: ByteArray
    placements: FloatArray

    def __post_init__(self) -> None:
        v, f = len(self.vertices_mm), len(self.faces)
        _require(self.vertices_mm.shape == (v, 3), f"part {self.name}: vertices are not (V, 3)")
        _require(self.normals.shape == (v, 3), f"part {self.name}: normals are not (V, 3)")
        _require(self.faces.shape == (f, 3), f"part {self.name}: faces are not (F, 3)")
        _require(self.face_rgba.shape == (f, 4), f"part {self.name}: colours are not (F, 4)")
        _require(
            self.placements.ndim == 3 and self.placements.shape[1:] == (4, 4),
            f"part {self.name}: placements are not (K, 4, 4)",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """What one STEP file holds, in millimetres.

    name: the file's stem.
    source: the file's name, without folders.
    sha256: of the file's bytes.
    unit: the length unit found in the file, such as "mm", "inch" or "m".
    colored: whether the file gives any colour at all.
    notes: what had to be healed or left out, one sentence each.
    """

    name: str
    source: str
    sha256: str
    parts: tuple[Part, ...]
    unit: str
    colored: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera; focal lengths and principal point in pixels.

    distortion: k1, k2, p1, p2, k3 after Brown, in OpenCV's order (see `vqc.lens`), or None.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    distortion: tuple[float, float, float, float, float] | None = None

    def __post_init__(self) -> None:
        _require(
            self.fx > 0 and self.fy > 0, f"focal lengths must be positive: {self.fx}, {self.fy}"
        )
        _require(self.width > 0 and self.height > 0, f"no such picture: {self.width}x{self.height}")


@dataclass(frozen=True, slots=True)
class CameraPose:
    """Where the camera is: on a sphere around `target_mm`, looking at it.

    Azimuth turns about the up axis (+Z) from +X towards +Y; elevation is above the
    horizontal plane; tilt turns the camera about its optical axis, clockwise as seen
    from behind it.
    """

    azimuth_deg: float
    elevation_deg: float
    tilt_deg: float
    distance_mm: float
    target_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        _require(
            -90 <= self.elevation_deg <= 90, f"elevation {self.elevation_deg} is not in [-90, 90]"
        )
        _require(self.distance_mm > 0, f"distance must be positive: {self.distance_mm}")


@dataclass(frozen=True, slots=True)
class View:
    """One picture to take."""

    frame_index: int
    pose: CameraPose
    intrinsics: Intrinsics
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One object of a scene: some meshes that move and are labelled as one.

    class_name: None for matter that is drawn but carries no label.
    members: pairs of a part and its (4, 4) part2world placement.
    pose: (4, 4) object2world.
    """

    class_name: str | None
    part_name: str | None
    members: tuple[tuple[Part, FloatArray], ...]
    pose: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What stands in front of the camera; lengths in millimetres, Z up.

    instances: labelled ones first, so that instance_id k is instances[k - 1].
    center_mm, radius_mm: the bounding sphere that views are framed by.
    background: sRGB bytes.
    grey: draw everything in the default grey instead of the file's colours.
    """

    instances: tuple[Instance, ...]
    center_mm: FloatArray
    radius_mm: float
    background: tuple[int, int, int] = (255, 255, 255)
    grey: bool = False

    @property
    def labelled(self) -> tuple[Instance, ...]:
        """The instances that carry a label, in the order of their ids."""
        return tuple(i for i in self.instances if i.class_name is not None)


@dataclass(frozen=True, slots=True)
class Silhouette:
    """An instance drawn alone and whole, on a canvas large enough to hold it.

    area_px: what its samples cover; in whole pixels only where each has one sample.
    rim_px: what the samples cover that lie right outside of it. A crop of the frame rounds
        corners otherwise than another one, so that its edges may move by a sample: by no more
        than this the same object can be larger in the picture. 0 where it was not drawn anew.
    box: around the pixels of which it covers half or more, in pixels of the frame (may reach
        outside it); None where there is no such pixel.
    """

    area_px: float
    box: Box | None
    rim_px: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """What the renderer gives back for one view; every array is (H, W, …).

    rgb: (H, W, 3) uint8.
    instance_id: (H, W) int32, sampled at pixel centres; 0 is the background, -1 matter
        that carries no label.
    silhouettes: one for each labelled instance, in the order of their ids.
    visible_px: what the samples of each labelled instance cover in the picture, hidden and
        cut-off ones left out; comparable with its silhouette's area.
    depth_mm: (H, W) float32, distance along the optical axis, 0 where nothing is; or None.
    normal: (H, W, 3) uint8, round((n + 1) / 2 · 255) of the unit normal n that faces the
        camera, in camera axes (x right, y down, z forward); 0 where nothing is; or None.
    """

    rgb: ByteArray
    instance_id: NDArray[np.int32]
    silhouettes: tuple[Silhouette, ...]
    visible_px: tuple[float, ...]
    depth_mm: NDArray[np.float32] | None = None
    normal: ByteArray | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One labelled object in one frame.

    box_xyxy: modal box, what is visible; None where no pixel shows.
    amodal_box_xyxy: the whole object, hidden and cut-off parts included.
    visibility: visible pixels ÷ pixels of the whole silhouette, [0, 1].
    truncated: whether the object reaches over the border of the frame.
    mask: {"size": [h, w], "counts": COCO compressed RLE}, or None.
    pose: object2camera, 16 numbers row by row, or None.
    extra: fields of the manifest that this version does not know; kept.
    """

    class_name: str
    part_name: str | None = None
    instance: int | None = None
    box_xyxy: Box | None = None
    amodal_box_xyxy: Box | None = None
    visibility: float | None = None
    truncated: bool | None = None
    mask: Mapping[str, Any] | None = None
    pose: tuple[float, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a manifest; docs/format.md gives every field.

    objects: None means nobody labelled it, () that it was looked at and is empty.
    same_shoot: a val or test picture whose session also trains: no score on it is honest.
    """

    image: str
    sha256: str
    phash: str
    width: int
    height: int
    source: str
    session: str
    simulated: bool = False
    split: str | None = None
    same_shoot: bool = False
    label: str | None = None
    condition: str | None = None
    seed: int | None = None
    view: Mapping[str, Any] | None = None
    objects: tuple[Annotation, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parent:
    """A manifest that another one was made from."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A set of frames: the header and every frame, sorted by image."""

    kind: str
    name: str
    classes: tuple[str, ...]
    frames: tuple[Frame, ...]
    recipe_sha256: str
    created_by: str
    parents: tuple[Parent, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a set or a source.

    file: relative to the folder that was read. line: counts from 1; None where there is none.
    """

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.message}"
