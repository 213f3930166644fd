"""Trials of an adaptive search with the outcomes of their fits."""

from __future__ import annotations

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import ranked_trials
from autoenc.engines import Recipe
from autoenc.models.grid import parse_architecture
from autoenc.record.fits import records_in
from autoenc.record.identity import Context
from autoenc.record.private import storage_of
from autoenc.record.record import TUNE
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings import TuneSettings
from autoenc.tuning.job import judging_folds

__all__ = ["trial_results"]


def trial_results(study: optuna.Study) -> list[tuple[FrozenTrial, TrialResult]]:
    """Return the complete trials of a study with what was measured, best first; damaged ones are left out."""
    note = study.user_attrs[TUNE]
    settings = TuneSettings.model_validate(note["settings"])
    context = Context.from_dict(note["context"])
    records = [record for record in records_in(storage_of(study)) if record.context == context]
    outcomes = {fit: outcome for record in records for fit, outcome in record.outcomes().items()}
    folds, seeds = judging_folds(settings.folds), tuple(range(settings.seed, settings.seed + settings.seeds))
    results = []
    for trial in ranked_trials(study):
        recipe = Recipe(**trial.user_attrs["recipe"])
        stack = parse_architecture(trial.user_attrs["stack"])
        result = Trial(stack, settings.latent_dim, recipe, folds, seeds).result(outcomes)
        if result is not None:  # a fit of it is damaged, which is reported
            results.append((trial, result))
    return results
