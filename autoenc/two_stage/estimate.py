"""Estimate of the time of a trial, from a short calibration on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle, product
from math import ceil

from autoenc.engines import Engine, Recipe
from autoenc.searching.estimate import estimate_seconds
from autoenc.settings import TransferSettings
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.folds import Fold
from autoenc.two_stage.space import TwoStageConfiguration
from autoenc.two_stage.stages import Stages
from autoenc.two_stage.thawed import HeadRecipe

__all__ = ["estimate_trial_s", "sizes_of"]

_EPOCHS = 2  # of stage 2, enough to time one


def estimate_trial_s(
    stages: Stages,
    data: TransferData,
    folds: Sequence[Fold],
    settings: TransferSettings,
    engine: Engine,
    n_threads: int,
) -> float:
    """Return seconds of a trial whose folds are fitted ``n_threads`` at once.

    The mean over the sizes of the space; kinds of networks take turns over them.
    """
    sizes = sizes_of(settings)
    fold = folds[0]
    fits = [size.fit(settings.seed, fold.pretraining) for size in sizes]
    together_s = estimate_seconds(fits, lambda name: stages.split(fold), engine, n_threads)
    stage1_s = together_s * n_threads / len(fits)
    n_pretrainings = len({one.pretraining for one in folds})
    middle = sizes[len(sizes) // 2]
    brief = Stages(data, settings.model_copy(update={"stage2_epochs": _EPOCHS}), engine)
    pretrained = brief.pretrain(fold, replace(middle, recipe=replace(middle.recipe, stop_after=1)))
    brief.fit(fold, middle, pretrained)  # the first time, torch loads what it needs
    with ThreadPoolExecutor(n_threads) as pool:
        started = time.perf_counter()
        list(pool.map(lambda _: brief.fit(fold, middle, pretrained), range(n_threads)))
    stage2_s = (time.perf_counter() - started) / _EPOCHS * settings.stage2_epochs
    n_fits = [ceil(n * settings.seeds / n_threads) for n in (n_pretrainings, len(folds))]
    return n_fits[0] * stage1_s + n_fits[1] * stage2_s


def sizes_of(settings: TransferSettings) -> list[TwoStageConfiguration]:
    """Return a configuration of each size of the space; kinds of networks take turns over them."""
    sizes = product(settings.latent_dim_options, settings.hidden_dims_options)
    return [
        TwoStageConfiguration(
            latent_dim, tuple(map(int, stack.split("-"))), recipe, HeadRecipe(0.1, 1e-3, 0.0)
        )
        for (latent_dim, stack), recipe in zip(sizes, cycle(_recipes(settings)), strict=False)
    ]


def _recipes(settings: TransferSettings) -> list[Recipe]:
    """Return a recipe of each kind of network: their operations differ, and so does their time."""
    return [
        Recipe(
            epochs=settings.epochs, batch_size=settings.batch_size, activation=activation, norm=norm,
            **settings.of_family(family),
        )
        for family, activation, norm in product(
            settings.family_options, settings.activation_options, settings.norm_options
        )
    ]  # fmt: skip
