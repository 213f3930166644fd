"""Whether the engines agree: the same fits trained by each, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from autoenc.engines import Fit, Split, make_engine
from autoenc.engines.warm import WarmStarting

__all__ = ["TOLERANCES", "Comparison", "compare_engines", "spread"]

TOLERANCES = {"float64": 1e-10, "float32": 1e-3}
"""Largest relative difference of the final test losses."""


class Comparison(NamedTuple):
    """One fit by both engines."""

    fit: Fit
    precision: str
    native_loss: float
    torch_loss: float
    native_s: float
    torch_s: float

    @property
    def difference(self) -> float:
        """Relative difference of the final test losses; infinite where one is not finite."""
        if self.native_loss == self.torch_loss:
            return 0.0
        difference = abs(self.native_loss - self.torch_loss) / max(abs(self.torch_loss), 1e-300)
        return difference if np.isfinite(difference) else float("inf")

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance of its precision."""
        return self.difference <= TOLERANCES[self.precision]


def spread(n_all: int, n_wanted: int) -> list[int]:
    """Return indices of ``n_wanted`` of ``n_all`` things, evenly spread, first and last among them."""
    return sorted({round(i) for i in np.linspace(0, n_all - 1, min(n_wanted, n_all))})


def compare_engines(fits: Sequence[Fit], split_of: Callable[[Fit], Split]) -> Iterator[Comparison]:
    """Train each fit with both engines on the CPU, in both precisions; each trains its own parents."""
    precisions: tuple[Literal["float64", "float32"], ...] = ("float64", "float32")
    for precision in precisions:
        for name in ("native", "torch"):
            make_engine(name, "cpu", precision).prepare()  # compiling is no part of the times
    for fit in fits:
        split = split_of(fit)
        for precision in precisions:
            native, torch = (
                WarmStarting(make_engine(name, "cpu", precision), len(fit.architecture)).fit(split, fit)
                for name in ("native", "torch")
            )
            yield Comparison(
                fit, precision, native.final_test_loss, torch.final_test_loss, native.seconds, torch.seconds
            )
