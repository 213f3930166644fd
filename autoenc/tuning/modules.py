"""Open options of a class of torch modules and of its training, and the meaning of a trial's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from torch import nn

from autoenc.errors import InputError
from autoenc.models.grid import Architecture
from autoenc.tuning.space import (
    HyperparameterSearchSpace,
    check_points,
    grid_values,
    n_points,
    stack_of,
    take,
)

__all__ = ["TRAINING", "ModuleSpace", "Options"]

TRAINING: Mapping[str, Any] = {
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "batch_size": 32,
    "num_epochs": 20,
}
"""Options of the training, with the values that they have where the space is silent."""

_ON_LOG_SCALE = ("learning_rate", "weight_decay", "hidden_size")
_COUNTS = ("batch_size", "num_epochs")
_NAMED = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY

# What each range of a HyperparameterSearchSpace can be asked for as.
_SERVES = {
    "num_layers_range": ("num_layers", "hidden_dims"),
    "hidden_size_range": ("hidden_size", "hidden_dims"),
    "dropout_range": ("dropout",),
    "activation_options": ("activation",),
    "norm_options": ("norm",),
}


class Options(NamedTuple):
    """The meaning of a trial's parameters: arguments of the constructor, and options of the training."""

    model: dict[str, Any]
    training: dict[str, Any]


