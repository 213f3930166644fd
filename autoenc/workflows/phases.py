"""Initial trials and results of a phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autoenc.report.phase_tables import PhaseResult
from autoenc.settings import TuneSettings
from autoenc.settings.phases import Phase
from autoenc.settings.space import SpaceSettings
from autoenc.tuning.phases import Plan
from autoenc.tuning.space import HyperparameterSearchSpace
from autoenc.workflows.observe import observe_folder

__all__ = ["begin_with", "result_of"]


_STARTUP = 10  # trials that TPE draws at random unless it is given some


def begin_with(plan: Plan, before: Phase, settings: TuneSettings) -> Sequence[Mapping[str, Any]]:
    """Return the best trials of the phase before, at most half of the trials of the first family.

    A phase that begins with them has no higher loss than the one before, where the epochs are the same,
    and has learned what that one did. A grid has points of its own.
    """
    if settings.strategy == "grid" or not plan.folder(before).exists():
        return []
    seen = observe_folder(plan.folder(before), None, str(plan.folder(before)))
    own = {**settings.model_dump(include=set(SpaceSettings.model_fields))}
    space = HyperparameterSearchSpace.model_validate(own).distributions()
    if len(settings.families) > 1:
        space["family"] = CategoricalDistribution(settings.families[:1])
    best = [
        {name: value for name, value in trial.parameters.items() if name != "family" or name in space}
        for trial in seen.trials
    ]
    inside = [params for params in best if all(_has(space.get(name), params[name]) for name in params)]
    return inside[: min(_STARTUP, settings.n_trials // (2 * len(settings.families)))]


def _has(distribution: BaseDistribution | None, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    if isinstance(distribution, IntDistribution | FloatDistribution):
        return bool(distribution.low <= value <= distribution.high)
    return False  # there is no such parameter


def result_of(plan: Plan, phase: Phase, before: PhaseResult | None) -> PhaseResult:
    """Return the result of a phase from its record, compared with the one before it."""
    folder = plan.folder(phase)
    seen = observe_folder(folder, None, str(folder))
    best = seen.trials[0]
    loss, seconds = best.metrics["loss"], sum(trial.metrics["seconds"] for trial in seen.trials)
    change = None if before is None or not before.best_loss else loss / before.best_loss - 1
    epochs = int(max(trial.metrics["epochs"] for trial in seen.trials))
    return PhaseResult(
        phase, folder, loss, best.stack, best.name, len(seen.trials), seconds, epochs, seen.pca, change
    )
