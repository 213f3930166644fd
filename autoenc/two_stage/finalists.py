"""The last round of a two-stage search, kept in its study, and its ties with the best."""

from __future__ import annotations

from math import inf

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from autoenc.analysis.study import ranked_trials
from autoenc.analysis.ties import tied_trials
from autoenc.engines import StopFlag
from autoenc.record.record import TRANSFER
from autoenc.searching.finalists import Finalist, mean_error
from autoenc.searching.loop import Executor
from autoenc.settings import TransferSettings
from autoenc.tuning.last_round import LastRound, Repeats
from autoenc.two_stage.objective import OBJECTIVES, FoldOutcome, FoldUnit

__all__ = [
    "compare",
    "fold_error",
    "fold_objectives",
    "is_decided",
    "judge_finalists",
    "kept_trial",
    "n_undecided",
    "ties_of",
]


def _round(study: optuna.Study) -> LastRound:
    return LastRound(study, "autoenc_transfer_finalists", fold_objectives)


def fold_objectives(trial: FrozenTrial) -> NDArray[np.float64]:
    """Return the objective of each fold of the search, out of the means over the folds so far."""
    means = np.array([value for _, value in sorted(trial.intermediate_values.items())])
    return np.diff(means * np.arange(1, len(means) + 1), prepend=0.0)


def judge_finalists(
    study: optuna.Study,
    settings: TransferSettings,
    objective: Repeats[FoldUnit, FoldOutcome],
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
    _round(study).judge(
        settings.finalists, settings.seeds, objective, executor, stop, settings.n_jobs, deadline_s
    )


def compare(study: optuna.Study) -> list[Finalist]:
    """Return the finalists, best first; none while they are not judged to the end."""
    return _round(study).finalists()


def fold_error(trial: FrozenTrial) -> float | None:
    """Return the standard error of a complete trial's value over the folds of the search; None for others."""
    values = fold_objectives(trial)
    is_judged = trial.state == TrialState.COMPLETE and len(values) > 1
    return mean_error(values, len(values)) if is_judged else None


def ties_of(study: optuna.Study) -> tuple[list[int] | None, str]:
    """Return the trials that may be as good as the best; see :func:`autoenc.analysis.ties.tied_trials`."""
    ranked, noted = ranked_trials(study), study.user_attrs.get(TRANSFER, {})
    n_folds = len(ranked[0].intermediate_values) if ranked else 0

    def losses() -> dict[int, list[float]]:
        if any(OBJECTIVES not in trial.user_attrs for trial in ranked):  # of an earlier version
            return {}
        return {trial.number: trial.user_attrs[OBJECTIVES] for trial in ranked}

    return tied_trials(len(ranked), n_folds, noted.get("seeds", 1), losses)


def n_undecided(study: optuna.Study) -> int:
    """Return how many cross-validations of finalists the present round still wants."""
    return _round(study).n_undecided()


def is_decided(study: optuna.Study) -> bool:
    """Return whether the finalists are judged to the end."""
    return not n_undecided(study)


def kept_trial(study: optuna.Study) -> FrozenTrial | None:
    """Return the first of the finalists; the trial with the lowest value until they are judged to the end."""
    return _round(study).kept_trial()