class ModuleSpace:
    """The open options of a class of modules, as Optuna knows them.

    Args:
        model_class: A class of torch modules, or a function that makes one.
        space: Ranges and choices.
        model_options: Arguments of the constructor that stay the same.

    Attributes:
        distributions: Every parameter that a trial may have, by name.
        fixed: Options of the training that the space has but that are not open.
        is_stacked: Whether trials draw the widths of a stack, ``hidden_dims``.

    Raises:
        InputError: With every option that has no taker, that is given twice, or that is missing.
    """

    def __init__(
        self,
        model_class: Callable[..., nn.Module],
        space: HyperparameterSearchSpace | Mapping[str, Any],
        model_options: Mapping[str, Any],
    ) -> None:
        if not callable(model_class):
            raise InputError(f"model_class must be a class of torch modules, got {model_class!r}")
        if not isinstance(space, HyperparameterSearchSpace | Mapping):
            raise InputError(
                "search_space must be a HyperparameterSearchSpace or a mapping of names to ranges and "
                f"choices, got {type(space).__name__}"
            )
        self._name = getattr(model_class, "__name__", repr(model_class))
        self._parameters = {
            name: parameter
            for name, parameter in inspect.signature(model_class).parameters.items()
            if parameter.kind in _NAMED
        }
        self._takes_all = any(
            parameter.kind is parameter.VAR_KEYWORD
            for parameter in inspect.signature(model_class).parameters.values()
        )
        self._model_options = dict(model_options)
        self._labels: dict[str, dict[str, Any]] = {}
        self._problems: list[str] = []
        self.fixed: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution]
        if isinstance(space, HyperparameterSearchSpace):
            self.distributions, offered = self._asked_of(space)
        else:
            self.distributions = self._given(space)
            offered = set(self.distributions)
        self.is_stacked = isinstance(space, HyperparameterSearchSpace) and "hidden_dims" in offered
        self._check(offered)
        if self._problems:
            raise InputError(self._problems)

    def objects(self) -> dict[str, Any]:
        """Return the choices that are no plain values, by the names that a record has for them."""
        return {
            f"{name} {label}": choice
            for name, choices in self._labels.items()
            for label, choice in choices.items()
        }

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Take a trial's parameters, sampling those that it does not have yet."""
        params: dict[str, Any] = {}
        for name, distribution in self.distributions.items():
            is_width = self.is_stacked and name.startswith("hidden_size_")
            if not is_width or int(name.removeprefix("hidden_size_")) <= params["num_layers"]:
                params[name] = take(trial, name, distribution)
        return params

    def stack(self, params: Mapping[str, Any]) -> Architecture | None:
        """Return the stack that a trial's parameters mean; None without one, or while it is drawn in part."""
        names = [f"hidden_size_{i + 1}" for i in range(params.get("num_layers", 0))]
        is_whole = self.is_stacked and names and all(name in params for name in names)
        return stack_of(params) if is_whole else None

    def grid(self) -> dict[str, list[Any]]:
        """Return values of each parameter for a grid: all choices, and both ends and middle of each range.

        Raises:
            InputError: If that makes too many points, or stacks whose unused widths would repeat them.
        """
        if self.is_stacked:
            raise InputError(
                "strategy grid takes no hidden_dims from a HyperparameterSearchSpace; give a list of stacks, "
                "e.g. {'hidden_dims': [(64,), (64, 32)], ...}"
            )
        values = {name: grid_values(distribution) for name, distribution in self.distributions.items()}
        check_points(n_points(values), "give fewer choices or ranges")
        return values

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the open options by the names under which constructor and training take them."""
        options = {name: self._labels.get(name, {}).get(value, value) for name, value in params.items()}
        if self.is_stacked:
            options = {
                name: chosen for name, chosen in options.items() if not name.startswith("hidden_size_")
            }
            options["hidden_dims"] = stack_of(params)
            if "num_layers" not in self._parameters:  # the stack says it
                del options["num_layers"]
        return {name: chosen for name, chosen in options.items() if self._takes(name) or name in TRAINING}

    def options(self, params: Mapping[str, Any]) -> Options:
        """Return what parameters mean, with everything that stays the same."""
        values = {**self.fixed, **self.values(params)}
        model = {name: value for name, value in values.items() if self._goes_to_model(name)}
        training = {name: value for name, value in values.items() if name in TRAINING}
        return Options({**self._model_options, **model}, {**TRAINING, **training})

    def _takes(self, name: str) -> bool:
        return self._takes_all or name in self._parameters

    def _goes_to_model(self, name: str) -> bool:
        # A constructor that names an option of the training, as some do, receives it too.
        return name in self._parameters or (self._takes_all and name not in TRAINING)

    def _asked_of(self, space: HyperparameterSearchSpace) -> tuple[dict[str, BaseDistribution], set[str]]:
        """Return what the constructor asks for by name, and what trains it."""
        asked = [name for name in self._parameters if name not in self._model_options]
        known = {**space.distributions(), "hidden_size": IntDistribution(*space.hidden_size_range, log=True)}
        names = {name for name in asked if name in known or name == "hidden_dims"}
        wanted = {*names, *(name for name in TRAINING if name in known)}
        if "hidden_dims" in names:
            wanted |= {"num_layers", *(name for name in known if name.startswith("hidden_size_"))}
        for option, served in _SERVES.items():
            if option in space.model_fields_set and not names.intersection(served):
                self._problems.append(
                    f"search_space: {option} is given, but {self._name} takes no {' and no '.join(served)} "
                    f"from it; {self._taken()}"
                )
        self.fixed = {"num_epochs": space.num_epochs}
        return {name: distribution for name, distribution in known.items() if name in wanted}, {
            *names,
            *TRAINING,
        }

    def _given(self, space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
        distributions: dict[str, BaseDistribution] = {}
        for name, given in space.items():
            if not (self._takes(name) or name in TRAINING):
                self._problems.append(
                    f"search_space: {name} is an option of neither {self._name} nor the training; "
                    f"{self._taken()}"
                )
            elif name in self._model_options:
                self._problems.append(f"search_space: {name} is given in model_options too; leave out one")
            else:
                try:
                    distributions[name] = self._distribution(name, given)
                except ValueError as error:
                    self._problems.append(f"search_space: {name} {error}")
        return distributions

    def _distribution(self, name: str, given: Any) -> BaseDistribution:
        if isinstance(given, tuple) or (isinstance(given, list) and name in _COUNTS):
            given = type(given)(end.item() if isinstance(end, np.generic) else end for end in given)
        if isinstance(given, BaseDistribution):
            distribution = given
        elif isinstance(given, list) and given:
            distribution = CategoricalDistribution(self._named_choices(name, given))
        elif isinstance(given, tuple) and len(given) == 2 and all(_is_number(end) for end in given):
            low, high = given
            if low > high:
                raise ValueError(f"must be an ascending range, e.g. ({high}, {low}), got ({low}, {high})")
            log = name in _ON_LOG_SCALE and low > 0
            whole = isinstance(low, int) and isinstance(high, int)
            distribution = (IntDistribution if whole else FloatDistribution)(low, high, log=log)
        else:
            raise ValueError(
                "must be a range as a tuple (low, high), a list of choices or an Optuna distribution, "
                f"got {given!r}"
            )
        if name in _COUNTS and not _counts(distribution):
            raise ValueError(f"must be whole numbers of at least 1, got {given!r}")
        return distribution

    def _named_choices(self, name: str, choices: list[Any]) -> list[Any]:
        """Return choices as Optuna can record them: what is no plain value goes by a name."""
        if all(choice is None or isinstance(choice, bool | int | float | str) for choice in choices):
            labels = choices
        else:
            labels = [getattr(choice, "__name__", str(choice)) for choice in choices]
            self._labels[name] = dict(zip(labels, choices, strict=True))
        if len(set(labels)) < len(labels):
            raise ValueError(f"must not repeat a choice, got {', '.join(map(str, labels))}")
        return labels

    def _check(self, offered: set[str]) -> None:
        for name in self._model_options:
            if not self._takes(name):
                self._problems.append(f"model_options: {self._name} takes no {name}; {self._taken()}")
        missing = [
            name
            for name, parameter in self._parameters.items()
            if parameter.default is parameter.empty
            and name not in offered
            and name not in self._model_options
        ]
        if missing:
            self._problems.append(
                f"{self._name} needs {', '.join(missing)}: give {'it' if len(missing) == 1 else 'them'} in "
                "model_options, or in search_space where it is to be searched"
            )

    def _taken(self) -> str:
        names = ", ".join(self._parameters) or "nothing"
        return f"{self._name} takes {names}; the training takes {', '.join(TRAINING)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _counts(distribution: BaseDistribution) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return all(isinstance(choice, int) and choice >= 1 for choice in distribution.choices)
    return isinstance(distribution, IntDistribution) and distribution.low >= 1
