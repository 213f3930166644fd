"""Trials of a search and their metrics, in one form for all searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

__all__ = ["Observation", "Observations"]


class Observation(NamedTuple):
    """A trial that succeeded.

    Attributes:
        name: For people.
        stack: Its hidden widths, as people write them.
        parameters: By name; a width counts as it was built, and there are as many as layers.
        metrics: Numbers by name: ``loss``, ``seconds``, ``model_params``, ``epochs`` and others.
    """

    name: str
    stack: str
    parameters: dict[str, Any]
    metrics: dict[str, float]


class Observations(NamedTuple):
    """The trials of a search with their metrics.

    Attributes:
        name: For people.
        trials: Those that succeeded, lowest loss first.
        space: What was open: ranges and choices by the names of the options of a space.
        settings: All options of the search, plain values by name.
        adaptive: Whether it searched adaptively; else a grid, exhaustively.
        pca: The loss of PCA on the rows that judged the trials; NaN where another objective did.
        drawn: What each parameter was drawn from, where the space alone does not say it.
        command: The command that searches further in this space.
    """

    name: str
    trials: list[Observation]
    space: dict[str, tuple[Any, ...]]
    settings: dict[str, Any]
    adaptive: bool
    pca: float
    drawn: Mapping[str, BaseDistribution] | None = None
    command: Literal["tune", "transfer"] = "tune"

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Every parameter that a trial may have, by name."""
        if self.drawn is not None:
            return dict(self.drawn)
        space = self.space
        depth, width = space["num_layers_range"], space["hidden_size_range"]
        rate, decay, dropout = (
            space[f"{name}_range"] for name in ("learning_rate", "weight_decay", "dropout")
        )
        widths = IntDistribution(width[0], width[1], log=True)
        return {
            **({"family": CategoricalDistribution(space["families"])} if "families" in space else {}),
            "num_layers": IntDistribution(depth[0], depth[1]),
            **{f"hidden_size_{i}": widths for i in range(1, depth[1] + 1)},
            "learning_rate": FloatDistribution(rate[0], rate[1], log=True),
            "weight_decay": FloatDistribution(decay[0], decay[1], log=decay[0] > 0),
            "dropout": FloatDistribution(dropout[0], dropout[1]),
            "batch_size": CategoricalDistribution(space["batch_size_options"]),
            "activation": CategoricalDistribution(space["activation_options"]),
            "norm": CategoricalDistribution(space["norm_options"]),
        }
