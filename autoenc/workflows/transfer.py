"""A transfer-aware search: trials and the finalists' round, as far as the record does not hold them yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import inf
from pathlib import Path
from typing import TextIO

import optuna
from optuna.trial import TrialState

from autoenc.analysis.study import count_finished, ranked_trials, total_s
from autoenc.data.scaling import scaling_warnings
from autoenc.models.grid import format_architecture
from autoenc.record.lock import RecordLock, file_lock
from autoenc.record.record import Record
from autoenc.record.runs import TrackedRun
from autoenc.report.files import Written
from autoenc.report.transfer_reports import write_pictures, write_tables
from autoenc.report.transfer_results import TransferResults
from autoenc.report.trials_table import scores_text
from autoenc.report.words import duration_text
from autoenc.searching.executors import Threads
from autoenc.searching.finalists import n_judgements
from autoenc.searching.inputs import open_cluster, sign_warnings
from autoenc.searching.loop import Executor, run
from autoenc.searching.memory import estimate_bytes, memory_text
from autoenc.searching.ready import make_ready
from autoenc.searching.signals import StopOnSignals
from autoenc.system.machine import naming
from autoenc.system.paths import keep_aside, remove_unfinished
from autoenc.system.special import check_own, open_own
from autoenc.system.surroundings import quiet_optuna
from autoenc.system.text import counted, escaped
from autoenc.trackers.feed import Feed, open_feed
from autoenc.two_stage.data import Target, TransferData
from autoenc.two_stage.estimate import estimate_trial_s, sizes_of
from autoenc.two_stage.finalists import compare, is_decided, judge_finalists, kept_trial
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.objective import FoldOutcome, FoldUnit
from autoenc.two_stage.record import (
    n_columns_of,
    note_columns,
    open_transfer_record,
    read_study,
    recorded_data,
    transfer_context,
)
from autoenc.two_stage.remote import remote_folds
from autoenc.two_stage.space import TwoStageConfiguration, configuration
from autoenc.two_stage.stages import Stages, TrainingFailed
from autoenc.two_stage.tracked import ended_entries, search_name, trial_entry
from autoenc.two_stage.trials import TransferTrials
from autoenc.workflows.ended import Ended
from autoenc.workflows.screen import Screen
from autoenc.workflows.train_transfer import train_both

__all__ = [
    "TransferLog",
    "TransferRun",
    "TransferSearch",
    "dry_transfer",
    "open_transfer",
    "transfer_warnings",
]

_FILES = (
    "study.db", "best_params.json", "all_trials.csv", "top_20_trials.csv", "figures/*.png", "runs/*.json",
)  # fmt: skip


TransferRun = Ended[TransferResults]


class TransferLog:
    """Lines for a file, with the time, and for the screen.

    Args:
        path: The file; None for none.
        screen: Shown the same lines.
    """

    def __init__(self, path: Path | None, screen: Screen) -> None:
        self._path, self.screen = path, screen
        self._file: TextIO | None = None if path is None else open_own(path)

    def __call__(self, line: str) -> None:
        """Tell a line."""
        self.keep(line)
        self.screen.say(line, flush=True)

    def keep(self, line: str) -> None:
        """Write a line into the file alone.

        Raises:
            OSError: If it cannot be written; it names the file.
        """
        if self._file is None or self._path is None:
            return
        with naming(self._path):
            self._file.write(escaped(f"{datetime.now():%Y-%m-%dT%H:%M:%S} {line}") + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


@contextmanager
def open_transfer(job: TransferJob, screen: Screen) -> Iterator[TransferSearch]:
    """Open the record of a search, beginning it where there is none.

    No other process has it meanwhile; at a storage URL several may go on with one search.

    Args:
        job: The search; one without a folder is recorded in memory and writes nothing.
        screen: Shown what goes on.

    Raises:
        InputError: If the record cannot be used.
    """
    settings, path = job.settings, job.folder / "study.db"
    screen.warn(transfer_warnings(job))
    context = transfer_context(settings, job.data, job.left_out_mark)
    with ExitStack() as stack, quiet_optuna():
        signals = stack.enter_context(StopOnSignals())
        cluster = open_cluster(stack, settings.scheduler, lambda: remote_folds(job))
        alone = settings.storage is None
        if job.is_on_disk and alone:
            advice = "wait for it, or begin another search with --name or --output_dir"
            stack.enter_context(RecordLock(path, advice=advice))
        log_path = job.folder / "transfer.log" if job.is_on_disk else None
        if log_path is not None:
            job.folder.mkdir(parents=True, exist_ok=True)
            check_own(log_path)
            if alone:
                remove_unfinished(job.folder, _FILES)
            if settings.fresh and alone and (kept := keep_aside(path)):
                screen.say(f"the old record is kept as {kept}")
        record = open_transfer_record(None if log_path is None else path, settings, context)
        if record.kept_aside is not None:
            screen.say(f"the old record is kept as study {record.kept_aside}")
        note_columns(record, job.data)
        log = TransferLog(log_path, screen)  # after the record, which may be refused: then nothing is left
        stack.callback(log.close)
        yield TransferSearch(job, record, log, signals, cluster)


def _warnings(job: TransferJob) -> Iterator[str]:
    table = job.data.table
    for read in (table, job.data.labelled):
        yield from (f"{read.path}: {text}" for text in read.warnings)
    of_columns = scaling_warnings(table.columns, table.varying, job.scalings, job.data.all_values)
    of_columns += sign_warnings(table, job.settings.norm_options, "norm_options")
    yield from (f"{table.path}: {text}" for text in of_columns)
    yield from job.division.warnings


@dataclass
class TransferSearch:
    """A search with its open record."""

    job: TransferJob
    record: Record
    log: TransferLog
    signals: StopOnSignals
    cluster: Executor[FoldUnit, FoldOutcome] | None = None

    @property
    def study(self) -> optuna.Study:
        """Its trials."""
        return self.record.study

    @property
    def results(self) -> TransferResults:
        """What the record holds now."""
        job, study = self.job, self.study
        return TransferResults(study, job.settings, n_columns_of(study), lambda: train_both(job, study))

    def run(self) -> TransferRun:
        """Run what the record does not hold yet, and write the reports.

        Raises:
            Exception: Whatever the machine could not do; what was recorded by then stands.
        """
        job, study, signals, written = self.job, self.study, self.signals, Written()
        if not job.is_on_disk:
            self._train()
            return TransferRun(self.results, written, signals)
        seeds = range(job.settings.seed, job.settings.seed + job.settings.seeds)
        with TrackedRun(job.folder, "transfer", job.settings, job.data.fingerprint, seeds) as run:
            track, name = job.settings.track, search_name(study)
            feed = open_feed(track, job.folder, name, ended_entries(study))
            self._train(feed)
            written = write_tables(study, job.folder)
            if ranked_trials(study) and not signals.number:
                written += write_pictures(study, job.folder)
            if feed is not None:
                feed.keep([path for _, path in written])
            self._conclude(run)
        return TransferRun(self.results, written, signals)

    def _train(self, feed: Feed | None = None) -> None:
        job, study, stop, log = self.job, self.study, self.signals.flag, self.log
        settings = job.settings
        stages = Stages(job.data, settings, job.engine)
        n_known = count_finished(self.study)
        n_left = max(settings.n_trials - n_known, 0)
        for line in _plan(job, n_known):
            log(line)
        if n_left and not stop.is_set() and self.cluster is None:
            make_ready(job.engine, stop, log.screen.is_quiet)
        if n_left and not stop.is_set() and job.is_on_disk and self.cluster is None:
            log(f"estimate      {_estimate(job, stages, n_left)}")
        timeout_s = inf if settings.timeout_hours is None else 3600 * settings.timeout_hours
        deadline_s, objective = time.monotonic() + timeout_s, job.objective(inf if self.cluster else None)
        executor = self.cluster or Threads(objective, job.n_slots, stop)
        asking = file_lock(job.folder / ".ask.lock") if job.is_on_disk else None
        with log.screen.trials(settings.n_trials, n_known) as shown:

            def ended(number: int) -> None:
                line = _trial_line(study, number)
                log.keep(line)
                shown(line)
                if job.is_on_disk:
                    write_tables(study, job.folder)
                if feed is not None:
                    feed.log(trial_entry(study, study.get_trials(deepcopy=False)[number]))

            try:
                trials = TransferTrials(self.record, settings, objective, ended, deadline_s, asking, stop)
                run(trials, objective, executor, stop, settings.n_jobs)
                # Whoever ends the last trial of a shared study knows all that can be finalists.
                if self.record.is_alone or not self.record.trials(TrialState.RUNNING):
                    judge_finalists(study, settings, objective, executor, stop, deadline_s)
            finally:
                if self.cluster is None:
                    executor.close()
        if time.monotonic() >= deadline_s:
            judged = "" if is_decided(study) else "; the finalists are not decided"
            done = f"{count_finished(study):,} of {counted(settings.n_trials, 'trial')}"
            log(f"time limit    {done} are done{judged}")

    def _conclude(self, run: TrackedRun) -> None:
        """Note the best configuration, for the list of runs."""
        job, study, best, state = self.job, self.study, kept_trial(self.study), self._state()
        if best is None:
            run.conclude(state, reason="no trial is complete" if state == "failed" else None)
            return
        lowest = ranked_trials(study)[0]
        chosen = configuration(best.params, job.settings)
        network = chosen.fit(job.settings.seed, "").network(len(job.data.table.columns))
        metrics = {
            "best_loss": lowest.value,
            "best_stack": _stack_text(configuration(lowest.params, job.settings)),
            "chosen_loss": best.value,
            "chosen_stack": _stack_text(chosen),
            "rule": "finalists" if compare(study) else "best",
            "n_parameters": network.count_parameters(),
            "training_seconds": total_s(study),
        }
        run.conclude(state, metrics)

    def _state(self) -> str:
        """Return how the search ended."""
        if count_finished(self.study) < self.job.settings.n_trials or not is_decided(self.study):
            if not self.signals.number and self.job.settings.timeout_hours is None:
                return "stopped"  # others go on with the study
            return f"stopped by {self.signals.name or '--timeout_hours'}"
        return "finished" if ranked_trials(self.study) else "failed"


def dry_transfer(job: TransferJob) -> list[str]:
    """Return the plan with an estimate of the time; nothing is trained to the end, nothing written."""
    path, storage, n_known = job.folder / "study.db", job.settings.storage, 0
    known = path.is_file() if storage is None else recorded_data(path, storage) is not None
    if known and not job.settings.fresh:
        n_known = count_finished(read_study(path, "study", storage))
    n_left = max(job.settings.n_trials - n_known, 0)
    stages = Stages(job.data, job.settings, job.engine)
    return [
        *_plan(job, n_known),
        f"memory        {memory_text(_bytes(job))}",
        *([f"estimate      {_estimate(job, stages, n_left)}"] if n_left else []),
    ]


def _bytes(job: TransferJob) -> float:
    """Return memory of the search: the scaled rows of each fold, and the largest networks at once."""
    settings, table = job.settings, job.data.table
    fits = [size.fit(settings.seed, "") for size in sizes_of(settings)]
    return estimate_bytes(
        fits, table.values.size, len(table.columns), n_tables=len(job.division.folds) + 1,
        jobs=job.n_slots, n_recorded=settings.n_trials * len(job.division.folds),
    )  # fmt: skip


def transfer_warnings(job: TransferJob) -> list[str]:
    """Return what is odd about the tables of a search."""
    return list(dict.fromkeys(_warnings(job)))


def _plan(job: TransferJob, n_known: int) -> list[str]:
    data = job.data
    names = [_target_text(kind, target) for kind, target in data.targets.items()]
    shared = "the same table" if data.shared else data.labelled.path
    size = f"{len(data.table.values):,} rows x {len(data.table.columns)} columns"
    seeds = f" by {job.settings.seeds} seeds each" if job.settings.seeds > 1 else ""
    together = f", with groups by {data.group} kept together" if data.group else ""
    return [
        f"stage 1       {data.table.path}: {size}{_left_out(data)}",
        f"stage 2       {', '.join(names)}, in {data.any_label.size:,} rows of {shared}",
        f"judged by     {len(job.division.folds)} folds{seeds}; {job.division.final.validation.size:,} test "
        f"rows stay out of the search{together}",
        f"trials        {job.settings.n_trials:,} wanted, {n_known:,} done",
    ]


def _stack_text(config: TwoStageConfiguration) -> str:
    return f"{format_architecture(config.hidden_dims)}, latent size {config.latent_dim}"


def _left_out(data: TransferData) -> str:
    if not data.n_overlapping:
        return ""
    of_groups = "" if data.group is None else f" or of their groups by {data.group}"
    overlap = f"{data.n_overlapping:,} of them are labelled rows, too{of_groups}"
    return f"; {overlap}, and left out, as such rows judge"


def _target_text(kind: str, target: Target) -> str:
    positive = f"; to be found: {target.class_name(1)}" if target.classes else ""
    return f"{target.name} ({kind}, {target.known.sum():,} known{positive})"


def _estimate(job: TransferJob, stages: Stages, n_left: int) -> str:
    settings = job.settings
    try:
        trial_s = estimate_trial_s(stages, job.data, job.division.folds, settings, job.engine, job.n_threads)
    except TrainingFailed as error:
        return f"none: a configuration in the middle of the space cannot be trained ({error})"
    n_fitted = n_left + n_judgements(min(settings.finalists, settings.n_trials))
    return f"{trial_s:.1f} s a trial, {duration_text(trial_s * n_fitted / settings.n_jobs)} in all"


def _trial_line(study: optuna.Study, number: int) -> str:
    """Return a trial that ended, in a line."""
    trial = study.get_trials(deepcopy=False)[number]
    head = f"trial {number:<7} "
    if trial.state == TrialState.FAIL:
        return f"{head} failed: {trial.user_attrs['failure']}"
    if trial.state == TrialState.PRUNED:
        return f"{head} {trial.value:.4f}  ended early after fold {1 + (trial.last_step or 0)}"
    best = ranked_trials(study)[0]
    compared = f"best {best.value:.4f} in trial {best.number}"
    return f"{head} {trial.value:.4f}  {scores_text(trial, '  ')}  {compared}"
