"""A look is known again from 20 of its renders."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training import add_frame, finish_set

from vqc import asked
from vqc.errors import InputError
from vqc.frames import Plan, open_studio
from vqc.look.distributions import Constant, LogUniform, Normal, Uniform
from vqc.look.reading import look_to_record, read_look
from vqc.look.schema import BackdropLook, CameraLook, LightLook, Look, SceneLook, SensorLook
from vqc.twin import fit, job
from vqc.twin.families import of_field

QUADRUPOLE = Path(__file__).parents[2] / "cad_models" / "quadrupole_qf.step"
SIZE, PHOTOS = "320x240", 20
SCENE = {
    "scene": SceneLook(rest=1),
    "light": LightLook(ambient=Constant(0.5)),
    "backdrop": BackdropLook(
        kind=Constant("texture"), brightness=Uniform(0.4, 0.8), saturation=Uniform(0, 0.1)
    ),
}
DOWN = Uniform(30, 90)
TRUTH = Look(
    "truth",
    CameraLook(
        elevation_deg=DOWN, size=LogUniform(0.3, 0.6), x=Normal(0.45, 0.06), y=Uniform(0.4, 0.7)
    ),
    sensor=SensorLook(
        exposure_ev=Normal(-0.6, 0.1),
        contrast=Constant(1.25),
        red=Constant(1.25),
        blue=Constant(0.8),
        saturation=Constant(0.7),
        shot_noise=Constant(0.03),
        read_noise=Constant(0.012),
        defocus_px=Constant(2.4),
        jpeg=Constant(92),
    ),
    **SCENE,
)
BASE = Look(
    "base",
    CameraLook(elevation_deg=DOWN, size=LogUniform(0.2, 0.9), x=Uniform(0.2, 0.8)),
    sensor=SensorLook(
        exposure_ev=Normal(0.2, 0.2), defocus_px=Uniform(0, 1.5), jpeg=Uniform(60, 95)
    ),
    **SCENE,
)


@contextlib.contextmanager
def silent(what, unit):
    yield lambda done, total: None


def looks_file(folder: Path, look: Look) -> Path:
    path = folder / f"{look.name}.yaml"
    path.write_text(job.look_text(look, ()))
    return path


def photos_of(look: Look, root: Path, seed: int, split: str = "train") -> Path:
    """Renders of a look as a set of real photos."""
    request = asked.Request(
        (QUADRUPOLE,), look=str(looks_file(root.parent, look)), count=PHOTOS, name="t",
        picture={"size": SIZE}, seed=seed,
    )  # fmt: skip
    recipe, paths = asked.resolve(request)
    studio, frames = open_studio(Plan(root, recipe, ("quadrupole_qf",), paths, 1)), []
    for index in range(PHOTOS):
        photo = studio.take(studio.draw(look, 0, index))
        frames.append(
            add_frame(
                root, f"images/{split}/{index:03d}.jpg", Image.fromarray(photo.rgb),
                photo.objects, ("quadrupole_qf",), quality=photo.shot.sensor.jpeg,
            )
        )  # fmt: skip
    studio.close()
    finish_set(root, frames, ("quadrupole_qf",))
    return root


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin")
    seed = int(os.environ.get("TWIN_SEED", 7))
    photos = photos_of(TRUTH, folder / "shoot", seed)
    request = job.Asked(
        (photos,), (QUADRUPOLE,), str(looks_file(folder, BASE)), folder / "mine.yaml", PHOTOS, SIZE
    )
    return request, job.make(request, silent)


def test_known_again(twin):
    cam, s = twin[1].look.camera, twin[1].look.sensor
    print("seed", os.environ.get("TWIN_SEED"), cam.size, cam.x, cam.y, s)
