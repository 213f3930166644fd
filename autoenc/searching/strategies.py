"""Strategies: try everything once, or everything briefly and the better third for longer.

A strategy proposes fits from the outcomes so far; fits that are recorded need no training. It keeps no state
of its own, so a search that was interrupted goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from autoenc.engines import Fit, Outcome
from autoenc.engines.verify import spread
from autoenc.searching.finalists import JudgedTrials, judge_again
from autoenc.searching.trials import Trial, trained_trials_of, trials_of
from autoenc.settings import RaceSettings, SearchSettings

__all__ = ["Finalists", "Grid", "Halving", "Rung", "Strategy", "make_strategy", "planned_fits"]

Outcomes = Mapping[Fit, Outcome]


class Strategy(Protocol):
    """Decides what is tried next."""

    def propose(self, outcomes: Outcomes) -> list[Fit]:
        """Return the fits wanted now, recorded ones among them; the search ends once all are recorded."""
        ...

    def compared(self, outcomes: Outcomes) -> list[Trial]:
        """Return the trials that reports compare, in the order of the grid."""
        ...

    def trained(self, outcomes: Outcomes) -> list[Trial]:
        """Return the trials that are trained: the compared ones, and warm starts reported beside them."""
        ...


@dataclass(frozen=True)
class Grid:
    """Every trial once.

    Attributes:
        trials: What is compared.
        all_trials: What is trained.
    """

    trials: list[Trial]
    all_trials: list[Trial]

    def propose(self, outcomes: Outcomes) -> list[Fit]:
        """See :class:`Strategy`."""
        return [fit for trial in self.all_trials for fit in trial.fits]

    def compared(self, outcomes: Outcomes) -> list[Trial]:
        """See :class:`Strategy`."""
        return self.trials

    def trained(self, outcomes: Outcomes) -> list[Trial]:
        """See :class:`Strategy`."""
        return self.all_trials


@dataclass(frozen=True)
class Rung:
    """A stage of halving: the trials that reached it, cut to its epochs."""

    epochs: int
    trials: list[Trial]


@dataclass(frozen=True)
class Halving:
    """Every trial for a ninth of the epochs, the best third of them for a third, the best of those in full.

    The idea of successive halving (Jamieson and Talwalkar, AISTATS 2016) with a factor of three. A trial that
    is cut short follows the first epochs of its full training, with the same learning rates.
    """

    trials: list[Trial]

    def rungs(self, outcomes: Outcomes, to_the_end: bool = False) -> list[Rung]:
        """Return the rungs that are reached: the last one may still be in training.

        Args:
            outcomes: Fits that are done.
            to_the_end: Return those to come, too, with trials from the smallest to the largest in the place
                of those that will do best.
        """
        alive = self.trials
        schedule = []
        full = alive[0].recipe.epochs
        for epochs in sorted({max(1, full // 9), max(1, full // 3), full}):
            if epochs < full:
                cut = [replace(t, recipe=replace(t.recipe, stop_after=epochs, patience=0)) for t in alive]
            else:
                cut = alive
            schedule.append(Rung(epochs, cut))
            results = [trial.result(outcomes) for trial in cut]
            if any(result is None for result in results):
                if not to_the_end:
                    break
                alive = [alive[i] for i in spread(len(alive), max(1, len(alive) // 3))]
                continue
            succeeded = [i for i, result in enumerate(results) if result and result.failure is None]
            succeeded.sort(key=lambda i: results[i].loss)  # type: ignore[union-attr]
            kept = set(succeeded[: max(1, len(alive) // 3)])
            alive = [trial for i, trial in enumerate(alive) if i in kept]
            if not alive:
                break
        return schedule

    def propose(self, outcomes: Outcomes) -> list[Fit]:
        """See :class:`Strategy`."""
        return [fit for trial in self.rungs(outcomes)[-1].trials for fit in trial.fits]

    def compared(self, outcomes: Outcomes) -> list[Trial]:
        """See :class:`Strategy`; trials of the last rung only, because others had fewer epochs."""
        return self.rungs(outcomes)[-1].trials

    def trained(self, outcomes: Outcomes) -> list[Trial]:
        """See :class:`Strategy`."""
        return self.compared(outcomes)

    def cost(self, outcomes: Outcomes, input_dim: int) -> dict[str, object]:
        """Return what was spent against the whole grid, in epochs and in multiply-adds."""
        rungs = self.rungs(outcomes)
        full = self.trials[0].recipe.epochs

        def work(trials: list[Trial], epochs: int) -> int:
            return sum(trial.fits[0].network(input_dim).count_multiply_adds() * epochs for trial in trials)

        n_fits = len(self.trials[0].fits)
        return {
            "rungs": [{"epochs": rung.epochs, "trials": len(rung.trials)} for rung in rungs],
            "epochs_spent": n_fits * sum(rung.epochs * len(rung.trials) for rung in rungs),
            "epochs_of_the_grid": n_fits * full * len(self.trials),
            "multiply_adds_share": sum(work(rung.trials, rung.epochs) for rung in rungs)
            / work(self.trials, full),
        }


@dataclass(frozen=True)
class Finalists:
    """A strategy, and once all of it is recorded its best trials by more and more folds.

    Attributes:
        strategy: What is tried first.
        n_finalists: How many of its trials are judged again.
    """

    strategy: Strategy
    n_finalists: int

    def judged(self, outcomes: Outcomes) -> JudgedTrials:
        """Return how the finalists stand; none while the strategy is not done."""
        trials = self.strategy.compared(outcomes)
        is_open = any(fit not in outcomes for fit in self.strategy.propose(outcomes))
        results = [] if is_open else [trial.result(outcomes) for trial in trials]
        ranked = [result for result in results if result is not None and result.failure is None]
        return judge_again(sorted(ranked, key=lambda result: result.loss), self.n_finalists, outcomes)

    def propose(self, outcomes: Outcomes) -> list[Fit]:
        """See :class:`Strategy`."""
        repeats = self.judged(outcomes).repeats
        return [*self.strategy.propose(outcomes), *(fit for trial in repeats for fit in trial.fits)]

    def compared(self, outcomes: Outcomes) -> list[Trial]:
        """See :class:`Strategy`; by the folds that all have in common."""
        return self.strategy.compared(outcomes)

    def trained(self, outcomes: Outcomes) -> list[Trial]:
        """See :class:`Strategy`; each repeat is a trial of its own."""
        return [*self.strategy.trained(outcomes), *self.judged(outcomes).repeats]


def planned_fits(strategy: Strategy, outcomes: Outcomes) -> list[Fit]:
    """Return the fits that a strategy takes until it ends, of halving likely ones; without finalists."""
    first = strategy.strategy if isinstance(strategy, Finalists) else strategy
    rungs = first.rungs(outcomes, to_the_end=True) if isinstance(first, Halving) else None
    if rungs is None:
        return first.propose(outcomes)
    return [fit for rung in rungs for trial in rung.trials for fit in trial.fits]


def make_strategy(settings: SearchSettings) -> Strategy:
    """Return the strategy that these options ask for."""
    first = _first_strategy(settings)
    return Finalists(first, settings.finalists) if settings.finalists > 1 else first


def _first_strategy(settings: SearchSettings) -> Strategy:
    if isinstance(settings, RaceSettings):
        from autoenc.searching.race import Race

        return Race(settings)
    trials = trials_of(settings)
    if settings.strategy == "halving":
        return Halving(trials)
    return Grid(trials, trained_trials_of(settings) if settings.warm_start else trials)
