"""Options of the recipe of an exhaustive search: how every stack is trained; lists multiply the grid."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Literal

from pydantic import FiniteFloat, model_validator

from autoenc.engines import Recipe
from autoenc.settings.base import (
    Activations,
    Counts,
    Dropouts,
    InputNorms,
    Losses,
    Missings,
    Norms,
    Rates,
    Scalings,
    Settings,
    Starts,
    WeightDecays,
)
from autoenc.settings.options import again, option
from autoenc.settings.training import ScaledSettings

__all__ = ["PRESETS", "RecipeSettings"]

PRESETS: dict[str, dict[str, Any]] = {
    "classic": {},
    "plain": {
        "scaling": ("standard",), "norm": ("none",), "dropout": (0.0,), "loss": ("mse",), "epochs": (100,),
        "initial_lr": (3e-3,), "batch_size": (32,), "patience": 20,
    },
}  # fmt: skip
"""Recipes by name: the options that differ from the defaults."""

LISTS = (
    "scaling", "loss", "start", "epochs", "initial_lr", "batch_size", "activation", "input_norm", "dropout",
    "norm", "weight_decay", "missing",
)  # fmt: skip
"""Options that multiply the grid, the slowest first."""


class RecipeSettings(Settings):
    """Options of the recipe of an exhaustive search."""

    recipe: Literal["classic", "plain"] = option(
        "classic",
        role="training",
        description="defaults of the options of training: classic are those shown; plain standardizes and "
        "leaves out norms, dropout and the weight on non-zero cells; options that are given override it",
    )
    epochs: Counts = option(
        (20,),
        role="training",
        description='passes over the training rows; several, "20,100", multiply the grid',
    )
    batch_size: Counts = option(
        (32,), role="training", description="rows of a training step; several multiply the grid"
    )
    initial_lr: Rates = option(
        (1e-3,),
        role="training",
        description="learning rate of the first epoch; several multiply the grid",
    )
    patience: int = option(
        0,
        role="training",
        ge=0,
        description="stop a fit after so many epochs without a lower test loss and keep its best; 0: never",
    )
    weight_decay: WeightDecays = option(
        (1e-4,),
        role="training",
        description='weight decay of AdamW; several, e.g. "0,1e-4", multiply the grid',
    )
    dropout: Dropouts = option(
        (0.1,),
        role="training",
        description='probability that a hidden unit is dropped; several, e.g. "0,0.1,0.2", multiply the grid',
    )
    activation: Activations = option(
        ("relu",), role="training", description="activation of the hidden layers; several multiply the grid"
    )
    norm: Norms = option(
        ("layer",),
        role="training",
        description='normalization of the layers, layer or none; "layer,none" multiplies the grid',
    )
    input_norm: InputNorms = option(
        ("same",),
        role="training",
        description="normalization of each row before the first layer: layer, none, or same as --norm; "
        "several multiply the grid",
    )
    start: Starts = option(
        ("random",),
        role="training",
        description="where a fit begins: random weights, or pca, the PCA of the training rows by linear maps "
        'beside encoder and decoder; "random,pca" multiplies the grid',
    )
    missing: Missings = option(
        ("zero",),
        role="training",
        description="how missing cells enter a network: zero, as 0, or mask, as 0 with a further input for "
        'each column that says so; "zero,mask" multiplies the grid',
    )
    loss: Losses = option(
        ("sparse",),
        role="training",
        description="what is minimized: sparse weighs the cells that are not zero, mse is the mean squared "
        "error of all observed cells; with both, trials are compared by explained variance",
    )
    nonzero_weight: FiniteFloat = option(
        0.7, role="training", gt=0, description="of the sparse loss: weight of the cells that are not zero"
    )
    all_weight: FiniteFloat = option(
        0.3, role="training", ge=0, description="of the sparse loss: weight of all observed cells"
    )
    scaling: Scalings = again(
        ScaledSettings,
        "scaling",
        ("maxabs",),
        description="scaling of the columns, fitted on the training rows; maxabs keeps zeros; floored "
        "standardizes, with no scale below a tenth of a column's range; log1p and "
        "quantile bend long tails, auto does where a column has one; with several, trials are compared "
        "by explained variance",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, given: Any) -> Any:
        """Return the options of the recipe that is named, below those that are given."""
        if not isinstance(given, Mapping):
            return given
        return {**PRESETS.get(str(given.get("recipe", "classic")), {}), **given}

    @property
    def scaling_kind(self) -> str:
        """The scaling of all trials, for the identity of the search; ``recipe`` where each has its own."""
        return self.scaling[0] if len(self.scaling) == 1 else "recipe"

    @property
    def measure(self) -> Literal["loss", "explained"]:
        """What trials are compared by: the loss, or explained variance where losses mean different things."""
        return "explained" if len(self.scaling) > 1 or len(self.loss) > 1 else "loss"

    @property
    def varied(self) -> dict[str, tuple[Any, ...]]:
        """Options of the recipe that were given several values."""
        lists = {name: getattr(self, name) for name in LISTS}
        return {name: values for name, values in lists.items() if len(values) > 1}

    def recipes(self) -> list[Recipe]:
        """Return how stacks are trained: one recipe, or the product of options given as lists.

        All of them begin cold; a warm start is a fit's own.
        """
        fixed = {
            name: getattr(self, name)
            for name in Recipe.__dataclass_fields__
            if name in type(self).model_fields and name not in (*LISTS, "warm_start")
        }
        return [
            self._recipe(fixed, dict(zip(LISTS, values, strict=True)))
            for values in product(*(getattr(self, name) for name in LISTS))
        ]

    def _recipe(self, fixed: dict[str, Any], own: dict[str, Any]) -> Recipe:
        loss, scaling = own.pop("loss"), own.pop("scaling")
        weights = {"nonzero_weight": 0.0, "all_weight": 1.0} if loss == "mse" else {}
        shared = len(self.scaling) == 1
        return Recipe(**{**fixed, **own, **weights}, scaling="" if shared else scaling)
