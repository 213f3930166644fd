"""The native CPU engine: one model per core, everything it touches in that core's cache.

One compiled call trains a whole epoch. The calls release the GIL, so a pool of threads trains one fit per
core. The code is imported when the engine is used: a search that has nothing to train needs no Numba.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import (
    Fit,
    Outcome,
    Recipe,
    Split,
    State,
    StopFlag,
    Stopped,
    Watch,
    check_initial,
)
from autoenc.engines.epochs import outcome_of, run_epochs
from autoenc.engines.explained import explained_variance
from autoenc.system.trouble import blamed_on_machine

__all__ = ["NativeEngine"]

Floats = NDArray[np.floating]


class NativeEngine:
    """Trains fits on the CPU with compiled kernels written for small autoencoders.

    Args:
        dtype: Precision of parameters and arithmetic; losses are summed over batches in float64.
        n_cores: Cores that all fits in training share; a large one takes those that are free. The number
            changes no bit of any result.
    """

    name = "native"
    device = "cpu"
    n_at_once = 0

    def __init__(self, dtype: type[np.float32] | type[np.float64] = np.float32, n_cores: int = 1) -> None:
        self.dtype, self.n_cores = np.dtype(dtype), n_cores
        self._is_prepared = False

    def prepare(self) -> None:
        """Compile the kernels, or load them from the cache, which takes seconds or a moment.

        Raises:
            MachineError: If that fails, which is never the fault of a fit.
        """
        if self._is_prepared:
            return
        split = Split(np.ones((2, 1), np.float32), np.array([0]), np.array([1]))
        with blamed_on_machine("the training cannot be compiled"):
            from autoenc.engines.compiling import without_collection

            with without_collection():
                self._fit(split, Fit((1,), 1, Recipe(epochs=1)), StopFlag())
        self._is_prepared = True

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
        self.prepare()  # before the clock starts: compiling is no part of a training's time
        return self._fit(split, fit, stop or StopFlag(), watch, initial)

    def _fit(
        self, split: Split, fit: Fit, stop: StopFlag, watch: Watch | None = None, initial: State | None = None
    ) -> Outcome:
        from autoenc.engines.native_training import CORES

        with CORES.training():
            return self._train(split, fit, stop, watch, initial)

    def _train(
        self, split: Split, fit: Fit, stop: StopFlag, watch: Watch | None, initial: State | None
    ) -> Outcome:
        from autoenc.engines.native_training import Training

        started = time.perf_counter()
        training = Training(split, fit, self.dtype, stop, initial, self.n_cores)
        kept = training.p

        def keep() -> None:
            nonlocal kept
            kept = training.p.copy()

        epochs = run_epochs(fit.recipe, training.epoch, lambda: training.loss(split.test), keep, stop, watch)
        training.p[:] = kept
        final_train_loss = training.loss(split.train)
        explained = explained_variance(split, training.reconstruct)
        if stop.is_set():
            raise Stopped
        state = training.layout.unpack(training.p)
        return outcome_of(epochs, final_train_loss, time.perf_counter() - started, state, explained)

    def reconstruct(self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]) -> Floats:
        """Reconstruct rows; see :class:`autoenc.engines.contract.Engine`."""
        from autoenc.engines.native_training import CORES, Training

        self.prepare()
        with CORES.training():
            return Training(split, fit, self.dtype, StopFlag(), state, self.n_cores).reconstruct(rows)

    def seconds_per_row(self, values: NDArray[np.float32], fit: Fit) -> float:
        """Return the time to reconstruct a row and take its loss: the fastest of a few passes over all rows.

        It follows from the network's shape and not from its parameters, so those of the start will do; nor
        does it from the scaling.

        Args:
            values: float32 ``[rows, columns]``, NaN where a cell is missing.
            fit: Whose network.
        """
        from autoenc.engines.native_training import Training

        rows = np.arange(len(values))
        training = Training(Split(values, rows, rows[:0]), fit, self.dtype, StopFlag(), None, n_cores=1)
        times = []
        for _ in range(4):
            started = time.perf_counter()
            training.loss(rows)
            times.append(time.perf_counter() - started)
        return min(times) / rows.size
