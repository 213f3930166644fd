"""The one loop of every search: propose, train, record.

Whatever is searched, it goes on here: :func:`run` begins the trials that a strategy proposes, has their units
(a fit, a fold) measured by an executor, and hands every outcome to the record before the next is taken.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from optuna import TrialPruned

from autoenc.engines import StopFlag, Stopped
from autoenc.system.surroundings import one_library_thread
from autoenc.system.trouble import MachineError

__all__ = ["BatchLost", "End", "Executor", "Measured", "Objective", "Running", "Trials", "Watch", "run"]

_POLL_S = 0.1  # bounds how long a signal's flag goes unseen
_GATHER_S = 0.05  # what ends within it is recorded together, while something else is in training

Watch = Callable[[int, float], None]
"""Called by a unit in training after each epoch; what it raises ends the unit."""


class Measured(Protocol):
    """The outcome of a unit."""

    @property
    def seconds(self) -> float:
        """Time that it took."""
        ...

    @property
    def failure(self) -> str | None:
        """Why it failed; None if it succeeded."""
        ...


U = TypeVar("U", bound=Hashable)
O = TypeVar("O", bound=Measured)  # noqa: E741  (an outcome)
_U = TypeVar("_U", bound=Hashable, contravariant=True)


@dataclass(eq=False)
class Running(Generic[U, O]):
    """A trial that has begun and has not ended.

    Attributes:
        units: What measures it, in the order in which they count.
        handle: What the record knows it by.
        number: Its place among the trials.
        config: What is measured, where the objective needs more than the units.
        outcomes: Of the units that are measured so far.
        n_judged: How many first outcomes the objective has judged already.
    """

    units: Sequence[U]
    handle: Any = None
    number: int = 0
    config: Any = None
    outcomes: dict[U, O] = field(default_factory=dict)
    n_judged: int = 0

    def first_outcomes(self) -> list[O]:
        """Return the outcomes of the first units, up to the first one that is not measured yet."""
        outcomes: list[O] = []
        for unit in self.units:
            if unit not in self.outcomes:
                break
            outcomes.append(self.outcomes[unit])
        return outcomes


class End(NamedTuple):
    """The end of a trial: with a value, with the reason of its failure, or pruned.

    Attributes:
        value: What it is worth, lower is better; None if it failed or was pruned.
        failure: Why it failed.
        attributes: What else the record should know of it.
    """

    value: float | None = None
    failure: str | None = None
    attributes: Mapping[str, Any] = {}

    @property
    def is_pruned(self) -> bool:
        """Whether it was ended early."""
        return self.value is None and self.failure is None


class Trials(Protocol[U, O]):
    """The source of the next trials, and the record of their results."""

    def begin(self, n_running: int) -> Running[U, O] | None:
        """Begin the next trial; None while there is none to begin.

        Args:
            n_running: Trials that have not ended; the search is over once none is begun beside none.
        """
        ...

    def add(self, trial: Running[U, O], unit: U, outcome: O) -> None:
        """Record the outcome of a unit: on disk when this returns, where there is a disk."""
        ...

    def watch(self, trial: Running[U, O], unit: U) -> Watch | None:
        """Return what a unit in training calls after each epoch."""
        ...

    def end(self, trial: Running[U, O], end: End) -> None:
        """Record how a trial ended."""
        ...


class Objective(Protocol[U, O]):
    """The value of a trial, and how its units are measured."""

    @property
    def ahead(self) -> float:
        """Units of one trial that may be measured at once."""
        ...

    def work(self, unit: U) -> float:
        """Return about how long a unit takes, in any unit of time; the longest are begun first."""
        ...

    def job(self, unit: U, watch: Watch | None) -> Callable[[StopFlag], O]:
        """Return what measures a unit, to be called in any thread; this itself is called in the loop's.

        The job raises :class:`Stopped` where it was asked to stop and ``optuna.TrialPruned`` where ``watch``
        ended it. What a unit itself cannot do is an outcome with a failure.
        """
        ...

    def name(self, unit: U) -> str:
        """Return a unit, for people."""
        ...

    def judge(self, trial: Running[U, O]) -> End | None:
        """Return how a trial ends, by its outcomes so far; None while that is open."""
        ...


class BatchLost(Exception):  # noqa: N818  (no error of the search: the units can be sent again)
    """Raised for a batch that has no result because its workers kept dying."""


class Executor(Protocol[_U, O]):
    """Measures batches of units somewhere."""

    def slots(self) -> int:
        """Return how many units can be in training at once, as of now; may change from call to call."""
        ...

    def batch_s(self) -> float:
        """Return seconds of training that should travel together; 0 where a unit alone costs nothing more."""
        ...

    def submit(self, units: Sequence[_U], watch: Watch | None = None) -> Future[list[O]]:
        """Begin to measure ``units``, one after the other.

        Returns:
            Their outcomes, in the same order. It raises :class:`Stopped` where it was asked to stop,
            :class:`BatchLost` where nothing is known of any of them, and
            :class:`~autoenc.errors.InputError` where nothing more can be measured here.
        """
        ...

    def close(self) -> None:
        """Give back what it holds; units that are not finished are given up."""
        ...


class _Entry(NamedTuple, Generic[U, O]):
    """A unit of a trial, as it waits and is measured."""

    trial: Running[U, O]
    unit: U


@one_library_thread()
def run(
    trials: Trials[U, O],
    objective: Objective[U, O],
    executor: Executor[U, O],
    stop: StopFlag,
    n_parallel: float = inf,
    record: Callable[[Sequence[tuple[U, O]]], object] | None = None,
) -> None:
    """Run trials until no more is begun or ``stop`` is set.

    Trials in training when it is set stay unfinished in the record, to be taken up by the next run.

    Args:
        trials: What is tried, and its record.
        objective: What trials are worth.
        executor: What measures; it is left open.
        stop: Ends the loop early.
        n_parallel: Trials at once.
        record: Puts units and outcomes on disk, before any of them is handed to ``trials``. Without it that
            is for ``trials`` to do, one by one.

    Raises:
        InputError: If the executor can measure no more; what was recorded by then stands.
        MachineError: If whatever measured a unit did not survive it, once all others are measured. That is no
            result: nothing of it is recorded, and its trial stays unfinished.
    """
    queue = _Queue(objective)
    running: list[Running[U, O]] = []
    pending: dict[Future[list[O]], list[_Entry[U, O]]] = {}
    lost: list[str] = []
    ended: _Ended[U, O] = _Ended(0.0 if record is None else _GATHER_S)

    def settle(trial: Running[U, O]) -> None:
        end = objective.judge(trial)
        if end is None:
            queue.offer(trial)
        else:
            finish(trial, end)

    def finish(trial: Running[U, O], end: End) -> None:
        trials.end(trial, end)
        running.remove(trial)
        queue.drop(trial)

    def hand_over() -> None:
        entries = ended.take()
        if record is not None and entries:
            record([(entry.unit, outcome) for entry, outcome in entries])
        for entry, outcome in entries:
            trials.add(*entry, outcome)
            entry.trial.outcomes[entry.unit] = outcome
        for trial in dict.fromkeys(entry.trial for entry, _ in entries):
            if trial in running:
                settle(trial)

    try:
        while not stop.is_set():
            while len(running) < n_parallel and (trial := trials.begin(len(running))) is not None:
                running.append(trial)
                settle(trial)
            if not running and not pending:
                break
            slots = executor.slots()
            # A bounded number in flight, so that a grid of any length needs no more memory.
            while len(pending) < 2 * slots and (batch := queue.take(executor.batch_s(), slots)):
                watches = [trials.watch(*entry) for entry in batch]
                if not any(watches):
                    pending[executor.submit([entry.unit for entry in batch])] = batch
                    continue
                for entry, watch in zip(batch, watches, strict=True):  # who is watched travels alone
                    pending[executor.submit([entry.unit], watch)] = [entry]
            if not pending:  # nothing is in training, and nothing waits for it
                hand_over()
            if lost and not pending:
                raise MachineError("; ".join(lost))
            done, _ = wait(pending, timeout=ended.left_s(), return_when=FIRST_COMPLETED)
            in_turn = [future for future in pending if future in done]
            for future in sorted(in_turn, key=lambda future: pending[future][0].trial.number):
                batch = pending.pop(future)
                try:
                    outcomes = future.result()
                except Stopped:
                    continue
                except TrialPruned:
                    if batch[0].trial in running:
                        finish(batch[0].trial, End())
                    continue
                except BatchLost as error:
                    if len(batch) > 1:  # alone they will show which of them it was
                        pending |= {executor.submit([entry.unit]): [entry] for entry in batch}
                        continue
                    lost.append(f"{objective.name(batch[0].unit)}: {error}")
                    continue
                queue.learn(batch, outcomes)
                ended.put(zip(batch, outcomes, strict=True))
                if record is None:
                    hand_over()
            if not ended.left_s():
                hand_over()
    finally:
        if pending:  # left early: what is still in training is not waited for
            stop.set()
        for future in pending:
            future.cancel()
        hand_over()  # nothing that ended is lost


class _Ended(Generic[U, O]):
    """Units that ended and are not recorded yet.

    Args:
        gather_s: How long the first of them waits for others.
    """

    def __init__(self, gather_s: float) -> None:
        self._gather_s, self._entries, self._due_s = gather_s, list[tuple[_Entry[U, O], O]](), inf

    def put(self, entries: Iterable[tuple[_Entry[U, O], O]]) -> None:
        """Add units and outcomes."""
        if not self._entries:
            self._due_s = time.monotonic() + self._gather_s
        self._entries += entries

    def left_s(self) -> float:
        """Return seconds until they are due, or until the loop looks around."""
        return min(_POLL_S, max(0.0, self._due_s - time.monotonic()))

    def take(self) -> list[tuple[_Entry[U, O], O]]:
        """Return all of them, which are then nobody's."""
        entries, self._entries, self._due_s = self._entries, [], inf
        return entries


