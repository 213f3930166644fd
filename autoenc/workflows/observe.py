"""Trials of a search and their results, in one form for adaptive and exhaustive searches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from autoenc.analysis.observations import Observation, Observations
from autoenc.models.grid import format_architecture
from autoenc.record.fits import FitRecord
from autoenc.record.record import TUNE
from autoenc.record.runs import convergence_epoch
from autoenc.record.searches import holds_transfer
from autoenc.report import SearchResults
from autoenc.searching.trials import TrialResult
from autoenc.settings import TuneSettings, search_settings
from autoenc.settings.space import SpaceSettings
from autoenc.tuning.results import trial_results
from autoenc.workflows.chosen import last_search

__all__ = ["is_number", "observe", "observe_folder"]


def observe_folder(folder: Path, storage: str | None, asked_by: str) -> Observations:
    """Return the search that was last used in a folder.

    Args:
        folder: Where it left its record.
        storage: The record, where it is not there.
        asked_by: What an error message begins with.

    Raises:
        InputError: If there is none.
    """
    if holds_transfer(folder, storage):
        from autoenc.workflows.observe_transfer import observe_transfer  # torch takes seconds to import

        return observe_transfer(folder, storage)
    return observe(last_search(folder, storage, asked_by))


def observe(search: optuna.Study | FitRecord) -> Observations:
    """Return an adaptive search by its study, or an exhaustive one by its record."""
    return _of_study(search) if isinstance(search, optuna.Study) else _of_record(search)


def _of_study(study: optuna.Study) -> Observations:
    note = study.user_attrs[TUNE]
    settings = TuneSettings.model_validate(note["settings"])
    n_columns = len(note["context"]["columns"])
    several = len(settings.families) > 1
    observations = []
    for trial, result in trial_results(study):
        attributes, family = trial.user_attrs, result.trial.recipe.family
        own = {name: value for name, value in attributes.items() if is_number(value)}
        seen = _observed(f"trial {trial.number}", result, n_columns, own)
        observations.append(
            seen._replace(parameters={"family": family, **seen.parameters}) if several else seen
        )
    space = {name: getattr(settings, name) for name in SpaceSettings.model_fields}
    return Observations(
        study.study_name, observations, space | ({"families": settings.families} if several else {}),
        settings.model_dump(mode="json"), True, note["baselines"]["pca"],
    )  # fmt: skip


def _of_record(record: FitRecord) -> Observations:
    settings = search_settings(record.search["settings"])
    results = SearchResults.of(settings, record)
    observations = [
        _observed(f"stack {result.trial.name}", result, len(results.columns)) for result in results.ranked
    ]
    widths, depth = settings.hidden_dims_search, settings.max_layers
    space: dict[str, tuple[Any, ...]] = {
        "num_layers_range": (1, depth),
        "hidden_size_range": (min(widths), max(widths)),
        "learning_rate_range": (min(settings.initial_lr), max(settings.initial_lr)),
        "weight_decay_range": (min(settings.weight_decay), max(settings.weight_decay)),
        "dropout_range": (min(settings.dropout), max(settings.dropout)),
        "batch_size_options": settings.batch_size,
        "activation_options": settings.activation,
        "norm_options": settings.norm,
    }
    name = f"the exhaustive search for latent size {settings.latent_size}"
    options = settings.model_dump(mode="json")
    return Observations(name, observations, space, options, False, results.baselines["pca"])


def _observed(
    name: str, result: TrialResult, n_columns: int, attributes: Mapping[str, float] | None = None
) -> Observation:
    trial, recipe = result.trial, result.trial.recipe
    widths = {f"hidden_size_{i}": width for i, width in enumerate(trial.architecture, 1)}
    parameters = {
        "num_layers": len(trial.architecture), **widths, "learning_rate": recipe.initial_lr,
        "weight_decay": recipe.weight_decay, "dropout": recipe.dropout, "batch_size": recipe.batch_size,
        "activation": recipe.activation, "norm": recipe.norm,
    }  # fmt: skip
    numbers = {
        "loss": result.loss, "seconds": result.seconds, "model_params": trial.n_parameters(n_columns),
        "epochs": result.median_epochs, "convergence_epoch": convergence_epoch(result.test_losses),
        "best_test_loss": result.best_test_loss, "final_train_loss": result.final_train_loss,
        "standard_error": result.standard_error, **(attributes or {}),
    }  # fmt: skip
    metrics = {key: float(number) for key, number in numbers.items() if number is not None}
    return Observation(name, format_architecture(trial.architecture), parameters, metrics)


def is_number(value: Any) -> bool:
    """Return whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
