"""A trial: an architecture with a recipe; its result is the summary of its fits over folds and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from math import fsum
from statistics import fmean, stdev
from typing import Any, Literal

from autoenc.data.division import HOLDOUT, fold_names
from autoenc.engines import Fit, Outcome, Recipe
from autoenc.engines.fit import seed_of_fold
from autoenc.models.grid import Architecture, format_architecture
from autoenc.settings import SearchSettings

__all__ = ["Measure", "Trial", "TrialResult", "trained_trials_of", "trials_of"]


Measure = Literal["loss", "explained"]


@dataclass(frozen=True)
class Trial:
    """An architecture with a recipe, and the fits that measure it.

    Attributes:
        architecture: Hidden widths.
        latent_dim: Size of the latent space.
        recipe: How it is trained.
        folds, seeds: Each fold is trained with each seed.
        has_own_seeds: Seeds of a fold are moved by its place, so that the luck of initial weights is not
            common to the folds, and is part of how far they spread.
        factors: Names of the recipe's options that vary in the search.
        measure: What it is compared by: ``loss``, or ``explained`` variance where losses differ in meaning.
        usual: Options with the values that need not be named.
    """

    architecture: Architecture
    latent_dim: int
    recipe: Recipe
    folds: tuple[str, ...]
    seeds: tuple[int, ...]
    factors: tuple[str, ...] = ()
    measure: Measure = "loss"
    usual: tuple[tuple[str, Any], ...] = ()
    has_own_seeds: bool = False

    def value_of(self, outcome: Outcome) -> float:
        """Return what a fit is worth, lower is better: its test loss, or the variance left unexplained."""
        return outcome.final_test_loss if self.measure == "loss" else 1 - (outcome.explained or 0.0)

    @property
    def name(self) -> str:
        """The stack as people write it, and the options of its recipe that vary in the search."""
        if self.recipe.is_pca:
            return "PCA"
        parts = [f"{name} {value}" for name, value in self.varied.items() if (name, value) not in self.usual]
        return ", ".join([format_architecture(self.architecture), *parts])

    @property
    def varied(self) -> dict[str, Any]:
        """Options of the recipe that vary in the search, with this trial's values."""
        return {name: getattr(self.recipe, name) for name in self.factors}

    @cached_property
    def fits(self) -> list[Fit]:
        """A fit for each fold and seed, seeds varying fastest."""
        return [
            Fit(
                self.architecture, self.latent_dim, self.recipe,
                seed_of_fold(seed, place) if self.has_own_seeds else seed, fold,
            )
            for place, fold in enumerate(self.folds)
            for seed in self.seeds
        ]  # fmt: skip

    def n_parameters(self, input_dim: int) -> int:
        """Return the number of trainable parameters."""
        if input_dim not in self._n_parameters:
            self._n_parameters[input_dim] = self.fits[0].network(input_dim).count_parameters()
        return self._n_parameters[input_dim]

    @cached_property
    def _n_parameters(self) -> dict[int, int]:
        """The numbers that were asked for, by the columns of the table."""
        return {}

    def result(self, outcomes: Mapping[Fit, Outcome]) -> TrialResult | None:
        """Return the summary of its fits; None while one is missing."""
        if any(fit not in outcomes for fit in self.fits):
            return None
        return TrialResult(self, tuple(outcomes[fit] for fit in self.fits))

    def refit(self, result: TrialResult) -> Fit:
        """Return the fit on all training rows that stands for this trial.

        The test rows must not say when to stop, so early stopping is replaced by the epochs that the folds
        settled on (their median).
        """
        if self.folds == (HOLDOUT,):
            return self.fits[0]
        recipe = self.recipe
        if recipe.patience:
            recipe = recipe.stopped_after(result.median_epochs)
        return Fit(self.architecture, self.latent_dim, recipe, self.seeds[0], HOLDOUT)


