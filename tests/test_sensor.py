"""The steps of the sensor against what they must give on pictures with a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from vqc import sensor
from vqc.sensor import expose, linear_to_srgb, srgb_to_linear
from vqc.shot import SensorDraw

EVERYTHING = SensorDraw(
    exposure_ev=0.4,
    red=1.3,
    blue=0.8,
    vignette=0.4,
    defocus_px=7,
    motion_px=18,
    motion_deg=25,
    resolution=0.7,
    shot_noise=0.05,
    read_noise=0.02,
    contrast=1.2,
    saturation=1.4,
    sharpen=0.6,
    noise_seed=3,
)


def flat(value, height=40, width=60):
    return np.full((height, width, 3), value, np.float32)


def motley(height=48, width=64, seed=0):
    """Light of all strengths, some of it far above white."""
    return (np.random.default_rng(seed).random((height, width, 3)) ** 3 * 1.5).astype(np.float32)


def exact_srgb(light):
    light = np.clip(light.astype(np.float64), 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def moments(spot):
    """Sum, centre (x, y) and covariance of a picture's first channel."""
    weights = spot[..., 0].astype(np.float64)
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]]
    total = weights.sum()
    places = np.stack([x.ravel(), y.ravel()])
    centre = places @ weights.ravel() / total
    off = places - centre[:, None]
    return total, centre, (off * weights.ravel()) @ off.T / total


