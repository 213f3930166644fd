"""An engine that remembers the last fit, which several reports ask for one after the other."""

from __future__ import annotations

import weakref
from typing import Any

from autoenc.engines.contract import Engine, Request, StopFlag
from autoenc.engines.fit import Fit, Outcome
from autoenc.engines.split import Split
from autoenc.engines.wrapping import Wrapping

__all__ = ["Remembering"]


class Remembering(Wrapping[Engine]):
    """Has another engine train, and gives the outcome of the last fit again without training.

    Args:
        base: What trains.
    """

    def __init__(self, base: Engine) -> None:
        super().__init__(base)
        self._last: tuple[weakref.ref[Split], object, Fit, Outcome] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it remembers nothing there."""
        return Remembering, (self._base,)

    def _train(self, request: Request, stop: StopFlag | None) -> Outcome:
        if request.watch is not None or request.initial is not None:
            return self._by_base(request, stop)
        split, fit = request.split, request.fit
        if self._last is not None:
            last_split, origin, last_fit, outcome = self._last
            is_same = last_split() is split or (origin is not None and origin is split.origin)
            if is_same and last_fit == fit:
                return outcome
        outcome = self._by_base(request, stop)
        self._last = weakref.ref(split), split.origin, fit, outcome
        return outcome
