"""One view → the files of one frame and its record: what a render worker does.

Files are written under a temporary name and renamed, so a frame is whole or absent. Two
workers that make the same frame write the same bytes, so it does not matter who is last.
"""

from __future__ import annotations

import errno
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vqc import sensor
from vqc.annotate import annotate
from vqc.cad import read_step, read_stl
from vqc.errors import InputError, LabelError, OutputError
from vqc.files import replace_file
from vqc.formats import yolo
from vqc.geometry import distance_for_fill, intrinsics_from_fov
from vqc.manifest import frame_to_json
from vqc.phash import phash
from vqc.recipe import LookBlock, RenderRecipe, Source
from vqc.render import Renderer
from vqc.scene import LabelledScene, build_scene
from vqc.studio import Format, Studio, read_environment
from vqc.types import (
    Annotation,
    Assembly,
    ByteArray,
    CameraPose,
    Frame,
    Intrinsics,
    Layers,
    Scene,
    View,
)
from vqc.views import Angles

SCRATCH = ".partial"
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Plan:
    """What every worker of a job knows; picklable.

    paths: where each source's STEP file lies on this machine, by source key, and each asset of a
        look, by its SHA-256.
    threads: how many threads software OpenGL may use in each worker.
    """

    folder: Path
    recipe: RenderRecipe
    classes: tuple[str, ...]
    paths: Mapping[str, Path]
    threads: int


@dataclass(frozen=True, slots=True)
class Job:
    """One frame to make: which source, which view; a look draws its views itself."""

    source: int
    index: int
    angles: Angles | None = None


def image_path(source: Source, index: int, suffix: str) -> str:
    """`images/qf/000/qf_000017.jpg`: a thousand frames a folder."""
    return f"images/{source.key}/{index // 1000:03d}/{source.key}_{index:06d}.{suffix}"


def scene_of(recipe: RenderRecipe, source: Source, assembly: Assembly) -> LabelledScene:
    """The scene that a source's frames show."""
    picture = recipe.picture
    return build_scene(
        assembly,
        source.class_name,
        recipe.labels,
        up=picture.up,
        background=picture.background,
        grey=picture.color == "grey",
    )


def intrinsics_of(recipe: RenderRecipe) -> Intrinsics:
    """The camera of a set; rounded as the manifest records it."""
    picture = recipe.picture
    exact = intrinsics_from_fov(picture.fov_deg, picture.width, picture.height)
    return replace(exact, fx=round(exact.fx, 6), fy=round(exact.fy, 6))


def read_source(recipe: RenderRecipe, source: Source, path: Path) -> Assembly:
    """The source's assembly; raises InputError where the file is no longer the recipe's."""
    assembly = read_step(path, recipe.mesh)
    if assembly.sha256 != source.sha256:
        raise InputError(
            f"{path} changed: the recipe has sha256 {source.sha256[:12]}…, the file "
            f"{assembly.sha256[:12]}…; put the old file back, or render it under another --name"
        )
    return assembly


@dataclass(frozen=True, slots=True)
class Made:
    """A frame whose files are there. line: of the manifest. renderer: OpenGL's name of it."""

    line: str
    renderer: str


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A frame before its files are written. encoded: the bytes of the picture's file."""

    rgb: ByteArray
    encoded: bytes
    objects: tuple[Annotation, ...]
    view: View
    layers: Layers | None = None


class Maker(ABC):
    """Makes frames of one plan, one after another."""

    def __init__(self, plan: Plan) -> None:
        import cv2

        os.environ.setdefault("LP_NUM_THREADS", str(plan.threads))  # read when OpenGL starts
        cv2.setNumThreads(1)
        self._plan = plan

    def __call__(self, job: Job) -> Made:
        """Write the frame's files."""
        source, picture = self._plan.recipe.sources[job.source], self._plan.recipe.picture
        image = image_path(source, job.index, picture.format)
        shown = self._show(job, image)
        self._write(image, shown.encoded)
        frame = Frame(
            image=image,
            sha256=hashlib.sha256(shown.encoded).hexdigest(),
            phash=phash(shown.rgb),
            width=picture.width,
            height=picture.height,
            source="cad",
            session=f"{source.key}-{source.sha256[:4]}",
            condition=picture.condition,
            seed=self._plan.recipe.seed,
            view=_view_record(shown.view),
            objects=shown.objects,
            extra=self._write_layers(image, shown.layers, source) if shown.layers else {},
        )
        text = yolo.label_text(shown.objects, self._plan.classes, picture.width, picture.height)
        self._write(yolo.label_path(image), text.encode())
        return Made(frame_to_json(frame), self._renderer_name)

    @property
    @abstractmethod
    def _renderer_name(self) -> str:
        """OpenGL's name of what drew the last frame."""

    @abstractmethod
    def _show(self, job: Job, image: str) -> Shown:
        """The frame; image: its name, for messages."""

    def _write_layers(self, image: str, layers: Layers, source: Source) -> dict[str, Any]:
        """Depth and normals as PNG beside the images; the fields that name them."""
        fields = {}
        stem = image.removeprefix("images/").rsplit(".", 1)[0]
        if layers.depth_mm is not None and source.depth_mm_per_unit is not None:
            units = np.round(layers.depth_mm / source.depth_mm_per_unit).astype(np.uint16)
            fields["depth"] = (f"depth/{stem}.png", _encode(units, "png"))
        if layers.normal is not None:
            fields["normals"] = (f"normals/{stem}.png", _encode(layers.normal, "png"))
        extra: dict[str, Any] = {}
        for key, (path, encoded) in fields.items():
            self._write(path, encoded)
            extra |= {key: path, f"{key}_sha256": hashlib.sha256(encoded).hexdigest()}
        return extra

    def _write(self, relative: str, content: bytes) -> None:
        target = self._plan.folder / relative
        try:
            replace_file(target, content, scratch=self._plan.folder / SCRATCH)
        except OSError as error:
            raise cannot_write(target, error) from None


