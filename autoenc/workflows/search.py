"""An exhaustive search: train every stack of the grid, as far as the record does not hold it yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage

from autoenc.engines import Fit, Outcome
from autoenc.engines.pca_start import check_latent_dim
from autoenc.record.fits import FitRecord
from autoenc.record.lock import OTHER_FOLDER, RecordLock
from autoenc.record.record import keep_study_aside
from autoenc.record.runs import TrackedRun
from autoenc.record.storage import journal_path, open_storage
from autoenc.report import SearchResults, write_reports
from autoenc.report.files import Written
from autoenc.report.live import LiveView
from autoenc.searching import run_fits
from autoenc.searching.finalists import check_repeats
from autoenc.searching.fits import FitExecutor
from autoenc.searching.inputs import open_cluster
from autoenc.searching.ready import make_ready
from autoenc.searching.remote import remote_fits
from autoenc.searching.signals import StopOnSignals
from autoenc.searching.trials import Trial
from autoenc.settings import RaceSettings
from autoenc.system.paths import keep_aside
from autoenc.trackers.feed import feed_of_fits
from autoenc.workflows.cells import note_cells
from autoenc.workflows.ended import Ended
from autoenc.workflows.job import SearchJob
from autoenc.workflows.plan import choice_lines
from autoenc.workflows.screen import Screen
from autoenc.workflows.tracking import curves_of, search_metrics

__all__ = ["SearchRun", "Training", "run_search"]


_SHARDS = "wait for it, name another folder with --output_dir, or divide the work with --shard i/N"

SearchRun = Ended[SearchResults]


@dataclass(frozen=True)
class Training:
    """A search in training, for what decides what is trained.

    Attributes:
        job: The search.
        record: Where outcomes go.
        results: Its outcomes grow.
        signals: What stops it.
        live: Files that show it; None without.
        cluster: Where it trains; None for threads here.
        screen: Shown what goes on.
    """

    job: SearchJob
    record: FitRecord
    results: SearchResults
    signals: StopOnSignals
    live: LiveView | None
    cluster: FitExecutor | None
    screen: Screen

    def refresh(self) -> None:
        """Write the files that show the search if it is time."""
        if self.live:
            self.live.refresh()


def run_search(job: SearchJob, screen: Screen, train: Callable[[Training], None] | None = None) -> SearchRun:
    """Train what the record does not hold yet, and write the reports.

    Args:
        job: The search; one without a folder is recorded in memory and writes nothing.
        screen: Shown what goes on.
        train: Decides what is trained; by default all that the strategy wants.

    Raises:
        InputError: If rows, record or cluster cannot be used.
        Exception: Whatever the machine could not do; what was recorded by then stands.
    """
    # Dividing the rows may show that the table will not do; so far nothing is written.
    check_repeats(job.division, job.settings.folds, job.settings.finalists)
    for trial in job.trials:
        if trial.recipe.start == "pca":
            check_latent_dim(trial.latent_dim, job.division.train.size, len(job.table.columns))
    if measured := job.choose_engine():
        screen.say(*choice_lines(job.engine, measured))
    note = job.note(next((record.search for record in job.recorded()), {}))
    screen.warn(job.warnings())
    with ExitStack() as stack:
        cluster = open_cluster(
            stack, job.settings.scheduler,
            lambda: remote_fits(job.trainer, job.division.split, job.settings.device),
        )  # fmt: skip
        if job.is_on_disk:
            # What fit trains depends on what it knows, so that shards are none of its.
            advice = OTHER_FOLDER if isinstance(job.settings, RaceSettings) else _SHARDS
            stack.enter_context(RecordLock(journal_path(job.paths.folder, job.shard), advice=advice))
            if not job.shard:
                job.paths.remove_leftovers()
        return _run(job, _open_record(job, screen, note), cluster, screen, train or _train)


def _open_record(job: SearchJob, screen: Screen, note: dict[str, Any]) -> FitRecord:
    settings, journal = job.settings, journal_path(job.paths.folder, job.shard)
    if job.is_on_disk and settings.fresh and settings.storage is None and (kept := keep_aside(journal)):
        screen.say(f"the old record is kept as {kept}")
    storage: BaseStorage = InMemoryStorage()
    if job.is_on_disk:
        storage, job.opened = open_storage(settings.storage or journal, opened=job.opened), None
    if settings.fresh and settings.storage is not None:
        name = keep_study_aside(storage, job.context.name)
        if name is not None:
            screen.say(f"the old record is kept as study {name}")
    record = FitRecord.of(storage, job.context)
    record.note_search(note)
    return record


def _run(
    job: SearchJob,
    record: FitRecord,
    cluster: FitExecutor | None,
    screen: Screen,
    train: Callable[[Training], None],
) -> SearchRun:
    results = SearchResults.of(job.settings, record, job)
    pending = _pending(job, results, job.settings.retry_failed)
    again = results.judged_again
    repeated = {fit for trial in again.repeats for fit in trial.fits} if again is not None else set[Fit]()
    screen.say(*job.plan(len(job.fits) - sum(fit not in repeated for fit in pending)))
    with StopOnSignals() as signals, ExitStack() as stack:
        run = stack.enter_context(_tracked(job)) if job.is_on_disk else None
        track = job.settings.track if job.is_on_disk else None
        feed = feed_of_fits(track, job.paths.folder, record, len(job.table.columns))
        live = stack.enter_context(LiveView(results, job.paths)) if job.is_on_disk and not job.shard else None
        if pending and cluster is None:
            make_ready(job.trainer, signals.flag, screen.is_quiet)
        if pending:
            train(Training(job, record, results, signals, live, cluster, screen))
        if not job.shard and not signals.number:
            _measure_on_test_rows(job, record, results)
            note_cells(job, record, results, signals.flag)
        job.division.let_go()  # reports need none of it
        written = [] if live is None else _report(job, record, results, signals, live)
        if feed is not None:
            feed.keep([path for _, path in written])
        if run is not None:
            _conclude_run(run, job, results, signals, has_trained=bool(pending))
    return SearchRun(results, written, signals)


def _report(
    job: SearchJob, record: FitRecord, results: SearchResults, signals: StopOnSignals, live: LiveView
) -> Written:
    """Return every file that a search leaves; a word for each, and the file."""
    together: Written = []
    if job.settings.ensemble:
        from autoenc.workflows.ensemble import write_ensemble

        together = write_ensemble(job, record, results, signals.flag)
    drawing = not signals.number  # what was stopped ends at once; analyze draws
    written = [*write_reports(results, job.paths, drawing), *together]
    if results.ranked and not signals.number and (job.settings.save_models or job.settings.latent_size == 2):
        from autoenc.workflows.best import write_best

        written += write_best(job, results)
    # The state last: it says finished once everything else is there.
    state = f"stopped by {signals.name}" if signals.number else "failed" if results.all_failed else "finished"
    live.conclude(state, drawing)
    return written


def _tracked(job: SearchJob) -> TrackedRun:
    seeds = range(job.settings.seed, job.settings.seed + job.settings.seeds)
    command = "fit" if isinstance(job.settings, RaceSettings) else "search"
    return TrackedRun(job.paths.folder, command, job.settings, job.context.fingerprint, seeds)


def _conclude_run(
    run: TrackedRun, job: SearchJob, results: SearchResults, signals: StopOnSignals, has_trained: bool
) -> None:
    state, reason = f"stopped by {signals.name}" if signals.number else "finished", None
    if not results.ranked:
        if results.failed and not signals.number:
            state, reason = "failed", results.failed[0].failure
        run.conclude(state, reason=reason)
        return
    chosen, timed = results.selection.chosen, None
    if not has_trained:  # then it was measured by the run that did, and no compiled code is needed
        timed = run.measured_before(chosen.trial.name, "inference_us_per_row")
    run.conclude(state, search_metrics(results, job.table.values, job.engine, timed), curves_of(chosen))


def _pending(job: SearchJob, results: SearchResults, retry_failed: bool) -> list[Fit]:
    """Return what the strategy wants now and the record does not hold yet."""

    def wanted(fit: Fit) -> bool:
        outcome = results.outcomes.get(fit)
        return outcome is None or (retry_failed and outcome.failure is not None)

    proposed = results.strategy.propose(results.outcomes)
    results.read_ahead(proposed)
    mine = set(job.fits) if job.shard else None
    return [fit for fit in proposed if (mine is None or fit in mine) and wanted(fit)]


def _train(training: Training) -> None:
    """Train all that the strategy wants."""
    job, record, results, screen = training.job, training.record, training.results, training.screen
    pending = _pending(job, results, job.settings.retry_failed)
    first, trial_of, compared = pending, dict[Fit, Trial](), set[Fit]()
    best = results.ranked[0].loss if results.ranked else float("inf")
    unit = "stack" if len(job.trials[0].fits) == 1 else "fit"
    n_all = len(job.fits) if job.shard else sum(len(trial.fits) for trial in results.trained)
    with screen.bar(unit, n_all, n_all - len(pending)) as bar:

        def done(fit: Fit, outcome: Outcome) -> None:
            nonlocal best
            results.outcomes[fit] = outcome
            result = trial_of[fit].result(results.outcomes)
            if result and fit in compared and result.failure is None and result.loss < best:
                best = result.loss
                bar.set_postfix_str(f"best {result.trial.name} {best:.5f}", refresh=False)
            if result:
                screen.trained(bar, result, results.n_parameters(result.trial))
            bar.update()
            training.refresh()

        def wanted() -> list[Fit]:
            """What the strategy wants once all that it wanted before is done."""
            nonlocal first, trial_of, compared
            fits, first = first or _pending(job, results, retry_failed=False), []
            trial_of = {fit: trial for trial in results.trained for fit in trial.fits}
            compared = {fit for trial in results.trials for fit in trial.fits}
            total = len(job.fits) if job.shard else len(trial_of)
            bar.total, bar.n = total, total - len(fits)
            return fits

        run_fits(
            wanted, job.division.split_of, job.trainer, job.settings.jobs, done, training.signals.flag,
            training.cluster, partial(record.add_all, engine=job.engine.name),
        )  # fmt: skip


def _measure_on_test_rows(job: SearchJob, record: FitRecord, results: SearchResults) -> None:
    """Train the chosen trial on all training rows, with folds, and use the test rows, this once."""
    if not job.settings.folds or not results.finished:
        return
    chosen = results.selection.chosen
    fit = chosen.trial.refit(chosen)
    if fit not in results.outcomes:
        outcome = job.trainer.fit(job.division.split_of(fit), fit)
        record.add(fit, outcome, job.engine.name)
        results.outcomes[fit] = outcome
