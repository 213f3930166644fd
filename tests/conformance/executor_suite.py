"""What every executor of fits must do; a subclass provides the fixture ``executor``.

The fixture makes an executor that trains on the fixture ``split``, with the native engine by default, and
``stop`` is the flag that it was given.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import wait

import numpy as np
import pytest

from autoenc.engines import Fit, Recipe, StopFlag, Stopped
from autoenc.searching.fits import FitObjective, run_fits

SHORT = Recipe(epochs=3)
FITS = [Fit(stack, 2, SHORT, seed) for stack in ((8,), (8, 4), (4, 4)) for seed in (1, 2)]
FAILING = Fit((8,), 2, dataclasses.replace(SHORT, initial_lr=1e30, norm="none"))


class ExecutorSuite:
    """Behaviour that the loop relies on.

    Attributes:
        exactly: Whether it trains with the native engine; with another, losses agree up to rounding.
    """

    exactly = True

    @pytest.fixture
    def split(self, make_split):
        return make_split()

    @pytest.fixture
    def stop(self):
        return StopFlag()

    @pytest.fixture
    def objective(self, compiled_engine, split):
        return FitObjective(compiled_engine, lambda fold: split)

    def test_outcomes_come_in_order_and_are_those_of_the_engine(self, executor, compiled_engine, split):
        outcomes = executor.submit(FITS).result(60)
        for fit, outcome in zip(FITS, outcomes, strict=True):
            expected = compiled_engine.fit(split, fit)
            if self.exactly:
                assert outcome.test_losses == expected.test_losses
            assert outcome.test_losses == pytest.approx(expected.test_losses, rel=1e-3)
            assert outcome.state == {}, "parameters would not fit in memory for large grids"
            assert outcome.seconds > 0

    def test_a_fit_that_fails_is_an_outcome_and_leaves_its_batch_alone(self, executor):
        first, failed, last = executor.submit([FITS[0], FAILING, FITS[1]]).result(60)
        assert failed.failure
        assert first.failure is None
        assert last.failure is None

    def test_batches_may_be_submitted_before_others_are_done(self, executor):
        futures = [executor.submit([fit]) for fit in FITS]
        done, missing = wait(futures, timeout=60)
        assert not missing
        assert all(np.isfinite(future.result()[0].final_test_loss) for future in done)

    def test_there_is_a_slot_and_a_batch_takes_some_time_or_none(self, executor):
        assert executor.slots() >= 1
        assert executor.batch_s() >= 0

    def test_the_loop_trains_every_fit_once_and_leaves_the_executor_open(
        self, executor, compiled_engine, split
    ):
        trained = []
        for _ in range(2):
            run_fits(
                FITS, lambda fold: split, compiled_engine, 1, lambda fit, outcome: trained.append(fit),
                executor=executor,
            )  # fmt: skip
        assert sorted(trained, key=FITS.index) == sorted([*FITS, *FITS], key=FITS.index)

    def test_a_watcher_is_called_after_each_epoch_and_may_end_the_fit(self, executor):
        seen = []

        def watch(epoch, loss):
            seen.append((epoch, loss))
            if epoch == 1:
                raise Stopped

        with pytest.raises(Stopped):
            executor.submit([FITS[0]], watch).result(60)
        assert [epoch for epoch, _ in seen] == [0, 1]
        assert executor.submit([FITS[1]], lambda epoch, loss: None).result(60)[0].failure is None


class LocalExecutorSuite(ExecutorSuite):
    """What those can do besides that train in this process."""

    def test_a_stop_ends_what_is_in_training(self, executor, stop):
        stop.set()
        with pytest.raises(Stopped):
            executor.submit([dataclasses.replace(FITS[0], recipe=Recipe(epochs=10**6))]).result(60)