class FrameMaker(Maker):
    """Views of one part after another; keeps the last source's window open."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._intrinsics = intrinsics_of(plan.recipe)
        self._source: int | None = None
        self._renderer: Renderer
        self._scene: Scene

    def _show(self, job: Job, image: str) -> Shown:
        if job.source != self._source:
            self._open(job.source)
        picture, view = self._plan.recipe.picture, self._view(job)
        layers = self._renderer.layers(view, picture.depth, picture.normals)
        try:
            objects = annotate(self._scene, view, layers, self._renderer, picture.masks)
        except LabelError as error:
            raise LabelError(f"{image} ({_angles_text(view)}): {error}") from None
        return Shown(layers.rgb, _encode(layers.rgb, picture.format), objects, view, layers)

    @property
    def _renderer_name(self) -> str:
        return self._renderer.name

    def _open(self, index: int) -> None:
        if self._source is not None:
            self._renderer.close()
        recipe, source = self._plan.recipe, self._plan.recipe.sources[index]
        assembly = read_source(recipe, source, self._plan.paths[source.key])
        self._scene = scene_of(recipe, source, assembly).scene
        size = (recipe.picture.width, recipe.picture.height)
        self._renderer = Renderer(self._scene, *size, recipe.picture.aa)
        self._source = index

    def _view(self, job: Job) -> View:
        distance = distance_for_fill(
            self._scene.radius_mm, self._plan.recipe.picture.fill, self._intrinsics
        )
        x, y, z = self._scene.center_mm.tolist()
        assert job.angles is not None
        pose = CameraPose(*job.angles, round(distance, 6), (x, y, z))
        return View(job.index, pose, self._intrinsics, self._plan.recipe.seed)


class LookMaker(Maker):
    """Frames of a look; all parts are there at once."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        assert plan.recipe.look is not None
        self._look = plan.recipe.look.look
        self._studio = open_studio(plan)

    @property
    def _renderer_name(self) -> str:
        return self._studio.renderer

    def _show(self, job: Job, image: str) -> Shown:
        shot = self._studio.draw(self._look, job.source, job.index)
        try:
            photo = self._studio.take(shot)
        except LabelError as error:
            raise LabelError(f"{image} ({_angles_text(shot.view)}): {error}") from None
        quality, is_jpeg = shot.sensor.jpeg or 100, self._plan.recipe.picture.format == "jpg"
        encoded = sensor.compress(photo.rgb, quality)
        rgb = sensor.decompress(encoded)
        return Shown(rgb, encoded if is_jpeg else _encode(rgb, "png"), photo.objects, shot.view)


def open_studio(plan: Plan) -> Studio:
    """The studio of a plan with a look."""
    recipe, block = plan.recipe, plan.recipe.look
    assert block is not None
    scenes = [
        scene_of(recipe, source, read_source(recipe, source, plan.paths[source.key])).scene
        for source in recipe.sources
    ]
    others = [
        scene_of(recipe, Source(a.file, a.file, a.sha256, "other"), assembly).scene
        for a in block.distractors
        for assembly in [_read_other(plan.paths[a.sha256], recipe)]
    ]
    light = block.environment
    environment = None if light is None else read_environment(plan.paths[light.sha256])
    picture = recipe.picture
    return Studio(
        scenes,
        Format(picture.width, picture.height, picture.aa, picture.masks),
        recipe.seed,
        others,
        [plan.paths[a.sha256] for a in block.backgrounds],
        environment,
    )


def require_assets(block: LookBlock, recipe: RenderRecipe, paths: Mapping[str, Path]) -> None:
    """Raise InputError where a distractor or the environment cannot be read.

    Backgrounds were looked at when they were asked for.
    """
    for asset in block.distractors:
        _read_other(paths[asset.sha256], recipe)
    if block.environment is not None:
        read_environment(paths[block.environment.sha256])


def _read_other(path: Path, recipe: RenderRecipe) -> Assembly:
    return read_stl(path) if path.suffix.lower() == ".stl" else read_step(path, recipe.mesh)


def cannot_write(where: Path, error: OSError) -> OutputError:
    """The same words for every place that writes."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "free some space" if full else "check the place and its permissions"
    return OutputError(
        f"{where}: cannot be written: {error.strerror or error}; "
        f"{advice} and give the command again, without --fresh: it goes on where it stopped"
    )


def _encode(picture: ByteArray | np.ndarray[Any, Any], suffix: str) -> bytes:
    """An (H, W, 3) RGB picture, or with png an (H, W) one, as a file's bytes."""
    import cv2

    if suffix == "jpg":
        return sensor.compress(picture, JPEG_QUALITY)
    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    _, encoded = cv2.imencode(f".{suffix}", pixels)
    return bytes(encoded)


def _view_record(view: View) -> dict[str, Any]:
    pose, k = view.pose, view.intrinsics
    return {
        "azimuth_deg": pose.azimuth_deg,
        "elevation_deg": pose.elevation_deg,
        "tilt_deg": pose.tilt_deg,
        "distance_mm": pose.distance_mm,
        "intrinsics": [k.fx, k.fy, k.cx, k.cy],
        "distortion": k.distortion and list(k.distortion),
    }


def _angles_text(view: View) -> str:
    pose = view.pose
    return (
        f"azimuth {pose.azimuth_deg:g}°, elevation {pose.elevation_deg:g}°, tilt {pose.tilt_deg:g}°"
    )
