"""The last round of a two-stage search, kept in its study; see :mod:`autoenc.searching.finalists`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf
from typing import Protocol

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from autoenc.analysis.study import ranked_trials
from autoenc.engines import StopFlag
from autoenc.searching.finalists import Finalist, Standing, mean_error, standing_of
from autoenc.searching.loop import End, Executor, Objective, Watch, run
from autoenc.settings import TransferSettings
from autoenc.two_stage.objective import FoldOutcome, FoldTrial, FoldUnit

__all__ = [
    "compare",
    "fold_error",
    "fold_objectives",
    "is_decided",
    "judge_finalists",
    "kept_trial",
    "n_undecided",
]

_KEPT = "autoenc_transfer_finalists"  # on the study: how many finalists


def _standing(study: optuna.Study) -> Standing:
    known = study.user_attrs
    left = ranked_trials(study)[: known.get(_KEPT, 1)]
    rows = {trial.number: fold_objectives(trial) for trial in left}
    return standing_of(rows, lambda number, repeat: known.get(_key(number, repeat)))


def fold_objectives(trial: FrozenTrial) -> NDArray[np.float64]:
    """Return the objective of each fold of the search, out of the means over the folds so far."""
    means = np.array([value for _, value in sorted(trial.intermediate_values.items())])
    return np.diff(means * np.arange(1, len(means) + 1), prepend=0.0)


def judge_finalists(
    study: optuna.Study,
    settings: TransferSettings,
    objective: Repeats,
    executor: Executor[FoldUnit, FoldOutcome],
    stop: StopFlag,
    deadline_s: float = inf,
) -> None:
    """Judge the best trials again, as far as that is not recorded yet.

    Args:
        study: The search, with its trials made; keeps what they come to.
        settings: How many finalists, and how many are judged at once.
        objective: What trials are worth in the repeats.
        executor: Where their folds are fitted.
        stop: Ends it early; what is not judged yet can be later.
        deadline_s: When no judgement begins any more, on :func:`time.monotonic`.
    """
    if study.user_attrs.get(_KEPT) != settings.finalists:
        study.set_user_attr(_KEPT, settings.finalists)
    trials = _Finalists(study, objective, deadline_s, settings.seeds)
    run(trials, objective, executor, stop, settings.n_jobs)


class Repeats(Objective[FoldUnit, FoldOutcome], Protocol):
    """The objective of trials in a repeat of the cross-validation."""

    def units_of(self, trial: FrozenTrial, repeat: int) -> Sequence[FoldUnit]:
        """Return the folds of a repeat, for a trial of the search."""
        ...


class _Finalists:
    """The judgements of the present round, and after it those of the next."""

    def __init__(self, study: optuna.Study, objective: Repeats, deadline_s: float, n_seeds: int) -> None:
        self._study, self._objective, self._deadline_s = study, objective, deadline_s
        self._n_seeds = n_seeds
        self._round: list[tuple[int, int]] = []

    def begin(self, n_running: int) -> FoldTrial | None:
        """See :class:`~autoenc.searching.loop.Trials`."""
        if time.monotonic() >= self._deadline_s:
            return None
        if not self._round and not n_running:
            self._round = list(_standing(self._study).missing)
        if not self._round:
            return None
        number, repeat = self._round.pop(0)
        units = self._objective.units_of(self._study.get_trials(deepcopy=False)[number], repeat)
        return FoldTrial(units, _key(number, repeat), number)

    def add(self, trial: FoldTrial, unit: FoldUnit, outcome: FoldOutcome) -> None:
        """Nothing: a repeat is recorded as a whole."""

    def watch(self, trial: FoldTrial, unit: FoldUnit) -> Watch | None:
        """None: no finalist is ended early."""
        return None

    def end(self, trial: FoldTrial, end: End) -> None:
        """Keep the objective of each fold, the mean over its seeds, or why there is none."""
        if end.failure is None:
            by_fold = np.reshape([outcome.value for outcome in trial.first_outcomes()], (-1, self._n_seeds))
            self._study.set_user_attr(trial.handle, by_fold.mean(axis=1).tolist())
        else:
            self._study.set_user_attr(trial.handle, end.failure)


def _key(number: int, repeat: int) -> str:
    return f"{_KEPT}/{number}/{repeat}"


def compare(study: optuna.Study) -> list[Finalist]:
    """Return the finalists, best first; none while they are not judged to the end."""
    return _standing(study).finalists()


def fold_error(trial: FrozenTrial) -> float | None:
    """Return the standard error of a complete trial's value over the folds of the search; None for others."""
    values = fold_objectives(trial)
    is_judged = trial.state == TrialState.COMPLETE and len(values) > 1
    return mean_error(values, len(values)) if is_judged else None


def n_undecided(study: optuna.Study) -> int:
    """Return how many cross-validations of finalists the present round still wants."""
    return len(_standing(study).missing)


def is_decided(study: optuna.Study) -> bool:
    """Return whether the finalists are judged to the end."""
    return not n_undecided(study)


def kept_trial(study: optuna.Study) -> FrozenTrial | None:
    """Return the first of the finalists; the trial with the lowest value until they are judged to the end."""
    ranked, standing = ranked_trials(study), _standing(study)
    if standing.missing or not standing.order:
        return ranked[0] if ranked else None
    return next(trial for trial in ranked if trial.number == standing.order[0])
