"""Each number on pictures whose answer is known."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vqc import sensor
from vqc.shot import SensorDraw
from vqc.twin import jpeg
from vqc.twin.statistics import (
    STATISTICS,
    balance,
    center,
    edge_width,
    measure,
    noise,
    place,
    tamed,
)

RNG = np.random.default_rng(3)


def grey(level: float, size=(240, 320)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def edges(radius: float) -> np.ndarray:
    """Bars of light, out of focus by so many pixels."""
    light = np.zeros((240, 320, 3), np.float32)
    light[:, ::] = np.where(np.arange(320) // 40 % 2, 0.6, 0.05)[:, None]
    return sensor.expose(light, SensorDraw(defocus_px=radius))


def detailed() -> np.ndarray:
    soft = cv2.GaussianBlur(RNG.uniform(0, 255, (240, 320, 3)), (0, 0), 1.5)
    return np.clip((soft - 128) * 3 + 128, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("deviation", [1.0, 3.0, 8.0])
def test_noise_of_a_flat_picture_is_what_was_added(deviation):
    plane = np.full((240, 320), 60.0)
    plane[:, 160:] = 180
    noisy = np.rint(plane + RNG.normal(0, deviation, plane.shape)).astype(np.float32)
    dark, bright = noise(noisy)
    assert dark == pytest.approx(deviation**2, rel=0.15, abs=0.15)
    assert bright == pytest.approx(deviation**2, rel=0.15, abs=0.15)


def test_noise_is_told_apart_by_brightness_and_from_slopes():
    plane = np.tile(np.linspace(40, 200, 320), (240, 1))
    noisy = plane + RNG.normal(0, np.where(plane < 120, 2.0, 6.0))
    dark, bright = noise(noisy.astype(np.float32))
    assert dark == pytest.approx(4, rel=0.3) and bright == pytest.approx(36, rel=0.3)
    assert max(noise(plane.astype(np.float32))) < 0.01


def test_wider_discs_make_wider_edges():
    widths = [edge_width(edges(r)[..., 1].astype(np.float32)) for r in (0, 1, 2, 3)]
    assert widths[0] == pytest.approx(1, abs=0.02)
    assert widths == sorted(widths) and np.diff(widths).min() > 0.3
    assert np.isnan(edge_width(grey(90)[..., 1].astype(np.float32)))


def test_balance_is_the_white_balance_that_was_set():
    light = np.full((50, 50, 3), 0.2, np.float32) * RNG.uniform(0.7, 1.4, (50, 50, 1))
    rgb = sensor.expose(light.astype(np.float32), SensorDraw(red=1.25, blue=0.8))
    red, blue = balance(rgb.reshape(-1, 3))
    assert red == pytest.approx(np.log2(1.25), abs=0.02)
    assert blue == pytest.approx(np.log2(0.8), abs=0.02)


def test_a_coloured_part_leaves_the_balance_of_the_table():
    rgb = grey(120)
    rgb[:, :120] = 200, 30, 30
    assert balance(rgb.reshape(-1, 3)) == pytest.approx((0, 0), abs=0.01)


def test_tones_are_half_the_parts():
    rgb = grey(50)
    rgb[100:140, 100:140] = 200
    brightness = measure(rgb, [(100, 100, 140, 140)])[0] * 255
    whole = 50 + 150 * 1600 / (240 * 320)
    assert brightness == pytest.approx((whole + 200) / 2, abs=0.5)
    assert measure(rgb, [])[0] * 255 == pytest.approx(whole, abs=0.5)
    assert len(measure(rgb, [])) == len(STATISTICS)


def test_place_of_a_box():
    assert place((10, 20, 50, 40), 200, 100) == pytest.approx((0.4, 0.15, 0.3))


def test_one_strange_picture_changes_little():
    values = np.ones((20, len(STATISTICS)))
    values[3], values[4] = 1e6, np.nan
    assert (center(values) == 1).all() and (tamed(values) == 1).all()


@pytest.mark.parametrize("quality", [1, 25, 50, 75, 90, 95, 100])
def test_quality_from_tables_is_exact(quality):
    picture, data = detailed(), io.BytesIO()
    Image.fromarray(picture).save(data, format="JPEG", quality=quality)
    written = (data, io.BytesIO(sensor.compress(picture, quality)))
    for file in written:
        assert jpeg.quality_of_tables(Image.open(file).quantization) == quality


@pytest.mark.parametrize("quality", [30, 60, 80, 90])
def test_quality_shows_in_pixels(quality):
    seen = sensor.decompress(sensor.compress(detailed(), quality))
    assert jpeg.quality_of_pixels(seen) == pytest.approx(quality, abs=2)


def test_pixels_that_were_never_compressed():
    assert jpeg.quality_of_pixels(detailed()) == jpeg.NO_LOSS
    assert jpeg.quality_of_pixels(grey(77)) == jpeg.NO_LOSS


def test_a_shrunk_photo_has_lost_less():
    assert jpeg.after_scaling(80, 1) == 80 and jpeg.after_scaling(25, 1) == 25
    assert jpeg.after_scaling(80, 4) == 95
    assert jpeg.after_scaling(25, 4) == 75
