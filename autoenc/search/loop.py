"""Training many fits on an executor, longest first, one bad fit never ending the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag, Stopped
from autoenc.search.executors import BatchLost, FitExecutor, Threads

__all__ = ["fit_work", "run_fits"]


def run_fits(
    fits: Sequence[Fit],
    split_of: Callable[[str], Split],
    engine: Engine,
    jobs: int,
    on_done: Callable[[Fit, Outcome], None],
    stop: StopFlag | None = None,
    executor: FitExecutor | None = None,
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
        executor: Where to train, in place of ``engine`` and ``jobs``; it is left open. By default
            ``jobs`` threads.

    Raises:
        InputError: If the executor can train no more; what was handed over by then stands.
    """
    stop = stop or StopFlag()
    pool = executor or Threads(engine, split_of, jobs, stop)
    queue = _Queue(fits, split_of)
    pending: dict[Future[list[Outcome]], list[Fit]] = {}
    try:
        while (queue or pending) and not stop.is_set():
            slots = pool.slots()
            # A bounded number in flight, so that a grid of any length needs no more memory.
            while queue and len(pending) < 2 * slots:
                batch = queue.take(pool.batch_s(), slots)
                pending[pool.submit(batch)] = batch
            # The pause bounds how long a signal's flag goes unseen.
            done, _ = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
            for future in done:
                batch = pending.pop(future)
                try:
                    outcomes = future.result()
                except Stopped:
                    continue
                except BatchLost as error:
                    if len(batch) > 1:  # alone they will show which of them it was
                        pending |= {pool.submit([fit]): [fit] for fit in batch}
                        continue
                    outcomes = [Outcome([], [], float("nan"), 0.0, {}, failure=str(error))]
                queue.learn(batch, outcomes)
                for fit, outcome in zip(batch, outcomes, strict=True):
                    on_done(fit, outcome)
    finally:
        if pending:  # left early: nobody waits for what is still in training
            stop.set()
        for future in pending:
            future.cancel()
        if executor is None:
            pool.close()


class _Queue:
    """What is still to be trained, longest first: the short ones then fill the gaps at the end."""

    def __init__(self, fits: Sequence[Fit], split_of: Callable[[str], Split]) -> None:
        work = {fit: fit_work(fit, split_of(fit.fold)) for fit in fits}
        self._fits = sorted(fits, key=work.__getitem__)
        self._work = work
        self._left = sum(work.values())
        self._seconds_per_work: float | None = None

    def __len__(self) -> int:
        return len(self._fits)

    def take(self, seconds: float, slots: int) -> list[Fit]:
        """The next fits that make a batch of about so many seconds; one while nothing was measured.

        Near the end batches get smaller, so that all slots finish at about the same time.
        """
        room = 0.0
        if self._seconds_per_work:
            room = min(seconds / self._seconds_per_work, self._left / (4 * slots))
        batch: list[Fit] = []
        while self._fits and (not batch or room >= self._work[self._fits[-1]]):
            batch.append(self._fits.pop())
            room -= self._work[batch[-1]]
            self._left -= self._work[batch[-1]]
        return batch

    def learn(self, batch: list[Fit], outcomes: list[Outcome]) -> None:
        """Note how long a batch took; the next ones are of about the same size, so the last one counts."""
        seconds = sum(outcome.seconds for outcome in outcomes)
        if seconds > 0:
            self._seconds_per_work = seconds / sum(self._work[fit] for fit in batch)


def fit_work(fit: Fit, split: Split) -> int:
    """Multiply-adds of a fit's training, forward: what its duration is about proportional to."""
    per_row = fit.network(split.values.shape[1]).count_multiply_adds()
    return per_row * split.train.size * fit.recipe.last_epoch
