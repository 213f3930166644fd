"""Fits as the units of trials: how they are measured, and a search of nothing but fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from math import inf
from statistics import fmean

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag
from autoenc.models.grid import format_architecture
from autoenc.searching.executors import Threads, train_one
from autoenc.searching.loop import End, Executor, Running, Watch, run

__all__ = ["FitExecutor", "FitObjective", "FitTrial", "FitWork", "fit_work", "run_fits", "run_in_time"]

_SHORT_S = 0.5
"""Seconds of a fit beside which it matters what a core waits for the next one."""

FitExecutor = Executor[Fit, Outcome]
FitTrial = Running[Fit, Outcome]


class FitObjective:
    """Trials whose units are fits and whose value is the mean of their test losses.

    Args:
        engine: What trains.
        split_of: The data that a fit is trained on.
        ahead: Fits of one trial that may be in training at once.
    """

    def __init__(self, engine: Engine, split_of: Callable[[Fit], Split], ahead: float = inf) -> None:
        self._engine, self._split_of, self.ahead = engine, split_of, ahead
        self._work = FitWork(split_of)

    def work(self, unit: Fit) -> float:
        """Return the multiply-adds of a fit; see :func:`fit_work`."""
        return self._work.of(unit)

    def job(self, unit: Fit, watch: Watch | None) -> Callable[[StopFlag], Outcome]:
        """Return what trains a fit."""
        split = self._split_of(unit)  # in this thread: a division is not shared
        return lambda stop: train_one(self._engine, split, unit, stop, watch)

    def name(self, unit: Fit) -> str:
        """Return its stack, fold and seed."""
        return f"stack {format_architecture(unit.architecture)}, fold {unit.fold}, seed {unit.seed}"

    def judge(self, trial: FitTrial) -> End | None:
        """Return the first failure in the order of the fits, or once all succeeded their mean test loss."""
        outcomes = trial.first_outcomes()
        for outcome in outcomes:
            if outcome.failure is not None:
                return End(failure=outcome.failure)
        if len(outcomes) < len(trial.units):
            return None
        return End(fmean(outcome.final_test_loss for outcome in outcomes))


def fit_work(fit: Fit, split: Split) -> int:
    """Return the multiply-adds of a fit's training, forward: its duration is about proportional to them."""
    return _work(fit, split.values.shape[1], split.train.size)


def _work(fit: Fit, n_columns: int, n_train: int) -> int:
    return fit.network(n_columns).count_multiply_adds() * n_train * fit.recipe.last_epoch


class FitWork:
    """The multiply-adds of fits, see :func:`fit_work`; each split is made once for that.

    Args:
        split_of: The data that a fit is trained on.
    """

    def __init__(self, split_of: Callable[[Fit], Split]) -> None:
        self._split_of = split_of
        self._sizes: dict[tuple[str, str], tuple[int, int]] = {}

    def of(self, fit: Fit) -> int:
        """Return the multiply-adds of a fit."""
        data = fit.fold, fit.recipe.scaling
        if data not in self._sizes:
            split = self._split_of(fit)
            self._sizes[data] = split.values.shape[1], split.train.size
        return _work(fit, *self._sizes[data])


class _Batch(FitObjective):
    """Fits that are compared nowhere: one that fails ends nothing."""

    def judge(self, trial: FitTrial) -> End | None:
        """Over once every fit has an outcome."""
        return End() if len(trial.outcomes) == len(trial.units) else None


class FitBatches:
    """Fits that are wanted now, and after them those that are wanted then; see ``Trials`` of the loop.

    Args:
        wanted: Fits to train, as of now; the search is over once there are none.
        on_done: Called with each fit and its outcome, in the order in which they end.
    """

    def __init__(
        self, wanted: Callable[[], Sequence[Fit]], on_done: Callable[[Fit, Outcome], object]
    ) -> None:
        self._wanted, self._on_done = wanted, on_done

    def begin(self, n_running: int) -> FitTrial | None:
        """Return the fits that are wanted, once those before are done."""
        fits = [] if n_running else self._wanted()
        return Running(fits) if fits else None

    def add(self, trial: FitTrial, unit: Fit, outcome: Outcome) -> None:
        """Hand the outcome over."""
        self._on_done(unit, outcome)

    def watch(self, trial: FitTrial, unit: Fit) -> Watch | None:
        """Return None: there is no observer."""
        return None

    def end(self, trial: FitTrial, end: End) -> None:
        """Do nothing: outcomes are all there is."""


