import numpy as np
import pytest

from vqc.errors import InputError
from vqc.views import FULL_RANGES, default_axes, parse_axis, spread, sweep


def test_fifteen_degrees_make_360_views():
    azimuth, elevation, tilt = default_axes(15)
    assert len(azimuth) == 24 and azimuth[-1] == 345
    assert elevation == (-30, -15, 0, 15, 30)
    assert tilt == (-15, 0, 15)
    assert len(sweep(azimuth, elevation, tilt)) == 360


def test_the_original_sweep_has_960_views_for_each_part():
    views = sweep(
        parse_axis("0:360:15", "azimuth"),
        parse_axis("-30:40:10", "elevation"),
        parse_axis("-20:20:10", "tilt"),
    )
    assert len(views) == 960 == len(set(views))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:30:15", (0, 15, 30)),
        ("5", (5,)),
        ("-1:1", (-1, 0, 1)),
        ("0:1:0.1", tuple(round(k * 0.1, 9) for k in range(11))),
        ("0:40:15", (0, 15, 30)),
    ],
)
def test_ranges_hold_both_ends(text, expected):
    assert parse_axis(text, "tilt") == expected


@pytest.mark.parametrize(
    "text", ["", "a", "1:2:3:4", "0:10:0", "0:10:-5", "10:0:5", "nan", "0:inf:1", "0:1e9:1e-3"]
)
def test_ranges_that_make_no_view_are_refused(text):
    with pytest.raises(InputError, match="--tilt"):
        parse_axis(text, "tilt")


def test_azimuth_drops_what_repeats_a_full_turn():
    assert [a for a, _, _ in sweep((0, 180, 360, 540), (0,), (0,))] == [0, 180]


def test_elevation_beyond_the_pole_is_refused():
    with pytest.raises(InputError, match="elevation"):
        sweep((0,), (95,), (0,))
    with pytest.raises(InputError, match="elevation"):
        spread(5, (0, 360), (0, 120), (0,))


def test_more_spread_views_only_append():
    axes = FULL_RANGES
    assert spread(300, *axes)[:100] == spread(100, *axes)


def test_spread_views_cover_the_ranges_evenly():
    views = np.array(spread(1200, *FULL_RANGES))
    assert (views[:, 0] >= 0).all() and (views[:, 0] < 360).all()
    counts, _ = np.histogram(views[:, 0], bins=12, range=(0, 360))
    assert counts.min() > 85 and counts.max() < 115
    sines = np.sin(np.radians(views[:, 1])) / np.sin(np.radians(40))
    counts, _ = np.histogram(sines, bins=10, range=(-1, 1))
    assert counts.min() > 105 and counts.max() < 135
    assert np.abs(views[:, 2]).max() <= 15


def test_spread_stays_in_a_narrow_range():
    views = np.array(spread(50, (10, 20), (5,), (0,)))
    assert views[:, 0].min() >= 10 and views[:, 0].max() <= 20
    assert (views[:, 1] == 5).all()


@pytest.mark.parametrize("step", [0, -5, 400, float("nan")])
def test_bad_steps_are_refused(step):
    with pytest.raises(InputError, match="step-deg"):
        default_axes(step)