def point(size=141):
    light = np.zeros((size, size, 3), np.float32)
    light[size // 2, size // 2] = 1000
    return light


def test_every_byte_survives_the_way_to_light_and_back():
    grey = np.arange(256, dtype=np.uint8)
    assert np.array_equal(linear_to_srgb(srgb_to_linear(grey)), grey)
    light = srgb_to_linear(grey)
    assert light.dtype == np.float32 and light[0] == 0 and light[255] == 1
    assert light[188] == pytest.approx(0.5029, abs=1e-4)


def test_the_srgb_curve_is_right_to_half_a_level_in_the_dark_too():
    light = np.concatenate([np.geomspace(1e-6, 1, 50_000), [-1, 0, 7, 1e9]]).astype(np.float32)
    got = linear_to_srgb(light)
    assert np.abs(got - exact_srgb(light)).max() < 0.55
    assert list(got[-4:]) == [0, 0, 255, 255]


def test_a_draw_of_defaults_changes_nothing():
    light = motley()
    assert np.array_equal(expose(light, SensorDraw()), linear_to_srgb(light))


def test_a_stop_is_twice_the_light():
    light = motley()
    assert np.array_equal(expose(light, SensorDraw(exposure_ev=1)), linear_to_srgb(2 * light))
    assert np.array_equal(expose(light, SensorDraw(exposure_ev=-2)), linear_to_srgb(light / 4))


def test_white_balance_leaves_green_alone():
    got = sensor.weigh(flat(0.25), SensorDraw(red=1.6, blue=0.5))
    assert np.allclose(got, [0.4, 0.25, 0.125])


@pytest.mark.parametrize("shape", [(41, 61), (40, 60), (1, 1), (1, 7)])
def test_the_vignette_takes_its_share_from_the_corners_and_none_from_the_centre(shape):
    draw = SensorDraw(vignette=0.3, exposure_ev=1, red=0.5)
    got = sensor.weigh(flat(0.4, *shape), draw)
    height, width = shape
    plain = np.array([0.4, 0.8, 0.8])
    if shape != (1, 1):
        for row, col in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
            assert np.allclose(got[row, col], 0.7 * plain, rtol=1e-5)
    if height % 2 and width % 2:
        assert np.allclose(got[height // 2, width // 2], plain, rtol=1e-6)
    assert np.allclose(got, got[::-1, ::-1], rtol=1e-5)


def test_the_vignette_falls_from_the_centre_outwards():
    row = sensor.weigh(flat(1.0, 41, 61), SensorDraw(vignette=0.9))[20, 30:, 1]
    assert (np.diff(row) < 0).all()


@pytest.mark.parametrize("radius", [0.4, 0.8, 1.5, 3, 5.3, 8, 20])
def test_defocus_spreads_a_point_over_a_disc(radius):
    blurred = sensor.blur(point(), SensorDraw(defocus_px=radius))
    total, centre, spread = moments(blurred)
    assert total == pytest.approx(1000, rel=1e-4)
    assert np.allclose(centre, 70, atol=1e-3)
    assert np.allclose(spread, np.eye(2) * radius**2 / 4, atol=0.002 * radius**2 + 1e-4)


def test_a_large_disc_is_even_inside_and_dark_outside():
    blurred = sensor.blur(point(), SensorDraw(defocus_px=12))[..., 0]
    y, x = np.mgrid[:141, :141] - 70
    distance = np.hypot(x, y)
    assert np.allclose(blurred[distance < 11], 1000 / (np.pi * 144), rtol=0.01)
    assert np.abs(blurred[distance > 13]).max() < 1e-3


@pytest.mark.parametrize("length", [0.7, 2, 5.5, 20, 60])
@pytest.mark.parametrize("angle", [0, 30, 45, 90, 117, 180])
def test_motion_spreads_a_point_along_a_line(length, angle):
    blurred = sensor.blur(point(), SensorDraw(motion_px=length, motion_deg=angle))
    total, centre, spread = moments(blurred)
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    across = np.array([-along[1], along[0]])
    assert total == pytest.approx(1000, rel=1e-4)
    assert np.allclose(centre, 70, atol=1e-3)
    assert along @ spread @ along == pytest.approx(length**2 / 12, rel=0.005, abs=1e-3)
    slack = 1e-6 if angle % 90 == 0 else 0.25  # a slanted line of pixels is not without width
    assert across @ spread @ across <= slack


def test_defocus_and_motion_add_up():
    both = SensorDraw(defocus_px=9, motion_px=30, motion_deg=20)
    at_once = sensor.blur(point(), both)
    one = sensor.blur(point(), SensorDraw(motion_px=30, motion_deg=20))
    other = sensor.blur(one, SensorDraw(defocus_px=9))
    assert np.allclose(at_once, other, atol=1e-3 * at_once.max())


@pytest.mark.parametrize(("radius", "length"), [(3, 6), (9, 30)])
def test_blur_keeps_the_light_of_a_picture_with_bright_borders(radius, length):
    light = motley()
    straight = SensorDraw(defocus_px=radius, motion_px=length, motion_deg=90)
    assert sensor.blur(light, straight).sum() == pytest.approx(light.sum(), rel=1e-4)
    slanted = SensorDraw(defocus_px=radius, motion_px=length, motion_deg=33)
    assert sensor.blur(light, slanted).sum() == pytest.approx(light.sum(), rel=1e-3)
    assert np.allclose(sensor.blur(flat(0.3), slanted), 0.3, atol=1e-5)


def test_a_blur_too_small_to_see_is_none():
    light = motley()
    assert sensor.blur(light, SensorDraw(defocus_px=0.2, motion_px=0.3)) is light


def test_a_highlight_above_white_stays_white_when_it_is_blurred():
    got = expose(point(31), SensorDraw(defocus_px=4))
    assert got[15, 15].min() == 255 and got[15, 18].min() == 255


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(("shot", "read"), [(0.05, 0.0), (0.0, 0.02), (0.05, 0.02)])
def test_the_variance_of_noise_goes_with_the_light(level, shot, read):
    noisy = sensor.add_noise(flat(level, 200, 300), shot, read, seed=5).astype(np.float64)
    wanted = shot**2 * level + read**2
    count = noisy.size  # standard errors: σ / √n and, of the variance, σ² √(2 / n)
    assert abs(noisy.mean() - level) <= 5 * np.sqrt(wanted / count) + 1e-7
    assert abs(noisy.var() - wanted) <= 5 * wanted * np.sqrt(2 / count) + 1e-12


def test_noise_is_normal_and_pixels_and_channels_do_not_share_it():
    noise = sensor.add_noise(flat(0.0, 200, 300), 0, 1, seed=8)
    for limit, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
        assert (np.abs(noise) < limit).mean() == pytest.approx(share, abs=0.004)
    pairs = [(noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1])]
    pairs += [(noise[..., 0], noise[..., 1]), (noise[..., 1], noise[..., 2])]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02


def test_a_sensor_of_fewer_pixels_gathers_the_light_of_more():
    light = motley(48, 64)
    quarter = sensor.take(light, 0.5)
    assert quarter.shape == (24, 32, 3)
    assert np.allclose(quarter, light.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3)), atol=1e-5)
    assert sensor.take(light, 1.0) is light and sensor.take(light, 0.999) is light
    assert sensor.take(light[:2, :3], 0.05).shape == (1, 1, 3)


def test_fewer_pixels_remove_fine_stripes_and_leave_wide_ones():
    x = np.arange(240)

    def contrast(period):
        wave = (0.3 + 0.2 * np.sin(2 * np.pi * (x + 0.5) / period)).astype(np.float32)
        light = np.broadcast_to(wave[None, :, None], (60, 240, 3)).copy()
        got = srgb_to_linear(expose(light, SensorDraw(resolution=1 / 3)))
        return got[20:40, 30:210].std() / light[20:40, 30:210].std()

    assert contrast(3) < 0.03 and contrast(60) > 0.97


