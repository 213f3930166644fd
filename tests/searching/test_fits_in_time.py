"""Fits within a budget, by an engine that trains many at once."""

from __future__ import annotations

import pytest

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.searching.fits import FitsInTime

FITS = [Fit((width,), 2, Recipe(epochs=2)) for width in range(4, 9)]


def outcome(seconds: float) -> Outcome:
    return Outcome([1.0, 1.0], [1.0, 1.0], 1.0, seconds, {})


@pytest.mark.parametrize(("shares", "n_begun"), [(True, 3), (False, 5)])
def test_fits_that_share_the_time_must_all_end_within_the_budget(shares, n_begun):
    done: list[Fit] = []

    def wanted() -> list[Fit]:
        return [fit for fit in FITS if fit not in done]

    trials = FitsInTime(
        wanted,
        lambda fit, _: done.append(fit),
        lambda seconds, at_most: seconds == at_most <= 3.5,
        lambda fit: 1.0,
        shares,
    )
    first = trials.begin(0)
    assert first is not None
    if shares:
        assert trials.begin(1) is None, "nothing is known of how long others take"
    trials.add(first, first.units[0], outcome(1.0))
    begun = [trials.begin(1) for _ in range(6)]
    assert sum(trial is not None for trial in begun) == min(n_begun, len(FITS) - 1)


def test_early_stopping_is_expected_of_a_fit_as_of_those_before_it():
    asked: list[tuple[float, float]] = []

    def allows(seconds: float, at_most: float) -> bool:
        asked.append((seconds, at_most))
        return True

    stopping = [Fit((width,), 2, Recipe(epochs=10, patience=1)) for width in (4, 5)]
    fixed = Fit((4,), 2, Recipe(epochs=10))
    wanted = [*stopping, fixed]
    trials = FitsInTime(lambda: wanted, lambda *_: None, allows, lambda fit: 1.0)
    first = trials.begin(0)
    assert first is not None
    assert first.units == [stopping[0]]
    trials.add(first, stopping[0], outcome(1.0))  # 2 of 10 epochs
    wanted.remove(stopping[0])
    begun = [trials.begin(1), trials.begin(2)]
    assert [trial.units for trial in begun if trial is not None] == [[stopping[1]], [fixed]]
    assert asked[1:] == [(pytest.approx(1.0), pytest.approx(5.0)), (pytest.approx(5.0), pytest.approx(5.0))]


@pytest.mark.parametrize(("seconds", "n_begun"), [(0.4, 3), (0.6, 2)])
def test_one_more_waits_where_fits_are_short(seconds, n_begun):
    wanted = [Fit((width,), 2, Recipe(epochs=2)) for width in range(4, 10)]
    trials = FitsInTime(lambda: wanted, lambda *_: None, lambda *_: True, lambda fit: 1.0, slots=2)
    first = trials.begin(0)
    assert first is not None
    trials.add(first, first.units[0], outcome(seconds))
    begun = [trials.begin(n_running) for n_running in range(3)]
    assert sum(trial is not None for trial in begun) == n_begun
