"""Fits one by one while there is time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag
from autoenc.searching.fits import BatchObjective, FitBatches, FitExecutor, FitTrial, place_of_fits
from autoenc.searching.loop import Running, run
from autoenc.searching.pace import Pace

__all__ = ["FitsInTime", "run_in_time"]

_SHORT_S = 0.5
"""Seconds of a fit beside which it matters what a core waits for the next one."""


class FitsInTime(FitBatches):
    """Fits one by one while there is time; see ``Trials`` of the loop.

    Fits that share the time begin together, and the next ones once all of them have ended: an engine that
    trains many would let them wait, and what time there is then is not known before.

    Args:
        wanted: Fits to train, as of now, those in training among them, in the order in which to begin them.
        on_done: Called with each fit and its outcome, in the order in which they end.
        allows: Whether a fit may be begun, that takes about so many seconds, and so many at most.
        pace: Says how long fits take, and learns it.
        slots: Fits that can be in training at once; one more waits, if it is short.
    """

    def __init__(
        self,
        wanted: Callable[[], Sequence[Fit]],
        on_done: Callable[[Fit, Outcome], object],
        allows: Callable[[float, float], bool],
        pace: Pace,
        slots: float = inf,
    ) -> None:
        super().__init__(wanted, on_done)
        self._allows, self._pace, self._slots = allows, pace, slots
        self._in_training: set[Fit] = set()
        self._are_ending = False  # of those that share the time one has ended, and others have not

    def begin(self, n_running: int) -> FitTrial | None:
        """Return the first fit that is wanted and that there is time for."""
        if self._pace.shares and self._in_training and (self._are_ending or not self._pace.is_known):
            return None  # the first one shows how long others take
        beside = list(self._in_training) if self._pace.shares else []
        for fit in self._wanted():
            if fit in self._in_training:
                continue
            at_most = self._pace.seconds([*beside, fit])
            if n_running >= self._slots and at_most > _SHORT_S:
                return None  # it would begin when nobody knows what time there is then
            if self._allows(at_most * self._pace.part_of_epochs(fit), at_most):
                self._in_training.add(fit)
                return Running([fit])
        return None

    def add(self, trial: FitTrial, unit: Fit, outcome: Outcome) -> None:
        """Hand the outcome over, and learn from it how long fits take."""
        self._in_training.discard(unit)
        self._are_ending = bool(self._in_training)
        self._pace.learn(unit, outcome, is_last=not self._in_training)
        super().add(trial, unit, outcome)


def run_in_time(
    wanted: Callable[[], Sequence[Fit]],
    split_of: Callable[[Fit], Split],
    engine: Engine,
    jobs: int,
    on_done: Callable[[Fit, Outcome], object],
    allows: Callable[[float, float], bool],
    pace: Pace,
    stop: StopFlag,
    executor: FitExecutor | None = None,
) -> None:
    """Train fits while there is time; see :func:`~autoenc.searching.fits.run_fits`.

    Args:
        wanted: Says what to train as of now, what to begin first first; asked again after each outcome.
        split_of: The data that a fit is trained on.
        engine: What trains.
        jobs: Fits in training at once, unless the engine wants more.
        on_done: Called in this thread, in the order in which fits end.
        allows: Whether a fit may be begun, that takes about so many seconds, and so many at most.
        pace: Says how long fits take, and learns it.
        stop: Ends the loop early.
        executor: Where to train, in place of ``jobs`` threads; it is left open.

    Raises:
        InputError: If the executor can train no more; what was handed over by then stands.
    """
    objective = BatchObjective(engine, split_of)
    with place_of_fits(objective, engine, jobs, stop, executor) as place:
        slots = max(1, place.slots())
        # One more than can be in training waits, so that no core does while an outcome is handed over.
        n_parallel = slots + (not pace.shares)
        run(FitsInTime(wanted, on_done, allows, pace, slots), objective, place, stop, n_parallel)
