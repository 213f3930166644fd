"""Effects of the recipe's options over all stacks, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from autoenc.analysis.error import combined, components, losses_of, test_train_ratio
from autoenc.searching.trials import TrialResult

__all__ = ["Effect", "factor_effects"]


class Effect(NamedTuple):
    """Effect of one value of an option on the loss, against the option's first value.

    Attributes:
        factor: The option.
        value, against: Its two values.
        difference: Mean relative difference of the loss over the pairs; -0.1 is ten percent lower.
        low, high: Its 95 % interval; None of fewer than two pairs.
        n_pairs: Stacks (with the same other options) that were trained with both values.
    """

    factor: str
    value: Any
    against: Any
    difference: float
    low: float | None
    high: float | None
    n_pairs: int


def factor_effects(results: Sequence[TrialResult], factors: dict[str, tuple[Any, ...]]) -> list[Effect]:
    """Return the effects of all options that vary.

    Trials are paired that differ in this option alone, so what a stack is worth cancels. The interval is
    Student's; its variance is that over the pairs, so that it speaks of stacks like those of the grid, and,
    where there are several folds or seeds, which are common to all pairs, what
    :func:`autoenc.analysis.error.components` finds for these.

    Args:
        results: Finished trials.
        factors: Options that vary, with their values.
    """
    effects = []
    by_key = {(r.trial.architecture, tuple(r.trial.varied.items())): r for r in results}
    for factor, (first, *others) in factors.items():
        for value in others:
            pairs = []
            for (architecture, varied), result in by_key.items():
                options = dict(varied)
                if options[factor] == value:
                    partner = by_key.get((architecture, tuple({**options, factor: first}.items())))
                    if partner and partner.loss:
                        pairs.append((result, partner))
            if pairs:
                effects.append(_effect(factor, value, first, pairs))
    return effects


def _effect(factor: str, value: Any, against: Any, pairs: list[tuple[TrialResult, TrialResult]]) -> Effect:
    changes = [result.loss / partner.loss - 1 for result, partner in pairs]
    mean = fmean(changes)
    if len(pairs) < 2:
        return Effect(factor, value, against, mean, None, None, len(pairs))
    from scipy import stats

    of_pairs, of_others = (losses_of(side) for side in zip(*pairs, strict=True))
    # The mean over pairs, as each fold and seed has it, in units of the pair's own mean loss.
    scale = of_others.mean(axis=(1, 2), keepdims=True)
    by_fit = ((of_pairs - of_others) / scale).mean(axis=0, keepdims=True)
    parts = components(by_fit, test_train_ratio(pairs[0][0].trial), pool=False)
    variances = [np.array([np.var(changes, ddof=1) / len(pairs)]), *(part.variance for part in parts)]
    variance, free = combined(variances, [np.array([len(pairs) - 1.0]), *(part.degrees for part in parts)])
    half = float(stats.t.ppf(0.975, free[0]) * np.sqrt(variance[0]))
    return Effect(factor, value, against, mean, mean - half, mean + half, len(pairs))
