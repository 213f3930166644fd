"""Importances of the parameters of a study for its best values."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import optuna

from autoenc.analysis.study import parameter_names, ranked_trials
from autoenc.system.surroundings import quiet_optuna

__all__ = ["Importances", "study_importances"]

_FEW = 20


class Importances(NamedTuple):
    """Shares of the parameters, largest first.

    Attributes:
        shares: By name; they add up to 1. Empty where they cannot be computed.
        caution: What a reader must know: why there are none, or how far to trust them; else empty.
    """

    shares: dict[str, float]
    caution: str


def study_importances(study: optuna.Study) -> Importances:
    """Return importances by Optuna's default evaluator, over complete trials with a finite value.

    From Optuna 5 that is PED-ANOVA (Watanabe et al., IJCAI 2023), which also takes parameters that not
    every trial has.
    """
    trials = ranked_trials(study)
    if not parameter_names(trials):
        return Importances({}, "no complete trial with parameters yet")
    if len({trial.value for trial in trials}) < 2:
        reason = (
            "one complete trial" if len(trials) == 1 else f"{len(trials):,} complete trials, all of one value"
        )
        return Importances({}, f"{reason}: nothing to compare")
    # In a study of their own: an infinite value would otherwise enter the computation.
    with quiet_optuna(), warnings.catch_warnings():
        finite = optuna.create_study()
        finite.add_trials(trials)
        warnings.simplefilter("ignore")  # that there are few trials is said below
        evaluated = optuna.importance.get_param_importances(finite, normalize=False)
    # Optuna's order among equals is that of a set, which differs from process to process.
    evaluated_shares = {name: evaluated[name] for name in parameter_names(trials) if name in evaluated}
    total = sum(evaluated_shares.values())
    if total <= 0:
        return Importances({}, "no parameter made a difference")
    shares = {
        name: value / total for name, value in sorted(evaluated_shares.items(), key=lambda item: -item[1])
    }
    caution = f"only {len(trials)} complete trials: these shares say little yet" if len(trials) < _FEW else ""
    return Importances(shares, caution)
