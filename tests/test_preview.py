"""Previews of a look: which fields are shown at which values, and what is drawn of them."""

import numpy as np
import pytest
from PIL import Image

from vqc import asked, generate
from vqc.errors import InputError
from vqc.frames import open_studio
from vqc.look.distributions import Choice, Constant, LogUniform, Normal, Uniform
from vqc.look.reading import read_look
from vqc.look.schema import CameraLook, Look, MaterialLook, SceneLook, SensorLook
from vqc.making import Workers
from vqc.preview.factors import factors, holding
from vqc.preview.sheets import Held, draw_factors, draw_frames, take

LOOK = Look(
    "mine",
    camera=CameraLook(azimuth_deg=Constant(30), size=Uniform(0.2, 0.7), fov_deg=Normal(30, 5)),
    scene=SceneLook(parts=Uniform(1, 3), rest=1.0, spacing=LogUniform(0.1, 3.2)),
    material=MaterialLook(kind=Choice(("metal", "plastic"), (1, 3))),
    sensor=SensorLook(shot_noise=Normal(0.01, 0.02), grey=0.25, jpeg=Constant(90)),
)


def values(field, look=LOOK):
    return factors(look, [field])[0].values


def test_values_go_from_the_low_to_the_high_end():
    assert values("camera.size") == (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert values("scene.spacing") == (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
    assert values("camera.fov_deg") == (20, 24, 28, 32, 36, 40)
    assert values("sensor.shot_noise") == (0, 0.01, 0.02, 0.03, 0.04, 0.05)  # clipped at 0
    assert values("scene.parts") == (1, 2, 3)
    assert values("material.kind") == ("metal", "plastic")
    assert values("sensor.grey") == (0, 1)


def test_no_more_values_of_a_choice_than_there_are_columns():
    many = Look(camera=CameraLook(tilt_deg=Choice(tuple(range(0, 110, 10)))))
    assert values("camera.tilt_deg", many) == (0, 20, 40, 60, 80, 100)


def test_fields_left_to_chance_are_shown_in_the_order_of_the_look():
    names = [factor.field for factor in factors(LOOK)]
    assert [n for n in names if n.startswith("camera.")] == [
        "camera.elevation_deg", "camera.size", "camera.fov_deg",
    ]  # fmt: skip
    assert "sensor.grey" in names and "scene.shapes" in names
    assert not {"scene.rest", "sensor.jpeg", "camera.cut_off", "camera.intrinsics"} & set(names)


def test_named_fields_and_patterns():
    chosen = factors(LOOK, ["sensor.*", "camera.size", "scene.rest", "sensor.grey"])
    names = ["sensor.shot_noise", "sensor.grey", "camera.size", "scene.rest"]
    assert [factor.field for factor in chosen] == names
    size = chosen[2]
    assert size.written == "{uniform: [0.2, 0.7]}" and "longer side" in size.meaning


def test_every_wrong_name_is_said_at_once():
    with pytest.raises(InputError) as caught:
        factors(LOOK, ["camera.sise", "ambient", "sensor.jpeg", "lens.*", "camera.size"])
    lines = str(caught.value).splitlines()
    assert "did you mean 'camera.size'?" in lines[0]
    assert "did you mean 'light.ambient'?" in lines[1]
    assert "--vary sensor.jpeg: look 'mine' leaves nothing to chance there" in lines[2]
    assert "--vary lens.*: no field of a look" in lines[3] and len(lines) == 4


def test_holding_one_field_leaves_all_others():
    held = holding(LOOK, "camera.size", 0.4)
    assert held.camera.size == Constant(0.4)
    assert holding(held, "camera.size", 0.5) == holding(LOOK, "camera.size", 0.5)
    assert holding(LOOK, "scene.rest", 0.0).scene.rest == 0.0
    assert holding(LOOK, "material.kind", "metal").material.kind == Constant("metal")


@pytest.fixture(scope="module")
def plan(steps, tmp_path_factory):
    request = asked.Request(
        step=(steps,), look="bench", count=3, name="few", picture={"size": "96x72"}, seed=4
    )
    return generate.prepare(*asked.resolve(request), tmp_path_factory.mktemp("few"), 1)[0]


@pytest.fixture(scope="module")
def studio(plan):
    studio = open_studio(plan)
    yield studio
    studio.close()


def test_other_draws_of_the_frame_stay(studio):
    look = holding(read_look("bench"), "sensor.white_balance", 0)  # else it follows the light
    one = studio.draw(look, 0, 1)
    other = studio.draw(holding(look, "light.ambient", 0.31), 0, 1)
    assert other.sensor == one.sensor and other.view == one.view
    assert [b.model for b in other.bodies] == [b.model for b in one.bodies]
    assert [p.towards for p in other.light.lamps] == [p.towards for p in one.light.lamps]
    assert other.light.above != one.light.above


def test_the_frames_are_those_of_the_set(plan, studio):
    summary = generate.render_set(plan, Workers(1))
    look = plan.recipe.look.look
    by_index = {int(f.image[-10:-4]): f for f in summary.manifest.frames}
    for index in range(3):
        photo = take(studio, look, Held(plan.recipe, index))
        made = np.asarray(Image.open(plan.folder / by_index[index].image))
        assert np.array_equal(photo.rgb, made)
        assert [o.class_name for o in photo.objects] == [
            o.class_name for o in by_index[index].objects
        ]


def test_sheets(plan, studio, tmp_path):
    told = []
    drawn = draw_frames(
        studio, plan.recipe, tmp_path / "a" / "draws.png", lambda *at: told.append(at)
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    with Image.open(drawn) as sheet:
        assert sheet.width >= 2 * 96 and sheet.height >= 2 * 72
    shown = factors(plan.recipe.look.look, ["camera.size", "scene.rest"])
    out = tmp_path / "factors.png"
    draw_factors(studio, Held(plan.recipe, 1), shown, out)
    first = out.read_bytes()
    draw_factors(studio, Held(plan.recipe, 1), shown, out)
    assert out.read_bytes() == first
    with Image.open(out) as sheet:
        assert sheet.width >= 6 * 96 and sheet.height >= 2 * 72


def test_command(vqc, steps, tmp_path):
    options = ("--step", steps / "block.step", "--size", "64x48", "--count", "2")
    said = vqc("look", "preview", "studio", *options, "--vary", "camera.size", check=0).stdout
    assert said.splitlines() == [
        "renders/studio-preview.png",
        "renders/studio-preview-factors.png",
        f"next: vqc render --look studio --count 1000 --step {steps / 'block.step'}",
    ]
    assert sorted(p.name for p in (tmp_path / "renders").iterdir()) == [
        "studio-preview-factors.png", "studio-preview.png",
    ]  # fmt: skip


def test_command_says_what_is_wrong(vqc, steps):
    options = ("--step", steps / "block.step")
    wrong = vqc(
        "look", "preview", "bench", *options, "--vary", "camera.sise,light.ambient", check=2
    )
    assert "did you mean 'camera.size'?" in wrong.stderr and "Traceback" not in wrong.stderr
    assert "no look to show" in vqc("look", "preview", "plain", *options, check=2).stderr
    assert ".png" in vqc("look", "preview", "bench", *options, "--out", "a.jpg", check=2).stderr
