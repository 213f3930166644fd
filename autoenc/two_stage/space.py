"""Meaning of a trial's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from autoenc.engines import Fit, Recipe
from autoenc.models.grid import Architecture
from autoenc.settings import TransferSettings
from autoenc.tuning.space import check_points, grid_values, n_points, take
from autoenc.two_stage.thawed import HeadRecipe

__all__ = ["TwoStageConfiguration", "configuration", "distributions", "grid", "suggest"]


@dataclass(frozen=True)
class TwoStageConfiguration:
    """An autoencoder with its recipe, and that of the heads."""

    latent_dim: int
    hidden_dims: Architecture
    recipe: Recipe
    heads: HeadRecipe

    def fit(self, seed: int, pretraining: str) -> Fit:
        """Return the training of stage 1."""
        return Fit(self.hidden_dims, self.latent_dim, self.recipe, seed, pretraining)


def distributions(settings: TransferSettings) -> dict[str, BaseDistribution]:
    """Return every parameter of a trial, by name, in the order in which they are drawn."""
    return {
        "latent_dim": CategoricalDistribution(settings.latent_dim_options),
        "hidden_dims": CategoricalDistribution(settings.hidden_dims_options),
        "family": CategoricalDistribution(settings.family_options),
        "activation": CategoricalDistribution(settings.activation_options),
        "norm": CategoricalDistribution(settings.norm_options),
        "dropout": FloatDistribution(*settings.dropout_range),
        "learning_rate": FloatDistribution(*settings.learning_rate_range, log=True),
        "weight_decay": FloatDistribution(*settings.weight_decay_range, log=True),
        "head_dropout": FloatDistribution(*settings.head_dropout_range),
        "head_learning_rate": FloatDistribution(*settings.head_learning_rate_range, log=True),
        "head_weight_decay": FloatDistribution(*settings.head_weight_decay_range, log=True),
    }


def grid(settings: TransferSettings) -> dict[str, list[Any]]:
    """Return values of each parameter for a grid: all choices, and three values of each range.

    Raises:
        InputError: If that makes too many points.
    """
    values = {name: grid_values(distribution) for name, distribution in distributions(settings).items()}
    check_points(n_points(values), "give fewer choices, or one value of some ranges")
    return values


def suggest(trial: optuna.Trial, settings: TransferSettings) -> TwoStageConfiguration:
    """Take a trial's parameters, sampling those that it does not have yet."""
    for name, distribution in distributions(settings).items():
        take(trial, name, distribution)
    return configuration(trial.params, settings)


def configuration(params: Mapping[str, Any], settings: TransferSettings) -> TwoStageConfiguration:
    """Return the configuration that a trial's parameters stand for."""
    recipe = Recipe(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        initial_lr=params["learning_rate"],
        # Below the usual end of the schedule a learning rate would rise.
        eta_min=min(Recipe.eta_min, params["learning_rate"]),
        weight_decay=params["weight_decay"],
        dropout=params["dropout"],
        activation=params["activation"],
        norm=params["norm"],
        **settings.of_family(params["family"]),
    )
    heads = HeadRecipe(params["head_dropout"], params["head_learning_rate"], params["head_weight_decay"])
    stack = tuple(int(width) for width in params["hidden_dims"].split("-"))
    return TwoStageConfiguration(params["latent_dim"], stack, recipe, heads)
