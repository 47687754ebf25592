"""From samples to distributions, and what few photos may say."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.look.distributions import LogUniform, Normal, Uniform
from vqc.look.schema import CameraLook, Look
from vqc.twin import families, fit
from vqc.twin.families import Moments, of_field, of_values, shrunk


def test_moments_of_a_field():
    camera = CameraLook(x=Uniform(0.2, 0.8), size=LogUniform(0.1, 0.4))
    assert of_field(camera, "x").mean == pytest.approx(0.5)
    assert of_field(camera, "x").deviation == pytest.approx(0.6 / 12**0.5, rel=1e-4)
    assert of_field(camera, "size", np.log).mean == pytest.approx(np.log(0.2))


def test_few_photos_stay_near_the_base_and_many_do_not():
    seen, base = Moments(1.0, 0.1), Moments(0.0, 1.0)
    one, few, many = (shrunk(seen, n, base) for n in (1, 20, 2000))
    assert one.mean == 0.5 and few.mean == pytest.approx(20 / 21)
    assert one.deviation > few.deviation > many.deviation
    assert few.deviation == pytest.approx((20 / 21 * 0.01 + 1 / 21 + 0.01 / 20) ** 0.5)
    assert many.mean == pytest.approx(1, abs=1e-3)
    assert many.deviation == pytest.approx(0.1, rel=0.05)


def test_bells_are_told_from_ranges():
    rng = np.random.default_rng(5)
    even, bell = rng.uniform(0, 1, 200), rng.normal(0.5, 0.1, 200)
    assert families.is_bell(bell, bell) and not families.is_bell(even, even)
    assert not families.is_bell(bell[:5], bell[:5])


def test_places_become_the_look_that_drew_them():
    rng = np.random.default_rng(6)
    places = np.stack(
        [np.exp(rng.uniform(np.log(0.2), np.log(0.8), 400)), rng.normal(0.4, 0.05, 400),
         rng.uniform(0.3, 0.7, 400)], axis=1,
    )  # fmt: skip
    camera = fit.with_places(Look(), places, 400).camera
    assert isinstance(camera.size, LogUniform) and isinstance(camera.x, Normal)
    assert camera.size.stated == pytest.approx((0.2, 0.8), rel=0.08)
    assert (camera.x.mean, camera.x.deviation) == pytest.approx((0.4, 0.05), rel=0.1)
    assert camera.y.stated == pytest.approx((0.3, 0.7), abs=0.03)


def test_settings_of_a_linear_camera_are_found():
    """Eight statistics that are sums of the settings, in units of their steps."""
    rng = np.random.default_rng(7)
    mix = np.eye(8) + rng.uniform(-0.2, 0.2, (8, 8))
    scene = rng.normal(0, 0.001, (30, 8))
    truth = np.array([0.5, 0.2, 0.1, -0.1, 0.2, 8e-4, 2e-4, 3.0])

    def simulate(settings):
        return scene + mix @ (settings / fit._STEP)

    start = np.array([0, 0, 0, 0, 0, 4e-4, 1e-4, 1.0])
    photos = simulate(truth) + 0 * scene
    found = fit.solve(photos, simulate, start)
    assert found.settings == pytest.approx(truth, abs=0.05)
    assert fit.spreads(photos, found) == pytest.approx(np.zeros(8), abs=1e-6)
    spread = photos + rng.normal(0, 1, (30, 8)) @ mix.T * 0.5
    half_steps = fit.spreads(spread, found) / fit._STEP
    assert half_steps == pytest.approx(np.full(8, 0.5), rel=0.5)


def test_one_value_has_no_spread():
    assert of_values(np.array([3.0])) == Moments(3.0, 0.0)
