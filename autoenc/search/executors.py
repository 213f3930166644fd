"""Where fits are trained: one small interface, and threads of this process behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag, Stopped

__all__ = ["BatchLost", "FitExecutor", "Threads", "train_one"]


class BatchLost(Exception):  # noqa: N818  (no error of the search: the fits can be sent again)
    """Raised out of a batch that came to nothing because whatever trained it kept dying."""


class FitExecutor(Protocol):
    """Trains batches of fits somewhere."""

    def slots(self) -> int:
        """Fits that can be in training at once, as of now; may change from call to call."""
        ...

    def batch_s(self) -> float:
        """Seconds of training that should travel together; 0 where a fit alone costs nothing more."""
        ...

    def submit(self, fits: Sequence[Fit]) -> Future[list[Outcome]]:
        """Begin to train ``fits``, one after the other.

        Returns:
            Their outcomes, in the same order and without parameters. It raises :class:`Stopped` where it
            was asked to stop, :class:`BatchLost` where nothing is known of any of them, and
            :class:`~autoenc.errors.InputError` where nothing more can be trained here.
        """
        ...

    def close(self) -> None:
        """Give back what it holds; fits that are not finished are given up."""
        ...


class Threads:
    """Threads of this process, which suffice for one machine because the engines release the GIL.

    Args:
        engine: What trains.
        split_of: The data of a fold, by its name.
        jobs: Number of threads.
        stop: Given to the engine, which looks at it between batches of rows.
    """

    def __init__(self, engine: Engine, split_of: Callable[[str], Split], jobs: int, stop: StopFlag) -> None:
        self._engine, self._split_of, self._jobs, self._stop = engine, split_of, jobs, stop
        self._pool = ThreadPoolExecutor(jobs)

    def slots(self) -> int:
        """See :class:`FitExecutor`."""
        return self._jobs

    def batch_s(self) -> float:
        """See :class:`FitExecutor`."""
        return 0.0

    def submit(self, fits: Sequence[Fit]) -> Future[list[Outcome]]:
        """See :class:`FitExecutor`."""
        splits = [self._split_of(fit.fold) for fit in fits]  # in this thread: a division is not shared
        return self._pool.submit(self._train, splits, list(fits))

    def close(self) -> None:
        """See :class:`FitExecutor`."""
        self._pool.shutdown(wait=True)

    def _train(self, splits: list[Split], fits: list[Fit]) -> list[Outcome]:
        return [
            train_one(self._engine, split, fit, self._stop) for split, fit in zip(splits, fits, strict=True)
        ]


def train_one(engine: Engine, split: Split, fit: Fit, stop: StopFlag | None = None) -> Outcome:
    """Train a fit; an error of the engine becomes its failure, and its parameters are left out.

    Raises:
        Stopped: If ``stop`` was set before the end.
    """
    try:
        outcome = engine.fit(split, fit, stop)
    except Stopped:
        raise
    except Exception as error:  # whatever it was, it belongs to this fit and not to the search
        return Outcome([], [], float("nan"), 0.0, {}, failure=f"{type(error).__name__}: {error}")
    return dataclasses.replace(outcome, state={})
