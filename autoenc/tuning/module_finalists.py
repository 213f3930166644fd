"""The best trial of a search of modules, those that may be as good, and the last round among the best."""

from __future__ import annotations

from math import sqrt
from statistics import stdev

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from autoenc.analysis.study import ranked_trials
from autoenc.analysis.ties import tied_trials
from autoenc.errors import InputError
from autoenc.searching.finalists import Row, mean_error
from autoenc.tuning.last_round import LastRound, by_fold
from autoenc.tuning.module_study import MODULES
from autoenc.tuning.module_trials import LOSSES

__all__ = ["error_of", "kept_trial", "last_round_of", "ties_of"]


def _folds_and_seeds(study: optuna.Study) -> tuple[int, int]:
    noted = study.user_attrs.get(MODULES, {})
    return noted.get("folds", 0), noted.get("seeds", 1)


def last_round_of(study: optuna.Study) -> LastRound:
    """Return the last round of a search, as far as it is judged."""
    n_seeds = _folds_and_seeds(study)[1]

    def row_of(trial: FrozenTrial) -> Row:
        return np.array(by_fold(trial.user_attrs.get(LOSSES, n_seeds * [trial.value]), n_seeds))

    return LastRound(study, "autoenc_module_finalists", row_of)


def kept_trial(study: optuna.Study) -> FrozenTrial:
    """Return the first of the finalists; the complete trial with the lowest value where there are none.

    Raises:
        InputError: If no trial is complete; it says how the last one failed.
    """
    best = last_round_of(study).kept_trial()
    if best is not None:
        return best
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    reason = f"; the last failure: {failed[-1].user_attrs.get('failure')}" if failed else ""
    raise InputError(f"no trial of study {study.study_name!r} has succeeded{reason}")


def ties_of(study: optuna.Study) -> tuple[list[int] | None, str]:
    """Return the trials that may be as good as the best; see :func:`autoenc.analysis.ties.tied_trials`."""
    ranked, (folds, seeds) = ranked_trials(study), _folds_and_seeds(study)

    def losses() -> dict[int, list[float]]:
        return {trial.number: trial.user_attrs[LOSSES] for trial in ranked}

    return tied_trials(len(ranked), max(folds, 1), seeds, losses, "seeds=3")


def error_of(study: optuna.Study, trial: FrozenTrial) -> float | None:
    """Return the standard error of a complete trial's value over folds, without these over seeds."""
    folds, seeds = _folds_and_seeds(study)
    losses: list[float] | None = trial.user_attrs.get(LOSSES)
    if losses is None:
        return None
    if folds:
        return mean_error(np.array(by_fold(losses, seeds)), folds)
    return stdev(losses) / sqrt(len(losses))
