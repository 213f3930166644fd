"""The trials of an adaptive search: asked of its strategy, family by family, and their fits recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from math import inf
from typing import Any

import optuna
from optuna.trial import TrialState

from autoenc.engines import Fit, Outcome, StopFlag
from autoenc.record.fits import FitRecord
from autoenc.record.record import Record
from autoenc.searching.finalists import judge_again
from autoenc.searching.fits import FitExecutor, FitObjective, FitTrial, run_fits, threads_of
from autoenc.searching.loop import End, run
from autoenc.searching.studies import Prepared, StudyTrials
from autoenc.searching.trials import Trial, TrialResult
from autoenc.tuning.families import situation
from autoenc.tuning.job import TuneJob
from autoenc.tuning.results import trial_results

__all__ = ["TuneObjective", "judge_finalists", "run_tuning"]


def run_tuning(
    job: TuneJob,
    record: Record,
    fits: FitRecord,
    on_end: Callable[[int], object],
    asking: AbstractContextManager[Any],
    stop: StopFlag,
    cluster: FitExecutor | None = None,
    deadline_s: float = inf,
) -> None:
    """Run trials until all are done, ``stop`` is set, or the time limit is reached.

    A trial that is given up stays unfinished in the study, and is the first one of the next run.

    Args:
        job: What is searched.
        record: Where its trials are recorded.
        fits: Where the fits of its trials are recorded, each one once.
        on_end: Called with the number of each trial that ended.
        asking: Held while a trial is begun, so that searchers who share a folder begin no surplus trial.
        stop: Ends the search in order.
        cluster: Where fits are trained; None for threads of this process.
        deadline_s: When no trial begins any more, on :func:`time.monotonic`.
    """
    engine, jobs = job.engine, job.settings.jobs
    # A trial that fails in one fold needs no others, so here they come one by one; a cluster takes them all,
    # and so does an engine that trains them together.
    objective = TuneObjective(engine, job.division.split_of, inf if cluster or engine.n_at_once else 1)
    with nullcontext(cluster) if cluster else closing(threads_of(objective, engine, jobs, stop)) as executor:
        trials = _Trials(job, record, fits, on_end, asking, stop, deadline_s)
        run(trials, objective, executor, stop, jobs)


def judge_finalists(
    job: TuneJob,
    study: optuna.Study,
    fits: FitRecord,
    stop: StopFlag,
    cluster: FitExecutor | None = None,
    deadline_s: float = inf,
) -> None:
    """Judge the best trials by further folds, as far as that is not recorded yet.

    Args:
        job: What is searched.
        study: Its trials, all of which have ended.
        fits: Where the fits of the repeats are recorded.
        stop: Ends it early; what is not judged yet can be later.
        cluster: Where fits are trained; None for threads of this process.
        deadline_s: When no round begins any more, on :func:`time.monotonic`.
    """
    ranked, outcomes = [result for _, result in trial_results(study)], fits.outcomes()

    def wanted() -> list[Fit]:
        if time.monotonic() >= deadline_s:
            return []
        repeats = judge_again(ranked, job.settings.finalists, outcomes).repeats
        return [fit for trial in repeats for fit in trial.fits if fit not in outcomes]

    run_fits(
        wanted, job.division.split_of, job.engine, job.settings.jobs, outcomes.__setitem__, stop, cluster,
        partial(fits.add_all, engine=job.engine.name),
    )  # fmt: skip


class TuneObjective(FitObjective):
    """The mean test loss of a trial's fits, and what else is recorded about it."""

    def judge(self, trial: FitTrial) -> End | None:
        """See :class:`~autoenc.searching.fits.FitObjective`."""
        end = super().judge(trial)
        if end is None:
            return None
        outcomes = trial.first_outcomes()
        failed = [i for i, outcome in enumerate(outcomes) if outcome.failure is not None]
        result = TrialResult(trial.config, tuple(outcomes[: failed[0] + 1] if failed else outcomes))
        attributes: dict[str, Any] = {"seconds": result.seconds}
        if end.failure is None:
            attributes["epochs"] = result.median_epochs
            if result.standard_error is not None:
                attributes["standard_error"] = result.standard_error
        return end._replace(attributes=attributes)


class _Trials(StudyTrials[Fit, Outcome]):
    """See :func:`run_tuning`."""

    def __init__(
        self,
        job: TuneJob,
        record: Record,
        fits: FitRecord,
        on_end: Callable[[int], object],
        asking: AbstractContextManager[Any],
        stop: StopFlag,
        deadline_s: float,
    ) -> None:
        self._job, self._fits = job, fits
        self._done = fits.outcomes()
        super().__init__(record, job.n_trials, self._prepared, on_end, deadline_s, asking, stop)

    def ask(self, n_running: int) -> optuna.Trial | None:
        """Return a new trial of the family whose turn it is."""
        with self.asking:
            n_begun = self.n_begun()
            if n_begun >= self.n_trials:
                return None
            family = self._job.family_of(n_begun)
            if n_begun and family != self._job.family_of(n_begun - 1):
                if n_running:  # a family begins from the best of those before it: they have to be known
                    return None
                self._begin_family(family)
            return self.record.begin()

    def _begin_family(self, family: str) -> None:
        complete = self.record.trials(TrialState.COMPLETE)
        if complete:
            best = min(complete, key=lambda trial: (trial.value, trial.number)).params
            self.study.enqueue_trial({**best, "family": family}, skip_if_exists=True)

    def _prepared(self, trial: optuna.Trial) -> Prepared[Fit, Outcome]:
        """Return what a trial trains; what it is goes into the study before its training begins."""
        job = self._job
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
        return Prepared(measured.fits, measured, self._known(measured))

    def _known(self, measured: Trial) -> dict[Fit, Outcome]:
        """Return outcomes of its fits that are recorded already."""
        if not self.record.is_alone and any(fit not in self._done for fit in measured.fits):
            self._done = self._fits.outcomes()  # what other searchers have trained since
        return {fit: self._done[fit] for fit in measured.fits if fit in self._done}

    def _mode(self, trial: optuna.Trial, family: Any) -> str:
        frozen = self.record.trials()[trial.number]
        if "fixed_params" in frozen.system_attrs:
            return "best of the families before" if len(self._job.settings.families) > 1 else "enqueued"
        return str(situation(self.study, self._job.settings, self._job.thresholds, family).mode)

    def add(self, trial: FitTrial, unit: Fit, outcome: Outcome) -> None:
        """Record a fit."""
        self._fits.add(unit, outcome, self._job.engine.name)
        self._done[unit] = outcome