@dataclass(frozen=True)
class TrialResult:
    """Mean, spread and all values over a trial's fits."""

    trial: Trial
    outcomes: tuple[Outcome, ...]

    @property
    def failure(self) -> str | None:
        """Why it failed: the reason of its first failed fit; None if all succeeded."""
        return next((outcome.failure for outcome in self.outcomes if outcome.failure), None)

    @cached_property
    def losses(self) -> list[float]:
        """What each fit is worth; see :meth:`Trial.value_of`."""
        return [self.trial.value_of(outcome) for outcome in self.outcomes]

    @cached_property
    def loss(self) -> float:
        """Mean over the fits of what they are worth."""
        return fmean(self.losses)

    @cached_property
    def repetitions(self) -> list[float]:
        """Losses that repeat the measurement: of each fold, the mean over seeds; without folds, of each seed.

        Seeds on the same rows of a fold do not make its loss more than one measurement.
        """
        if self.trial.folds == (HOLDOUT,):
            return self.losses
        n_seeds = len(self.trial.seeds)
        return [fmean(self.losses[i : i + n_seeds]) for i in range(0, len(self.losses), n_seeds)]

    @cached_property
    def standard_error(self) -> float | None:
        """Standard error of that mean, over :attr:`repetitions`; None of a single one."""
        n = len(self.repetitions)
        return stdev(self.repetitions) / n**0.5 if n > 1 else None

    @property
    def explained(self) -> float | None:
        """Mean explained variance of the rows that judge; None where earlier versions recorded none."""
        shares = [outcome.explained for outcome in self.outcomes]
        return None if None in shares else fmean([value for value in shares if value is not None])

    @property
    def best_test_loss(self) -> float:
        """Mean of each fit's lowest test loss."""
        return fmean([outcome.best_test_loss for outcome in self.outcomes])

    @property
    def final_train_loss(self) -> float:
        """Mean of the training losses."""
        return fmean([outcome.final_train_loss for outcome in self.outcomes])

    @property
    def train_losses(self) -> list[float]:
        """Mean training loss after each epoch, over the fits that reached it."""
        return _mean_curve([outcome.train_losses for outcome in self.outcomes])

    @property
    def test_losses(self) -> list[float]:
        """Mean test loss after each epoch, over the fits that reached it."""
        return _mean_curve([outcome.test_losses for outcome in self.outcomes])

    @property
    def seconds(self) -> float:
        """Time of all fits together."""
        return sum(outcome.seconds for outcome in self.outcomes)

    @property
    def median_epochs(self) -> int:
        """Epochs that its fits kept, the median rounded down."""
        kept = sorted(outcome.n_kept_epochs for outcome in self.outcomes)
        return kept[(len(kept) - 1) // 2]


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    if len(curves) == 1:
        return list(curves[0])
    if len({len(curve) for curve in curves}) == 1:
        return [
            fsum(column) / len(curves) for column in zip(*curves, strict=True)
        ]  # as fmean, in half the time
    return [fmean([value for value in column if value is not None]) for column in zip_longest(*curves)]


def trials_of(settings: SearchSettings) -> list[Trial]:
    """Return the trials that these options compare, in the order of the grid."""
    return [
        trial for trial in trained_trials_of(settings) if settings.compare_warm or not trial.recipe.warm_start
    ]


def trained_trials_of(settings: SearchSettings) -> list[Trial]:
    """Return the trials that these options train, in the order of the grid, warm ones after cold twins."""
    folds = tuple(fold_names(settings.folds)) or (HOLDOUT,)
    seeds = tuple(range(settings.seed, settings.seed + settings.seeds))
    factors = tuple(settings.factors)

    # One object for all stacks: fits are looked up by the hash of their recipe, which it remembers.
    recipes = [(recipe, replace(recipe, warm_start=True)) for recipe in settings.recipes()]

    def trial(stack: Architecture, recipe: Recipe) -> Trial:
        # Where warm trials are not compared the names of the others need not say that they are cold.
        own = (*factors, "warm_start") if recipe.warm_start and "warm_start" not in factors else factors
        return Trial(stack, settings.latent_size, recipe, folds, seeds, own, settings.measure)

    return [
        trial(stack, recipe)
        for stack in settings.grid
        for both in recipes
        for recipe in (both if settings.warm_start and len(stack) > 1 else both[:1])
    ]
