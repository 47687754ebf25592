"""Distributions: what they draw, how they are written, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.errors import InputError
from vqc.look.distributions import (
    Choice,
    Constant,
    Distribution,
    LogUniform,
    Normal,
    Uniform,
    flow,
    parse,
    plain,
)

MANY = 20_000
NEAR = 4 / math.sqrt(MANY)  # four standard errors of a mean, in standard deviations
EVERY_KIND = [
    Constant(0.6),
    Constant("cad"),
    Uniform(-2, 5),
    LogUniform(0.1, 10),
    Normal(3, 2),
    Choice((1, 2, 4)),
    Choice(("a", "b"), (3, 1)),
]

NUMBERS = st.floats(-1e9, 1e9) | st.integers(-(10**6), 10**6)
ABOVE_0 = st.floats(1e-6, 1e9)
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)


def pairs(kind, numbers):
    return st.tuples(numbers, numbers).map(lambda pair: kind(min(pair), max(pair)))


@st.composite
def choices(draw):
    values = draw(st.lists(draw(st.sampled_from([NUMBERS, WORDS])), min_size=1, unique=True))
    weights = st.lists(ABOVE_0, min_size=len(values), max_size=len(values)).map(tuple)
    return Choice(tuple(values), draw(st.none() | weights))


DISTRIBUTIONS = st.one_of(
    (NUMBERS | WORDS).map(Constant),
    pairs(Uniform, NUMBERS),
    pairs(LogUniform, ABOVE_0),
    st.builds(Normal, NUMBERS, st.floats(0, 1e9)),
    choices(),
)


def drawn(distribution: Distribution, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([distribution.draw(rng) for _ in range(MANY)])


def test_a_constant_is_always_itself():
    assert set(drawn(Constant("cad"))) == {"cad"} and set(drawn(Constant(0.6))) == {0.6}


def test_a_uniform_has_its_range_mean_and_deviation():
    values = drawn(Uniform(-2, 5))
    assert -2 <= values.min() < -1.99 and 4.99 < values.max() <= 5
    assert abs(values.mean() - 1.5) < NEAR * 7 / math.sqrt(12)
    assert values.std() == pytest.approx(7 / math.sqrt(12), rel=0.02)


def test_a_log_uniform_has_every_decade_alike():
    values = drawn(LogUniform(0.1, 100))
    assert 0.1 <= values.min() < 0.101 and 99 < values.max() <= 100
    for low in (0.1, 1, 10):
        share = ((values >= low) & (values < 10 * low)).mean()
        assert abs(share - 1 / 3) < NEAR * math.sqrt(2) / 3
    assert abs(np.log10(values).mean() - 0.5) < NEAR * 3 / math.sqrt(12)


def test_a_normal_is_the_bell_curve():
    values = drawn(Normal(3, 2))
    assert abs(values.mean() - 3) < NEAR * 2
    assert values.std() == pytest.approx(2, rel=0.02)
    for deviations, inside in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
        share = (abs(values - 3) < 2 * deviations).mean()
        assert abs(share - inside) < NEAR * math.sqrt(inside * (1 - inside))
    assert set(drawn(Normal(3, 0))) == {3}


def test_a_normal_reaches_as_far_as_four_deviations():
    assert Normal(0, 1).at(0.0) == pytest.approx(-4)
    assert Normal(0, 1).at(1 - 2**-53) == pytest.approx(4)
    assert Normal(5, 1).at(0.5) == 5


@pytest.mark.parametrize(
    ("choice", "shares"),
    [
        (Choice((1, 2, 4)), {1: 1 / 3, 2: 1 / 3, 4: 1 / 3}),
        (Choice(("a", "b"), (3, 1)), {"a": 0.75, "b": 0.25}),
        (Choice((0, 1, 2), (0.1, 0.2, 0.7)), {0: 0.1, 1: 0.2, 2: 0.7}),
    ],
)
def test_choices_come_as_often_as_their_weights_say(choice, shares):
    values = drawn(choice)
    assert {*values.tolist()} == {*shares}
    for value, share in shares.items():
        assert abs((values == value).mean() - share) < NEAR * math.sqrt(share * (1 - share))


@pytest.mark.parametrize("distribution", EVERY_KIND)
def test_every_draw_takes_one_number_of_the_generator(distribution):
    rng, other = np.random.default_rng(7), np.random.default_rng(7)
    value = distribution.draw(rng)
    assert value == distribution.at(other.random())
    assert rng.bit_generator.state == other.bit_generator.state
    assert type(value) in (int, float, str)


@pytest.mark.parametrize("distribution", EVERY_KIND)
def test_equal_ones_are_one_key(distribution):
    again = parse(plain(distribution), "x")
    assert {distribution: 1}[again] == 1
    with pytest.raises(AttributeError):
        setattr(again, type(again).__match_args__[0], 3)


@given(DISTRIBUTIONS)
@settings(deadline=None)
def test_written_and_read_again_it_is_the_same(distribution):
    record = plain(distribution)
    assert parse(record, "x") == distribution
    assert parse(json.loads(json.dumps(record)), "x") == distribution
    assert plain(parse(record, "x")) == record
    assert parse(yaml.safe_load(yaml.safe_dump(record, sort_keys=False)), "x") == distribution
    assert parse(yaml.safe_load(flow(record)), "x") == distribution


@given(DISTRIBUTIONS, st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_draws_lie_within_what_is_stated(distribution, share):
    value = distribution.at(share)
    if isinstance(distribution, Uniform | LogUniform):
        assert distribution.low <= value <= distribution.high
    elif isinstance(distribution, Normal):
        assert math.isfinite(value)
    else:
        assert value in distribution.stated


def test_equal_distributions_have_one_text():
    assert repr(plain(Uniform(0.0, 360.0))) == repr(plain(Uniform(0, 360)))
    assert repr(plain(Constant(-0.0))) == "0"
    assert flow(plain(Choice((0, 1.5), (3, 1.0)))) == "{choice: {0: 3, 1.5: 1}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.6", Constant(0.6)),
        ("cad", Constant("cad")),
        ("1e-3", Constant(0.001)),  # a text to YAML
        ("{uniform: [1, 1]}", Uniform(1, 1)),
        ("{log_uniform: [1e-3, 1]}", LogUniform(0.001, 1)),
        ("{normal: [-1, 2]}", Normal(-1, 2)),
        ("{choice: [a]}", Choice(("a",))),
        ("{choice: {0: 3, 1: 1}}", Choice((0, 1), (3, 1))),
        ('{choice: {"0": 3, "1": 1}}', Choice((0, 1), (3, 1))),  # as JSON has them
    ],
)
def test_forms_of_yaml(text, expected):
    assert parse(yaml.safe_load(text), "x") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true", "expected a number, a word or a distribution, got true"),
        ("null", "got nothing"),
        ("[1, 2]", r"got \[1, 2\]"),
        (".nan", "got nan"),
        (".inf", "got inf"),
        ("two words", "got 'two words'"),
        ("2020-01-01", "got datetime.date"),
        ("{}", "expected one key of uniform, log_uniform, normal, choice, got none"),
        ("{uniform: [1, 2], normal: [1, 2]}", "expected one key of .*, got uniform, normal"),
        ("{unifrom: [1, 2]}", "there is no distribution 'unifrom'; did you mean 'uniform'"),
        ("{zzz: [1, 2]}", "there is no distribution 'zzz'. Known: uniform, "),
        ("{5: [1, 2]}", "there is no distribution 5. Known: uniform, "),
        ("{uniform: 3}", r"expected uniform: \[low, high\], two numbers, got 3"),
        ("{uniform: [1, 2, 3]}", r"two numbers, got \[1, 2, 3\]"),
        ("{uniform: [1, true]}", "two finite numbers, got true"),
        ("{uniform: [a, .inf]}", "two finite numbers, got 'a' and inf"),
        ("{uniform: [2, 1]}", r"the smaller first, got \[2, 1\]"),
        ("{log_uniform: [2, 1]}", "the smaller first"),
        ("{log_uniform: [0, 1]}", r"expected log_uniform: \[low, high\] above 0, got 0"),
        ("{log_uniform: [-2, 1]}", "above 0, got -2"),
        ("{normal: [0, -1]}", "expected a normal's deviation from 0, got -1"),
        ("{normal: [.nan, 1]}", r"expected normal: \[mean, deviation\], two finite numbers"),
        ("{choice: 5}", "expected choice: .*, got 5"),
        ("{choice: []}", "one value or more, got none"),
        ("{choice: {}}", "one value or more, got none"),
        ("{choice: [1, a]}", r"of numbers, or of words, not mixed, got \[1, 'a'\]"),
        ("{choice: [a, true]}", "not mixed"),
        ("{choice: [[1], [2]]}", "not mixed"),
        ("{choice: [1, 1.0]}", "each value of choice: once"),
        ("{choice: {a: 0, b: 1}}", "expected weights above 0, .*; got 0 for 'a'"),
        ("{choice: {a: -1}}", "got -1 for 'a'"),
        ("{choice: {a: true}}", "got true for 'a'"),
        ("{choice: {1:6, 2:3}}", "with a space after each colon; got nothing"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(InputError, match=f"^camera.size: .*{message}"):
        parse(yaml.safe_load(text), "camera.size")


def test_a_message_stays_short():
    deep: list = []
    for _ in range(50):
        deep = [deep] * 3
    for value in (deep, "a b" * 100_000, {"uniform": deep}, {"choice": [deep]}, 10**300):
        with pytest.raises(InputError) as caught:
            parse(value, "x")
        assert len(str(caught.value)) < 400


def test_weights_must_be_as_many_as_values():
    with pytest.raises(InputError, match="a weight for each of 2 values, got 1"):
        Choice((1, 2), (1,))
