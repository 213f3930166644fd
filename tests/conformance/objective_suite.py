"""What every objective must do; a subclass provides ``objective``, ``units``, ``failing`` and ``broken``.

``units`` are those of one trial, and ``failing`` is a unit whose training diverges. ``broken`` is called with
an error that whatever trains raises from then on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isfinite

import pytest
import torch

from autoenc.engines import StopFlag, Stopped
from autoenc.searching.executors import Here
from autoenc.searching.loop import Running


def measured(objective, unit, stop=None):
    """The outcome of a unit, measured here."""
    return objective.job(unit, None)(stop or StopFlag())


def untimed(outcome):
    """An outcome as text, without the time that it took."""
    if hasattr(outcome, "_replace"):
        return repr(outcome._replace(seconds=0.0))
    return repr(replace(outcome, seconds=0.0))


class ObjectiveSuite:
    """Behaviour that the loop relies on.

    Attributes:
        n_threads: Units that may be measured at once in a process.
        config: What a trial has besides its units.
    """

    n_threads = 3
    config = None

    @pytest.fixture
    def trial(self, objective, units):
        """A trial whose units are all measured."""
        return self.running(units, {unit: measured(objective, unit) for unit in units})

    def running(self, units, outcomes):
        return Running(units, config=self.config, outcomes=dict(outcomes))

    def test_a_unit_comes_to_the_same_here_and_in_threads(self, objective, units, trial):
        assert all(outcome.failure is None for outcome in trial.outcomes.values())
        assert all(outcome.seconds >= 0 for outcome in trial.outcomes.values())
        with ThreadPoolExecutor(self.n_threads) as pool:
            jobs = [objective.job(unit, None) for unit in [*units, *units]]
            found = [untimed(outcome) for outcome in pool.map(lambda job: job(StopFlag()), jobs)]
        assert found == [untimed(trial.outcomes[unit]) for unit in units] * 2

    def test_nobodys_random_numbers_are_drawn(self, objective, units):
        before = torch.get_rng_state()
        measured(objective, units[0])
        assert torch.equal(torch.get_rng_state(), before)

    def test_units_can_be_ordered_and_named(self, objective, units):
        assert objective.ahead >= 1
        assert all(objective.work(unit) > 0 for unit in units)
        assert all(objective.name(unit) for unit in units)

    def test_a_trial_is_open_until_all_its_units_are_measured(self, objective, units, trial):
        outcomes = [*trial.outcomes.items()]
        for some in (*(outcomes[:n] for n in range(len(units))), outcomes[1:]):
            assert objective.judge(self.running(units, some)) is None

    def test_its_value_is_one_number_in_whatever_order_they_are_measured(self, objective, units, trial):
        end = objective.judge(trial)
        assert isfinite(end.value)
        assert end.failure is None
        assert objective.judge(self.running(units, [*trial.outcomes.items()][::-1])) == end

    def test_a_unit_that_fails_is_an_outcome_and_ends_its_trial(self, objective, units, failing, trial):
        outcome = measured(objective, failing)
        assert outcome.failure
        end = objective.judge(self.running([failing, *units], {failing: outcome, **trial.outcomes}))
        assert (end.value, end.failure) == (None, outcome.failure)

    def test_an_error_of_a_unit_is_its_failure_and_one_of_the_machine_is_none(self, objective, units, broken):
        broken(ZeroDivisionError("by nothing"))
        try:
            outcome = measured(objective, units[0])
        except ZeroDivisionError:
            pytest.fail("what a unit cannot do is an outcome")
        assert outcome.failure == "ZeroDivisionError: by nothing"
        broken(MemoryError("no room"))
        with pytest.raises(MemoryError):
            measured(objective, units[0])

    def test_it_stops_when_asked(self, objective, units):
        stop = StopFlag()
        stop.set()
        with pytest.raises(Stopped):
            measured(objective, units[0], stop)
        with pytest.raises(Stopped):
            Here(objective, stop).submit(units).result()


class WatchedSuite(ObjectiveSuite):
    """Of those whose units are single trainings, and can be watched."""

    def test_a_watcher_is_called_after_each_epoch_and_may_end_the_unit(self, objective, units):
        seen = []

        def watch(epoch, loss):
            seen.append(epoch)
            assert isfinite(loss)
            if epoch == 1:
                raise Stopped

        with pytest.raises(Stopped):
            objective.job(units[0], watch)(StopFlag())
        assert seen == [0, 1]
