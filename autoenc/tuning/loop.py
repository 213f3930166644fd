"""The loop of an adaptive search: ask the sampler, train, record, tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import optuna
from filelock import BaseFileLock
from optuna.trial import TrialState

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag, Stopped
from autoenc.search import run_fits
from autoenc.search.executors import FitExecutor
from autoenc.study import Record
from autoenc.trials import Trial, TrialResult
from autoenc.tuning.families import situation
from autoenc.tuning.job import TuneJob
from autoenc.tuning.study import abandoned, any_unmarked, mark_process

__all__ = ["Tuning"]


@dataclass
class Tuning:
    """A running adaptive search.

    Attributes:
        job: What it works on.
        study: Where its trials are recorded.
        record: Where the fits of its trials are recorded, each one once.
        alone: Whether no other process works on the study.
        on_told: Called with each finished trial's number.
        cluster: Where fits are trained; None for threads of this process.
        asking: Held while a trial is begun, so that searchers who share a folder begin no surplus trial.
    """

    job: TuneJob
    study: optuna.Study
    record: Record
    alone: bool
    on_told: Callable[[int], None]
    asking: BaseFileLock
    cluster: FitExecutor | None = None

    def run(self, stop: StopFlag, deadline_s: float | None = None) -> None:
        """Run trials until all are done, ``stop`` is set, or the time is over.

        A trial that is given up stays unfinished in the study, and is the first one of the next run.

        Args:
            stop: Ends the search in order.
            deadline_s: When no trial begins any more, on :func:`time.monotonic`.
        """
        waiting = [trial._trial_id for trial in abandoned(self.study, self.alone)]
        done = self.record.outcomes()
        flying: dict[Future[TrialResult], optuna.Trial] = {}
        with ThreadPoolExecutor(self.job.settings.jobs) as pool:
            try:
                while not stop.is_set():
                    while len(flying) < self.job.settings.jobs and not _past(deadline_s):
                        trial = self._next(waiting, bool(flying))
                        if trial is None:
                            break
                        flying[pool.submit(self._measure, trial, self._prepared(trial), done, stop)] = trial
                    if not flying:
                        # Another searcher may have been killed since we began.
                        waiting = [] if _past(deadline_s) else self._left_behind(stop)
                        if not waiting:
                            break
                        continue
                    # The pause bounds how long a signal's flag goes unseen.
                    ended, _ = wait(flying, timeout=0.1, return_when=FIRST_COMPLETED)
                    for future in sorted(ended, key=lambda future: flying[future].number):
                        self._tell(flying.pop(future), future)
            finally:
                if flying:  # left early: nobody waits for what is still in training
                    stop.set()

    def _left_behind(self, stop: StopFlag) -> list[int]:
        """The ids of trials in nobody's hands; waits for those so young that they may yet be marked."""
        while not stop.is_set():
            left = abandoned(self.study, self.alone)
            if left or not any_unmarked(self.study):
                return [trial._trial_id for trial in left]
            time.sleep(0.1)
        return []

    def _next(self, waiting: list[int], busy: bool) -> optuna.Trial | None:
        """The next trial to run; None while there is none to begin."""
        if waiting:
            return optuna.Trial(self.study, waiting.pop(0))
        with self.asking:
            return self._ask(busy)

    def _ask(self, busy: bool) -> optuna.Trial | None:
        begun = [t for t in self.study.get_trials(deepcopy=False) if t.state != TrialState.WAITING]
        if len(begun) >= self.job.n_trials:
            return None
        family = self.job.family_of(len(begun))
        if len(begun) and family != self.job.family_of(len(begun) - 1):
            if busy:  # a family begins from the best of those before it: they have to be known
                return None
            self._begin_family(family)
        trial = self.study.ask()
        mark_process(trial)
        return trial

    def _begin_family(self, family: str) -> None:
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if complete:
            best = min(complete, key=lambda trial: (trial.value, trial.number)).params
            self.study.enqueue_trial({**best, "family": family}, skip_if_exists=True)

    def _prepared(self, trial: optuna.Trial) -> Trial:
        """What a trial trains; what it is goes into the study before its training begins."""
        job = self.job
        family: Any = job.settings.families[0]
        if len(job.settings.families) > 1:
            family = trial.suggest_categorical("family", job.settings.families)
        stacks = None if job.grid is None else job.grid["hidden_dims"]
        measured = job.trial_of(job.space.suggest(trial, stacks), family)
        trial.set_user_attr("stack", measured.name)
        trial.set_user_attr("model_params", measured.n_parameters(len(job.table.columns)))
        trial.set_user_attr("recipe", measured.recipe.as_dict())
        if job.settings.strategy == "resilient" and "mode" not in trial.user_attrs:
            trial.set_user_attr("mode", self._mode(trial, family))
        return measured

    def _mode(self, trial: optuna.Trial, family: Any) -> str:
        frozen = self.study.get_trials(deepcopy=False)[trial.number]
        if "fixed_params" in frozen.system_attrs:
            return "best of the families before" if len(self.job.settings.families) > 1 else "enqueued"
        return str(situation(self.study, self.job.settings, self.job.thresholds, family).mode)

    def _measure(
        self, trial: optuna.Trial, measured: Trial, done: dict[Fit, Outcome], stop: StopFlag
    ) -> TrialResult:
        if not self.alone and any(fit not in done for fit in measured.fits):
            done.update(self.record.outcomes())  # what other searchers have trained since
        if self.cluster is not None:
            self._train_on(self.cluster, [fit for fit in measured.fits if fit not in done], done, stop)
        outcomes = []
        for i, fit in enumerate(measured.fits):
            outcome = done.get(fit)
            if outcome is None:
                watch = self._pruning(trial) if i == 0 and self.job.settings.pruner != "none" else None
                outcome = _train(self.job.engine, self.job.division.split(fit.fold), fit, stop, watch)
                self.record.add(fit, outcome, self.job.engine.name)
                done[fit] = outcome
            outcomes.append(outcome)
            if outcome.failure is not None:
                break
        return TrialResult(measured, tuple(outcomes))

    def _train_on(
        self, cluster: FitExecutor, fits: list[Fit], done: dict[Fit, Outcome], stop: StopFlag
    ) -> None:
        """Train a trial's fits all at once."""

        def keep(fit: Fit, outcome: Outcome) -> None:
            self.record.add(fit, outcome, self.job.engine.name)
            done[fit] = outcome

        split_of, jobs = self.job.division.split, self.job.settings.jobs
        run_fits(fits, split_of, self.job.engine, jobs, keep, stop, cluster)
        if stop.is_set():
            raise Stopped

    def _pruning(self, trial: optuna.Trial) -> Callable[[int, float], None]:
        """Reports each epoch of a trial's first fit, and ends the trial where the pruner says so."""
        reported = set(self.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

        def watch(epoch: int, test_loss: float) -> None:
            if epoch not in reported:  # a trial that is taken up again comes to the same values
                trial.report(test_loss, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        return watch

    def _tell(self, trial: optuna.Trial, future: Future[TrialResult]) -> None:
        error = future.exception()
        if isinstance(error, Stopped):
            return
        if isinstance(error, optuna.TrialPruned):
            self.study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
        elif error is not None:
            raise error
        else:
            result = future.result()
            trial.set_user_attr("seconds", result.seconds)
            if result.failure is not None:
                trial.set_user_attr("failure", result.failure)
                self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            else:
                trial.set_user_attr("epochs", result.median_epochs)
                if result.standard_error is not None:
                    trial.set_user_attr("standard_error", result.standard_error)
                self.study.tell(trial, result.loss, skip_if_finished=True)
        self.on_told(trial.number)


def _past(deadline_s: float | None) -> bool:
    return deadline_s is not None and time.monotonic() >= deadline_s


def _train(
    engine: Engine, split: Split, fit: Fit, stop: StopFlag, watch: Callable[[int, float], None] | None
) -> Outcome:
    try:
        return replace(engine.fit(split, fit, stop, watch=watch), state={})
    except (Stopped, optuna.TrialPruned, OSError):
        raise
    except Exception as error:  # whatever it was, it belongs to this fit and not to the search
        return Outcome([], [], float("nan"), 0.0, {}, failure=f"{type(error).__name__}: {error}")
