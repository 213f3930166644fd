"""How long fits take, as those before them say."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from autoenc.engines import Fit, Outcome
from autoenc.searching.fits import FitWork

__all__ = ["Pace"]


class Pace:
    """Predicts how long fits take.

    Fits that have cores of their own take as long for their work as the last one. Those in training together
    take as long for their work as the last ones that were, but no less than their steps one after the other:
    which of them can be computed at once is not known beforehand, and a step of small networks takes as long
    for one of them as for many.

    Args:
        work: Of a fit.
        shares: Whether fits in training share the time; see
            :class:`~autoenc.engines.contract.ManyAtOnce`.
    """

    def __init__(self, work: FitWork, shares: bool = False) -> None:
        self._work, self.shares = work, shares
        self._per_work = self._per_step = 0.0
        self._seconds = self._worked = self._stepped = (
            0.0  # of those in training together, as far as they ended
        )
        self._parts_of_epochs = list[float]()  # how much of its epochs each fit with early stopping took

    @property
    def is_known(self) -> bool:
        """Whether a fit has shown it."""
        return self._per_work > 0

    def seconds(self, fits: Iterable[Fit]) -> float:
        """Return how long fits take together, with all their epochs; 0 while nothing is known."""
        fits = list(fits)
        by_work = self._per_work * sum(map(self._work.of, fits))
        return max(by_work, self._per_step * sum(map(self._work.steps, fits)))

    def part_of_epochs(self, fit: Fit) -> float:
        """Return how much of its epochs a fit will take, as those before it with early stopping did."""
        return fmean(self._parts_of_epochs or [1.0]) if fit.recipe.patience else 1.0

    def learn(self, fit: Fit, outcome: Outcome, is_last: bool) -> None:
        """Note how long a fit took.

        Args:
            fit: The fit.
            outcome: Its outcome.
            is_last: Whether it is the last of those in training together.
        """
        if outcome.test_losses and fit.recipe.last_epoch > 1:
            part = len(outcome.test_losses) / fit.recipe.last_epoch
            if fit.recipe.patience:
                self._parts_of_epochs.append(part)
            if not self.shares:
                self._per_work = outcome.seconds / part / self._work.of(fit)
                return
            self._worked += part * self._work.of(fit)
            self._stepped = max(self._stepped, part * self._work.steps(fit))
        self._seconds += outcome.seconds
        if is_last:
            if self._worked:
                self._per_work, self._per_step = self._seconds / self._worked, self._seconds / self._stepped
            self._seconds = self._worked = self._stepped = 0.0
