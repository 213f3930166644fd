"""Moves of one parameter within its distribution, for any of Optuna's kinds."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

__all__ = ["Reach", "clipped", "drawn", "near", "shrunk", "stepped"]

_SMALL_STEP = 0.08  # of the range, standard deviation of a step
_SWITCH = 0.35  # chance that an unordered choice changes in a step
Number = IntDistribution | FloatDistribution


class Reach(NamedTuple):
    """The reach of a neighbourhood: steps of whole numbers, share of other numbers, limit for both."""

    steps: int
    share: float
    limit: float


def clipped(value: Any, distribution: BaseDistribution) -> Any:
    """Return the nearest value that the distribution contains; the first choice for an unknown one."""
    if isinstance(distribution, CategoricalDistribution):
        return value if value in distribution.choices else distribution.choices[0]
    assert isinstance(distribution, Number)
    low, high = distribution.low, distribution.high
    value = min(max(value, low), high)
    if distribution.step:
        value = min(low + round((value - low) / distribution.step) * distribution.step, high)
    return round(value) if isinstance(distribution, IntDistribution) else float(value)


def drawn(distribution: BaseDistribution, share: float) -> Any:
    """Return the value at this share of the distribution, from 0 to 1."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[
            min(int(share * len(distribution.choices)), len(distribution.choices) - 1)
        ]
    assert isinstance(distribution, Number)
    low, high = _inner(distribution.low, distribution), _inner(distribution.high, distribution)
    return clipped(_outer(low + share * (high - low), distribution), distribution)


def stepped(value: Any, distribution: BaseDistribution, rng: np.random.Generator, growth: float) -> Any:
    """Return a small step, ``growth`` times as large as usual; a whole number moves by one at least."""
    if isinstance(distribution, CategoricalDistribution):
        return _switched(value, distribution.choices, rng) if rng.random() < _SWITCH * growth else value
    assert isinstance(distribution, Number)
    low, high = _inner(distribution.low, distribution), _inner(distribution.high, distribution)
    move = rng.normal() * _SMALL_STEP * growth * (high - low)
    moved = clipped(_outer(_inner(value, distribution) + move, distribution), distribution)
    if moved == value and isinstance(distribution, IntDistribution):
        moved = clipped(value + int(np.sign(move) or 1) * distribution.step, distribution)
    return moved


def near(
    value: Any, anchor: Any, distribution: BaseDistribution, rng: np.random.Generator, reach: Reach
) -> Any:
    """Return a point of the close neighbourhood of ``value`` that is not far from ``anchor`` either.

    A whole number moves by up to ``reach.steps`` steps; on a log scale, where one unit may be nothing, a step
    is half of ``reach.share`` of it. Another number moves by up to ``reach.share`` of it. Neither comes to
    lie farther from ``anchor`` than ``reach.limit`` of that, but what has steps may always be one step
    away. Ordered choices move by one place at most, others stay.
    """
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        moved = _switched(anchor, choices, rng) if _are_ordered(choices) else anchor
        return moved if rng.random() < 0.5 else anchor
    assert isinstance(distribution, Number)
    # Zero has no neighbourhood of its own size: the range's is taken.
    size = abs(value) or distribution.high - distribution.low
    most = reach.limit * (abs(anchor) or distribution.high - distribution.low)
    if isinstance(distribution, FloatDistribution):
        moved = value + rng.uniform(-1, 1) * reach.share * size
    else:
        step = (
            max(distribution.step, round(size * reach.share / 2)) if distribution.log else distribution.step
        )
        moved = value + int(rng.integers(-reach.steps, reach.steps + 1)) * step
        most = max(step, int(most))
    if distribution.step:  # between two steps the nearest one might lie past the limit
        most = max(distribution.step, most // distribution.step * distribution.step)
    return clipped(min(max(moved, anchor - most), anchor + most), distribution)


def shrunk(value: Any, distribution: BaseDistribution, factor: float, low: float, high: float) -> Any:
    """Return ``value`` times ``factor``, within ``low`` and ``high`` as far as the distribution allows."""
    if isinstance(distribution, CategoricalDistribution):
        return value
    smaller = value * factor
    if isinstance(distribution, IntDistribution):
        smaller = int(smaller)
    return clipped(min(max(smaller, low), high), distribution)


def _switched(value: Any, choices: Sequence[Any], rng: np.random.Generator) -> Any:
    """Return another choice: a neighbour where choices are numbers, any where they are not."""
    if len(choices) < 2:
        return value
    if _are_ordered(choices):
        ranked = sorted(choices)
        at = ranked.index(value)
        around = [i for i in (at - 1, at + 1) if 0 <= i < len(ranked)]
        return ranked[around[int(rng.integers(len(around)))]]
    others = [choice for choice in choices if choice != value]
    return others[int(rng.integers(len(others)))]


def _are_ordered(choices: Sequence[Any]) -> bool:
    return all(isinstance(choice, int | float) and not isinstance(choice, bool) for choice in choices)


def _inner(value: float, distribution: Number) -> float:
    return log(value) if distribution.log else float(value)


def _outer(value: float, distribution: Number) -> float:
    return exp(value) if distribution.log else value