def test_noise_of_fewer_pixels_is_coarser():
    def likeness_of_neighbours(resolution):
        draw = SensorDraw(read_noise=0.05, resolution=resolution)
        noise = expose(flat(0.4, 120, 160), draw).astype(float)[..., 0]
        return np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]

    assert abs(likeness_of_neighbours(1.0)) < 0.05 and likeness_of_neighbours(0.4) > 0.6


def test_fewer_pixels_do_not_shift_the_picture():
    spot = sensor.blur(point(), SensorDraw(defocus_px=15))
    spot /= spot.max()
    for resolution in (0.3, 0.5, 0.77):
        got = srgb_to_linear(expose(spot, SensorDraw(resolution=resolution)))
        assert np.allclose(moments(got)[1], 70, atol=0.05)


def test_contrast_turns_about_mid_grey():
    greys = np.array([[[0] * 3, [64] * 3, [100] * 3, [128] * 3, [155] * 3, [255] * 3]], np.uint8)
    got = expose(srgb_to_linear(greys), SensorDraw(contrast=2.0))[0, :, 0].astype(int)
    assert np.allclose(got, [0, 0, 72, 128, 182, 255], atol=1)
    flatter = expose(srgb_to_linear(greys), SensorDraw(contrast=0.5))[0, :, 0].astype(int)
    assert np.allclose(flatter, [64, 96, 114, 128, 141, 191], atol=1)


def test_saturation_is_the_distance_from_grey():
    pixel = np.array([[[140, 100, 80]]], np.uint8)
    luma = 0.2126 * 140 + 0.7152 * 100 + 0.0722 * 80
    for factor in (0.0, 0.5, 1.7):
        got = expose(srgb_to_linear(pixel), SensorDraw(saturation=factor))[0, 0]
        assert np.allclose(got, luma + factor * (pixel[0, 0] - luma), atol=0.6)
    grey = np.full((4, 4, 3), 90, np.uint8)
    assert np.array_equal(expose(srgb_to_linear(grey), SensorDraw(saturation=3)), grey)


def test_a_grey_picture_has_equal_channels_of_the_right_luma():
    rgb = linear_to_srgb(motley())
    got = expose(srgb_to_linear(rgb), SensorDraw(grey=True))
    assert (got == got[..., :1]).all()
    assert np.abs(got[..., 0] - rgb @ [0.2126, 0.7152, 0.0722]).max() < 0.6
    noisy = expose(motley(), SensorDraw(grey=True, shot_noise=0.1, sharpen=1, resolution=0.6))
    assert (noisy == noisy[..., :1]).all()


def test_sharpening_overshoots_at_an_edge_and_nowhere_else():
    step = np.full((20, 40, 3), 80, np.uint8)
    step[:, 20:] = 160
    got = expose(srgb_to_linear(step), SensorDraw(sharpen=1.0))[10, :, 0].astype(int)
    assert (got[:16] == 80).all() and (got[24:] == 160).all()
    # A Gaussian of sigma 1 blurs the step to 80 + 80 Φ(0.5) beside it, up to sampling.
    assert got[19] == pytest.approx(80 - 80 * (1 - 0.6915), abs=2)
    assert got[20] == pytest.approx(160 + 80 * (1 - 0.6915), abs=2)


def test_a_jpeg_of_higher_quality_is_nearer_and_larger():
    rgb = linear_to_srgb(sensor.blur(motley(96, 128), SensorDraw(defocus_px=8)))
    errors, sizes = [], []
    for quality in (5, 25, 60, 85, 98):
        encoded = sensor.compress(rgb, quality)
        back = sensor.decompress(encoded)
        assert back.shape == rgb.shape and back.dtype == np.uint8
        errors.append(np.square(back.astype(float) - rgb).mean())
        sizes.append(len(encoded))
    assert errors == sorted(errors, reverse=True) and sizes == sorted(sizes)
    assert errors[-1] < 10


def test_jpeg_keeps_red_red():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(sensor.decompress(sensor.compress(red, 95)).astype(int) - red).max() < 6


def test_the_same_draw_gives_the_same_bytes_and_another_seed_others():
    import cv2

    light = motley(96, 128)
    before = light.copy()
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        first = expose(light, EVERYTHING)
        cv2.setNumThreads(4)
        second = expose(light, EVERYTHING)
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(first, second) and np.array_equal(light, before)
    assert first.shape == light.shape and first.dtype == np.uint8 and first.flags.c_contiguous
    other = SensorDraw(shot_noise=0.05, noise_seed=4)
    assert not np.array_equal(
        expose(light, other), expose(light, SensorDraw(shot_noise=0.05, noise_seed=5))
    )


def test_a_part_of_a_larger_array_is_taken_as_it_is():
    light = motley(60, 80)
    cut = light[5:45, 7:70]
    assert np.array_equal(expose(cut, EVERYTHING), expose(cut.copy(), EVERYTHING))
