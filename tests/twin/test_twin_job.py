"""A look is known again from 20 of its renders."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run_vqc
from PIL import Image
from training import add_frame, finish_set

from vqc import asked
from vqc.errors import InputError
from vqc.frames import Plan, open_studio
from vqc.look.distributions import Constant, LogUniform, Normal, Uniform
from vqc.look.reading import look_to_record, read_look
from vqc.look.schema import BackdropLook, CameraLook, LightLook, Look, SceneLook, SensorLook
from vqc.manifest import read_manifest
from vqc.twin import fit, job
from vqc.twin.families import of_field
from vqc.twin.photos import find_photos

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


def photos_of(look: Look, root: Path, seed: int) -> Path:
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
                root, f"images/train/{index:03d}.jpg", Image.fromarray(photo.rgb),
                photo.objects, ("quadrupole_qf",), quality=photo.shot.sensor.jpeg,
            )
        )  # fmt: skip
    studio.close()
    finish_set(root, frames, ("quadrupole_qf",))
    return root


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin")
    photos = photos_of(TRUTH, folder / "shoot", 7)
    request = job.Asked(
        (photos,), (QUADRUPOLE,), str(looks_file(folder, BASE)), folder / "mine.yaml", PHOTOS, SIZE
    )
    return request, job.make(request, silent)


def middle(look: Look, section: str, field: str) -> float:
    return of_field(getattr(look, section), field).mean


@pytest.mark.parametrize(
    ("field", "within"),
    [
        ("camera.size", 0.05),
        ("camera.x", 0.03),
        ("camera.y", 0.04),
        ("sensor.exposure_ev", 0.45),
        ("sensor.contrast", 0.12),
        ("sensor.red", 0.15),
        ("sensor.blue", 0.12),
        ("sensor.saturation", 0.2),
        ("sensor.shot_noise", 0.012),
        ("sensor.read_noise", 0.007),
        ("sensor.defocus_px", 0.9),  # of a frame 480 high: 0.45 pixels here
        ("sensor.jpeg", 2.5),
    ],
)
def test_twenty_renders_tell_the_look_that_made_them(twin, field, within):
    place = field.split(".")
    assert middle(twin[1].look, *place) == pytest.approx(middle(TRUTH, *place), abs=within)


def test_the_statistics_of_renders_come_close_to_those_of_the_photos(twin):
    photos, before, after = (fit.center(s.values) for s in twin[1].samples)
    assert (np.abs(after - photos)[:2] < 0.05).all()
    assert (np.abs(after - photos) < np.abs(before - photos)).mean() >= 0.75


def test_only_what_was_fitted_changes(twin):
    old, new = look_to_record(BASE), look_to_record(twin[1].look)
    changed = {
        f"{key}.{name}"
        for key, section in old.items()
        if isinstance(section, dict)
        for name in section
        if section[name] != new[key][name]
    }
    assert changed <= set(fit.FITTED)


def test_the_file_reads_as_the_look_that_was_found(twin):
    request, found = twin
    assert read_look(request.out) == found.look
    assert "20 training photos" in request.out.read_text()
    assert Image.open(request.sheet).width > 1000


def test_what_is_there_is_kept(twin):
    with pytest.raises(
        InputError, match=r"mine\.yaml and .*mine\.png is there; --fresh overwrites"
    ):
        job.make(twin[0], silent)


def test_frames_of_val_and_test_are_never_used(twin, tmp_path):
    shoot = twin[0].photos[0]
    frames = [replace(f, split="test") for f in read_manifest(shoot).frames]
    (tmp_path / "held").mkdir()
    finish_set(tmp_path / "held", frames, ("quadrupole_qf",))
    with pytest.raises(InputError, match="20 frames are of val or test"):
        find_photos([tmp_path / "held"], ["quadrupole_qf"])
    with pytest.raises(InputError, match="20 show no such box"):
        find_photos([shoot], ["nut"])


def test_the_command_writes_look_and_sheet_and_says_how_to_go_on(twin, tmp_path):
    request, _ = twin
    options = ["look", "fit", "--photos", request.photos[0], "--step", QUADRUPOLE]
    options += ["--from", request.base, "--frames", 8, "--size", SIZE, "--out", "own.yaml"]
    done = run_vqc(*options, cwd=tmp_path, check=0)
    assert "20 photos" in done.stdout and "--look own.yaml" in done.stdout
    assert read_look(tmp_path / "own.yaml").name == "own"
    assert (tmp_path / "own.png").stat().st_size > 10_000
    assert "own.yaml" in run_vqc(*options, cwd=tmp_path, check=2).stderr  # not without --fresh
    wrong = [*options[:-1], "other.yaml", "--photos", "nowhere"]
    assert "nowhere" in run_vqc(*wrong, cwd=tmp_path, check=2).stderr
