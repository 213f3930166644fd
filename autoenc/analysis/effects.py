"""What an option of the recipe changes, over all stacks, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any, NamedTuple

from autoenc.searching.trials import TrialResult

__all__ = ["Effect", "factor_effects"]


class Effect(NamedTuple):
    """What one value of an option does to the loss, against the option's first value.

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
    """Effects of all options that vary.

    Trials are paired that differ in this option alone, so what a stack is worth cancels. The interval is
    Student's over the pairs: it speaks of stacks like those of the grid, on this split.

    Args:
        results: Finished trials.
        factors: Options that vary, with their values.
    """
    found = []
    by_key = {(r.trial.architecture, tuple(r.trial.varied.items())): r.loss for r in results}
    for factor, (first, *others) in factors.items():
        for value in others:
            pairs = []
            for (architecture, varied), loss in by_key.items():
                options = dict(varied)
                if options[factor] == value:
                    partner = by_key.get((architecture, tuple({**options, factor: first}.items())))
                    if partner:
                        pairs.append(loss / partner - 1)
            if pairs:
                found.append(_effect(factor, value, first, pairs))
    return found


def _effect(factor: str, value: Any, against: Any, pairs: list[float]) -> Effect:
    mean = fmean(pairs)
    if len(pairs) < 2:
        return Effect(factor, value, against, mean, None, None, len(pairs))
    from scipy import stats

    half = float(stats.t.ppf(0.975, len(pairs) - 1)) * stdev(pairs) / sqrt(len(pairs))
    return Effect(factor, value, against, mean, mean - half, mean + half, len(pairs))
