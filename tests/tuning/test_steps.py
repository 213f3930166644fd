from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autoenc.tuning.steps import Reach, clipped, drawn, near, shrunk, stepped

seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0, 1)


@st.composite
def whole(draw: st.DrawFn) -> IntDistribution:
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -50, 300))
    step = 1 if log else draw(st.integers(1, 12))
    return IntDistribution(low, low + step * draw(st.integers(0, 60)), log=log, step=step)


@st.composite
def real(draw: st.DrawFn) -> FloatDistribution:
    if draw(st.booleans()):
        low = draw(st.floats(1e-8, 10))
        return FloatDistribution(low, low * draw(st.floats(1, 1e6)), log=True)
    low = draw(st.floats(-100, 100))
    if draw(st.booleans()):
        return FloatDistribution(low, low + draw(st.floats(0, 1000)))
    return FloatDistribution(0, 0.125 * draw(st.integers(1, 40)), step=0.125)


choices = st.one_of(
    st.lists(st.text(max_size=4), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(-9, 999) | st.floats(-1, 1), min_size=1, max_size=5, unique=True),
    st.just([True, False]),
).map(CategoricalDistribution)
distributions = st.one_of(whole(), real(), choices)


def contained(value: Any, distribution: BaseDistribution) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    if isinstance(distribution, IntDistribution) and type(value) is not int:
        return False
    return distribution._contains(distribution.to_internal_repr(value))


@given(distributions, shares, seeds, st.floats(0.1, 20))
def test_every_move_stays_within_the_distribution(distribution, share, seed, growth) -> None:
    rng = np.random.default_rng(seed)
    value = drawn(distribution, share)
    anchor = drawn(distribution, rng.random())
    reach = Reach(int(rng.integers(1, 9)), rng.uniform(0.01, 1), rng.uniform(0.01, 1))
    assert contained(value, distribution)
    for _ in range(5):
        assert contained(stepped(value, distribution, rng, growth), distribution)
        assert contained(near(value, anchor, distribution, rng, reach), distribution)
        assert contained(shrunk(value, distribution, rng.random(), 2, 64), distribution)


@given(distributions)
def test_shares_run_from_one_end_to_the_other(distribution) -> None:
    if isinstance(distribution, CategoricalDistribution):
        ends = distribution.choices[0], distribution.choices[-1]
    else:
        ends = pytest.approx(distribution.low), pytest.approx(distribution.high)
    assert (drawn(distribution, 0), drawn(distribution, 1)) == ends


def test_the_middle_of_a_log_scale_is_the_geometric_mean() -> None:
    assert drawn(FloatDistribution(1e-4, 1e-2, log=True), 0.5) == pytest.approx(1e-3)
    assert drawn(IntDistribution(4, 64, log=True), 0.5) == 16


@given(distributions, st.integers(-10_000, 10_000) | st.floats(-1e4, 1e4))
def test_clipping_takes_the_nearest_value(distribution, value) -> None:
    found = clipped(value, distribution)
    assert contained(found, distribution)
    assert clipped(found, distribution) == found
    if isinstance(distribution, IntDistribution) and not distribution.log:
        everything = range(distribution.low, distribution.high + 1, distribution.step)
        assert abs(found - value) == min(abs(each - value) for each in everything)


def test_an_unknown_choice_becomes_the_first() -> None:
    assert clipped("tanh", CategoricalDistribution(("relu", "gelu"))) == "relu"


@given(whole(), shares, seeds)
def test_a_whole_number_that_is_stepped_moves_where_it_can(distribution, share, seed) -> None:
    value, rng = drawn(distribution, share), np.random.default_rng(seed)
    if distribution.low < value < distribution.high:
        assert stepped(value, distribution, rng, 1e-6) != value


