"""The job of an adaptive search: its options, its table, and how a configuration is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from optuna.samplers import BaseSampler, GridSampler

from autoenc.data.division import Division, fold_names
from autoenc.data.read import ReadTable
from autoenc.data.table import Table
from autoenc.engines import Engine, Recipe
from autoenc.engines.recipe import Family
from autoenc.record.identity import Context
from autoenc.record.single_precision import as_recorded, holds_in_journal
from autoenc.record.storage import journal_path
from autoenc.searching.inputs import context_of, prepare_inputs
from autoenc.searching.trials import Trial
from autoenc.settings import TuneSettings
from autoenc.tuning.families import is_of_family, resilient_options
from autoenc.tuning.resilient import ResilientSampler
from autoenc.tuning.sampling import PerTrialSampler, standard_sampler
from autoenc.tuning.space import Configuration, HyperparameterSearchSpace, n_points

__all__ = ["THRESHOLDS", "TuneJob", "judging_folds"]

THRESHOLDS = ("good", "excellent", "breakthrough")
_RESILIENT_EPOCHS, _RESILIENT_PATIENCE, _EPOCHS = 128, 36, 20


def judging_folds(n_folds: int) -> tuple[str, ...]:
    """Return the folds that judge an adaptive search's trials; without folds a fifth of the training rows."""
    return tuple(fold_names(n_folds)) or (fold_names(5)[0],)


@dataclass
class TuneJob:
    """An adaptive search that is ready to run.

    Attributes:
        settings: The options.
        engine: What trains.
        table: What it learns from.
        is_on_disk: Whether it keeps a record and files in a folder; else it leaves nothing behind.
    """

    settings: TuneSettings
    engine: Engine
    table: Table
    is_on_disk: bool = True

    @classmethod
    def prepare(
        cls, settings: TuneSettings, read: ReadTable | None = None, is_on_disk: bool = True
    ) -> TuneJob:
        """Find engine, folder and table.

        Args:
            settings: The options.
            read: The table, where it is no file.
            is_on_disk: Whether it keeps a record and files in a folder.

        Raises:
            InputError: With everything that is wrong about them.
        """
        folder = Path(settings.output_dir)
        engine, table = prepare_inputs(settings, folder if is_on_disk else None, read)
        if is_on_disk and not settings.fresh:
            table = as_recorded(table, holds_in_journal(journal_path(folder), settings.storage))
        return cls(settings, engine, table, is_on_disk)

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return Path(self.settings.output_dir)

    @cached_property
    def context(self) -> Context:
        """What all its fits share."""
        return context_of(
            self.settings,
            self.settings.scaling,
            self.table,
            self.settings.latent_dim,
            self.division,
            self.folds,
        )

    @cached_property
    def division(self) -> Division:
        """Which rows train and which test."""
        settings = self.settings
        return Division(
            self.table, settings.scaling, settings.seed, settings.stratify, settings.group, settings.folds
        )

    @cached_property
    def folds(self) -> tuple[str, ...]:
        """Where trials are judged: never on the test rows, which are for the model that is kept."""
        return judging_folds(self.settings.folds)

    @cached_property
    def baselines(self) -> dict[str, float]:
        """Losses of ``pca`` and ``mean`` on the rows that judge trials."""
        from autoenc.analysis.baselines import BASELINES, baseline_losses

        by_fold = [
            baseline_losses(self.division.passing(fold), self.settings.latent_dim, Recipe())
            for fold in self.folds
        ]
        names = [name for name in BASELINES if all(name in losses for losses in by_fold)]
        return {name: fmean(losses[name] for losses in by_fold) for name in names}

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """Losses that count as good, excellent and a breakthrough."""
        shares = {name: getattr(self.settings, f"{name}_threshold") for name in THRESHOLDS}
        return {name: share * self.baselines["pca"] for name, share in shares.items()}

    @cached_property
    def space(self) -> HyperparameterSearchSpace:
        """What is open."""
        fields = HyperparameterSearchSpace.model_fields
        values = {name: getattr(self.settings, name) for name in fields if name != "num_epochs"}
        return HyperparameterSearchSpace(**values, num_epochs=self.epochs)

    @property
    def epochs(self) -> int:
        """Epochs of a fit, at most."""
        resilient = self.settings.strategy == "resilient"
        return self.settings.epochs or (_RESILIENT_EPOCHS if resilient else _EPOCHS)

    @property
    def patience(self) -> int:
        """Epochs without a lower loss after which a fit stops; 0 for never."""
        if self.settings.patience is not None:
            return self.settings.patience
        return _RESILIENT_PATIENCE if self.settings.strategy == "resilient" else 0

    @cached_property
    def grid(self) -> dict[str, list[Any]] | None:
        """The points of strategy ``grid``; None for the others."""
        return self.space.grid() if self.settings.strategy == "grid" else None

    @cached_property
    def n_trials(self) -> int:
        """Trials in all."""
        if self.grid is None:
            return self.settings.n_trials
        return min(self.settings.n_trials, n_points(self.grid))

    def family_of(self, number: int) -> Family:
        """Return the family of a trial: each has its part of the trials, one after the other."""
        families = self.settings.families
        return families[min(number * len(families) // self.n_trials, len(families) - 1)]

    def trial_of(self, configuration: Configuration, family: Family) -> Trial:
        """Return what is trained to measure a configuration."""
        settings = self.settings
        open_options = dict(configuration.recipe)
        recipe = Recipe(
            epochs=self.epochs, patience=self.patience, min_epochs=settings.min_epochs,
            eta_min=min(settings.eta_min, open_options["initial_lr"]), **open_options,
            **settings.of_family(family),
        )  # fmt: skip
        seeds = tuple(range(settings.seed, settings.seed + settings.seeds))
        return Trial(configuration.architecture, settings.latent_dim, recipe, self.folds, seeds)

    def n_parameters(self, params: Mapping[str, Any], family: Family = "ae") -> int:
        """Return the size of the network that these parameters mean."""
        return self.trial_of(self.space.configuration(params), family).n_parameters(len(self.table.columns))

    def sampler(self) -> PerTrialSampler:
        """Return what proposes; its state follows from the study and the seed alone."""
        several = len(self.settings.families) > 1
        return PerTrialSampler(
            self._sampler_for,
            self.settings.seed,
            lambda number: {"family": self.family_of(number)} if several else {},
        )

    def _sampler_for(self, seed: int, number: int) -> BaseSampler:
        if self.settings.strategy == "grid":
            # The order of a grid's points is shuffled by the seed, so that it must be the same throughout.
            return GridSampler(self.grid or {}, self.settings.seed)
        if self.settings.strategy != "resilient":
            return standard_sampler(self.settings.strategy, seed)
        family = self.family_of(number)
        return ResilientSampler(
            seed,
            resilient_options(self.settings, self.thresholds, family),
            self.space.distributions(),
            self.n_parameters,
            lambda trial: is_of_family(trial, family),
            self.space.configuration,
        )
