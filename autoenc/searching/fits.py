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

__all__ = [
    "BatchObjective", "FitBatches", "FitExecutor", "FitObjective", "FitTrial", "FitWork", "fit_work",
    "place_of_fits", "run_fits", "threads_of",
]  # fmt: skip

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
    """The multiply-adds of fits, see :func:`fit_work`, and their steps; each split is made once for that.

    Args:
        split_of: The data that a fit is trained on.
    """

    def __init__(self, split_of: Callable[[Fit], Split]) -> None:
        self._split_of = split_of
        self._sizes: dict[tuple[str, str], tuple[int, int]] = {}

    def of(self, fit: Fit) -> int:
        """Return the multiply-adds of a fit."""
        return _work(fit, *self._sizes_of(fit))

    def steps(self, fit: Fit) -> int:
        """Return the steps of a fit, a batch of rows each."""
        _, n_train = self._sizes_of(fit)
        return -(-n_train // fit.recipe.batch_size) * fit.recipe.last_epoch

    def _sizes_of(self, fit: Fit) -> tuple[int, int]:
        data = fit.fold, fit.recipe.scaling
        if data not in self._sizes:
            split = self._split_of(fit)
            self._sizes[data] = split.values.shape[1], split.train.size
        return self._sizes[data]


class BatchObjective(FitObjective):
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
    objective = BatchObjective(engine, split_of)
    with place_of_fits(objective, engine, jobs, stop, executor) as place:
        run(FitBatches(wanted, on_done), objective, place, stop, record=record)


def place_of_fits(
    objective: FitObjective, engine: Engine, jobs: int, stop: StopFlag, executor: FitExecutor | None
) -> AbstractContextManager[FitExecutor]:
    """Provide the executor that was given, which is left open, or threads."""
    return nullcontext(executor) if executor else closing(threads_of(objective, engine, jobs, stop))


def threads_of(objective: FitObjective, engine: Engine, jobs: int, stop: StopFlag) -> Threads[Fit, Outcome]:
    """Return as many threads as an engine has a use for.

    Args:
        objective: What says how a fit is trained.
        engine: What trains.
        jobs: Fits in training at once, unless the engine wants more.
        stop: Given to each fit.
    """
    return Threads(objective, engine.n_at_once or jobs, stop, jobs)
