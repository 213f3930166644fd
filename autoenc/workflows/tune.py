"""An adaptive search: trials asked of a strategy, as far as the record does not hold them yet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, cast

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from autoenc.engines.recipe import Family
from autoenc.record.fits import FitRecord
from autoenc.record.lock import OTHER_FOLDER, RecordLock, file_lock
from autoenc.record.record import Record
from autoenc.record.runs import TrackedRun
from autoenc.record.storage import journal_path, open_storage
from autoenc.report.study_results import TuneResults
from autoenc.report.tuning import among_all, step_line, steps_of
from autoenc.report.tuning_write import TuneReports
from autoenc.searching.finalists import check_repeats
from autoenc.searching.fits import FitExecutor
from autoenc.searching.inputs import open_cluster, table_warnings
from autoenc.searching.ready import make_ready
from autoenc.searching.remote import remote_fits
from autoenc.searching.signals import StopOnSignals
from autoenc.searching.trials import TrialResult
from autoenc.system.paths import remove_leftovers
from autoenc.system.surroundings import quiet_optuna
from autoenc.trackers.feed import feed_of_fits
from autoenc.tuning.job import TuneJob
from autoenc.tuning.results import is_decided
from autoenc.tuning.study import open_tune_record
from autoenc.tuning.trials import judge_finalists, run_tuning
from autoenc.workflows.ended import Ended
from autoenc.workflows.ensemble import write_tune_ensemble
from autoenc.workflows.full_training import best_of_tune
from autoenc.workflows.screen import Screen
from autoenc.workflows.tracking import curves_of, metrics_of
from autoenc.workflows.tune_plan import tune_plan

__all__ = ["TuneRun", "TuneSearch", "open_tuning", "tune_warnings"]


@dataclass(frozen=True)
class TuneRun(Ended[TuneResults]):
    """An adaptive search that ended, or was stopped.

    Attributes:
        n_done: Trials that ended, those of earlier runs counted.
    """

    n_done: int


@contextmanager
def open_tuning(
    job: TuneJob, screen: Screen, begin_with: Sequence[Mapping[str, Any]] = ()
) -> Iterator[TuneSearch]:
    """Open the record of a search, beginning it where there is none; no other process has it meanwhile.

    Args:
        job: The search; one without a folder is recorded in memory and writes nothing.
        screen: Shown what goes on.
        begin_with: Parameters of the first trials, which then are not left to the strategy.

    Raises:
        InputError: If space, rows, record or cluster cannot be used.
    """
    settings = job.settings
    screen.warn(tune_warnings(job))
    # What is wrong with the space or the rows is told before anything is recorded.
    _ = job.n_trials, job.baselines
    check_repeats(job.division, settings.folds, settings.finalists)
    journal = journal_path(job.folder)
    # A database may have several searchers; a journal has one, which may mend it.
    alone = settings.storage is None
    with ExitStack() as stack, quiet_optuna():
        cluster = open_cluster(
            stack, settings.scheduler,
            lambda: remote_fits(job.engine, job.division.split, settings.device),
        )  # fmt: skip
        if job.is_on_disk and alone:
            stack.enter_context(
                RecordLock(journal, advice=f"{OTHER_FOLDER}, or let several share one --storage")
            )
            remove_leftovers(job.folder)
        storage = open_storage(settings.storage or journal) if job.is_on_disk else InMemoryStorage()
        record = open_tune_record(storage, job, alone)
        if record.kept_aside is not None:
            screen.say(f"the old record is kept as study {record.kept_aside}")
        _enqueue(record.study, begin_with)
        yield TuneSearch(job, record, FitRecord.of(storage, job.context), cluster, screen)


def tune_warnings(job: TuneJob) -> list[str]:
    """Return what is odd about the table of a search."""
    settings = job.settings
    return table_warnings(job.division, job.folds, settings.latent_dim, settings.norm_options, "norm_options")


def _enqueue(study: optuna.Study, begin_with: Sequence[Mapping[str, Any]]) -> None:
    """Put trials first; once a study has begun, what it begins with is settled."""
    if all(trial.state == TrialState.WAITING for trial in study.get_trials(deepcopy=False)):
        for params in begin_with:
            study.enqueue_trial(dict(params), skip_if_exists=True)


@dataclass
class TuneSearch:
    """A search with its open record."""

    job: TuneJob
    record: Record
    fits: FitRecord
    cluster: FitExecutor | None
    screen: Screen

    @property
    def study(self) -> optuna.Study:
        """Its trials."""
        return self.record.study

    @property
    def results(self) -> TuneResults:
        """What the record holds now."""
        return TuneResults(self.study, partial(best_of_tune, self.study, lambda: self.job))

    def run(self) -> TuneRun:
        """Run the trials that the record does not hold yet, and write the reports.

        Raises:
            Exception: Whatever the machine could not do; what was recorded by then stands.
        """
        self.screen.say(*tune_plan(self.job, len(steps_of(self.study))))
        with StopOnSignals() as signals, ExitStack() as stack:
            run = stack.enter_context(self._tracked()) if self.job.is_on_disk else None
            track = self.job.settings.track if self.job.is_on_disk else None
            feed = feed_of_fits(track, self.job.folder, self.fits, len(self.job.table.columns))
            reports = TuneReports(self.study, self.job.folder) if self.job.is_on_disk else None
            if reports is not None:
                stack.enter_context(reports)
            self._train(signals, reports)
            n_done, best = len(steps_of(self.study)), self._best_result()
            state, written = self._state(n_done, best, signals), []
            if reports is not None:
                together = [] if signals.number else write_tune_ensemble(self.job, self.study, signals.flag)
                written = [
                    *reports.write(state, self.job.settings.plot, drawing=not signals.number),
                    *together,
                ]
            if feed is not None:
                feed.keep([path for _, path in written])
            if run is not None and best is None:
                run.conclude(state, reason="no trial succeeded" if state == "failed" else None)
            elif run is not None and best is not None:
                metrics = metrics_of(best, self.job.table.values, self.job.engine)
                run.conclude(state, metrics, curves_of(best))
        return TuneRun(self.results, written, signals, n_done)

    def _train(self, signals: StopOnSignals, reports: TuneReports | None) -> None:
        job, settings, n_before = self.job, self.job.settings, len(steps_of(self.study))
        hours = inf if settings.timeout_hours is None else settings.timeout_hours
        deadline_s = time.monotonic() + 3600 * hours
        asking: AbstractContextManager[Any] = nullcontext()
        if job.is_on_disk:
            asking = file_lock(job.folder / ".ask.lock")
        if n_before < job.n_trials and self.cluster is None:
            make_ready(job.engine, signals.flag, self.screen.is_quiet)
        with self.screen.trials(job.n_trials, n_before) as shown:

            def ended(number: int) -> None:
                shown(step_line(among_all(steps_of(self.study), number), job.baselines))
                if reports is not None:
                    reports.refresh("running")

            run_tuning(job, self.record, self.fits, ended, asking, signals.flag, self.cluster, deadline_s)
        # Whoever ends the last trial of a shared study knows all that can be finalists.
        if settings.finalists > 1 and (self.record.is_alone or not self.record.trials(TrialState.RUNNING)):
            judge_finalists(job, self.study, self.fits, signals.flag, self.cluster, deadline_s)

    def _tracked(self) -> TrackedRun:
        settings = self.job.settings
        seeds = range(settings.seed, settings.seed + settings.seeds)
        return TrackedRun(self.job.folder, "tune", settings, self.job.context.fingerprint, seeds)

    def _state(self, n_done: int, best: TrialResult | None, signals: StopOnSignals) -> str:
        """Return how the search ended."""
        is_open = n_done < self.job.n_trials or not is_decided(self.study)
        if signals.number and is_open:
            return f"stopped by {signals.name}"
        if is_open and self.job.settings.timeout_hours is not None:
            return "stopped by --timeout_hours"
        if is_open:  # others go on with the study
            return "stopped"
        return "failed" if best is None else "finished"

    def _best_result(self) -> TrialResult | None:
        """Return the fits of the best trial."""
        improved = [step for step in steps_of(self.study) if step.improved]
        if not improved:
            return None
        best = improved[-1]
        measured = self.job.trial_of(
            self.job.space.configuration(best.trial.params), cast(Family, best.family)
        )
        return measured.result(self.fits.outcomes())