class FitsInTime(FitBatches):
    """Fits one by one while there is time; see ``Trials`` of the loop.

    Args:
        wanted: Fits to train, as of now, those in training among them, in the order in which to begin them.
        on_done: Called with each fit and its outcome, in the order in which they end.
        allows: Whether a fit may be begun, that takes about so many seconds, and so many at most.
        work: About proportional to the time that a fit takes.
        shares: Whether fits in training share the time, so that each ends when all have; see
            :class:`~autoenc.engines.contract.ManyAtOnce`.
        slots: Fits that can be in training at once; one more waits, if it is short.
    """

    def __init__(
        self,
        wanted: Callable[[], Sequence[Fit]],
        on_done: Callable[[Fit, Outcome], object],
        allows: Callable[[float, float], bool],
        work: Callable[[Fit], float],
        shares: bool = False,
        slots: float = inf,
    ) -> None:
        super().__init__(wanted, on_done)
        self._allows, self._work, self._shares, self._slots = allows, work, shares, slots
        self._in_training: set[Fit] = set()
        self._seconds_per_work = 0.0
        self._shares_of_epochs = list[float]()  # how much of its epochs each fit with early stopping took

    def begin(self, n_running: int) -> FitTrial | None:
        """Return the first fit that is wanted and that there is time for."""
        if self._shares and self._in_training and not self._seconds_per_work:
            return None  # the first one shows how long the others take together
        beside = sum(map(self._work, self._in_training)) if self._shares else 0.0
        for fit in self._wanted():
            if fit in self._in_training:
                continue
            at_most = self._seconds_per_work * (beside + self._work(fit))
            if n_running >= self._slots and at_most > _SHORT_S:
                return None  # it would begin when nobody knows what time there is then
            if self._allows(at_most * self._share_of_epochs(fit), at_most):
                self._in_training.add(fit)
                return Running([fit])
        return None

    def _share_of_epochs(self, fit: Fit) -> float:
        return fmean(self._shares_of_epochs or [1.0]) if fit.recipe.patience else 1.0

    def add(self, trial: FitTrial, unit: Fit, outcome: Outcome) -> None:
        """Hand the outcome over, and learn from it how long fits take."""
        self._in_training.discard(unit)
        if outcome.test_losses and unit.recipe.last_epoch > 1:
            share = len(outcome.test_losses) / unit.recipe.last_epoch
            self._seconds_per_work = outcome.seconds / share / self._work(unit)
            if unit.recipe.patience:
                self._shares_of_epochs.append(share)
        super().add(trial, unit, outcome)


def run_in_time(
    wanted: Callable[[], Sequence[Fit]],
    split_of: Callable[[Fit], Split],
    engine: Engine,
    jobs: int,
    on_done: Callable[[Fit, Outcome], object],
    allows: Callable[[float, float], bool],
    stop: StopFlag,
    executor: FitExecutor | None = None,
) -> None:
    """Train fits while there is time; see :func:`run_fits`.

    Args:
        wanted: Says what to train as of now, what to begin first first; asked again after each outcome.
        split_of: The data that a fit is trained on.
        engine: What trains.
        jobs: Fits in training at once, unless the engine wants more.
        on_done: Called in this thread, in the order in which fits end.
        allows: Whether a fit may be begun, that takes about so many seconds, and so many at most.
        stop: Ends the loop early.
        executor: Where to train, in place of ``jobs`` threads; it is left open.

    Raises:
        InputError: If the executor can train no more; what was handed over by then stands.
    """
    objective = _Batch(engine, split_of)
    with _place(objective, engine, jobs, stop, executor) as place:
        shares = executor is None and engine.n_at_once > 0
        slots = max(1, place.slots())
        trials = FitsInTime(wanted, on_done, allows, objective.work, shares, slots)
        # One more than can be in training waits, so that no core does while an outcome is handed over.
        run(trials, objective, place, stop, n_parallel=slots + (not shares))


def run_fits(
    fits: Sequence[Fit] | Callable[[], Sequence[Fit]],
    split_of: Callable[[Fit], Split],
    engine: Engine,
    jobs: int,
    on_done: Callable[[Fit, Outcome], object],
    stop: StopFlag | None = None,
    executor: FitExecutor | None = None,
    record: Callable[[Sequence[tuple[Fit, Outcome]]], object] | None = None,
) -> None:
    """Train every fit and hand each outcome over as soon as it is there.

    Args:
        fits: What to train; the order does not matter. Or a function that says it and is asked again when
            all are done, until it says nothing more.
        split_of: The data that a fit is trained on.
        engine: What trains.
        jobs: Fits in training at once, unless the engine wants more.
        on_done: Called in this thread, in the order in which fits end. Outcomes come without
            their parameters, which would not fit in memory for large grids; a fit that is wanted again
            can be trained again, to the same bits.
        stop: Ends the loop early, giving up the fits in training.
        executor: Where to train, in place of ``jobs`` threads; it is left open.
        record: Puts fits that end within a moment on disk together, before ``on_done`` is told of them.

    Raises:
        InputError: If the executor can train no more; what was handed over by then stands.
    """
    stop = stop or StopFlag()
    batches = [] if callable(fits) else [fits]
    wanted = fits if callable(fits) else lambda: batches.pop() if batches else []
    objective = _Batch(engine, split_of)
    with _place(objective, engine, jobs, stop, executor) as place:
        run(FitBatches(wanted, on_done), objective, place, stop, record=record)


def _place(
    objective: FitObjective, engine: Engine, jobs: int, stop: StopFlag, executor: FitExecutor | None
) -> AbstractContextManager[FitExecutor]:
    """Provide the executor that was given, which is left open, or threads."""
    return nullcontext(executor) if executor else closing(Threads(objective, engine.n_at_once or jobs, stop))
