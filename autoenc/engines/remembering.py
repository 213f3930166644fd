"""An engine that remembers the last fit, which several reports ask for one after the other."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import Engine, Fit, Outcome, Split, State, StopFlag, Watch

__all__ = ["Remembering"]


class Remembering:
    """Has another engine train, and gives the outcome of the last fit again without training.

    Args:
        base: What trains.
    """

    def __init__(self, base: Engine) -> None:
        self.name, self.device, self.n_at_once = base.name, base.device, base.n_at_once
        self._base = base
        self._last: tuple[weakref.ref[Split], Fit, Outcome] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it remembers nothing there."""
        return Remembering, (self._base,)

    def prepare(self) -> None:
        """See :class:`autoenc.engines.contract.Engine`."""
        self._base.prepare()

    def fit(
        self,
        split: Split,
        fit: Fit,
        stop: StopFlag | None = None,
        *,
        watch: Watch | None = None,
        initial: State | None = None,
    ) -> Outcome:
        """Train one fit, unless it was the last one; see :class:`autoenc.engines.contract.Engine`."""
        if watch is not None or initial is not None:
            return self._base.fit(split, fit, stop, watch=watch, initial=initial)
        last = self._last
        if last is not None and last[0]() is split and last[1] == fit:
            return last[2]
        outcome = self._base.fit(split, fit, stop)
        self._last = weakref.ref(split), fit, outcome
        return outcome

    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """See :class:`autoenc.engines.contract.Engine`."""
        return self._base.reconstruct(split, fit, state, rows)
