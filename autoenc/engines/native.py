"""The native CPU engine: one model per core, everything it touches in that core's cache.

One compiled call trains a whole epoch. The calls release the GIL, so a pool of threads trains one fit per
core. It is compiled where no earlier process has kept it; a search that has nothing to train loads none.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import Request, StopFlag, Stopped, Watch
from autoenc.engines.epochs import outcome_of, run_epochs
from autoenc.engines.explained import explained_variance
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.prepared import Prepared
from autoenc.engines.randomness import initial_state
from autoenc.engines.recipe import Recipe
from autoenc.engines.split import Split

__all__ = ["NativeEngine"]

Floats = NDArray[np.floating]


class NativeEngine(Prepared):
    """Trains fits on the CPU with compiled kernels written for small autoencoders.

    Args:
        dtype: Precision of parameters and arithmetic; losses are summed over batches in float64.
        n_cores: Cores that all fits in training share; a large one takes those that are free. The number
            changes no bit of any result.
    """

    name = "native"
    device = "cpu"
    n_at_once = 0
    _first_recipe = Recipe(epochs=1)
    _trouble = "the training cannot be compiled"

    def __init__(self, dtype: type[np.float32] | type[np.float64] = np.float32, n_cores: int = 1) -> None:
        self.dtype, self.n_cores = np.dtype(dtype), n_cores

    def _fit(self, request: Request, stop: StopFlag) -> Outcome:
        from autoenc.engines.native_training import CORES

        with CORES.training():
            return self._train(*request, stop)

    def _train(
        self, split: Split, fit: Fit, watch: Watch | None, initial: State | None, stop: StopFlag
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
        # Random weights will do, whatever the fit begins from: nothing follows from these cells, which may be
        # of any size.
        network = fit.network(values.shape[1])
        start = initial_state(network, fit.seed) | {"mean": np.zeros(network.input_dim)}
        training = Training(Split(values, rows, rows[:0]), fit, self.dtype, StopFlag(), start, n_cores=1)
        times = []
        for _ in range(4):
            started = time.perf_counter()
            training.loss(rows)
            times.append(time.perf_counter() - started)
        return min(times) / rows.size
