"""The interface of engines: a fit goes in, its outcome comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.split import Split

__all__ = [
    "Answer", "Engine", "ManyAtOnce", "Request", "StopFlag", "Stopped", "Watch", "check_initial",
]  # fmt: skip

Watch = Callable[[int, float], None]
"""Takes an epoch, from 0, and the test loss after it."""


class Stopped(Exception):  # noqa: N818  (no error: it was asked for)
    """Raised out of a fit that was asked to stop before its last epoch."""


class StopFlag:
    """Asks fits to stop; compiled code can look at it between batches.

    Attributes:
        array: uint8 ``[1]``, not 0 once it is set.
    """

    def __init__(self) -> None:
        self.array = np.zeros(1, np.uint8)

    def set(self) -> None:
        """Ask every fit that was given this flag to stop, for good."""
        self.array[0] = 1

    def is_set(self) -> bool:
        """Return whether fits were asked to stop."""
        return bool(self.array[0])


class Engine(Protocol):
    """Turns one fit into an outcome; knows nothing of searching, files or screens.

    Attributes:
        name: By which people ask for it.
        device: Where it trains.
        n_at_once: Fits that it wants in training at once, each asked for by a thread; 0 for one a core.
    """

    name: str
    device: str
    n_at_once: int

    def prepare(self) -> None:
        """Do what takes time once per process, which is no part of a fit's time.

        It may run beside other work, and need not be called: the first fit does.

        Raises:
            MachineError: If the machine cannot; it is no fit's failure.
        """
        ...

    def fit(
        self,
        split: Split,
        fit: Fit,
        stop: StopFlag | None = None,
        *,
        watch: Watch | None = None,
        initial: State | None = None,
    ) -> Outcome:
        """Train ``fit`` on ``split``.

        Args:
            split: The data; not changed.
            fit: What to train.
            stop: Looked at between epochs or more often.
            watch: Called after each epoch; what it raises ends the fit.
            initial: Where a fit with ``warm_start`` begins, every parameter of its network; others begin
                where their seed says, and are given none.

        Returns:
            The outcome; a fit whose losses stop being finite ends there with ``failure`` set.

        Raises:
            Stopped: If ``stop`` was set before the end.
            ValueError: If ``initial`` is missing where it is needed, or given where it is not.
        """
        ...

    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Return what a trained network makes of rows, without dropout.

        Args:
            split: The data.
            fit: The training.
            state: The parameters that it kept.
            rows: Which rows of the data, ``[n]``.

        Returns:
            ``[n, columns]``, scaled.
        """
        ...


class Request(NamedTuple):
    """A fit for an engine that trains many at once; see :meth:`Engine.fit` for what is asked."""

    split: Split
    fit: Fit
    watch: Watch | None = None
    initial: State | None = None


Answer = Callable[[int, Outcome | Exception], object]
"""Takes the index of a request, and its outcome or what ended it."""


class ManyAtOnce(Engine, Protocol):
    """An engine that is faster with many fits at once than with one after the other."""

    def fit_many(self, requests: Sequence[Request], answer: Answer, stop: StopFlag | None = None) -> None:
        """Train fits, none of which has a say in what another comes to.

        Args:
            requests: What to train.
            answer: Called in this thread with the index of a request and its outcome, or with what ended it:
                what its ``watch`` raised, or an error of its own. Each request is answered once, in the order
                in which they end; ``seconds`` is a fit's share of the time that all took.
            stop: Looked at between epochs or more often.

        Raises:
            Stopped: If ``stop`` was set before the end; requests without an answer are given up.
            InputError: If a fit cannot be trained here at all.
            ValueError: If ``initial`` is missing where it is needed, or given where it is not.
        """
        ...


def check_initial(fit: Fit, initial: State | None) -> None:
    """See that a fit was given parameters to begin from exactly if its recipe says so.

    Raises:
        ValueError: If that is not so; the outcome would then not be what the fit's recipe says.
    """
    if fit.recipe.warm_start and initial is None:
        raise ValueError("initial must be given where the recipe says warm_start, got None")
    if initial is not None and not fit.recipe.warm_start:
        raise ValueError("initial must be None where the recipe does not say warm_start, got parameters")
