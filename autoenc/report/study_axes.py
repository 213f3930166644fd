"""Positions and labels of the values of a study's parameters on their axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial

from autoenc.analysis.study import parameter_names, search_space
from autoenc.report.labels import picture_name

__all__ = ["ParameterAxis", "parameter_axes"]

_N_TICKS = 5
_MOST_LABELS = 24
_LONGEST_LABEL = 16


class ParameterAxis(NamedTuple):
    """One parameter of the shown trials.

    Attributes:
        name: Of the parameter.
        values: Per trial; NaN where it has none. Of a categorical one the index of the choice.
        log: Whether it was drawn on a log scale.
        whole: Whether its values are whole numbers.
        choices: Names of the choices; empty for numbers.
    """

    name: str
    values: list[float]
    log: bool
    whole: bool
    choices: list[str]

    @property
    def label(self) -> str:
        """The name as a picture shows it, and whether the scale is logarithmic."""
        return picture_name(self.name) + (" (log)" if self.log else "")

    def positions(self, values: Sequence[float]) -> NDArray[np.float64]:
        """Return where values lie between the trials' lowest (0) and highest (1); choices by index."""
        numbers = np.asarray(values, float)
        if self.choices:
            low, high = 0.0, float(len(self.choices) - 1)
        else:
            low, high = float(np.nanmin(self.values)), float(np.nanmax(self.values))
        if self.log:
            numbers, low, high = np.log(numbers), float(np.log(low)), float(np.log(high))
        if low == high:
            return np.where(np.isnan(numbers), nan, 0.5)
        result: NDArray[np.float64] = (numbers - low) / (high - low)
        return result

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return values to be marked, and what is written there."""
        if self.choices:
            every = ceil(len(self.choices) / _MOST_LABELS)
            marked = range(0, len(self.choices), every)
            return [float(i) for i in marked], [picture_name(self.choices[i], _LONGEST_LABEL) for i in marked]
        low, high = float(np.nanmin(self.values)), float(np.nanmax(self.values))
        between = (np.geomspace if self.log else np.linspace)(low, high, _N_TICKS)
        values = sorted(set(np.round(between).tolist() if self.whole else between.tolist()))
        return values, [f"{value:.0f}" if self.whole else f"{value:.3g}" for value in values]


def parameter_axes(trials: Sequence[FrozenTrial]) -> list[ParameterAxis]:
    """Return an axis for each parameter of the trials, in the order in which parameters first appear."""
    space = search_space(trials)
    return [_axis(name, space[name], trials) for name in parameter_names(trials)]


def _axis(name: str, distribution: BaseDistribution, trials: Sequence[FrozenTrial]) -> ParameterAxis:
    if isinstance(distribution, CategoricalDistribution):
        # The internal representation is the index: choices of mixed types need no comparison.
        values = [
            float(distribution.to_internal_repr(trial.params[name])) if name in trial.params else nan
            for trial in trials
        ]
        return ParameterAxis(name, values, False, False, [str(choice) for choice in distribution.choices])
    values = [float(trial.params.get(name, nan)) for trial in trials]
    log = bool(getattr(distribution, "log", False))
    return ParameterAxis(name, values, log, isinstance(distribution, IntDistribution), [])
