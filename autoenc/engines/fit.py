"""Fits, one training each, and their outcomes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.hashed import Hashed
from autoenc.engines.recipe import Recipe
from autoenc.models.grid import Architecture, NetworkShape

__all__ = ["BEFORE", "Fit", "Outcome", "State", "seed_of_fold"]

State = dict[str, NDArray[np.floating]]
"""Parameters by their state-dict names."""

BEFORE = -2
"""As the epoch whose parameters were kept: those before the first one."""


def seed_of_fold(seed: int, place: int) -> int:
    """Return a fold's own seed, by its place among the folds, from 0."""
    return (seed + place) % 2**32


@dataclass(frozen=True)
class Fit(Hashed):
    """One training: an architecture with a recipe, on one fold with one seed.

    Attributes:
        architecture: Hidden widths of the encoder.
        latent_dim: Size of the latent space.
        recipe: How it is trained.
        seed: Of initial weights, batch order and dropout.
        fold: Which rows train and which test; ``holdout`` for all training rows and the test rows.
    """

    architecture: Architecture
    latent_dim: int
    recipe: Recipe
    seed: int = 42
    fold: str = "holdout"

    __hash__ = Hashed.__hash__

    def network(self, input_dim: int) -> NetworkShape:
        """Return the network that this fit trains on a table of ``input_dim`` columns."""
        recipe = self.recipe
        variational, linear_path = recipe.family == "vae", recipe.start == "pca"
        return NetworkShape(
            input_dim, self.architecture, self.latent_dim, recipe.norm, variational, linear_path,
            recipe.input_norm, recipe.missing == "mask",
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """Equal for equal fits: 16 hexadecimal digits."""
        known = [
            self.architecture,
            self.latent_dim,
            sorted(self.recipe.as_dict().items()),
            self.seed,
            self.fold,
        ]
        return hashlib.sha256(repr(known).encode()).hexdigest()[:16]

    @property
    def parent(self) -> Fit:
        """The cold fit of the stack without its last hidden layer, from which a warm start begins.

        Raises:
            ValueError: If the stack has a single hidden layer and extends none.
        """
        if len(self.architecture) < 2:
            raise ValueError(
                f"architecture must have two hidden layers to extend another, got {self.architecture}"
            )
        cold = replace(self.recipe, warm_start=False)
        return replace(self, architecture=self.architecture[:-1], recipe=cold)


@dataclass(frozen=True)
class Outcome:
    """The result of a fit.

    Attributes:
        train_losses: Per epoch, over all training rows, as they were met in training (with dropout,
            each batch before its own update).
        test_losses: Per epoch, over all test rows, by the model as it stood after the epoch.
        final_train_loss: Over all training rows at once, by the kept parameters as ``test_losses`` is.
        seconds: Wall time of the fit.
        state: The parameters that were kept.
        kept_epoch: Index of the epoch whose parameters were kept; ``BEFORE`` for those of the start.
        failure: Why the fit failed; None where it did not.
        start_loss: Test loss before the first step, of a fit that begins from PCA.
        explained: Explained variance of the test rows by the kept parameters, the mean over columns; see
            :mod:`autoenc.engines.explained`. None where it is not known, or no column can be judged.
    """

    train_losses: list[float]
    test_losses: list[float]
    final_train_loss: float
    seconds: float
    state: State
    kept_epoch: int = -1
    failure: str | None = None
    start_loss: float | None = None
    explained: float | None = None

    @property
    def final_test_loss(self) -> float:
        """Test loss of the parameters that were kept; NaN where there was no epoch."""
        if self.kept_epoch == BEFORE and self.start_loss is not None:
            return self.start_loss
        return self.test_losses[self.kept_epoch] if self.test_losses else nan

    @property
    def n_kept_epochs(self) -> int:
        """Epochs of training behind the parameters that were kept."""
        return 0 if self.kept_epoch == BEFORE else range(len(self.test_losses))[self.kept_epoch] + 1

    @property
    def best_test_loss(self) -> float:
        """Lowest test loss of any epoch; NaN where there was none."""
        return min(self.test_losses, default=nan)
