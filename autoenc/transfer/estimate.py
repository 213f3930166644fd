"""How long a trial will take, from a short calibration on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from autoenc.engines import Engine, Recipe
from autoenc.search.estimate import estimate_seconds
from autoenc.settings import TransferSettings
from autoenc.transfer.data import TransferData
from autoenc.transfer.folds import Fold
from autoenc.transfer.space import Configuration
from autoenc.transfer.stages import Stages

__all__ = ["estimate_trial_s"]

_EPOCHS = 2  # of stage 2, enough to time one


def estimate_trial_s(
    stages: Stages, data: TransferData, folds: Sequence[Fold], settings: TransferSettings, engine: Engine
) -> float:
    """Seconds of a trial, the mean over the sizes of the space."""
    recipe = Recipe(epochs=settings.epochs, batch_size=settings.batch_size)
    sizes = [
        Configuration(latent_dim, tuple(map(int, stack.split("-"))), recipe, 0.1)
        for latent_dim in settings.latent_dim_options
        for stack in settings.hidden_dims_options
    ]
    fold = folds[0]
    fits = [size.fit(settings.seed, fold.pretraining) for size in sizes]
    stage1_s = estimate_seconds(fits, lambda name: stages.split(fold), engine, 1) / len(fits)
    n_pretrainings = len({each.pretraining for each in folds})
    middle = sizes[len(sizes) // 2]
    brief = Stages(data, settings.model_copy(update={"stage2_epochs": _EPOCHS}), engine)
    pretrained = brief.pretrain(fold, replace(middle, recipe=replace(recipe, stop_after=1)))
    brief.fit(fold, middle, pretrained)  # the first time, torch loads what it needs
    started = time.perf_counter()
    brief.fit(fold, middle, pretrained)
    stage2_s = (time.perf_counter() - started) / _EPOCHS * settings.stage2_epochs
    return n_pretrainings * stage1_s + len(folds) * stage2_s
