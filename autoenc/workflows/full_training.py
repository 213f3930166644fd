"""The best trial of an adaptive search, trained in full on all training rows, and measured once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import optuna

from autoenc.data.division import ALL, Division, fold_names
from autoenc.data.table import Table
from autoenc.engines import Engine, Fit, Outcome, StopFlag
from autoenc.errors import InputError
from autoenc.settings import ScaledSettings
from autoenc.tuning.job import TuneJob
from autoenc.workflows.chosen import Chosen, chosen_of_study

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["FullTraining", "TuneModels", "model_of"]


@dataclass(frozen=True)
class FullTraining:
    """A trial that is ready to be trained in full.

    Attributes:
        engine: What trains.
        table: What it learns from.
        division: Which rows train; the others measure the model once.
        fit: The training.
    """

    engine: Engine
    table: Table
    division: Division
    fit: Fit

    @classmethod
    def of(
        cls, chosen: Chosen, engine: Engine, table: Table, data: ScaledSettings, seed: int | None = None
    ) -> FullTraining:
        """Return the training of a chosen trial.

        Args:
            chosen: The trial.
            engine: What trains.
            table: What it learns from.
            data: How its rows are scaled and divided.
            seed: Of the training; by default that of the division.
        """
        division = Division(table, data.scaling, data.seed, data.stratify, data.group)
        own = data.seed if seed is None else seed
        return cls(engine, table, division, Fit(chosen.architecture, chosen.latent_dim, chosen.recipe, own))

    def until_best(self, patience: int, stop: StopFlag) -> FullTraining:
        """The same for as many epochs as are best on one fifth of the training rows; test rows must not say.

        Raises:
            Stopped: If ``stop`` was set before the end.
        """
        fold = fold_names(5)[0]
        tried = replace(self.fit, fold=fold, recipe=replace(self.fit.recipe, patience=patience))
        outcome = self.engine.fit(self.division.split_of(tried), tried, stop)
        recipe = self.fit.recipe.stopped_after(outcome.n_kept_epochs)
        return replace(self, fit=replace(self.fit, recipe=recipe))

    def run(self, stop: StopFlag | None = None) -> Outcome:
        """Train; raises as :meth:`until_best`."""
        return self.engine.fit(self.division.split_of(self.fit), self.fit, stop)

    def model(self, outcome: Outcome) -> FittedAutoencoder:
        """Return the trained model."""
        return model_of(self.fit, outcome, self.table, self.division)


def model_of(fit: Fit, outcome: Outcome, table: Table, division: Division) -> FittedAutoencoder:
    """Return the model of a fit that succeeded."""
    from autoenc.fitted.autoencoder import fitted_model

    # Of a model that has seen all rows the loss on some of them says nothing.
    measured = {} if fit.fold == ALL else {"final_test_loss": outcome.final_test_loss}
    info = {
        **measured, "trained_on": "all rows" if fit.fold == ALL else "training rows", "seed": fit.seed,
        "n_train": division.rows(fit.fold)[0].size, **table.model_info(),
    }  # fmt: skip
    scaling = division.scaling(fit.fold, fit.recipe.scaling)
    return fitted_model(outcome.state, fit.recipe, table.columns, scaling, info, table.encoding)


class TuneModels:
    """Trains the best trial of an adaptive search in full.

    Args:
        study: The search.
        job: What it works on, or what finds that once a model is asked for.
    """

    def __init__(self, study: optuna.Study, job: TuneJob | Callable[[], TuneJob]) -> None:
        self._study, self._job = study, job

    def best(self) -> FittedAutoencoder:
        """See :meth:`autoenc.report.study_results.StudyResults.best_model`."""
        job = self._job if isinstance(self._job, TuneJob) else self._job()
        training = FullTraining.of(chosen_of_study(self._study), job.engine, job.table, job.settings)
        outcome = training.run()
        if outcome.failure:
            raise InputError(f"there is no best model: its training in full failed: {outcome.failure}")
        return training.model(outcome)
