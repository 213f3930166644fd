"""``tune``: an adaptive search over stacks and recipes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.trial import TrialState

from autoenc.commands.resume import same_command
from autoenc.engines.contract import Family
from autoenc.inputs import open_cluster, table_warnings
from autoenc.machine import tell_interrupted
from autoenc.paths import remove_leftovers
from autoenc.record.lock import RecordLock, file_lock
from autoenc.record.record import Record
from autoenc.record.storage import journal_path, open_storage
from autoenc.report.answer import compared_with_pca
from autoenc.report.tuning import among_all, step_line, steps_of
from autoenc.report.tuning_write import TuneReports
from autoenc.runs import TrackedRun
from autoenc.searching.fits import FitExecutor
from autoenc.searching.ready import make_ready
from autoenc.searching.signals import StopOnSignals
from autoenc.settings import TuneSettings
from autoenc.text import say, warn
from autoenc.trials import TrialResult
from autoenc.tuning.job import TuneJob
from autoenc.tuning.study import open_study
from autoenc.tuning.trials import run_tuning
from autoenc.workflows.screen import Terminal
from autoenc.workflows.tracking import curves_of, metrics_of

__all__ = ["tune"]


def tune(settings: TuneSettings, begin_with: Sequence[Mapping[str, Any]] = ()) -> int:
    """Run the search, or as much of it as the record does not hold yet.

    Args:
        settings: The options.
        begin_with: Parameters of the first trials, which then are not left to the strategy.

    Returns:
        The exit code: 0; 1 if no trial succeeded; 128 and the signal's number if one stopped it.

    Raises:
        InputError: If data, device, space, record or output folder cannot be used.
    """
    job = TuneJob.prepare(settings)
    Terminal().warn(
        table_warnings(job.division, job.folds, settings.latent_dim, settings.norm_options, "norm_options")
    )
    # What is wrong with the space or the rows is told before anything is recorded.
    _ = job.n_trials, job.baselines
    journal = journal_path(job.folder)
    # A database may have several searchers; a journal has one, which may mend it.
    alone = settings.storage is None
    with ExitStack() as stack:
        cluster = open_cluster(stack, settings.scheduler, job.engine, job.division)
        if alone:
            stack.enter_context(RecordLock(journal))
            remove_leftovers(job.folder)
        storage = open_storage(settings.storage or journal)
        study = open_study(storage, job)
        _enqueue(study, begin_with)
        return _run(job, study, Record.open(storage, job.context), cluster)


def _enqueue(study: optuna.Study, begin_with: Sequence[Mapping[str, Any]]) -> None:
    """Put trials first; once a study has begun, what it begins with is settled."""
    if all(trial.state == TrialState.WAITING for trial in study.get_trials(deepcopy=False)):
        for params in begin_with:
            study.enqueue_trial(dict(params), skip_if_exists=True)


def _run(job: TuneJob, study: optuna.Study, record: Record, cluster: FitExecutor | None) -> int:
    settings, alone = job.settings, job.settings.storage is None
    reports = TuneReports(study, job.folder)
    n_before = len(steps_of(study))
    if not settings.quiet:
        say(*_plan(job, n_before))

    def told(number: int) -> None:
        step = among_all(steps_of(study), number)
        if not settings.quiet:
            say(step_line(step, job.baselines), flush=True)
        reports.refresh("running")

    deadline_s = time.monotonic() + 3600 * (inf if settings.timeout_hours is None else settings.timeout_hours)
    asking = file_lock(job.folder / ".ask.lock")
    with StopOnSignals() as signals:
        try:
            seeds = range(settings.seed, settings.seed + settings.seeds)
            with TrackedRun(job.folder, "tune", settings, job.context.fingerprint, seeds) as run, reports:
                if n_before < job.n_trials and cluster is None:
                    make_ready(job.engine, signals.flag, settings.quiet)
                run_tuning(job, study, record, alone, told, asking, signals.flag, cluster, deadline_s)
                n_done = len(steps_of(study))
                best = _best_result(job, study, record)
                state = _state(job, n_done, best, signals)
                written = reports.write(state, settings.plot, drawing=not signals.number)
                if best is None:
                    run.conclude(state, reason="no trial succeeded" if state == "failed" else None)
                else:
                    run.conclude(state, metrics_of(best, job.table.values, job.engine), curves_of(best))
        except Exception as error:
            place = settings.storage or str(journal_path(job.folder))
            return tell_interrupted(error, job.folder, place, same_command(settings))
    if signals.number:
        warn(
            f"stopped by {signals.name}: {n_done} of {job.n_trials} trials are recorded",
            f"resume with: {same_command(settings)}",
        )
        return signals.exit_code
    if n_done < job.n_trials and settings.timeout_hours is not None:
        warn(
            f"--timeout_hours {settings.timeout_hours:g} are over: {n_done} of {job.n_trials} trials are "
            f"done; go on with: {same_command(settings)}"
        )
    if not settings.quiet:
        say(*_summary(study, job, written))
    return 0 if any(step.value is not None for step in steps_of(study)) else 1


def _state(job: TuneJob, n_done: int, best: TrialResult | None, signals: StopOnSignals) -> str:
    """How the search ended."""
    if signals.number and n_done < job.n_trials:
        return f"stopped by {signals.name}"
    if n_done < job.n_trials and job.settings.timeout_hours is not None:
        return "stopped by --timeout_hours"
    if n_done < job.n_trials:  # others go on with the study
        return "stopped"
    return "failed" if best is None else "finished"


def _best_result(job: TuneJob, study: optuna.Study, record: Record) -> TrialResult | None:
    """The fits of the best trial."""
    improved = [step for step in steps_of(study) if step.improved]
    if not improved:
        return None
    best = improved[-1]
    measured = job.trial_of(job.space.configuration(best.trial.params), cast(Family, best.family))
    return measured.result(record.outcomes())


def _plan(job: TuneJob, n_before: int) -> list[str]:
    settings = job.settings
    depth, width = settings.num_layers_range, settings.hidden_size_range
    folds = f"{settings.folds} folds" if settings.folds else "one fifth"
    n_rows, n_columns = job.table.values.shape
    lines = [
        f"{settings.strategy}: {job.n_trials:,} trials of {', '.join(settings.families)}, "
        f"{depth[0]} to {depth[1]} layers of {width[0]} to {width[1]}, latent size {settings.latent_dim}, "
        f"up to {job.epochs} epochs",
        f"{job.table.path}: {n_rows:,} rows x {n_columns} columns; {folds} of the training rows judge "
        "the trials, the test rows are left alone",
        f"PCA of the same latent size has a loss of {job.baselines['pca']:.5f} there",
    ]
    if n_before:
        lines.append(f"{n_before:,} of {job.n_trials:,} trials already done")
    return lines


def _summary(study: optuna.Study, job: TuneJob, written: list[tuple[str, Path]]) -> list[str]:
    improved = [step for step in steps_of(study) if step.improved]
    lines = [""]
    if improved:
        best = improved[-1]
        compared = compared_with_pca(best.value or 0.0, job.baselines)
        lines += [
            f"best trial    {best.trial.number}: {best.family} {best.stack}",
            f"loss          {best.value:.6f} on validation rows, {compared}",
            "              these rows chose it, so it is optimistic; train-best measures it on the test rows",
        ]
    return [*lines, "", *(f"{word:<13} {path}" for word, path in written)]
