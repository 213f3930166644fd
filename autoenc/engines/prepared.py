"""What the engines have in common that train fits themselves: nothing is loaded once the clock runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from autoenc.engines.contract import Request, StopFlag, Watch, check_initial
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.recipe import Recipe
from autoenc.engines.split import Split
from autoenc.system.trouble import blamed_on_machine

__all__ = ["Prepared"]


class Prepared(ABC):
    """An engine that trains a tiny fit once per process; see :class:`autoenc.engines.contract.Engine`."""

    _first_recipe: ClassVar[Recipe]
    """Of the tiny fit, which makes it load all that later ones need."""
    _trouble: ClassVar[str] = "the training cannot be prepared"
    """What is said where that fails."""
    _is_prepared = False
    _preparing: ClassVar[threading.Lock] = threading.Lock()
    """Held by the thread that does; others, which may come while it does, wait for it."""

    def prepare(self) -> None:
        """Compile or load what fits need, which takes seconds or a moment.

        Raises:
            MachineError: If that fails, which is never the fault of a fit.
        """
        if self._is_prepared:
            return
        split = Split(np.ones((2, 1), np.float32), np.array([0]), np.array([1]))
        with self._preparing:
            if not self._is_prepared:
                with blamed_on_machine(self._trouble):
                    self._first_fit(Request(split, Fit((1,), 1, self._first_recipe)))
            self._is_prepared = True

    def _first_fit(self, request: Request) -> None:
        self._fit(request, StopFlag())

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
        check_initial(fit, initial)
        self.prepare()  # before the clock starts: loading is no part of a training's time
        return self._fit(Request(split, fit, watch, initial), stop or StopFlag())

    @abstractmethod
    def _fit(self, request: Request, stop: StopFlag) -> Outcome:
        """Train one fit, as all is loaded."""
