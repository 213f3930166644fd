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
        self._last: tuple[weakref.ref[Split], Fit, Outcome] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it remembers nothing there."""
        return Remembering, (self._base,)

    def _train(self, request: Request, stop: StopFlag | None) -> Outcome:
        if request.watch is not None or request.initial is not None:
            return self._by_base(request, stop)
        last = self._last
        if last is not None and last[0]() is request.split and last[1] == request.fit:
            return last[2]
        outcome = self._by_base(request, stop)
        self._last = weakref.ref(request.split), request.fit, outcome
        return outcome