@given(choices, shares, seeds)
def test_numbers_are_stepped_to_a_neighbour(distribution, share, seed) -> None:
    value, rng = drawn(distribution, share), np.random.default_rng(seed)
    moved = stepped(value, distribution, rng, 100)  # so large a growth that a choice always changes
    if len(distribution.choices) > 1:
        assert moved != value
    if all(isinstance(choice, int | float) for choice in distribution.choices):
        ranked = sorted(distribution.choices)
        assert abs(ranked.index(moved) - ranked.index(value)) <= 1


numbers = st.one_of(whole(), real())
reaches = st.builds(Reach, st.integers(1, 6), st.floats(0.01, 0.5), st.floats(0.05, 1))


@given(numbers, shares, shares, seeds, reaches)
def test_near_keeps_to_its_limits(distribution, share, other, seed, reach) -> None:
    rng = np.random.default_rng(seed)
    anchor = drawn(distribution, share)
    value = near(drawn(distribution, other), anchor, distribution, rng, reach)
    value = near(value, anchor, distribution, rng, reach)  # one that lies within the limits already
    moved = near(value, anchor, distribution, rng, reach)
    span = distribution.high - distribution.low
    size, limit = abs(value) or span, reach.limit * (abs(anchor) or span)
    if isinstance(distribution, FloatDistribution):
        step, most = distribution.step or 0, reach.share * size
        # The nearest value on the steps may be half a step farther than what was drawn.
        most += step / 2
    else:
        step = distribution.step
        if distribution.log:
            step = max(step, round(size * reach.share / 2))
        most = reach.steps * step
    slack = 1e-9 * (1 + abs(anchor) + span)
    assert abs(moved - value) <= most + slack or abs(value - anchor) > limit
    assert abs(moved - anchor) <= max(limit, step) + slack


@pytest.mark.parametrize("seed", range(5))
def test_near_takes_the_default_reach_in_full(seed) -> None:
    rng, reach = np.random.default_rng(seed), Reach(2, 0.1, 0.2)
    layers = {near(5, 5, IntDistribution(1, 20), rng, reach) for _ in range(50)}
    assert layers == {4, 5, 6}  # two steps would be farther than a fifth
    rates = [near(0.01, 0.01, FloatDistribution(1e-5, 1, log=True), rng, reach) for _ in range(50)]
    assert 0.0089 < min(rates) < 0.0095 < 0.0105 < max(rates) < 0.0111
    widths = {near(100, 100, IntDistribution(8, 1024, log=True), rng, reach) for _ in range(50)}
    assert widths == {90, 95, 100, 105, 110}


@pytest.mark.parametrize("seed", range(5))
def test_near_moves_ordered_choices_by_one_place_and_no_others(seed) -> None:
    rng, reach = np.random.default_rng(seed), Reach(2, 0.1, 0.2)
    sizes = CategoricalDistribution((128, 16, 64, 32))
    assert {near(32, 32, sizes, rng, reach) for _ in range(50)} == {16, 32, 64}
    assert {near(32, 128, sizes, rng, reach) for _ in range(50)} == {64, 128}
    names, flags = CategoricalDistribution(("relu", "tanh")), CategoricalDistribution((True, False))
    assert {near("tanh", "relu", names, rng, reach) for _ in range(12)} == {"relu"}
    assert {near(False, True, flags, rng, reach) for _ in range(12)} == {True}


def test_shrinking_multiplies_and_stays_within_both_bounds() -> None:
    widths = IntDistribution(8, 1024, log=True)
    assert shrunk(200, widths, 0.7, 64, 256) == 140
    assert shrunk(1000, widths, 0.7, 64, 256) == 256
    assert shrunk(16, widths, 0.7, 64, 256) == 64
    assert shrunk(16, IntDistribution(8, 32), 0.7, 64, 256) == 32
    assert shrunk(0.01, FloatDistribution(1e-5, 1), 0.5, -np.inf, np.inf) == 0.005
    assert shrunk(32, CategoricalDistribution((16, 32)), 0.5, 0, 99) == 32
