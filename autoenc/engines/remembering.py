"""An engine that remembers the last fit, which several reports ask for one after the other."""

from __future__ import annotations

import weakref
from typing import Any

from autoenc.engines.contract import Engine, Fit, Outcome, Split, State, StopFlag, Watch
from autoenc.engines.wrapping import Wrapping

__all__ = ["Remembering"]


class Remembering(Wrapping[Engine]):
    """Has another engine train, and gives the outcome of the last fit again without training.

    Args:
        base: What trains.
    """

    def __init__(self, base: Engine) -> None:
        super().__init__(base)
        self._last: tuple[weakref.ref[Split], Fit, Outcome] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it remembers nothing there."""
        return Remembering, (self._base,)

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
