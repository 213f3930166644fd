"""The best trial of an adaptive search, trained in full on all training rows, and measured once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import TYPE_CHECKING

import optuna

from autoenc.data.division import ALL, Division, fold_names
from autoenc.data.table import Table
from autoenc.engines import Engine, Fit, Outcome, StopFlag
from autoenc.engines.calibration import Calibrating
from autoenc.errors import InputError
from autoenc.settings import ScaledSettings
from autoenc.tuning.job import TuneJob
from autoenc.workflows.chosen import Chosen, chosen_of_study

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["FullTraining", "best_of_tune", "model_of"]


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
        engine = Calibrating(engine, division.split_of)
        return cls(engine, table, division, Fit(chosen.architecture, chosen.latent_dim, chosen.recipe, own))

    def until_best(self, patience: int, stop: StopFlag) -> FullTraining:
        """Return the same for as many epochs as are best on a fifth of the training rows, not test rows.

        Raises:
            Stopped: If ``stop`` was set before the end.
        """
        fold = fold_names(5)[0]
        tried = replace(self.fit, fold=fold, recipe=replace(self.fit.recipe, patience=patience))
        outcome = self.engine.fit(self.division.split_of(tried), tried, stop)
        recipe = self.fit.recipe.stopped_after(outcome.n_kept_epochs)
        return replace(self, fit=replace(self.fit, recipe=recipe))

    def no_worse_than(
        self, trial: Fit, stop: StopFlag, may_lower_rate: bool = True
    ) -> tuple[FullTraining, str | None]:
        """Return the same, or a shorter or slower training where this one ends worse than its trial.

        One fifth of the training rows judges both; test rows must not say. A training that ends worse there
        is stopped at its best epoch; where that is worse, too, it is tried at lower learning rates, and at
        last the trial's own recipe is taken.

        Args:
            trial: The trial's own training.
            stop: Looked at between epochs.
            may_lower_rate: Whether the learning rate may be changed.

        Returns:
            The training, and what was changed about it and why; None where nothing was.

        Raises:
            Stopped: If ``stop`` was set before the end.
        """
        limit, own = self._curve(trial, stop)[-1], self.fit.recipe
        curve = self._curve(self.fit, stop)
        if curve[-1] <= limit:
            return self, None
        why = (
            f"after {len(curve)} epochs it is worse than its trial ({curve[-1]:.6f} against {limit:.6f} on a "
            "fifth of the training rows)"
        )
        for share in (1.0, 0.3, 0.1) if may_lower_rate else (1.0,):
            rate = share * own.initial_lr
            recipe = replace(own, initial_lr=rate, eta_min=min(own.eta_min, rate))
            if share < 1:
                curve = self._curve(replace(self.fit, recipe=recipe), stop)
            best = min(range(len(curve)), key=curve.__getitem__)
            if curve[best] <= limit:
                slower = f"at a learning rate of {rate:g} and " if share < 1 else ""
                changed = recipe.stopped_after(best + 1) if best + 1 < own.last_epoch else recipe
                return replace(self, fit=replace(self.fit, recipe=changed)), (
                    f"{slower}for {best + 1} epochs, as {why}"
                )
        return replace(
            self, fit=replace(self.fit, recipe=trial.recipe)
        ), f"by the trial's own recipe, as {why}"

    def _curve(self, fit: Fit, stop: StopFlag) -> list[float]:
        """Return losses of a fifth of the training rows after each epoch; infinite at the end if it fails."""
        judged = replace(fit, fold=fold_names(5)[0])
        outcome = self.engine.fit(self.division.split_of(judged), judged, stop)
        finite = [loss for loss in outcome.test_losses if isfinite(loss)]
        return [*finite, inf] if outcome.failure is not None or not finite else finite

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


def best_of_tune(study: optuna.Study, job_of: Callable[[], TuneJob]) -> FittedAutoencoder:
    """Train the best trial of an adaptive search in full; see :meth:`.StudyResults.best_model`.

    Args:
        study: The search.
        job_of: Finds what it works on.
    """
    job = job_of()
    training = FullTraining.of(chosen_of_study(study), job.engine, job.table, job.settings)
    outcome = training.run()
    if outcome.failure:
        raise InputError(f"there is no best model: its training in full failed: {outcome.failure}")
    return training.model(outcome)
