"""A trial of a record, ready to be trained again: its stack, its recipe, and the data it was tried on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from autoenc.engines import Recipe
from autoenc.errors import InputError
from autoenc.models.grid import Architecture, parse_architecture
from autoenc.record.fits import FitRecord
from autoenc.record.record import TUNE
from autoenc.record.searches import Searches
from autoenc.record.storage import journal_path, records_below
from autoenc.report import SearchResults
from autoenc.settings import search_settings
from autoenc.tuning.results import kept_trial

__all__ = ["Chosen", "chosen_of_study", "chosen_trial", "complete_trial", "last_search"]


@dataclass(frozen=True)
class Chosen:
    """The trial to train, according to a record.

    Attributes:
        origin: Where it comes from, for people.
        architecture: Hidden widths.
        latent_dim: Size of the latent space.
        recipe: As it was tried; where that stopped early, for as many epochs as it kept.
        data: Options that say which table and how its rows are divided, by name.
        fingerprint: Of the table it was tried on.
        by_test_rows: Whether the test rows had a part in choosing it; None where that is not known.
    """

    origin: str
    architecture: Architecture
    latent_dim: int
    recipe: Recipe
    data: Mapping[str, Any]
    fingerprint: str
    by_test_rows: bool | None


def chosen_trial(folder: Path, storage: str | None, number: int | None) -> Chosen:
    """Return the best trial of the search that was last used in a folder, or the one of this number.

    Raises:
        InputError: If there is no record, no finished trial, or no trial of this number.
    """
    search = last_search(folder, storage, f"--from {folder}")
    return chosen_of_study(search, number) if isinstance(search, optuna.Study) else _of_record(search, number)


def last_search(folder: Path, storage: str | None, asked_by: str) -> optuna.Study | FitRecord:
    """Return the search that was last used in a folder: a study, or an exhaustive one's record.

    Args:
        folder: Where it left its record.
        storage: The record, where it is not there.
        asked_by: What an error message begins with.

    Raises:
        InputError: If there is none.
    """
    journal = journal_path(folder)
    if storage is None and not journal.exists():
        of_transfer = "; the study.db here is of a transfer-aware search, which this command does not read"
        hint = of_transfer if journal.with_name("study.db").exists() else "; tune or search make one"
        hint = records_below(folder) or hint
        raise InputError(f"{asked_by}: there is no {journal.name} here{hint}")
    latest = Searches.read(storage or journal).last_used
    if latest is None:
        raise InputError(f"{asked_by}: holds no search yet")
    return latest if isinstance(latest, FitRecord) else latest.study


def chosen_of_study(study: optuna.Study, number: int | None = None) -> Chosen:
    """Return the best trial of an adaptive search, or that of a number, as :func:`chosen_trial` does."""
    note = study.user_attrs[TUNE]
    trial = _best_trial(study) if number is None else complete_trial(study, number)
    recipe = Recipe(**trial.user_attrs["recipe"])
    if recipe.patience:
        # The rows that said when to stop are among the training rows now.
        recipe = replace(recipe, patience=0, stop_after=trial.user_attrs["epochs"])
    return Chosen(
        f"trial {trial.number} of {study.study_name}", parse_architecture(trial.user_attrs["stack"]),
        note["settings"]["latent_dim"], recipe, note["settings"], note["context"]["fingerprint"],
        by_test_rows=False,
    )  # fmt: skip


def _best_trial(study: optuna.Study) -> FrozenTrial:
    best = kept_trial(study)
    if best is None:
        raise InputError(f"{study.study_name}: no trial has succeeded yet")
    return best


def complete_trial(study: optuna.Study, number: int) -> FrozenTrial:
    """Return the trial of this number.

    Raises:
        InputError: If there is none, or it has no result.
    """
    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    if number not in trials:
        raise InputError(f"--trial {number}: {study.study_name} has trials 0 to {len(trials) - 1}")
    if trials[number].state != TrialState.COMPLETE:
        state = trials[number].state.name.lower()
        raise InputError(f"--trial {number}: is {state} and not complete; all_trials.csv lists them")
    return trials[number]


def _of_record(record: FitRecord, number: int | None) -> Chosen:
    settings = search_settings(record.search["settings"])
    results = SearchResults.of(settings, record)
    if number is not None:
        complete_trial(record.study, number)
        fit = record.fit_of(number)
        name = f"trial {number} of {record.study.study_name}"
    elif not results.finished:
        raise InputError(f"{record.study.study_name}: no stack has succeeded yet")
    else:
        best = results.selection.chosen
        fit = best.trial.refit(best)
        name = f"stack {best.trial.name} of {record.study.study_name}"
    return Chosen(
        name, fit.architecture, fit.latent_dim, replace(fit.recipe, patience=0),
        settings.model_dump(mode="json"), record.context.fingerprint,
        by_test_rows=not settings.folds,
    )  # fmt: skip
