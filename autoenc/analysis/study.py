"""Rankings, counts and times of the trials of any Optuna study; lower values are better."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

__all__ = [
    "count_finished", "count_states", "duration_s", "parameter_names", "ranked_trials", "search_space",
    "study_trials", "total_s",
]  # fmt: skip


def study_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return all trials in the order of their numbers, not copied; not to be changed."""
    return sorted(study.get_trials(deepcopy=False), key=lambda trial: trial.number)


def ranked_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return complete trials with a finite value, best first; of equal ones the earlier one."""
    complete = [trial for trial in study_trials(study) if trial.state == TrialState.COMPLETE]
    return sorted((trial for trial in complete if isfinite(_value(trial))), key=_value)


def _value(trial: FrozenTrial) -> float:
    return inf if trial.value is None else trial.value


def parameter_names(trials: Iterable[FrozenTrial]) -> list[str]:
    """Return names of all parameters, in the order in which they first appear."""
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def search_space(trials: Iterable[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return what each parameter was drawn from, the last time that it was."""
    space: dict[str, BaseDistribution] = {}
    for trial in trials:
        space.update(trial.distributions)
    return space


def count_states(trials: Iterable[FrozenTrial]) -> dict[str, int]:
    """Return how many trials there are in each state, by Optuna's names of states in lower case."""
    counts = {state.name.lower(): 0 for state in TrialState}
    for trial in trials:
        counts[trial.state.name.lower()] += 1
    return counts


def count_finished(study: optuna.Study) -> int:
    """Count the trials that ended, in whatever state."""
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def total_s(study: optuna.Study) -> float:
    """Sum the wall times of the trials that ended."""
    return sum(duration_s(trial) or 0.0 for trial in study_trials(study))


def duration_s(trial: FrozenTrial) -> float | None:
    """Return the wall time of a trial that ended."""
    return None if trial.duration is None else trial.duration.total_seconds()
