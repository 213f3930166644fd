"""What engines have in common that have another engine train."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import Engine, Request, StopFlag, Watch
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.split import Split

__all__ = ["Wrapping"]

E = TypeVar("E", bound=Engine)


class Wrapping(ABC, Generic[E]):
    """An engine whose fits another one trains; see :class:`autoenc.engines.contract.Engine`.

    Args:
        base: What trains.
    """

    def __init__(self, base: E) -> None:
        self.name, self.device, self.n_at_once = base.name, base.device, base.n_at_once
        self._base = base

    def prepare(self) -> None:
        """Do what takes time once per process."""
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
        """Train one fit; see :class:`autoenc.engines.contract.Engine`."""
        return self._train(Request(split, fit, watch, initial), stop)

    @abstractmethod
    def _train(self, request: Request, stop: StopFlag | None) -> Outcome:
        """Train one fit by the other engine."""

    def _by_base(self, request: Request, stop: StopFlag | None) -> Outcome:
        """Have the other engine train a fit as it is asked for; one without watchers need not know them."""
        asked = {"watch": request.watch, "initial": request.initial}
        given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        return self._base.fit(request.split, request.fit, stop, **given)

    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Return what a trained network makes of rows."""
        return self._base.reconstruct(split, fit, state, rows)
