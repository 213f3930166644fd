"""Agreement of the engines: the same fits trained by each, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np

from autoenc.engines import Engine, EngineName, Fit, Outcome, Split, make_engine
from autoenc.engines.warm import WarmStarting

__all__ = ["TOLERANCES", "Comparison", "compare_engines", "spread"]

TOLERANCES = {"float64": 1e-10, "float32": 1e-3}
"""Largest relative difference of the final test losses."""


class Comparison(NamedTuple):
    """One fit by an engine and by the reference.

    Attributes:
        fit: The fit.
        precision: Of both.
        loss, torch_loss: Final test losses.
        seconds, torch_s: Times; of an engine that trains many at once the fit's share.
        engine: Name of the engine.
    """

    fit: Fit
    precision: str
    loss: float
    torch_loss: float
    seconds: float
    torch_s: float
    engine: str = "native"

    @property
    def difference(self) -> float:
        """Relative difference of the final test losses; infinite where one is not finite."""
        if self.loss == self.torch_loss:
            return 0.0
        difference = abs(self.loss - self.torch_loss) / max(abs(self.torch_loss), 1e-300)
        return difference if np.isfinite(difference) else float("inf")

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance of its precision."""
        return self.difference <= TOLERANCES[self.precision]


def spread(n_all: int, n_wanted: int) -> list[int]:
    """Return indices of ``n_wanted`` of ``n_all`` things, evenly spread, first and last among them."""
    return sorted({round(i) for i in np.linspace(0, n_all - 1, min(n_wanted, n_all))})


def compare_engines(
    fits: Sequence[Fit],
    split_of: Callable[[Fit], Split],
    name: EngineName = "native",
    device: str = "cpu",
) -> Iterator[Comparison]:
    """Train each fit with an engine and with the reference on the CPU, in both precisions.

    Each trains its own parents. An engine that trains many fits at once is given all of them together.

    Args:
        fits: What to train.
        split_of: The data of a fit.
        name: The engine.
        device: Where it trains.

    Raises:
        InputError: If the device is not there, or the engine cannot use it.
    """
    precisions: tuple[Literal["float64", "float32"], ...] = ("float64", "float32")
    engines = {precision: make_engine(name, device, precision) for precision in precisions}
    references = {precision: make_engine("torch", "cpu", precision) for precision in precisions}
    for engine in [*engines.values(), *references.values()]:
        engine.prepare()  # compiling is no part of the times
    pairs = [(fit, split_of(fit)) for fit in fits]
    together = {
        precision: _together(engine, pairs) for precision, engine in engines.items() if engine.n_at_once
    }
    for i, (fit, split) in enumerate(pairs):
        for precision in precisions:
            if precision in together:
                outcome = together[precision][i]
            else:
                outcome = _trained(engines[precision], fit, split)
            torch = _trained(references[precision], fit, split)
            yield Comparison(
                fit, precision, outcome.final_test_loss, torch.final_test_loss, outcome.seconds,
                torch.seconds, engines[precision].name,
            )  # fmt: skip


def _trained(engine: Engine, fit: Fit, split: Split) -> Outcome:
    return WarmStarting(engine, len(fit.architecture)).fit(split, fit)


def _together(engine: Engine, pairs: Sequence[tuple[Fit, Split]]) -> list[Outcome]:
    """The outcomes of fits that are asked for at the same time."""
    with ThreadPoolExecutor(min(len(pairs), engine.n_at_once)) as pool:
        return list(pool.map(lambda pair: _trained(engine, *pair), pairs))
