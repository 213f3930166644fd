"""Recipes: everything besides architecture, data and seed that fixes a training."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import cos, pi
from typing import Any, Literal

from autoenc.engines.hashed import Hashed

__all__ = [
    "ACTIVATIONS", "Activation", "Family", "InputNorm", "LossKind", "Missing", "Norm", "OwnScaling", "Recipe",
    "ScalingKind", "Start",
]  # fmt: skip

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]
Norm = Literal["layer", "none"]
InputNorm = Literal["same", "layer", "none"]
LossKind = Literal["sparse", "mse"]
ScalingKind = Literal[
    "maxabs", "none", "minmax", "standard", "floored", "robust", "log1p", "quantile", "auto"
]
OwnScaling = Literal[
    "", "maxabs", "none", "minmax", "standard", "floored", "robust", "log1p", "quantile", "auto"
]
Family = Literal["ae", "dae", "vae"]
Start = Literal["random", "pca"]
Missing = Literal["zero", "mask"]
ACTIVATIONS: tuple[Activation, ...] = ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh")


@dataclass(frozen=True)
class Recipe(Hashed):
    """Everything besides architecture, data and seed that fixes a training.

    Attributes:
        epochs: Passes over the training rows.
        batch_size: Rows of a step; the last short batch of an epoch is kept.
        initial_lr: Learning rate of the first epoch.
        eta_min: Where cosine annealing would arrive after the last epoch.
        weight_decay: Decoupled weight decay of AdamW.
        dropout: Probability that a hidden unit is dropped, in [0, 1).
        activation: Activation of the hidden layers.
        norm: ``layer`` or ``none``, of the hidden layers.
        nonzero_weight: Loss weight of the observed non-zero cells.
        all_weight: Loss weight of all observed cells.
        patience: Stop after this many epochs without a lower test loss, and keep the parameters of the
            best epoch; 0 trains to the end and keeps the last.
        min_epochs: Early stopping never stops before this epoch.
        stop_after: Stop after this many epochs of the schedule; 0 for all of them.
        family: ``ae``; ``dae``, which learns from cells that are partly hidden from it (Vincent et al., ICML
            2008); or ``vae``, variational (Kingma and Welling, ICLR 2014).
        corruption: Probability that a cell is hidden from a ``dae`` in training.
        kl_weight: Weight of a ``vae``'s KL divergence, the sum over latent units, mean over a batch's rows.
        kl_warmup: Epochs over which that weight rises to its full height.
        start: ``random``, or ``pca``: from the PCA of the training rows, by linear maps beside encoder and
            decoder; see :mod:`autoenc.engines.pca_start`.
        input_norm: ``layer`` or ``none``, of the input; ``same`` is what ``norm`` says.
        missing: How a missing cell enters the network: ``zero``, as 0, or ``mask``, as 0 beside an indicator
            that it is missing, a further input of the first layer.
        scaling: How columns are scaled; empty for the scaling that all fits of a search share.
        calibration_folds: Folds of the training rows that say how far each column's reconstructions are drawn
            back to its mean; 0 leaves them as they are. See :mod:`autoenc.engines.calibration`.
        warm_start: Begin from the trained stack without the last hidden layer instead of from weights of
            its own; see :mod:`autoenc.engines.warm`.
    """

    epochs: int = 20
    batch_size: int = 32
    initial_lr: float = 1e-3
    eta_min: float = 1e-6
    weight_decay: float = 1e-4
    dropout: float = 0.1
    activation: Activation = "relu"
    norm: Norm = "layer"
    nonzero_weight: float = 0.7
    all_weight: float = 0.3
    patience: int = 0
    min_epochs: int = 16
    stop_after: int = 0
    family: Family = "ae"
    corruption: float = 0.0
    kl_weight: float = 0.0
    kl_warmup: int = 10
    warm_start: bool = False
    start: Start = "random"
    input_norm: InputNorm = "same"
    scaling: OwnScaling = ""
    calibration_folds: int = 0
    missing: Missing = "zero"

    __hash__ = Hashed.__hash__

    @property
    def loss(self) -> LossKind:
        """The loss by its name: ``mse`` is the mean over all observed cells alone, times a weight."""
        return "sparse" if self.nonzero_weight else "mse"

    @property
    def is_pca(self) -> bool:
        """Whether it trains nothing: a start from PCA that no step changes."""
        return self.start == "pca" and self.initial_lr == self.eta_min == 0

    @property
    def last_epoch(self) -> int:
        """Epochs that are trained at most."""
        return min(self.stop_after or self.epochs, self.epochs)

    def stopped_after(self, n_epochs: int) -> Recipe:
        """Return the same schedule cut after so many epochs whatever the test loss; 0 keeps the start."""
        if n_epochs == 0:
            return replace(self, patience=0, stop_after=1, initial_lr=0.0, eta_min=0.0)
        return replace(self, patience=0, stop_after=n_epochs)

    def as_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, as plain values.

        What does not is left out, so that a new option changes no identity of what was trained before it;
        the defaults themselves are therefore part of the record's format.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(Recipe, name)}

    @cached_property
    def as_text(self) -> str:
        """What :meth:`as_dict` returns as JSON: identities depend on every character."""
        return json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of ``epoch`` (from 0): cosine annealing with T_max = epochs."""
        return self.eta_min + (self.initial_lr - self.eta_min) * (1 + cos(pi * epoch / self.epochs)) / 2

    def kl_weight_in(self, epoch: int) -> float:
        """Return the weight of the KL divergence in ``epoch`` (from 0), which rises linearly."""
        return self.kl_weight * min(1.0, (epoch + 1) / max(self.kl_warmup, 1))
