"""Meaning of a trial's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from autoenc.engines import Fit, Recipe
from autoenc.models.grid import Architecture
from autoenc.settings import TransferSettings
from autoenc.two_stage.thawed import HeadRecipe

__all__ = ["TwoStageConfiguration", "configuration", "suggest"]


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


def suggest(trial: optuna.Trial, settings: TransferSettings) -> TwoStageConfiguration:
    """Take a trial's parameters, sampling those that it does not have yet."""
    trial.suggest_categorical("latent_dim", settings.latent_dim_options)
    trial.suggest_categorical("hidden_dims", settings.hidden_dims_options)
    trial.suggest_categorical("family", settings.family_options)
    trial.suggest_categorical("activation", settings.activation_options)
    trial.suggest_categorical("norm", settings.norm_options)
    trial.suggest_float("dropout", *settings.dropout_range)
    trial.suggest_float("learning_rate", *settings.learning_rate_range, log=True)
    trial.suggest_float("weight_decay", *settings.weight_decay_range, log=True)
    trial.suggest_float("head_dropout", *settings.head_dropout_range)
    trial.suggest_float("head_learning_rate", *settings.head_learning_rate_range, log=True)
    trial.suggest_float("head_weight_decay", *settings.head_weight_decay_range, log=True)
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
