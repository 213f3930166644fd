"""The last round of a search that is recorded in a study; see :mod:`autoenc.searching.finalists`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Generic, Protocol

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import ranked_trials
from autoenc.engines import StopFlag
from autoenc.searching.finalists import Finalist, Row, Standing, standing_of
from autoenc.searching.loop import End, Executor, O, Objective, Running, U, Watch, run

__all__ = ["LastRound", "Repeats", "by_fold"]


class Repeats(Objective[U, O], Protocol):
    """The objective of trials in a repeat of the cross-validation."""

    def units_of(self, trial: FrozenTrial, repeat: int) -> Sequence[U]:
        """Return what measures a trial of the search in a repeat: fold by fold, seeds varying fastest."""
        ...

    def loss_of(self, outcome: O) -> float | None:
        """Return what a unit that succeeded is worth."""
        ...


class LastRound:
    """The finalists of a study; what their repeats come to is kept on it.

    Args:
        study: The search.
        key: The attribute of the study that says how many finalists there are, and with which those of the
            repeats begin.
        row_of: The value of a complete trial in each fold of the search.
    """

    def __init__(self, study: optuna.Study, key: str, row_of: Callable[[FrozenTrial], Row]) -> None:
        self.study, self.key, self._row_of = study, key, row_of

    def standing(self) -> Standing:
        """Return how far the round is."""
        known = self.study.user_attrs
        left = ranked_trials(self.study)[: known.get(self.key, 1)]
        rows = {trial.number: self._row_of(trial) for trial in left}
        return standing_of(rows, lambda number, repeat: known.get(self.key_of(number, repeat)))

    def finalists(self) -> list[Finalist]:
        """Return the finalists, best first; none while they are not judged to the end."""
        return self.standing().finalists()

    def n_undecided(self) -> int:
        """Return how many cross-validations of finalists the present round still wants."""
        return len(self.standing().missing)

    def kept_trial(self) -> FrozenTrial | None:
        """Return the first of the finalists; the lowest value until they are judged to the end."""
        ranked, standing = ranked_trials(self.study), self.standing()
        if standing.missing or not standing.order:
            return ranked[0] if ranked else None
        return next(trial for trial in ranked if trial.number == standing.order[0])

    def key_of(self, number: int, repeat: int) -> str:
        """Return the attribute of the study with the result of a trial in a repeat."""
        return f"{self.key}/{number}/{repeat}"

    def judge(
        self,
        n_finalists: int,
        n_seeds: int,
        objective: Repeats[U, O],
        executor: Executor[U, O],
        stop: StopFlag,
        n_parallel: float = inf,
        deadline_s: float = inf,
    ) -> None:
        """Judge the best trials again, as far as that is not recorded yet.

        Args:
            n_finalists: How many.
            n_seeds: Seeds that each fold is trained by.
            objective: What trials are worth in the repeats.
            executor: What measures.
            stop: Ends it early; what is not judged yet can be later.
            n_parallel: Cross-validations at once.
            deadline_s: When none begins any more, on :func:`time.monotonic`.
        """
        if self.study.user_attrs.get(self.key, 1) != n_finalists:
            self.study.set_user_attr(self.key, n_finalists)
        run(_Judgements(self, objective, n_seeds, deadline_s), objective, executor, stop, n_parallel)


def by_fold(losses: Sequence[float | None], n_seeds: int) -> list[float]:
    """Return the mean over seeds in each fold.

    Args:
        losses: Fold by fold, seeds varying fastest.
        n_seeds: How many.
    """
    means: list[float] = np.reshape(np.array(losses, float), (-1, n_seeds)).mean(axis=1).tolist()
    return means


class _Judgements(Generic[U, O]):
    """The judgements of the present round, and after it those of the next."""

    def __init__(
        self, finalists: LastRound, objective: Repeats[U, O], n_seeds: int, deadline_s: float
    ) -> None:
        self._finalists, self._objective = finalists, objective
        self._n_seeds, self._deadline_s = n_seeds, deadline_s
        self._round: list[tuple[int, int]] = []

    def begin(self, n_running: int) -> Running[U, O] | None:
        """See :class:`~autoenc.searching.loop.Trials`."""
        if time.monotonic() >= self._deadline_s:
            return None
        if not self._round and not n_running:
            self._round = list(self._finalists.standing().missing)
        if not self._round:
            return None
        number, repeat = self._round.pop(0)
        trial = self._finalists.study.get_trials(deepcopy=False)[number]
        handle: Any = self._finalists.key_of(number, repeat)
        return Running(self._objective.units_of(trial, repeat), handle, number)

    def add(self, trial: Running[U, O], unit: U, outcome: O) -> None:
        """Do nothing: a repeat is recorded as a whole."""

    def watch(self, trial: Running[U, O], unit: U) -> Watch | None:
        """Return None: no finalist is ended early."""
        return None

    def end(self, trial: Running[U, O], end: End) -> None:
        """Keep the value of each fold, the mean over its seeds, or why there is none."""
        if end.failure is None:
            losses = [self._objective.loss_of(outcome) for outcome in trial.first_outcomes()]
            self._finalists.study.set_user_attr(trial.handle, by_fold(losses, self._n_seeds))
        else:
            self._finalists.study.set_user_attr(trial.handle, end.failure)
