"""Training of one stack on rows of an array, by the engines of the library."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.data.division import divide_holdout, scaled_split
from autoenc.data.table import Scaling, ScalingKind, Table
from autoenc.engines import Engine, Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.fitted.autoencoder import FittedAutoencoder, fitted_model
from autoenc.models.grid import Architecture
from autoenc.settings.base import available_cores

__all__ = ["Trained", "train", "usable_cores"]


class Trained(NamedTuple):
    """A model, and what its training came to.

    Attributes:
        model: The model.
        outcome: Its losses, an epoch each.
        rows: Rows that were learned from.
    """

    model: FittedAutoencoder
    outcome: Outcome
    rows: NDArray[np.int64]


def train(
    table: Table,
    scaling_kind: ScalingKind,
    architecture: Architecture,
    latent_dim: int,
    recipe: Recipe,
    seed: int,
    engine: Engine,
) -> Trained:
    """Train one stack: on all rows, or with patience on four fifths, where the others say when to stop.

    Args:
        table: Rows to learn from.
        scaling_kind: How columns are scaled.
        architecture: Hidden widths.
        latent_dim: Size of the latent space.
        recipe: How it is trained.
        seed: Of the training, and of the division of the rows.
        engine: What trains.

    Raises:
        InputError: If there are too few rows, they are too large, or the training fails.
    """
    rows = np.arange(len(table.values))
    learned, judging = rows, rows
    if recipe.patience:
        try:
            learned, judging = divide_holdout(rows, seed)
        except ValueError as error:
            raise InputError(f"patience: needs rows that judge: {error}") from None
    scaling = Scaling.fit(scaling_kind, table.values, learned)
    scaled = scaling.apply(table.values)
    _refuse_beyond(scaling, table, scaled)
    fit = Fit(architecture, latent_dim, recipe, seed)
    outcome = engine.fit(scaled_split(table.values, scaling, scaled, learned, judging), fit)
    if outcome.failure:
        raise InputError(f"the training failed: {outcome.failure}; a lower initial_lr may help")
    info = {"seed": seed, "n_train": learned.size, **table.model_info()}
    if recipe.patience:
        info["final_test_loss"] = outcome.final_test_loss
    return Trained(fitted_model(outcome.state, recipe, table.columns, scaling, info), outcome, learned)


def usable_cores() -> int:
    """Return how many cores a training may use: those of the process, or fewer where it is told so.

    Who starts several processes, as joblib does, says by ``OMP_NUM_THREADS`` how many threads are each one's.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(available_cores(), int(told)) if told.isdecimal() and int(told) else available_cores()


def _refuse_beyond(scaling: Scaling, table: Table, scaled: NDArray[np.float32]) -> None:
    """See that scaled cells are in the range of single precision."""
    beyond = np.argwhere(np.isinf(scaled))
    if beyond.size:
        row, j = (int(place) for place in beyond[0])
        raise InputError(
            f"row {row + 1}, column {table.columns[j]!r}: {table.values[row, j]:g} is infinite in single "
            f"precision after scaling {scaling.kind!r}"
        )
