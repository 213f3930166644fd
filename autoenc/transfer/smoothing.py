"""What a trial is worth, all trials taken together: its own folds are noisy, the more so with few labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

__all__ = ["MIN_TRIALS", "Smoothing", "fold_objectives"]

MIN_TRIALS = 10
"""With fewer trials nothing is smoothed: a line through them would say little."""
_TINY = 1e-12  # below any loss that a training comes to; a logarithm needs it


def fold_objectives(trial: FrozenTrial) -> NDArray[np.float64]:
    """The objective of each fold of the search, out of the means over the folds so far."""
    means = np.array([value for _, value in sorted(trial.intermediate_values.items())])
    return np.diff(means * np.arange(1, len(means) + 1), prepend=0.0)


@dataclass(frozen=True)
class Smoothing:
    """Draws a mean over folds towards what the loss of stage 1 lets one expect (empirical Bayes).

    The expectation is a straight line in the logarithm of that loss, by least squares over the trials. What
    varies around it beyond the noise of the folds is real; the less of that there is, the less a trial's
    own folds count: ``real / (real + noise / folds)`` (see Efron and Morris, "Data analysis using Stein's
    estimator and its generalizations", J. Am. Stat. Assoc. 70, 1975).

    Attributes:
        expected: By a trial's number; empty where there are too few trials.
        real: Variance around the line that is no noise.
        noise: Variance of a single fold, differences between the folds themselves left out.
    """

    expected: dict[int, float]
    real: float
    noise: float

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial]) -> Smoothing:
        """Learn from complete trials, all judged by the same folds."""
        if len(trials) < MIN_TRIALS:
            return cls({}, 0.0, 0.0)
        folds = np.stack([fold_objectives(trial) for trial in trials])
        n_trials, n_folds = folds.shape
        losses = np.log([max(float(trial.user_attrs["stage1_loss"]), _TINY) for trial in trials])
        means = folds.mean(1)
        line = np.column_stack([np.ones(n_trials), losses])
        expected = line @ np.linalg.lstsq(line, means, rcond=None)[0]
        around = folds - means[:, None] - folds.mean(0) + folds.mean()
        noise = float((around**2).sum() / ((n_trials - 1) * (n_folds - 1)))
        spread = float(((means - expected) ** 2).sum() / (n_trials - 2))
        numbers = [trial.number for trial in trials]
        return cls(
            dict(zip(numbers, expected.tolist(), strict=True)), max(spread - noise / n_folds, 0.0), noise
        )

    def weight(self, n_folds: int) -> float:
        """How much a mean over so many folds counts, from 0 to 1."""
        if not self.expected:
            return 1.0
        total = self.real + self.noise / n_folds
        return self.real / total if total > 0 else 1.0

    def estimate(self, number: int, mean: float, n_folds: int) -> float:
        """What a trial with this mean over so many folds is worth."""
        weight = self.weight(n_folds)
        return weight * mean + (1 - weight) * self.expected.get(number, mean)
