"""Trials of an adaptive search with the outcomes of their fits, and the finalists among them."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import ranked_trials
from autoenc.analysis.ties import tied_trials
from autoenc.engines import Fit, Outcome, Recipe
from autoenc.models.grid import parse_architecture
from autoenc.record.fits import records_in
from autoenc.record.identity import Context
from autoenc.record.private import storage_of
from autoenc.record.record import TUNE
from autoenc.searching.finalists import Finalist, JudgedTrials, judge_again
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings import TuneSettings
from autoenc.tuning.job import judging_folds

__all__ = ["finalists_of", "is_decided", "kept_trial", "n_undecided", "ties_of", "trial_results"]


def trial_results(study: optuna.Study) -> list[tuple[FrozenTrial, TrialResult]]:
    """Return the complete trials of a study with what was measured, best first; damaged ones are left out."""
    return _measured(study, _settings_of(study), _outcomes_of(study))


def _settings_of(study: optuna.Study) -> TuneSettings:
    return TuneSettings.model_validate(study.user_attrs[TUNE]["settings"])


def _outcomes_of(study: optuna.Study) -> dict[Fit, Outcome]:
    context = Context.from_dict(study.user_attrs[TUNE]["context"])
    records = [record for record in records_in(storage_of(study)) if record.context == context]
    return {fit: outcome for record in records for fit, outcome in record.outcomes().items()}


def _measured(
    study: optuna.Study, settings: TuneSettings, outcomes: Mapping[Fit, Outcome]
) -> list[tuple[FrozenTrial, TrialResult]]:
    folds, seeds = judging_folds(settings.folds), tuple(range(settings.seed, settings.seed + settings.seeds))
    results = []
    for trial in ranked_trials(study):
        recipe = Recipe(**trial.user_attrs["recipe"])
        stack = parse_architecture(trial.user_attrs["stack"])
        result = Trial(stack, settings.latent_dim, recipe, folds, seeds).result(outcomes)
        if result is not None:  # a fit of it is damaged, which is reported
            results.append((trial, result))
    return results


def _judged(study: optuna.Study) -> tuple[list[FrozenTrial], JudgedTrials] | None:
    """Return the best trials and how they did over further folds; None without finalists."""
    settings = _settings_of(study)
    if settings.finalists == 1:
        return None
    outcomes = _outcomes_of(study)
    measured = _measured(study, settings, outcomes)
    judged = judge_again([result for _, result in measured], settings.finalists, outcomes)
    return [trial for trial, _ in measured], judged


def finalists_of(study: optuna.Study) -> list[Finalist]:
    """Return the finalists of a search, best first; none while they are not judged to the end."""
    known = _judged(study)
    if known is None:
        return []
    trials, judged = known
    return [
        finalist._replace(number=trials[finalist.number].number) for finalist in judged.standing.finalists()
    ]


def ties_of(study: optuna.Study) -> tuple[list[int] | None, str]:
    """Return the trials that may be as good as the best; see :func:`autoenc.analysis.ties.tied_trials`."""
    settings = _settings_of(study)

    def losses() -> dict[int, list[float]]:
        return {trial.number: result.losses for trial, result in trial_results(study)}

    return tied_trials(len(ranked_trials(study)), max(settings.folds, 1), settings.seeds, losses)


def n_undecided(study: optuna.Study) -> int:
    """Return how many cross-validations of finalists the present round still wants; 0 without finalists."""
    known = _judged(study)
    return 0 if known is None else len(known[1].standing.missing)


def is_decided(study: optuna.Study) -> bool:
    """Return whether the finalists of a search, if there are to be any, are judged to the end."""
    return not n_undecided(study)


def kept_trial(study: optuna.Study) -> FrozenTrial | None:
    """Return the first of the finalists; without them the trial with the lowest value."""
    ranked, finalists = ranked_trials(study), finalists_of(study)
    if not finalists:
        return ranked[0] if ranked else None
    return next(trial for trial in ranked if trial.number == finalists[0].number)
