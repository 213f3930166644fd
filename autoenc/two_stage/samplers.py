"""Samplers and pruners, by name."""

from __future__ import annotations

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, GridSampler

from autoenc.settings import TransferSettings
from autoenc.tuning.resilient import ResilientSampler
from autoenc.tuning.sampling import PerTrialSampler, standard_sampler
from autoenc.two_stage.space import grid

__all__ = ["make_pruner", "make_sampler"]


def make_sampler(settings: TransferSettings) -> BaseSampler:
    """Return the sampler of a search; what it proposes follows from the trials before and the seed alone."""

    def sampler_for(seed: int, number: int) -> BaseSampler:
        if settings.sampler == "grid":
            # The order of a grid's points is shuffled by the seed, so that it must be the same throughout.
            return GridSampler(grid(settings), settings.seed)
        if settings.sampler == "resilient":
            return ResilientSampler(seed)
        return standard_sampler(settings.sampler, seed)

    return PerTrialSampler(sampler_for, settings.seed)


def make_pruner(settings: TransferSettings) -> BasePruner:
    """Return the pruner of a search; its steps are folds."""
    if settings.pruner == "median":
        return optuna.pruners.MedianPruner()
    if settings.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(1, settings.n_cv_folds)
    return optuna.pruners.NopPruner()
