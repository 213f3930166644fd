"""Trials of an Optuna study: its sampler proposes them, the study records their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import inf
from typing import Any, Generic, NamedTuple

import optuna
from optuna.pruners import NopPruner
from optuna.trial import FrozenTrial, TrialState

from autoenc.engines import StopFlag
from autoenc.record.record import Record
from autoenc.searching.loop import End, O, Running, U, Watch

__all__ = ["Prepared", "StudyTrials"]

_POLL_S = 0.1


class Prepared(NamedTuple, Generic[U, O]):
    """The meaning of a trial's parameters.

    Attributes:
        units: What measures it.
        config: What else the objective needs to judge it.
        known: Outcomes of units that were measured before.
    """

    units: Sequence[U]
    config: Any = None
    known: dict[U, O] | None = None


class StudyTrials(Generic[U, O]):
    """Trials of a study, as the loop wants them; those that a killed process left come first.

    Args:
        record: Proposes trials and records their results.
        n_trials: Trials in all, those of earlier runs counted.
        prepare: Takes a trial's parameters and says what measures it. It is called in the thread of the
            loop, so that with one trial at a time the sequence of trials is always the same.
        on_end: Called with the number of each trial that ended.
        deadline_s: When no trial begins any more, on :func:`time.monotonic`.
        asking: Held while a trial is begun, so that searchers who share a folder begin no surplus trial.
        stop: Ends the search in order; with it, trials that others have just begun are waited for until they
            say whose they are.
    """

    def __init__(
        self,
        record: Record,
        n_trials: int,
        prepare: Callable[[optuna.Trial], Prepared[U, O]],
        on_end: Callable[[int], object] = lambda number: None,
        deadline_s: float = inf,
        asking: AbstractContextManager[Any] | None = None,
        stop: StopFlag | None = None,
    ) -> None:
        self.asking, self._stop = asking or nullcontext(), stop
        self.record, self.study, self.n_trials = record, record.study, n_trials
        self._prepare, self._on_end, self._deadline_s = prepare, on_end, deadline_s
        self._waiting = self.left()

    def left(self) -> list[FrozenTrial]:
        """Return orphaned trials; looked up as the search begins, and again before it ends."""
        left = self.record.left()
        while self._stop is not None and not left and self.record.has_unmarked():
            if self._stop.is_set():
                break
            time.sleep(_POLL_S)
            left = self.record.left()
        return left

    def n_begun(self) -> int:
        """Return trials that count among ``n_trials``: all that were begun; those only enqueued do not."""
        return sum(trial.state != TrialState.WAITING for trial in self.record.trials())

    def ask(self, n_running: int) -> optuna.Trial | None:
        """Return a new trial; None while there is none to begin."""
        with self.asking:
            return self.record.begin() if self.n_begun() < self.n_trials else None

    def begin(self, n_running: int) -> Running[U, O] | None:
        """See :class:`~autoenc.searching.loop.Trials`."""
        trial = self._next(n_running)
        if trial is None:
            return None
        units, config, known = self._prepare(trial)
        self.record.seal(trial)
        return Running(units, trial, trial.number, config, dict(known or {}))

    def _next(self, n_running: int) -> optuna.Trial | None:
        if time.monotonic() >= self._deadline_s:
            return None
        if not self._waiting:
            trial = self.ask(n_running)
            if trial is not None or n_running:
                return trial
            # Another searcher may have been killed since this one began.
            self._waiting = self.left()
        return self.record.take_up(self._waiting.pop(0)) if self._waiting else None

    def add(self, trial: Running[U, O], unit: U, outcome: O) -> None:
        """Do nothing: a trial's result is recorded when it ends."""

    def watch(self, trial: Running[U, O], unit: U) -> Watch | None:
        """Report each epoch of a trial's first unit, and end the trial where the pruner says so."""
        if isinstance(self.study.pruner, NopPruner) or unit is not trial.units[0]:
            return None
        reported = set(self.record.trials()[trial.number].intermediate_values)

        def watch(epoch: int, loss: float) -> None:
            if epoch not in reported:  # a resumed trial has the same values
                trial.handle.report(loss, epoch)
            if trial.handle.should_prune():
                raise optuna.TrialPruned

        return watch

    def end(self, trial: Running[U, O], end: End) -> None:
        """Tell the study."""
        for name, value in end.attributes.items():
            trial.handle.set_user_attr(name, value)
        if end.is_pruned:
            self.study.tell(trial.handle, state=TrialState.PRUNED, skip_if_finished=True)
        elif end.failure is not None:
            trial.handle.set_user_attr("failure", end.failure)
            self.study.tell(trial.handle, state=TrialState.FAIL, skip_if_finished=True)
        else:
            self.study.tell(trial.handle, end.value, skip_if_finished=True)
        self._on_end(trial.number)
