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
        wanted, lambda fit, _: done.append(fit), lambda seconds: seconds <= 3.5, lambda fit: 1.0, shares
    )
    first = trials.begin(0)
    assert first is not None
    if shares:
        assert trials.begin(1) is None, "nothing is known of how long others take"
    trials.add(first, first.units[0], outcome(1.0))
    begun = [trials.begin(1) for _ in range(6)]
    assert sum(trial is not None for trial in begun) == min(n_begun, len(FITS) - 1)
