"""The interface of engines: a fit goes in, its outcome comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import cos, nan, pi
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.hashed import Hashed
from autoenc.models.grid import Architecture, NetworkShape

__all__ = [
    "ACTIVATIONS",
    "BEFORE",
    "Answer",
    "Engine",
    "Family",
    "Fit",
    "InputNorm",
    "ManyAtOnce",
    "Missing",
    "Outcome",
    "Recipe",
    "Request",
    "Split",
    "Start",
    "State",
    "StopFlag",
    "Stopped",
    "Watch",
    "check_initial",
    "seed_of_fold",
]

_CELLS_AT_ONCE = 2**17  # of columns whose deviations are taken together

State = dict[str, NDArray[np.floating]]
"""Parameters by their state-dict names."""

Watch = Callable[[int, float], None]
"""Takes an epoch, from 0, and the test loss after it."""

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


BEFORE = -2
"""As the epoch whose parameters were kept: those before the first one."""


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
        """Return whether fits were asked to stop."""
        return bool(self.array[0])


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
class Split:
    """Scaled data with the rows to train on and the rows to test on.

    Attributes:
        values: float32 ``[rows, columns]``, C-contiguous, NaN where a cell is missing.
        train, test: int64 ``[n]``, row indices into ``values``.
        original: ``[rows, columns]`` before scaling, where that is needed to judge: where a column is bent,
            or left out of the loss though it varies. None where columns are only moved and stretched.
        undo: Takes scaled values back to the original units; None without ``original``.
        groups: int64 ``[columns]``, for indicators of categories a number that those of one column share, for
            others a negative one; None where there are no indicators.
        is_fold: Whether it is one of several folds, whose deviations are taken over all their rows.
    """

    values: NDArray[np.float32]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    original: NDArray[np.floating] | None = None
    undo: Callable[[NDArray[np.floating]], NDArray[np.float64]] | None = None
    groups: NDArray[np.int64] | None = None
    is_fold: bool = False

    def target(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what reconstructions are judged by, ``[n, columns]``; see ``original``."""
        values = self.values if self.original is None else self.original
        return values[rows].astype(np.float64)

    @cached_property
    def is_left_out(self) -> NDArray[np.bool_]:
        """Columns without a scaled cell in the training rows, ``[columns]``: no network learns them."""
        left_out = np.ones(self.values.shape[1], bool)
        for start in range(0, self.train.size, 4096):
            left_out &= np.isnan(self.values[self.train[start : start + 4096]]).all(axis=0)
        return left_out

    @cached_property
    def deviations(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Means over the training rows, squared deviations from them, and which columns can be judged.

        Returns:
            Each ``[columns]``; the squared deviations are sums over the observed cells of the test rows, of a
            fold those of all its rows in proportion to them. A column can be judged that varies in the
            training rows and deviates in the test rows.
        """
        n_columns = self.values.shape[1]
        mean, total = np.zeros(n_columns), np.zeros(n_columns)
        values = self.values if self.original is None else self.original
        n_at_once = max(1, _CELLS_AT_ONCE // max(1, self.train.size))  # the rows are never copied as a whole
        for start in range(0, n_columns, n_at_once):
            block = slice(start, start + n_at_once)
            sides = (values[rows, block].T for rows in (self.train, self.test))
            train, test = (np.ascontiguousarray(side, np.float64) for side in sides)
            for columns, in_train, in_test in _by_count(train, test):
                varies = in_train.max(axis=1) > in_train.min(axis=1)
                columns, in_train, in_test = columns[varies] + start, in_train[varies], in_test[varies]
                means = in_train.mean(axis=1)
                mean[columns] = means
                total[columns] = np.square(in_test - means[:, None]).sum(axis=1)
                if self.is_fold:
                    n_train, n_test = in_train.shape[1], in_test.shape[1]
                    of_train = np.square(in_train - means[:, None]).sum(axis=1)
                    total[columns] = (total[columns] + of_train) * (n_test / (n_train + n_test))
        return mean, total, total > 0


def _by_count(
    train: NDArray[np.float64], test: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Yield columns with as many observed cells as each other, and these cells of both sides.

    Args:
        train: ``[columns, training rows]``, NaN where a cell is missing.
        test: ``[columns, test rows]``.

    Returns:
        Places of the columns ``[n]``, and the observed cells of each ``[n, cells]``.
    """
    seen_train, seen_test = ~np.isnan(train), ~np.isnan(test)
    counts = np.stack([seen_train.sum(axis=1), seen_test.sum(axis=1)], axis=1)
    for n_train, n_test in np.unique(counts, axis=0).tolist():
        if n_train and n_test:
            columns = np.flatnonzero((counts == (n_train, n_test)).all(axis=1))
            in_train = train[columns][seen_train[columns]].reshape(columns.size, n_train)
            yield columns, in_train, test[columns][seen_test[columns]].reshape(columns.size, n_test)


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


class Engine(Protocol):
    """Turns one fit into an outcome; knows nothing of searching, files or screens.

    Attributes:
        name: By which people ask for it.
        device: Where it trains.
        n_at_once: Fits that it wants in training at once, each asked for by a thread; 0 for one a core.
    """

    name: str
    device: str
    n_at_once: int

    def prepare(self) -> None:
        """Do what takes time once per process, which is no part of a fit's time.

        It may run beside other work, and need not be called: the first fit does.

        Raises:
            MachineError: If the machine cannot; it is no fit's failure.
        """
        ...

    def fit(
        self,
        split: Split,
        fit: Fit,
        stop: StopFlag | None = None,
        *,
        watch: Watch | None = None,
        initial: State | None = None,
    ) -> Outcome:
        """Train ``fit`` on ``split``.

        Args:
            split: The data; not changed.
            fit: What to train.
            stop: Looked at between epochs or more often.
            watch: Called after each epoch; what it raises ends the fit.
            initial: Where a fit with ``warm_start`` begins, every parameter of its network; others begin
                where their seed says, and are given none.

        Returns:
            The outcome; a fit whose losses stop being finite ends there with ``failure`` set.

        Raises:
            Stopped: If ``stop`` was set before the end.
            ValueError: If ``initial`` is missing where it is needed, or given where it is not.
        """
        ...

    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Return what a trained network makes of rows, without dropout.

        Args:
            split: The data.
            fit: The training.
            state: The parameters that it kept.
            rows: Which rows of the data, ``[n]``.

        Returns:
            ``[n, columns]``, scaled.
        """
        ...


class Request(NamedTuple):
    """A fit for an engine that trains many at once; see :meth:`Engine.fit` for what is asked."""

    split: Split
    fit: Fit
    watch: Watch | None = None
    initial: State | None = None


Answer = Callable[[int, Outcome | Exception], object]
"""Takes the index of a request, and its outcome or what ended it."""


class ManyAtOnce(Engine, Protocol):
    """An engine that is faster with many fits at once than with one after the other."""

    def fit_many(self, requests: Sequence[Request], answer: Answer, stop: StopFlag | None = None) -> None:
        """Train fits, none of which has a say in what another comes to.

        Args:
            requests: What to train.
            answer: Called in this thread with the index of a request and its outcome, or with what ended it:
                what its ``watch`` raised, or an error of its own. Each request is answered once, in the order
                in which they end; ``seconds`` is a fit's share of the time that all took.
            stop: Looked at between epochs or more often.

        Raises:
            Stopped: If ``stop`` was set before the end; requests without an answer are given up.
            InputError: If a fit cannot be trained here at all.
            ValueError: If ``initial`` is missing where it is needed, or given where it is not.
        """
        ...


def check_initial(fit: Fit, initial: State | None) -> None:
    """See that a fit was given parameters to begin from exactly if its recipe says so.

    Raises:
        ValueError: If that is not so; the outcome would then not be what the fit's recipe says.
    """
    if fit.recipe.warm_start and initial is None:
        raise ValueError("initial must be given where the recipe says warm_start, got None")
    if initial is not None and not fit.recipe.warm_start:
        raise ValueError("initial must be None where the recipe does not say warm_start, got parameters")
