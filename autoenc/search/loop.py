"""Training many fits on an executor, longest first, one bad fit never ending the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag, Stopped

__all__ = ["fit_work", "run_fits"]


def run_fits(
    fits: Sequence[Fit],
    split_of: Callable[[str], Split],
    engine: Engine,
    jobs: int,
    on_done: Callable[[Fit, Outcome], None],
    stop: StopFlag | None = None,
    executor: Executor | None = None,
) -> None:
    """Train every fit and hand each outcome over as soon as it is there.

    Args:
        fits: What to train; the order does not matter.
        split_of: The data of a fold, by its name.
        engine: What trains.
        jobs: Fits in training at once.
        on_done: Called in this thread, in the order in which fits end. Outcomes come without
            their parameters, which would not fit in memory for large grids; a fit that is wanted again
            can be trained again, to the same bits.
        stop: Ends the loop early, giving up the fits in training.
        executor: Where to train; by default ``jobs`` threads, which suffices because the engines
            release the GIL.
    """
    # Longest first: the short ones then fill the gaps at the end.
    queue = sorted(fits, key=lambda fit: fit_work(fit, split_of(fit.fold)))
    stop = stop or StopFlag()
    pool = executor or ThreadPoolExecutor(jobs)
    pending: dict[Future[Outcome], Fit] = {}
    try:
        while (queue or pending) and not stop.is_set():
            # A bounded number in flight, so that a grid of any length needs no more memory.
            while queue and len(pending) < 2 * jobs:
                fit = queue.pop()
                pending[pool.submit(_train, engine, split_of(fit.fold), fit, stop)] = fit
            # The pause bounds how long a signal's flag goes unseen.
            done, _ = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
            for future in done:
                fit = pending.pop(future)
                if not isinstance(future.exception(), Stopped):
                    on_done(fit, future.result())
    finally:
        if pending:  # left early: nobody waits for what is still in training
            stop.set()
        for future in pending:
            future.cancel()
        if executor is None:
            pool.shutdown(wait=True)


def fit_work(fit: Fit, split: Split) -> int:
    """Multiply-adds of a fit's training, forward: what its duration is about proportional to."""
    per_row = fit.network(split.values.shape[1]).count_multiply_adds()
    return per_row * split.train.size * fit.recipe.last_epoch


def _train(engine: Engine, split: Split, fit: Fit, stop: StopFlag) -> Outcome:
    try:
        outcome = engine.fit(split, fit, stop)
    except Stopped:
        raise
    except Exception as error:  # whatever it was, it belongs to this fit and not to the search
        return Outcome([], [], float("nan"), 0.0, {}, failure=f"{type(error).__name__}: {error}")
    return dataclasses.replace(outcome, state={})
