from __future__ import annotations

import threading
from concurrent.futures import Future
from math import inf
from typing import NamedTuple

import pytest
from optuna import TrialPruned

from autoenc.engines import Fit, Outcome, Recipe, StopFlag, Stopped
from autoenc.searching import loop, run_fits
from autoenc.searching.executors import Threads
from autoenc.searching.fits import FitObjective
from autoenc.searching.loop import BatchLost, End, Running, run
from autoenc.system.trouble import MachineError

FITS = [Fit((width,), 2, Recipe()) for width in range(1, 201)]
SECONDS = 0.01


class Batches:
    """An executor that takes batches of a tenth of a second and loses those with ``deadly`` fits."""

    def __init__(self, deadly: set[Fit]) -> None:
        self.deadly, self.sizes = deadly, []

    def slots(self) -> int:
        return 2

    def batch_s(self) -> float:
        return 10 * SECONDS

    def submit(self, fits, watch=None) -> Future:
        self.sizes.append(len(fits))
        answer: Future = Future()
        if self.deadly.intersection(fits):
            answer.set_exception(BatchLost("it died"))
        else:
            answer.set_result([Outcome([1.0], [1.0], 1.0, SECONDS, {}) for _ in fits])
        return answer

    def close(self) -> None:
        raise AssertionError("an executor that was handed in is left open")


def test_a_deadly_fit_is_no_result_and_is_told_once_all_others_are_trained(make_split) -> None:
    executor, outcomes, split = Batches({FITS[50], FITS[7]}), {}, make_split()
    with pytest.raises(MachineError) as raised:
        run_fits(FITS, lambda fold: split, None, 1, outcomes.__setitem__, executor=executor)
    assert set(outcomes) == set(FITS) - executor.deadly
    assert not any(outcome.failure for outcome in outcomes.values())
    names = [FitObjective(None, lambda fold: split).name(fit) for fit in executor.deadly]
    assert sorted(str(raised.value).split("; ")) == sorted(f"{name}: it died" for name in names)


def test_batches_hold_what_was_asked_for_and_shrink_towards_the_end(make_split) -> None:
    executor, outcomes, split = Batches(set()), {}, make_split()
    run_fits(FITS, lambda fold: split, None, 1, outcomes.__setitem__, executor=executor)
    assert sum(executor.sizes) == len(outcomes) == len(FITS)
    assert executor.sizes[:4] == [1, 1, 1, 1], "nothing is known of durations yet"
    assert 8 <= max(executor.sizes) <= 20
    assert executor.sizes[-1] == 1


class Made(NamedTuple):
    """The outcome of a made-up unit."""

    value: float
    failure: str | None = None
    seconds: float = 0.0


class MadeUp:
    """Units are ``(trial, place)``; those in ``wrong`` do something else than succeed."""

    def __init__(self, ahead: float = inf, wrong=None) -> None:
        self.ahead, self.wrong, self.begun = ahead, wrong or {}, []

    def work(self, unit) -> float:
        return 1.0

    def job(self, unit, watch):
        self.begun.append(unit)

        def measured(stop):
            wrong = self.wrong.get(unit)
            if isinstance(wrong, str):
                return Made(0.0, wrong)
            if wrong is not None:
                raise wrong
            return Made(float(unit[0]))

        return measured

    def name(self, unit):
        return f"unit {unit}"

    def judge(self, trial):
        outcomes = trial.first_outcomes()
        for outcome in outcomes:
            if outcome.failure:
                return End(failure=outcome.failure)
        return End(outcomes[0].value) if len(outcomes) == len(trial.units) else None


class Listed:
    """So many trials of so many units, one after the other."""

    def __init__(self, n_trials: int, n_units: int) -> None:
        self.waiting = [
            Running([(number, place) for place in range(n_units)], number=number)
            for number in range(n_trials)
        ]
        self.n_running_at_most, self.added, self.ended = 0, [], []

    def begin(self, n_running):
        if not self.waiting:
            return None
        self.n_running_at_most = max(self.n_running_at_most, n_running + 1)
        return self.waiting.pop(0)

    def add(self, trial, unit, outcome):
        assert trial.number == unit[0]
        self.added.append(unit)

    def watch(self, trial, unit):
        return None

    def end(self, trial, end):
        self.ended.append((trial.number, end))


def looped(trials, objective, n_parallel=inf, n_threads=2, stop=None, record=None):
    stop = stop or StopFlag()
    threads = Threads(objective, n_threads, stop)
    try:
        run(trials, objective, threads, stop, n_parallel, record)
    finally:
        threads.close()


@pytest.mark.parametrize("n_parallel", [1, 2, 3, inf])
@pytest.mark.parametrize("ahead", [1, 2, inf])
def test_every_trial_is_begun_measured_and_ended_once(n_parallel, ahead) -> None:
    trials, objective = Listed(7, 3), MadeUp(ahead)
    looped(trials, objective, n_parallel)
    assert sorted(trials.added) == [(number, place) for number in range(7) for place in range(3)]
    assert sorted(trials.ended) == [(number, End(float(number))) for number in range(7)]
    assert trials.n_running_at_most <= n_parallel
    if n_parallel == 1:
        assert trials.ended == sorted(trials.ended)


def test_with_one_unit_ahead_a_trial_that_fails_begins_no_other() -> None:
    trials, objective = Listed(3, 4), MadeUp(1, {(1, 1): "too bad"})
    looped(trials, objective, n_parallel=1)
    assert [unit for unit in objective.begun if unit[0] == 1] == [(1, 0), (1, 1)]
    assert dict(trials.ended)[1] == End(failure="too bad")
    assert dict(trials.ended)[2] == End(2.0)


