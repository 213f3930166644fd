"""The best models of a search as one, trained again from its record and held against the single best."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna

from autoenc.analysis.study import ranked_trials
from autoenc.data.division import HOLDOUT
from autoenc.data.table import Table
from autoenc.engines import Fit, Recipe, Split, StopFlag, Stopped
from autoenc.models.grid import parse_architecture
from autoenc.record.fits import FitRecord
from autoenc.record.record import TUNE
from autoenc.report import SearchResults
from autoenc.report.files import Written
from autoenc.system.paths import OutputPaths
from autoenc.tuning.job import TuneJob
from autoenc.tuning.results import kept_trial
from autoenc.workflows.best import trained_model
from autoenc.workflows.chosen import chosen_of_study
from autoenc.workflows.full_training import FullTraining
from autoenc.workflows.job import SearchJob

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["write_ensemble", "write_tune_ensemble"]


class _Candidate(NamedTuple):
    """A candidate for membership.

    Attributes:
        key: The same for the same training.
        about: What it is, plain values.
        train: Trains its model; it returns None if that fails.
    """

    key: Hashable
    about: dict[str, Any]
    train: Callable[[StopFlag], FittedAutoencoder | None]


@dataclass(frozen=True)
class _Contest:
    """An ensemble against the single best, on the test rows.

    Attributes:
        n_wanted: Members that were asked for.
        jobs: Models trained at once.
        table: What they learn from.
        split: Its rows.
        recipe: Whose loss they are measured by.
        optimistic: Whether the test rows chose the candidates.
        path: The ensemble's file.
    """

    n_wanted: int
    jobs: int
    table: Table
    split: Split
    recipe: Recipe
    optimistic: bool
    path: Path

    def run(
        self, candidates: Sequence[_Candidate], single: _Candidate, stop: StopFlag
    ) -> tuple[dict[str, Any], Written]:
        """Train the members, compare them with the single best, and save them as one model.

        Returns:
            What the ensemble is worth, plain values; and a word for its file, and the file, unless fewer than
            two members succeeded.

        Raises:
            Stopped: If ``stop`` was set before the end.
            OSError: If the file cannot be written.
        """
        members = self._members(candidates, stop)
        models = [model for _, model in members.values()]
        comparison = {
            "members": [candidate.about for candidate, _ in members.values()],
            "test_loss": None,
            "single_test_loss": None,
            "difference_interval": None,
            "better": None,
            "optimistic": self.optimistic,
        }
        if len(models) < 2:
            return comparison, []
        known = members.get(single.key)
        comparison |= self._compared(models, single.train(stop) if known is None else known[1])
        from autoenc.fitted.ensemble import FittedEnsemble, save_ensemble

        save_ensemble(self.path, FittedEnsemble(models, {**self.table.model_info(), **comparison}))
        return comparison, [("ensemble", self.path)]

    def _members(
        self, candidates: Sequence[_Candidate], stop: StopFlag
    ) -> dict[Hashable, tuple[_Candidate, FittedAutoencoder]]:
        """Train the best candidates, as many as are wanted; the next ones for those that fail."""
        members: dict[Hashable, tuple[_Candidate, FittedAutoencoder]] = {}
        with ThreadPoolExecutor(self.jobs) as pool:
            while candidates and (n_open := self.n_wanted - len(members)):
                tried, candidates = candidates[:n_open], candidates[n_open:]
                models = pool.map(lambda candidate: candidate.train(stop), tried)
                for candidate, model in zip(tried, models, strict=True):
                    if model is not None:
                        members[candidate.key] = candidate, model
        return members

    def _compared(self, models: list[FittedAutoencoder], single: FittedAutoencoder | None) -> dict[str, Any]:
        """Return losses on the test rows, and whether the difference is more than chance."""
        from autoenc.analysis.baselines import reconstruction_loss
        from autoenc.analysis.bootstrap import loss_difference_interval
        from autoenc.fitted.ensemble import FittedEnsemble

        rows, target = self.table.values[self.split.test], self.split.values[self.split.test]
        together = FittedEnsemble(models, {}).reconstruct_scaled(rows)
        compared: dict[str, Any] = {"test_loss": reconstruction_loss(together, target, self.recipe)}
        if single is None:  # with folds: its fit on all training rows failed
            return compared
        alone = single.reconstruct_scaled(rows)
        compared["single_test_loss"] = reconstruction_loss(alone, target, self.recipe)
        interval = loss_difference_interval(together, alone, target, self.recipe)
        if interval is not None:
            low, high = interval
            compared["difference_interval"] = [low, high]
            compared["better"] = True if high < 0 else False if low > 0 else None
        return compared


def write_ensemble(job: SearchJob, record: FitRecord, results: SearchResults, stop: StopFlag) -> Written:
    """Save the best fits of an exhaustive search as one model, and note what it is worth.

    Returns:
        Nothing if fewer than two fits succeeded, or the search was stopped.

    Raises:
        OSError: If a file cannot be written.
    """
    settings = job.settings
    if not results.finished:
        return []
    chosen = results.selection.chosen
    split, recipe = job.division.split(HOLDOUT, chosen.trial.recipe.scaling), chosen.trial.recipe
    contest = _Contest(
        settings.ensemble, settings.jobs, job.table, split, recipe, not settings.folds,
        job.paths.best_ensemble,
    )  # fmt: skip
    candidates = [_of_fit(job, fit) for fit in _candidates(job, results)]
    try:
        comparison, written = contest.run(candidates, _of_fit(job, chosen.trial.refit(chosen)), stop)
    except Stopped:
        return []
    record.note_search({**record.search, "ensemble": comparison})
    results.search["ensemble"] = comparison
    return written


def _candidates(job: SearchJob, results: SearchResults) -> list[Fit]:
    """Return fits by test loss, best first; with folds the refits of the ranked trials."""
    if job.settings.folds:
        return [result.trial.refit(result) for result in results.ranked]
    outcomes = results.outcomes
    fits = [fit for trial in results.trials for fit in trial.fits]
    succeeded = [fit for fit in fits if fit in outcomes and outcomes[fit].failure is None]
    return sorted(succeeded, key=lambda fit: outcomes[fit].final_test_loss)


def _of_fit(job: SearchJob, fit: Fit) -> _Candidate:
    recipe = {name: getattr(fit.recipe, name) for name in job.settings.factors}
    about = {"config": list(fit.architecture), "seed": fit.seed, **({"recipe": recipe} if recipe else {})}
    return _Candidate(fit, about, lambda stop: trained_model(job, fit, stop))


def write_tune_ensemble(job: TuneJob, study: optuna.Study, stop: StopFlag) -> Written:
    """Save the best trials of an adaptive search, each trained in full, as one model if that is wanted.

    What it is worth is noted in the study. Returns and raises as :func:`write_ensemble`.
    """
    settings, kept = job.settings, kept_trial(study)
    if not settings.ensemble or kept is None:
        return []
    path = OutputPaths(job.folder, settings.latent_dim).best_ensemble
    contest = _Contest(
        settings.ensemble, settings.jobs, job.table, job.division.split(HOLDOUT), Recipe(), False, path
    )
    ranked = [_of_trial(job, study, trial.number) for trial in ranked_trials(study)]
    try:
        comparison, written = contest.run(ranked, _of_trial(job, study, kept.number), stop)
    except Stopped:
        return []
    study.set_user_attr(TUNE, {**study.user_attrs[TUNE], "ensemble": comparison})
    return written


def _of_trial(job: TuneJob, study: optuna.Study, number: int) -> _Candidate:
    def trained(stop: StopFlag) -> FittedAutoencoder | None:
        training = FullTraining.of(chosen_of_study(study, number), job.engine, job.table, job.settings)
        outcome = training.run(stop)
        return None if outcome.failure else training.model(outcome)

    stack = study.get_trials(deepcopy=False)[number].user_attrs["stack"]
    return _Candidate(number, {"trial": number, "config": list(parse_architecture(stack))}, trained)
