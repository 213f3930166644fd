"""Samplers and pruners, by name."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from autoenc.settings.transfer import SamplerName, TransferSettings
from autoenc.tuning.resilient import ResilientSampler
from autoenc.tuning.sampling import PerTrialSampler, standard_sampler

__all__ = ["SAMPLERS", "make_pruner", "make_sampler"]

SAMPLERS: dict[SamplerName, Callable[[int, int], BaseSampler]] = {
    "tpe": lambda seed, number: standard_sampler("tpe", seed),
    "random": lambda seed, number: standard_sampler("random", seed),
    # Choices are drawn at random.
    "cmaes": lambda seed, number: standard_sampler("cmaes", seed),
    "gp": lambda seed, number: optuna.samplers.GPSampler(seed=seed),
    "nsgaii": lambda seed, number: optuna.samplers.NSGAIISampler(seed=seed),
    "resilient": lambda seed, number: ResilientSampler(seed),
}
"""What makes a sampler, given a seed and a trial's number, by the name that ``--sampler`` knows it by."""


def make_sampler(settings: TransferSettings) -> BaseSampler:
    """Return the sampler of a search; what it proposes follows from the trials before and the seed alone."""
    return PerTrialSampler(SAMPLERS[settings.sampler], settings.seed)


def make_pruner(settings: TransferSettings) -> BasePruner:
    """Return the pruner of a search; its steps are folds."""
    if settings.pruner == "median":
        return optuna.pruners.MedianPruner()
    if settings.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(1, settings.n_cv_folds)
    return optuna.pruners.NopPruner()
