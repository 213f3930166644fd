"""The open hyperparameters as Optuna knows them, and what a trial's parameters mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Field

from autoenc.errors import InputError
from autoenc.models.grid import Architecture, ArchitectureGrid, parse_architecture
from autoenc.settings.space import SpaceSettings

__all__ = [
    "MOST_GRID_POINTS", "Configuration", "HyperparameterSearchSpace", "check_points", "grid_values",
    "n_points", "stack_of", "take",
]  # fmt: skip

MOST_GRID_POINTS = 100_000


@dataclass(frozen=True)
class Configuration:
    """The meaning of a trial's parameters: a stack, and the options of its recipe that were open."""

    architecture: Architecture
    recipe: dict[str, Any]


class HyperparameterSearchSpace(SpaceSettings):
    """Ranges and choices of an adaptive search.

    Args:
        num_layers_range: Lowest and highest number of hidden layers.
        hidden_size_range: Smallest and largest width; sampled on a log scale.
        learning_rate_range, weight_decay_range: Lowest and highest; sampled on a log scale.
        dropout_range: Lowest and highest probability.
        batch_size_options, activation_options, norm_options: What may be chosen.
        num_epochs: Epochs of a trial.

    Raises:
        ValueError: If a range is empty or a value impossible (pydantic's ``ValidationError`` is one).

    Example:
        >>> space = HyperparameterSearchSpace(learning_rate_range=(1e-4, 1e-2), hidden_size_range=(16, 64))
        >>> sorted(space.distributions())[:2]
        ['activation', 'batch_size']
    """

    num_epochs: int = Field(20, ge=1, description="epochs of a trial")

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return every parameter that a trial may have, by name; a trial has as many widths as layers."""
        depth, width = self.num_layers_range, self.hidden_size_range
        widths: dict[str, BaseDistribution] = {
            f"hidden_size_{i}": IntDistribution(*width, log=True) for i in range(1, depth[1] + 1)
        }
        return {"num_layers": IntDistribution(*depth), **widths, **self._recipe_distributions()}

    def _recipe_distributions(self) -> dict[str, BaseDistribution]:
        return {
            "learning_rate": FloatDistribution(*self.learning_rate_range, log=True),
            "weight_decay": FloatDistribution(*self.weight_decay_range, log=True),
            "dropout": FloatDistribution(*self.dropout_range),
            "batch_size": CategoricalDistribution(self.batch_size_options),
            "activation": CategoricalDistribution(self.activation_options),
            "norm": CategoricalDistribution(self.norm_options),
        }

    def suggest(self, trial: Any, stacks: Sequence[str] | None = None) -> Configuration:
        """Take a trial's parameters, sampling those that it does not have yet.

        Args:
            trial: An Optuna trial.
            stacks: Of a grid, where the stack is one parameter, ``hidden_dims``.
        """
        if stacks is not None:
            trial.suggest_categorical("hidden_dims", stacks)
        else:
            space = self.distributions()
            for i in range(take(trial, "num_layers", space["num_layers"])):
                take(trial, f"hidden_size_{i + 1}", space[f"hidden_size_{i + 1}"])
        for name, distribution in self._recipe_distributions().items():
            take(trial, name, distribution)
        return self.configuration(trial.params)

    def configuration(self, params: Mapping[str, Any]) -> Configuration:
        """Return what parameters mean; for widths see :func:`stack_of`."""
        of_grid = "hidden_dims" in params
        stack = parse_architecture(params["hidden_dims"]) if of_grid else stack_of(params)
        recipe = {name: params[name] for name in self._recipe_distributions()}
        recipe["initial_lr"] = recipe.pop("learning_rate")
        return Configuration(stack, recipe)

    def grid(self) -> dict[str, list[Any]]:
        """Return values of each parameter for a grid: widths in powers of two, three values of other ranges.

        Raises:
            InputError: If that makes too many points.
        """
        low, high = self.hidden_size_range
        powers = {2**k for k in range(int(log2(high)) + 1) if 2**k >= low}
        stacks = ArchitectureGrid(sorted(powers or {low}), self.num_layers_range[1])
        least = self.num_layers_range[0]
        n_stacks = stacks.n_stacks - (ArchitectureGrid(stacks.widths, least - 1).n_stacks if least > 1 else 0)
        values = {
            name: grid_values(distribution) for name, distribution in self._recipe_distributions().items()
        }
        check_points(
            n_stacks * n_points(values), "narrow --num_layers_range, --hidden_size_range or the other ranges"
        )
        names = ["-".join(map(str, stack)) for stack in stacks if len(stack) >= least]
        return {"hidden_dims": names, **values}


def stack_of(params: Mapping[str, Any]) -> Architecture:
    """Return the stack that widths mean: one above the width before it counts as equal to that one."""
    widths: list[int] = []
    for i in range(params["num_layers"]):
        width = params[f"hidden_size_{i + 1}"]
        widths.append(min(width, widths[-1]) if widths else width)
    return tuple(widths)


def take(trial: Any, name: str, distribution: BaseDistribution) -> Any:
    """Suggest a parameter with a distribution that was made elsewhere."""
    if isinstance(distribution, IntDistribution | FloatDistribution):
        suggest = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
        return suggest(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, CategoricalDistribution)
    return trial.suggest_categorical(name, distribution.choices)


def grid_values(distribution: BaseDistribution) -> list[Any]:
    """Return the values of a parameter in a grid: its choices, or both ends of its range and the middle."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    if low == high:
        return [low]
    middle = float(low * (high / low) ** 0.5) if distribution.log else low + (high - low) * 0.5
    if step is not None:
        middle = low + round((middle - low) / step) * step
    return list(dict.fromkeys([low, middle, high]))


def n_points(grid: Mapping[str, Sequence[Any]]) -> int:
    """Return how many points a grid of these values has."""
    return prod(map(len, grid.values()))


def check_points(n: int, advice: str) -> None:
    """See that a grid is not too large.

    Args:
        n: Its points.
        advice: What to do where they are too many.

    Raises:
        InputError: If they are.
    """
    if n > MOST_GRID_POINTS:
        raise InputError(
            f"--strategy grid: the space has {n:,} points, at most {MOST_GRID_POINTS:,} make a grid; {advice}"
        )