def test_the_first_failure_in_the_order_of_the_units_counts() -> None:
    trials, objective = Listed(1, 3), MadeUp(inf, {(0, 1): "second", (0, 2): "third"})
    looped(trials, objective, n_threads=3)
    assert trials.ended == [(0, End(failure="second"))]


def test_a_pruned_unit_ends_its_trial_and_no_other() -> None:
    trials, objective = Listed(3, 2), MadeUp(1, {(1, 0): TrialPruned()})
    looped(trials, objective)
    ended = dict(trials.ended)
    assert ended[1].is_pruned
    assert not ended[0].is_pruned
    assert ended[2] == End(2.0)


def test_an_error_is_raised_and_its_trial_stays_unfinished() -> None:
    trials, objective, stop = Listed(3, 1), MadeUp(1, {(0, 0): ZeroDivisionError()}), StopFlag()
    with pytest.raises(ZeroDivisionError):
        looped(trials, objective, n_parallel=1, stop=stop)
    assert trials.ended == []


@pytest.mark.parametrize("n_parallel", [1, 3, inf])
def test_a_trial_with_a_lost_unit_stays_unfinished_and_the_others_go_on(n_parallel) -> None:
    trials, objective = Listed(4, 2), MadeUp(wrong={(1, 0): BatchLost("it died")})
    with pytest.raises(MachineError, match=r"unit \(1, 0\): it died"):
        looped(trials, objective, n_parallel)
    ended = {number for number, _ in trials.ended}
    assert 1 not in ended
    assert (1, 1) in trials.added
    assert ended == ({0} if n_parallel == 1 else {0, 2, 3})


def test_once_it_is_stopped_no_trial_begins_and_those_in_training_do_not_end() -> None:
    trials, stop = Listed(5, 1), StopFlag()
    objective = MadeUp(1, {(2, 0): Stopped()})
    begin = trials.begin

    def stopping(n_running):
        trial = begin(n_running)
        if trial and trial.number == 2:
            stop.set()
        return trial

    trials.begin = stopping
    looped(trials, objective, n_parallel=1, stop=stop)
    assert [number for number, _ in trials.ended] == [0, 1]
    assert len(trials.waiting) == 2


def test_known_outcomes_are_not_measured_again() -> None:
    trials, objective = Listed(2, 3), MadeUp()
    for trial in trials.waiting:
        trial.outcomes[trial.units[1]] = Made(float(trial.number))
    looped(trials, objective)
    assert sorted(trials.added) == [(0, 0), (0, 2), (1, 0), (1, 2)]
    assert sorted(trials.ended) == [(0, End(0.0)), (1, End(1.0))]


class TestRecordingTogether:
    def test_each_is_recorded_before_it_is_handed_over(self) -> None:
        trials, recorded = Listed(1, 40), []

        def record(ended) -> None:
            assert not set(trials.added) & {unit for unit, _ in ended}
            assert set(trials.added) == set(recorded)
            recorded.extend(unit for unit, _ in ended)

        looped(trials, MadeUp(), record=record)
        assert sorted(recorded) == sorted(trials.added) == [(0, place) for place in range(40)]
        assert trials.ended == [(0, End(0.0))]

    def test_what_ends_within_a_moment_is_recorded_at_once(self, monkeypatch) -> None:
        monkeypatch.setattr(loop, "_GATHER_S", 60.0)
        sizes = []
        looped(Listed(1, 40), MadeUp(), record=lambda ended: sizes.append(len(ended)))
        assert sizes == [40], "the last moment ends when nothing is in training any more"

    def test_a_moment_ends_while_others_are_in_training(self) -> None:
        trials, objective, recorded, seen = Listed(1, 2), MadeUp(), threading.Event(), []
        job = objective.job

        def slow_second(unit, watch):
            measured = job(unit, watch)
            return measured if unit[1] == 0 else lambda stop: seen.append(recorded.wait(30)) or measured(stop)

        objective.job = slow_second
        looped(trials, objective, record=lambda ended: recorded.set())
        assert seen == [True]

    def test_what_ended_before_an_error_is_recorded(self, monkeypatch) -> None:
        monkeypatch.setattr(loop, "_GATHER_S", 60.0)
        trials, recorded = Listed(1, 3), []
        objective = MadeUp(wrong={(0, 2): ZeroDivisionError()})
        with pytest.raises(ZeroDivisionError):
            looped(trials, objective, n_threads=1, record=recorded.extend)
        assert [unit for unit, _ in recorded] == trials.added == [(0, 0), (0, 1)]

    def test_what_cannot_be_recorded_is_not_handed_over(self) -> None:
        trials, calls = Listed(1, 3), []

        def full(ended) -> None:
            calls.append(ended)
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space"):
            looped(trials, MadeUp(), record=full)
        assert trials.added == []
        assert len(calls) == 1 + (len(calls[0]) < 3)


def test_threads_that_only_wait_ask_for_little_memory(monkeypatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("autoenc.searching.executors.require_room", lambda n_bytes, _: asked.append(n_bytes))
    for n_working in (None, 2, 600):
        Threads(MadeUp(1), 512, StopFlag(), n_working).close()
    every, waiting, most = asked
    assert every == most > 4 * 2**30
    assert waiting < 2**30, "as for an engine that trains for all of them"
