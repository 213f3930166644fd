"""Fits within a budget, by an engine that trains many at once."""

from __future__ import annotations

from typing import Any

import pytest

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.searching.in_time import FitsInTime
from autoenc.searching.pace import Pace

FITS = [Fit((width,), 2, Recipe(epochs=2)) for width in range(4, 9)]


class Alike:
    """Work of fits that all take as long, by their epochs."""

    def of(self, fit: Fit) -> int:
        return fit.recipe.last_epoch

    steps = of


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
        Pace(Alike(), shares),
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
    trials = FitsInTime(lambda: wanted, lambda *_: None, allows, Pace(Alike()))
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
    trials = FitsInTime(lambda: wanted, lambda *_: None, lambda *_: True, Pace(Alike()), slots=2)
    first = trials.begin(0)
    assert first is not None
    trials.add(first, first.units[0], outcome(seconds))
    begun = [trials.begin(n_running) for n_running in range(3)]
    assert sum(trial is not None for trial in begun) == n_begun


class Together:
    """Fits of 2 epochs and five of 8, by an engine that trains many, within so many seconds."""

    def __init__(self, most_s: float) -> None:
        self.wanted = [*FITS[:4], *(Fit((width,), 3, Recipe(epochs=8)) for width in range(4, 9))]
        self._trials = FitsInTime(
            lambda: self.wanted,
            lambda fit, _: self.wanted.remove(fit),
            lambda _, at_most: at_most <= most_s,
            Pace(Alike(), shares=True),
        )
        self._in_training: dict[Fit, Any] = {}

    def begun(self) -> list[Fit]:
        """All fits that begin now."""
        before = set(self._in_training)
        while (trial := self._trials.begin(len(self._in_training))) is not None:
            self._in_training[trial.units[0]] = trial
        return [fit for fit in self._in_training if fit not in before]

    def end(self, fit: Fit, seconds: float) -> None:
        """End a fit that had so much of the time."""
        losses = [1.0] * fit.recipe.epochs
        self._trials.add(self._in_training.pop(fit), fit, Outcome(losses, losses, 1.0, seconds, {}))


def test_what_fits_shared_is_no_measure_of_one_alone():
    search = Together(5.0)
    (first,) = search.begun()
    search.end(first, 0.9)
    search.wanted[3:] = []
    equal = search.begun()
    search.wanted += [Fit((width,), 3, Recipe(epochs=8)) for width in range(4, 9)]
    for fit in equal:
        search.end(fit, 0.3)
    assert len(equal) == 3, "which took 0.9 s together, as one of them would"
    assert len(search.begun()) == 1, "one of 8 epochs takes 3.6 s, and two may take twice that"


def test_the_next_ones_begin_once_all_before_have_ended():
    search = Together(100.0)
    (first,) = search.begun()
    search.end(first, 0.1)
    search.wanted[3:] = []
    together = search.begun()
    search.wanted += [Fit((9,), 3, Recipe(epochs=8))]
    for fit in together[:-1]:
        search.end(fit, 0.1)
        assert search.begun() == [], "it would wait for those in training, whatever time is left then"
    search.end(together[-1], 0.1)
    assert search.begun() == search.wanted
