"""How sure a comparison is: numbers that can be worked out by hand."""

import math

import pytest

from vqc.report.surety import (
    Candidate,
    fewest_photos,
    may_be_as_good,
    photos_sentence,
    pooled_spread,
    sure_sentence,
)


def a(label, photos, *values, cad=0):
    return Candidate(label, cad, photos, values)


# The squares about the means add up to (2 + 2 + 0)e-4, on 1 + 1 + 0 degrees of freedom.
TEN, FIVE, ONE = a("ten", 10, 0.8, 0.82), a("five", 5, 0.79, 0.81), a("one", 1, 0.3)


def test_the_spread_is_pooled_over_all_sets():
    assert pooled_spread([TEN, FIVE]) == pytest.approx(math.sqrt(4e-4 / 2))
    assert pooled_spread([TEN, FIVE, a("same", 2, 0.5, 0.5)]) == pytest.approx(math.sqrt(4e-4 / 3))
    assert math.isnan(pooled_spread([ONE, a("none", 2)]))


def test_of_all_within_one_standard_error_the_one_with_the_fewest_photos_then_renders():
    # The best has 0.81; ONE is far below any standard error of it.
    six = a("six", 6, 0.81, 0.81)
    assert fewest_photos([TEN, ONE, six], TEN) is six
    assert fewest_photos([TEN, ONE], TEN) is TEN
    more_cad = a("six, more renders", 6, 0.81, 0.81, cad=500)
    assert fewest_photos([TEN, more_cad, six], TEN) is six


def test_where_less_is_better_a_lower_score_is_as_good():
    best, worse = a("best", 10, 0.1, 0.12), a("worse", 1, 0.5, 0.52)
    assert fewest_photos([best, worse], best, sign=-1) is best
    assert fewest_photos([worse, best], worse, sign=-1) is worse


def test_what_may_be_as_good_lies_within_two_standard_errors_of_the_difference():
    # 0.01414 · √(1/2 + 1/2) · 2 = 0.0283 between pairs.
    far = a("far", 1, 0.77, 0.79)
    spread = [TEN, FIVE, far]
    assert pooled_spread(spread) == pytest.approx(0.0141421, abs=1e-6)
    assert may_be_as_good(spread, TEN) == [FIVE]


def test_all_photos_are_more_than_any_number():
    best = a("all", "all", 0.8, 0.82)
    five = a("five", 5, 0.795, 0.815)
    assert fewest_photos([best, five], best) is five
    assert photos_sentence([best, five], best).endswith("fewer photos: five, 5 photos a class.")
    assert photos_sentence([best, TEN], TEN).endswith("was tried.")


def test_it_is_said_in_words():
    far = a("far", 1, 0.3, 0.32)
    assert "fewer photos: six, 6 photos" in photos_sentence([TEN, a("six", 6, 0.81, 0.81)], TEN)
    assert photos_sentence([TEN, far], TEN).startswith("No training set with fewer photos comes")
    assert photos_sentence([FIVE, TEN], FIVE).endswith("was tried.")
    assert "differ by 0.014 (standard deviation, 4 trainings)" in sure_sentence([TEN, FIVE], TEN)
    assert "told from it: five" in sure_sentence([TEN, FIVE], TEN)
    assert sure_sentence([TEN, far], TEN).endswith("it may be as good.")


def test_single_trainings_tell_nothing_of_chance():
    assert photos_sentence([ONE, a("two", 2, 0.5)], ONE) == ""
    assert "trained once" in sure_sentence([ONE, a("two", 2, 0.5)], ONE)
    assert photos_sentence([TEN], TEN) == ""