class _Queue(Generic[U, O]):
    """Units that wait to be measured, longest first: the short ones then fill the gaps at the end."""

    def __init__(self, objective: Objective[U, O]) -> None:
        self._objective = objective
        self._heap: list[tuple[float, int, _Entry[U, O]]] = []
        self._n_offered = 0
        self._next: dict[Running[U, O], int] = {}  # the first unit of a trial that was not offered yet
        self._open: dict[Running[U, O], int] = {}  # units of a trial that were offered and are not measured
        self._left = 0.0
        self._seconds_per_work: float | None = None

    def offer(self, trial: Running[U, O]) -> None:
        """Put a trial's next units in, as many as may be measured at once."""
        i = self._next.setdefault(trial, 0)
        self._open.setdefault(trial, 0)
        while i < len(trial.units) and self._open[trial] < self._objective.ahead:
            unit = trial.units[i]
            i += 1
            if unit in trial.outcomes:
                continue
            work = self._objective.work(unit)
            heapq.heappush(self._heap, (-work, self._n_offered, _Entry(trial, unit)))
            self._n_offered += 1
            self._open[trial] += 1
            self._left += work
        self._next[trial] = i

    def drop(self, trial: Running[U, O]) -> None:
        """Forget a trial that ended; what of it is in training ends by itself."""
        self._next.pop(trial, None)
        self._open.pop(trial, None)

    def take(self, seconds: float, slots: int) -> list[_Entry[U, O]]:
        """Return the next units that make a batch of about so many seconds; one while nothing was measured.

        Near the end batches get smaller, so that all slots finish at about the same time.
        """
        room = 0.0
        if self._seconds_per_work:
            room = min(seconds / self._seconds_per_work, self._left / (4 * slots))
        batch: list[_Entry[U, O]] = []
        while self._heap and (not batch or room >= -self._heap[0][0]):
            negative, _, entry = heapq.heappop(self._heap)
            self._left += negative
            if entry.trial in self._open:  # else its trial has ended
                batch.append(entry)
                room += negative
        return batch

    def learn(self, batch: Sequence[_Entry[U, O]], outcomes: Sequence[O]) -> None:
        """Note how long a batch took; the next ones are of about the same size, so the last one counts."""
        for entry in batch:
            if entry.trial in self._open:
                self._open[entry.trial] -= 1
        seconds = sum(outcome.seconds for outcome in outcomes)
        if seconds > 0:
            self._seconds_per_work = seconds / sum(self._objective.work(entry.unit) for entry in batch)
