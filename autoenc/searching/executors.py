"""Threads of this process, in which units are measured."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Generic

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag, Stopped
from autoenc.errors import InputError
from autoenc.searching.loop import O, Objective, U, Watch
from autoenc.system.trouble import MachineError, require_room, trouble

__all__ = ["Here", "Threads", "failure_of", "train_one"]

_THREAD_BYTES = 16 * 2**20  # its stack and some work space, without which a thread does not begin
_WAITING_BYTES = 2**20  # of one that waits for an engine that trains for many


class Threads(Generic[U, O]):
    """Threads of this process, which suffice for one machine because the engines release the GIL.

    See :class:`~autoenc.searching.loop.Executor`.

    Args:
        objective: What says how a unit is measured.
        n_threads: Units at once.
        stop: Given to what measures, which looks at it between batches of rows.
        n_working: Units at once that are measured in threads of their own, where others wait for an engine
            that trains for all; by default all.
    """

    def __init__(
        self, objective: Objective[U, O], n_threads: int, stop: StopFlag, n_working: int | None = None
    ) -> None:
        self._objective, self._n_threads, self._stop = objective, n_threads, stop
        self._threads: list[threading.Thread] = []
        n_working = n_threads if n_working is None else min(n_working, n_threads)
        room = n_working * _THREAD_BYTES + (n_threads - n_working) * _WAITING_BYTES
        require_room(room, f"training in {n_threads} threads")
        self._pool = ThreadPoolExecutor(
            n_threads, initializer=lambda: self._threads.append(threading.current_thread())
        )

    def slots(self) -> int:
        """Return the number of threads.

        Raises:
            MachineError: If a thread is gone, as where memory ran out even for telling so; whoever waited for
                its unit would wait for ever.
        """
        if not all(thread.is_alive() for thread in self._threads):
            raise MachineError("a thread that was training has died; it may have run out of memory")
        return self._n_threads

    def batch_s(self) -> float:
        """Return 0: a unit alone costs nothing more."""
        return 0.0

    def submit(self, units: Sequence[U], watch: Watch | None = None) -> Future[list[O]]:
        """Begin to measure ``units``, one after the other."""
        jobs = [self._objective.job(unit, watch) for unit in units]
        return self._pool.submit(self._measure, jobs)

    def close(self) -> None:
        """Wait for the units in training."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _measure(self, jobs: Sequence[Callable[[StopFlag], O]]) -> list[O]:
        return [job(self._stop) for job in jobs]


class Here(Generic[U, O]):
    """The calling thread: one unit after the other, each before ``submit`` returns.

    See :class:`~autoenc.searching.loop.Executor`.

    Args:
        objective: What says how a unit is measured.
        stop: Given to what measures.
    """

    def __init__(self, objective: Objective[U, O], stop: StopFlag) -> None:
        self._objective, self._stop = objective, stop

    def slots(self) -> int:
        """Return 1."""
        return 1

    def batch_s(self) -> float:
        """Return 0: a unit alone costs nothing more."""
        return 0.0

    def submit(self, units: Sequence[U], watch: Watch | None = None) -> Future[list[O]]:
        """Measure ``units``; what interrupts this thread interrupts them."""
        answer: Future[list[O]] = Future()
        try:
            answer.set_result([self._objective.job(unit, watch)(self._stop) for unit in units])
        except Exception as error:
            answer.set_exception(error)
        return answer

    def close(self) -> None:
        """Do nothing: whatever was begun has ended."""


def train_one(
    engine: Engine, split: Split, fit: Fit, stop: StopFlag | None = None, watch: Watch | None = None
) -> Outcome:
    """Train a fit; an error of the engine becomes its failure, and its parameters are left out.

    What is no failure of the fit, see :func:`failure_of`, is raised as it is.

    Raises:
        Stopped: If ``stop`` was set before the end.
        optuna.TrialPruned: If ``watch`` ended it.
    """
    try:
        train = engine.fit if watch is None else partial(engine.fit, watch=watch)
        outcome = train(split, fit, stop)
    except Exception as error:
        return Outcome([], [], float("nan"), 0.0, {}, failure=failure_of(error))
    return dataclasses.replace(outcome, state={})


def failure_of(error: Exception) -> str:
    """Return why a unit failed, by what was raised out of it.

    Raises:
        Exception: ``error``, where it is no failure of the unit: the unit was asked to stop, its trial was
            ended early, or options, storage or machine prevent all further ones, too.
    """
    from optuna.exceptions import OptunaError

    if isinstance(error, Stopped | OptunaError | InputError) or trouble(error) is not None:
        raise error
    return f"{type(error).__name__}: {error}"
