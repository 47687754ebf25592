"""The photo budget: known surfaces, words, and intervals that hold the truth as they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest

from vqc.errors import InputError
from vqc.grid.budget import (
    Budget,
    Gain,
    Point,
    gain_words,
    photo_budget,
    verdict,
    words,
)
from vqc.grid.surface import LEVEL

CADS, REALS = (150, 250, 500, 1000), (5, 10, 20)  # of the original study
Truth = Callable[[float, float], float]


def grid(truth: Truth, repeats: int = 3, sd: float = 0.0, seed: int = 0, cells=None) -> list[Point]:
    """Trainings whose scores are `truth` and normal noise, kept within [0, 1]."""
    rng = np.random.default_rng(seed)
    return [
        Point(cad, real, float(np.clip(truth(cad, real) + sd * rng.standard_normal(), 0, 1)))
        for cad, real in cells or product(CADS, REALS)
        for _ in range(repeats)
    ]


def test_nothing_helps_on_a_flat_surface():
    made = photo_budget(grid(lambda cad, real: 0.7), start=(500, 10))
    assert {gain.verdict for gain in (*made.photos, *made.renders)} == {"none"}
    assert all(abs(gain.expected) < 0.5 for gain in (*made.photos, *made.renders))
    assert words(made) == "more photos: no gain; more CAD frames: no gain"


def test_a_surface_without_noise_is_found_again():
    """Eight points for each doubling of the photos, whatever the renders."""
    made = photo_budget(grid(lambda cad, real: 0.3 + 0.08 * np.log2(real)), start=(250, 10))
    assert (made.cad, made.real) == (250, 10)
    assert made.score == pytest.approx(0.3 + 0.08 * np.log2(10))
    doubled = made.gain(real=10)
    assert doubled.verdict == "gain"
    assert doubled.expected == pytest.approx(8, abs=1)
    assert doubled.low < 8 < doubled.high
    assert words(made).endswith("; more CAD frames: no gain")


def test_renders_that_hurt_where_photos_are_few_are_called_a_loss():
    points = grid(lambda cad, real: 0.6 + 0.01 * real - 0.15 * (cad == 1000) * (real == 5))
    made = photo_budget(points, start=(500, 5))
    assert made.renders[-1].cad == 500 and made.renders[-1].verdict == "loss"
    assert -20 < made.renders[-1].low < made.renders[-1].expected < -8
    assert "more CAD frames: a loss, about -1" in words(made)
    assert photo_budget(points, start=(500, 20)).renders[-1].verdict == "none"


def test_it_starts_from_the_best_cell_and_of_equals_from_the_one_with_fewest_photos():
    flat = grid(lambda cad, real: 0.7)
    assert (photo_budget(flat).cad, photo_budget(flat).real) == (150, 5)
    made = photo_budget(grid(lambda cad, real: 0.7 + 0.1 * (cad == 500 and real >= 10)))
    assert (made.cad, made.real) == (500, 10)


def test_steps_stay_within_twice_what_was_tried():
    made = photo_budget(grid(lambda cad, real: 0.4 + 0.01 * real), start=(1000, 20))
    assert [gain.real for gain in made.photos] == [2, 5, 10, 20]
    assert [gain.cad for gain in made.renders] == [1000]
    low = photo_budget(grid(lambda cad, real: 0.4 + 0.01 * real), start=(150, 5))
    assert [gain.real for gain in low.photos] == [2, 5, 10, 20]
    assert [gain.cad for gain in low.renders] == [100, 350, 850]
    assert made.gain(real=20).verdict != "unknown"
    assert made.gain(real=21).verdict == made.gain(cad=1001).verdict == "unknown"


@pytest.mark.parametrize(
    ("cells", "repeats"),
    [
        ([(500, 5), (500, 20)], 1),
        ([(500, 5), (500, 20)], 5),  # two cells say nothing of a bend
        ([(500, 5), (500, 10), (500, 20)], 1),
    ],
)
def test_too_little_is_said_to_be_too_little(cells, repeats):
    made = photo_budget(grid(lambda cad, real: 0.3 + 0.02 * real, repeats, cells=cells))
    assert words(made) == (
        "more photos: not enough runs to tell; more CAD frames: not enough runs to tell"
    )


def test_an_axis_that_was_never_left_is_not_answered():
    photos_only = [(0, real) for real in (5, 10, 20, 40)]
    made = photo_budget(grid(lambda cad, real: 0.7, cells=photos_only))
    assert made.renders == () and words(made).endswith("more CAD frames: not tried")
    one_level = photo_budget(grid(lambda cad, real: 0.7, cells=product([500], REALS)))
    assert {gain.verdict for gain in one_level.renders} == {"unknown"}
    assert {gain.verdict for gain in one_level.photos} <= {"none", "gain"}


def test_scores_stay_below_one():
    made = photo_budget(grid(lambda cad, real: 0.8 + 0.009 * real))
    assert all(100 * made.score + gain.high < 100.5 for gain in made.photos)
    assert made.over_photos(500).high.max() <= 1


def test_the_answer_depends_on_the_trainings_only_not_on_their_order():
    points = grid(lambda cad, real: 0.3 + 0.01 * real, sd=0.03)
    one, other = photo_budget(points), photo_budget(points[::-1])
    assert (one.photos, one.renders, one.score) == (other.photos, other.renders, other.score)


def test_curves_pass_through_what_was_measured():
    def truth(cad, real):
        return 0.9 - 0.5 / (1 + real / 5) + 0.02 * np.log10(cad)

    made = photo_budget(grid(truth, sd=0.01))
    photos, renders = made.over_photos(500), made.over_renders(10)
    assert (photos.x[0], photos.x[-1], renders.x[0], renders.x[-1]) == (5, 30, 150, 1500)
    for curve, expected in ((photos, truth(500, photos.x)), (renders, truth(renders.x, 10))):
        assert curve.x.shape == curve.mean.shape == curve.low.shape == curve.high.shape
        assert np.all((curve.low < curve.mean) & (curve.mean < curve.high))
        tried = curve.x <= curve.x[-1] / 1.5
        assert np.abs(curve.mean - expected)[tried].max() < 0.02
    assert np.ptp(photos.high[-10:] - photos.low[-10:]) > 0  # the further, the less is known


def test_impossible_trainings_are_told_all_at_once():
    with pytest.raises(InputError, match="there are no trainings"):
        photo_budget([])
    wrong = [Point(-1, 5, 0.5), Point(1, 5, 71.3), Point(1, 5, float("nan")), Point(1, 5, 0.5)]
    with pytest.raises(InputError) as caught:
        photo_budget(wrong)
    assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(InputError, match=r"no training has 9 renders and 5 photos.*150:5, 150:10"):
        photo_budget(grid(lambda cad, real: 0.5), start=(9, 5))
    with pytest.raises(InputError, match="start from a smaller cell"):
        photo_budget(grid(lambda cad, real: 0.5)).gain(real=-1)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((3.0, 1.0, 5.0), "gain"),
        ((3.0, -1.0, 6.0), "gain"),
        ((3.0, -3.0, 9.0), "unknown"),
        ((20.0, 5.0, 35.0), "gain"),
        ((0.0, -2.0, 2.0), "none"),
        ((0.0, -4.0, 4.0), "unknown"),
        ((-12.0, -30.0, 2.0), "none"),
        ((-3.0, -5.0, -1.0), "loss"),
        ((-3.0, -5.0, -0.9), "none"),
    ],
)
def test_verdicts(span, expected):
    assert verdict(*span) == expected


def test_words():
    def say(photos, renders):
        return words(Budget(500, 20, 0.7, photos, renders, None))

    small = Gain(0, 2, 1.1, 0.2, 1.9, "gain")
    sure = Gain(0, 8, 3.2, 1.1, 4.9, "gain")
    nothing = Gain(500, 0, -0.3, -1.5, 1.0, "none")
    assert say((small, sure), (nothing,)) == (
        "8 more photos a class: about +3 mAP50 (1 to 5); more CAD frames: no gain"
    )
    assert say((small,), ()) == (
        "2 more photos a class: about +1 mAP50 (0 to 2); more CAD frames: not tried"
    )
    little = Gain(0, 5, 0.7, -0.4, 1.6, "none")
    lost = Gain(1000, 0, -3.1, -5.2, -1.1, "loss")
    assert say((little,), (nothing, lost)) == (
        "more photos: less than +1 mAP50; more CAD frames: a loss, about -3 mAP50 (-5 to -1)"
    )
    both = Gain(1000, 5, 4.0, -9.0, 16.0, "unknown")
    assert gain_words(both) == (
        "1,000 more CAD frames and 5 more photos a class: not enough runs to tell"
    )


# Two hundred simulated grids. None of these curves is one that is fitted: Weibull and Gompertz
# growth, a logistic in which renders hurt where photos are few, a sigmoid in log photos, straight
# lines with a knee, and a hump over the renders.


def weibull(rng) -> Truth:
    top, bottom = rng.uniform(0.6, 0.97), rng.uniform(0, 0.35)
    scale, power = rng.uniform(3, 25), rng.uniform(0.5, 1.3)
    worth, enough = rng.uniform(0, 8), rng.uniform(80, 800)

    def truth(cad, real):
        photos = real + worth * (1 - np.exp(-cad / enough))
        return top - (top - bottom) * np.exp(-((photos / scale) ** power))

    return truth


def gompertz(rng) -> Truth:
    top, delay, rate = rng.uniform(0.6, 0.98), rng.uniform(0.8, 3), rng.uniform(0.03, 0.25)
    worth, enough = rng.uniform(0, 4), rng.uniform(100, 600)
    return lambda cad, real: (
        top * np.exp(-delay * np.exp(-rate * (real + worth * cad / (cad + enough))))
    )


def too_many_renders(rng) -> Truth:
    level, photos, renders = rng.uniform(-1.5, 0.3), rng.uniform(0.2, 0.8), rng.uniform(0, 0.15)
    harm, ratio = rng.uniform(0, 0.5), rng.uniform(20, 60)

    def truth(cad, real):
        over = np.maximum(0, np.log((cad + 1) / (ratio * (real + 1))))
        score = level + photos * np.log1p(real) + renders * np.log1p(cad) - harm * over**2
        return 1 / (1 + np.exp(-score))

    return truth


def sigmoid(rng) -> Truth:
    low, top = rng.uniform(0, 0.4), rng.uniform(0.6, 0.95)
    middle, width = rng.uniform(3, 20), rng.uniform(0.35, 1)
    extra, renders = rng.uniform(-0.05, 0.05), rng.uniform(50, 600)
    return lambda cad, real: (
        low
        + (top - low) / (1 + ((real + 0.5) / middle) ** (-1 / width))
        + extra * cad / (cad + renders)
    )


def knee(rng) -> Truth:
    at, rise, base = rng.uniform(6, 40), rng.uniform(0.03, 0.09), rng.uniform(0.15, 0.4)
    after, renders = rng.uniform(0, 0.3), rng.uniform(-0.01, 0.02)

    def truth(cad, real):
        before, beyond = min(real, at), max(real, at) / at
        photos = rise * (np.log2(1 + before) + after * np.log2(beyond))
        return base + photos + renders * np.log2(1 + cad / 50)

    return truth


def hump(rng) -> Truth:
    top, half = rng.uniform(0.6, 0.85), rng.uniform(2, 12)
    best, width = rng.uniform(150, 900), rng.uniform(0.8, 2)
    height, fade = rng.uniform(0.02, 0.1), rng.uniform(5, 40)

    def truth(cad, real):
        renders = np.exp(-0.5 * (np.log((cad + 20) / best) / width) ** 2)
        return top * (real + 0.3) / (real + half) + height * renders * np.exp(-real / fade)

    return truth


FAMILIES = (weibull, gompertz, too_many_renders, sigmoid, knee, hump)
STUDY = list(product(CADS, REALS))
WITH_NONE = [cell for cell in product((0, *CADS), (0, *REALS)) if any(cell)]
LAYOUTS = (
    (STUDY, 1),
    (STUDY, 3),
    (WITH_NONE, 1),
    (STUDY, 2),
    (WITH_NONE, 2),
    (STUDY, 5),
    (STUDY, 3),
)
STEPS = ("a few photos", "twice the photos", "more renders", "all renders, few photos")
GRIDS = 200


@dataclass(frozen=True)
class Answer:
    """What was said of one step, what is true (mAP50 points), and of how many runs a cell."""

    gain: Gain
    truth: float
    repeats: int
    with_none: bool

    def holds(self, share: float = 1.0) -> bool:
        """Whether the interval does, drawn together around what is expected."""
        gain = self.gain
        low = gain.expected - share * (gain.expected - gain.low)
        return low <= self.truth <= gain.expected + share * (gain.high - gain.expected)


def simulated(number: int) -> dict[str, Answer]:
    """Train on a made-up truth, with noise of 3 points; ask from the best cell.

    The last step is asked from the smallest cell, where renders more often gain or hurt.
    """
    rng = np.random.default_rng([20_240, number])
    family, (cells, repeats) = FAMILIES[number % 6], LAYOUTS[number % 7]
    truth = family(rng)
    # Detectors that are worse vary more, which the model does not know.
    uneven = family in (gompertz, hump)
    points = []
    for cad, real in (cell for cell in cells for _ in range(repeats)):
        score = truth(cad, real)
        sd = 0.01 + 0.05 * (1 - score) if uneven else 0.03
        noisy = score + sd * rng.standard_normal()
        points.append(Point(cad, real, float(np.clip(noisy, 0, 1))))
    made = photo_budget(points)
    twice = made.gain(real=made.real) if made.real else made.photos[-1]
    small = replace(made, cad=CADS[0], real=REALS[0])
    asked = [(made, made.photos[0]), (made, twice), *((made, gain) for gain in made.renders[:1])]
    asked = dict(zip(STEPS, asked, strict=False))
    asked[STEPS[-1]] = small, small.gain(cad=CADS[-1] - CADS[0])

    def gained(start, gain):
        after = truth(start.cad + gain.cad, start.real + gain.real)
        return 100 * (after - truth(start.cad, start.real))

    return {
        step: Answer(gain, gained(start, gain), repeats, cells is WITH_NONE)
        for step, (start, gain) in asked.items()
    }


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Answer]]:
    made = [simulated(number) for number in range(GRIDS)]
    return {step: [grid[step] for grid in made if step in grid] for step in STEPS}


@pytest.mark.parametrize("step", STEPS)
def test_intervals_hold_the_truth_as_often_as_they_say(answers, step):
    """No less often than chance allows, and not so often that they must be far too wide.

    Two hundred answers tell 80 % from what intervals of half the width would hold.
    """
    asked = answers[step]
    assert len(asked) > 0.8 * GRIDS
    least, most = least_and_most(len(asked))
    assert least <= sum(answer.holds() for answer in asked) <= most
    assert sum(answer.holds(0.5) for answer in asked) < least


def least_and_most(count: int) -> tuple[int, int]:
    from scipy.stats import binom

    return int(binom.ppf(0.005, count, LEVEL)), int(0.95 * count)


@pytest.mark.parametrize(("step", "points"), zip(STEPS, (2.5, 12, 5, 8), strict=True))
def test_intervals_are_narrow_enough_to_act_on(answers, step, points):
    widths = [answer.gain.high - answer.gain.low for answer in answers[step]]
    assert np.median(widths) < points


def test_three_runs_a_cell_can_nearly_always_tell(answers):
    asked = [a for step in STEPS for a in answers[step] if a.repeats >= 3 and not a.with_none]
    assert len(asked) > 200
    assert np.mean([answer.gain.verdict == "unknown" for answer in asked]) < 0.15


@pytest.mark.parametrize("photos", [True, False])
def test_what_is_called_a_gain_is_one_and_no_gain_is_none(answers, photos):
    """A gain is above zero, no gain is below the 3 points that it may overlook."""
    asked = [a for step in STEPS for a in answers[step] if bool(a.gain.real) == photos]
    gains = [answer.truth for answer in asked if answer.gain.verdict == "gain"]
    nothing = [answer.truth for answer in asked if answer.gain.verdict == "none"]
    assert len(gains) > 40 and np.mean(np.array(gains) > 0) > 0.9
    assert len(nothing) > 40 and np.mean(np.array(nothing) < 3) > 0.9


def test_what_is_called_a_loss_is_one(answers):
    lost = [a.truth for step in STEPS for a in answers[step] if a.gain.verdict == "loss"]
    assert len(lost) >= 5 and np.mean(np.array(lost) < 0) > 0.8


def test_intervals_hold_the_truth_whatever_is_made_of_them(answers):
    """Among those that were called a gain, and among those that were called none."""
    for word in ("gain", "none"):
        asked = [a for step in STEPS for a in answers[step] if a.gain.verdict == word]
        assert np.mean([answer.holds() for answer in asked]) > LEVEL - 0.05
