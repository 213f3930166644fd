"""What every engine takes and gives: a fit goes in, its outcome comes out."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, nan, pi
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from autoenc.grid import Architecture, NetworkShape

__all__ = ["ACTIVATIONS", "Engine", "Fit", "Outcome", "Recipe", "Split", "State", "StopFlag", "Stopped"]

State = dict[str, NDArray[np.floating]]
"""Parameters by their state-dict names."""

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]
ACTIVATIONS: tuple[Activation, ...] = ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh")


class Stopped(Exception):  # noqa: N818  (no error: it was asked for)
    """Raised out of a fit that was asked to stop before its last epoch."""


class StopFlag:
    """Asks fits to stop; compiled code can look at it between batches.

    Attributes:
        array: uint8 ``[1]``, not 0 once it is set.
    """

    def __init__(self) -> None:
        self.array = np.zeros(1, np.uint8)

    def set(self) -> None:
        """Ask every fit that was given this flag to stop, for good."""
        self.array[0] = 1

    def is_set(self) -> bool:
        """Whether fits were asked to stop."""
        return bool(self.array[0])


@dataclass(frozen=True)
class Recipe:
    """Everything besides architecture, data and seed that fixes a training.

    Attributes:
        epochs: Passes over the training rows.
        batch_size: Rows of a step; the last short batch of an epoch is kept.
        initial_lr: Learning rate of the first epoch.
        eta_min: Where cosine annealing would arrive after the last epoch.
        weight_decay: Decoupled weight decay of AdamW.
        dropout: Probability that a hidden unit is dropped, in [0, 1).
        activation: Activation of the hidden layers.
        norm: ``layer`` or ``none``.
        nonzero_weight: Loss weight of the observed non-zero cells.
        all_weight: Loss weight of all observed cells.
    """

    epochs: int = 20
    batch_size: int = 32
    initial_lr: float = 1e-3
    eta_min: float = 1e-6
    weight_decay: float = 1e-4
    dropout: float = 0.1
    activation: Activation = "relu"
    norm: Literal["layer", "none"] = "layer"
    nonzero_weight: float = 0.7
    all_weight: float = 0.3

    def learning_rate(self, epoch: int) -> float:
        """Learning rate of ``epoch`` (from 0): cosine annealing with T_max = epochs."""
        return self.eta_min + (self.initial_lr - self.eta_min) * (1 + cos(pi * epoch / self.epochs)) / 2


@dataclass(frozen=True)
class Fit:
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

    def network(self, input_dim: int) -> NetworkShape:
        """The network that this fit trains on a table of ``input_dim`` columns."""
        return NetworkShape(input_dim, self.architecture, self.latent_dim, self.recipe.norm)


@dataclass(frozen=True)
class Split:
    """Scaled data with the rows to train on and the rows to test on.

    Shape:
        values: float32 ``[rows, columns]``, C-contiguous, NaN where a cell is missing.
        train, test: int64 ``[n]``, row indices into ``values``.
    """

    values: NDArray[np.float32]
    train: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What a fit came to.

    Attributes:
        train_losses: Per epoch, over all training rows, as they were met in training (with dropout,
            each batch before its own update).
        test_losses: Per epoch, over all test rows, by the model as it stood after the epoch.
        final_train_loss: Over all training rows at once, by the final model as ``test_losses`` is.
        seconds: Wall time of the fit.
        state: The final parameters.
        failure: Why the fit failed; None where it did not.
    """

    train_losses: list[float]
    test_losses: list[float]
    final_train_loss: float
    seconds: float
    state: State
    failure: str | None = None

    @property
    def final_test_loss(self) -> float:
        """Test loss after the last epoch; NaN where there was none."""
        return self.test_losses[-1] if self.test_losses else nan

    @property
    def best_test_loss(self) -> float:
        """Lowest test loss of any epoch; NaN where there was none."""
        return min(self.test_losses, default=nan)


class Engine(Protocol):
    """Turns one fit into an outcome; knows nothing of searching, files or screens."""

    name: str

    def prepare(self) -> None:
        """Do what takes time once per process; may run beside other work, and need not be called."""
        ...

    def fit(self, split: Split, fit: Fit, stop: StopFlag | None = None) -> Outcome:
        """Train ``fit`` on ``split``.

        Args:
            split: The data; not changed.
            fit: What to train.
            stop: Looked at between epochs or more often.

        Returns:
            The outcome; a fit whose losses stop being finite ends there with ``failure`` set.

        Raises:
            Stopped: If ``stop`` was set before the end.
        """
        ...
