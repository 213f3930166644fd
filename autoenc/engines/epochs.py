"""The epochs of a fit, which every engine goes through alike: losses, early stopping, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import NamedTuple

from autoenc.engines.contract import StopFlag, Stopped, Watch
from autoenc.engines.fit import BEFORE, Outcome, State
from autoenc.engines.recipe import Recipe

__all__ = ["Course", "Epochs", "outcome_of", "run_epochs"]


class Epochs(NamedTuple):
    """The result of a fit's epochs; see :class:`~autoenc.engines.fit.Outcome`."""

    train_losses: list[float]
    test_losses: list[float]
    kept_epoch: int
    failure: str | None
    start_loss: float | None


def run_epochs(
    recipe: Recipe,
    train: Callable[[int], float],
    test: Callable[[], float],
    keep: Callable[[], object],
    stop: StopFlag,
    watch: Watch | None,
) -> Epochs:
    """Train epoch by epoch, as a recipe says.

    Args:
        recipe: How long and how patiently.
        train: Trains an epoch, from 0; returns the training loss as it was met.
        test: The test loss of the parameters as they stand.
        keep: Puts the parameters aside as they stand; called only where the recipe has patience.
        stop: Looked at after each epoch.
        watch: Called after each epoch; what it raises ends the fit.

    Raises:
        Stopped: If ``stop`` was set before the end.
    """
    course = Course(recipe, test() if recipe.start == "pca" else None)
    if recipe.patience:
        keep()
    while not course.is_over:
        epoch = course.n_epochs
        train_loss, test_loss = train(epoch), test()
        if stop.is_set():  # compiled code then broke off between two batches
            raise Stopped
        if course.take(train_loss, test_loss):
            keep()
        if watch is not None and course.failure is None:
            watch(epoch, test_loss)
    return course.epochs


def outcome_of(
    epochs: Epochs, final_train_loss: float, seconds: float, state: State, explained: float | None
) -> Outcome:
    """Return the outcome of a fit with these epochs, whose kept parameters are ``state``."""
    return Outcome(
        epochs.train_losses, epochs.test_losses, final_train_loss, seconds, state, epochs.kept_epoch,
        epochs.failure, epochs.start_loss, None if epochs.failure else explained,
    )  # fmt: skip


class Course:
    """The epochs of one fit so far: its losses, and when it ends.

    Args:
        recipe: How long and how patiently it trains.
        start_loss: Test loss before the first epoch, of a fit that begins from PCA.

    Attributes:
        failure: Why the fit failed; None while it has not.
    """

    def __init__(self, recipe: Recipe, start_loss: float | None = None) -> None:
        self.failure: str | None = None
        self._recipe, self._start_loss = recipe, start_loss
        self._train_losses: list[float] = []
        self._test_losses: list[float] = []
        self._stopping = _EarlyStopping(recipe, start_loss if recipe.patience else None)

    @property
    def n_epochs(self) -> int:
        """Epochs that are behind it."""
        return len(self._test_losses)

    def take(self, train_loss: float, test_loss: float) -> bool:
        """Take the losses of the next epoch; whether to put the parameters aside as they stand."""
        self._train_losses.append(train_loss)
        self._test_losses.append(test_loss)
        if not (isfinite(train_loss) and isfinite(test_loss)):
            self.failure = f"the loss stopped being finite in epoch {self.n_epochs}"
            return False
        return self._stopping.is_best(self.n_epochs - 1, test_loss) and self._recipe.patience > 0

    @property
    def is_over(self) -> bool:
        """Whether no epoch follows."""
        last = self.n_epochs - 1
        ended = self.failure is not None or self.n_epochs >= self._recipe.last_epoch
        return ended or (last >= 0 and self._stopping.is_over(last))

    @property
    def epochs(self) -> Epochs:
        """What they came to."""
        return Epochs(
            self._train_losses, self._test_losses, self._stopping.best_epoch, self.failure, self._start_loss
        )


class _EarlyStopping:
    """Watches the test losses of one fit.

    Args:
        recipe: Says how patient to be; with patience 0 the last epoch is always the best.
        start_loss: Test loss before the first epoch, where the start may be kept too.

    Attributes:
        best_epoch: The epoch whose parameters are to be kept; ``BEFORE`` for those of the start.
    """

    def __init__(self, recipe: Recipe, start_loss: float | None = None) -> None:
        self._recipe = recipe
        self._best_loss = inf if start_loss is None else start_loss
        self.best_epoch = -1 if start_loss is None else BEFORE

    def is_best(self, epoch: int, test_loss: float) -> bool:
        """Take the loss after ``epoch``; whether its parameters are the ones to keep so far."""
        better = test_loss < self._best_loss or self._recipe.patience == 0
        if better:
            self._best_loss, self.best_epoch = test_loss, epoch
        return better

    def is_over(self, epoch: int) -> bool:
        """Return whether training stops after ``epoch``."""
        patience = self._recipe.patience
        waited = epoch - max(self.best_epoch, -1)
        return patience > 0 and waited >= patience and epoch + 1 >= self._recipe.min_epochs
