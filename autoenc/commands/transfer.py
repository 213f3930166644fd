"""``transfer``: choose the autoencoder by what its encoder is worth to predictions on labelled rows."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TextIO

import optuna
from optuna.trial import FrozenTrial, TrialState

from autoenc.commands.resume import program_words
from autoenc.engines import StopFlag
from autoenc.errors import InputError
from autoenc.grid import format_architecture
from autoenc.inputs import sign_warnings
from autoenc.machine import naming, tell_interrupted
from autoenc.paths import remove_unfinished
from autoenc.record.lock import RecordLock
from autoenc.report.study_tables import count_states, duration_s, ranked_trials, study_trials
from autoenc.runs import TrackedRun
from autoenc.scaling import left_out_warnings
from autoenc.searching.executors import Threads
from autoenc.searching.loop import run
from autoenc.searching.ready import make_ready
from autoenc.searching.signals import StopOnSignals
from autoenc.settings import TransferSettings, require_settings
from autoenc.special import open_own
from autoenc.text import escaped, warn
from autoenc.two_stage.data import Target, TransferData
from autoenc.two_stage.estimate import estimate_trial_s
from autoenc.two_stage.finalists import (
    best_trial,
    compare,
    is_decided,
    judge_finalists,
    n_judgements,
)
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.record import (
    context_of,
    open_study,
    read_study,
    refuse_ended_tables,
    stored_settings,
)
from autoenc.two_stage.reports import write_pictures, write_tables
from autoenc.two_stage.space import Configuration, configuration
from autoenc.two_stage.stages import Stages, TrainingFailed
from autoenc.two_stage.trials import TransferTrials

__all__ = ["transfer"]

_FILES = (
    "study.db", "best_params.json", "all_trials.csv", "top_20_trials.csv", "figures/*.png", "runs/*.json",
)  # fmt: skip


def transfer(settings: TransferSettings) -> int:
    """Run the search, or as much of it as is not recorded yet.

    Returns:
        The exit code: 0; 1 if no trial is complete; 128 and the signal's number if one stopped it.

    Raises:
        InputError: If data, targets, device, record or output folder cannot be used.
    """
    if settings.resume is not None:
        settings = _with_stored(settings, Path(settings.resume))
    job = TransferJob.prepare(settings)
    try:
        return _transfer(settings, job)
    except OSError as error:
        record = job.folder / "study.db"
        if isinstance(error, BrokenPipeError) or not record.exists():
            raise
        again = shlex.join([*program_words(), *sys.argv[1:]])
        return tell_interrupted(error, job.folder, str(record), again)


def _transfer(settings: TransferSettings, job: TransferJob) -> int:
    tables = (job.data.table, job.data.labelled)
    warnings = [f"{table.path}: {text}" for table in tables for text in table.warnings]
    of_columns = left_out_warnings(tables[0].columns, tables[0].varying, job.scalings)
    of_columns += sign_warnings(tables[0], settings.norm_options, "norm_options")
    warnings += [f"{tables[0].path}: {text}" for text in of_columns]
    for warning in dict.fromkeys(warnings):
        warn(f"warning: {warning}")
    path = job.folder / "study.db"
    with (
        StopOnSignals() as signals,
        RecordLock(path, advice="wait for it, or begin another search with --name or --output_dir"),
        _log(job.folder / "transfer.log", settings.quiet) as log,
    ):
        remove_unfinished(job.folder, _FILES)
        study = open_study(path, settings, context_of(settings, job.data, job.left_out_mark))
        tracked = TrackedRun(job.folder, "transfer", settings, job.data.fingerprint, [settings.seed])
        try:
            with tracked as run:
                _run(job, study, log, signals.flag)
                written = write_tables(study, job.folder)
                if ranked_trials(study) and not signals.number:
                    written += write_pictures(study, job.folder)
                _conclude_run(run, job, study, signals)
        except Exception as error:
            return tell_interrupted(error, job.folder, str(path), _resume_command(path))
        return _conclude(study, log, written, signals)


def _resume_command(database: Path) -> str:
    return shlex.join([*program_words(), "transfer", "--resume", str(database)])


def _conclude_run(run: TrackedRun, job: TransferJob, study: optuna.Study, signals: StopOnSignals) -> None:
    """The best configuration, for the list of runs."""
    best, state = best_trial(study), _state(job, study, signals)
    if best is None:
        run.conclude(state, reason="no trial is complete" if state == "failed" else None)
        return
    lowest = ranked_trials(study)[0]
    chosen = configuration(best.params, job.settings)
    network = chosen.fit(job.settings.seed, "").network(len(job.data.table.columns))
    metrics = {
        "best_loss": lowest.value,
        "best_stack": _told_stack(configuration(lowest.params, job.settings)),
        "chosen_loss": best.value,
        "chosen_stack": _told_stack(chosen),
        "rule": "finalists" if compare(study) else "best",
        "n_parameters": network.count_parameters(),
        "training_seconds": sum(duration_s(trial) or 0.0 for trial in study_trials(study)),
    }
    run.conclude(state, metrics)


def _state(job: TransferJob, study: optuna.Study, signals: StopOnSignals) -> str:
    """How the search ended."""
    n_done = sum(trial.state.is_finished() for trial in study_trials(study))
    if n_done < job.settings.n_trials or not is_decided(study):
        return f"stopped by {signals.name or '--timeout_hours'}"
    return "finished" if ranked_trials(study) else "failed"


def _told_stack(config: Configuration) -> str:
    return f"{format_architecture(config.hidden_dims)}, latent size {config.latent_dim}"


def _with_stored(settings: TransferSettings, path: Path) -> TransferSettings:
    """The options that the study was begun with, and over them those that were given now."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    study, whole = read_study(path), path.absolute()
    if path.name != "study.db":
        raise InputError(f"--resume {path}: must be called study.db, in a folder of its own")
    above = path.parent.parent if path.parent.name else whole.parent.parent
    folder = {"output_dir": str(above), "name": whole.parent.name}
    asked = {**folder, **{name: given[name] for name in folder if given.get(name)}}
    if Path(asked["output_dir"], asked["name"]).resolve() != whole.parent.resolve():
        named = " and ".join(f"--{name}" for name in folder if name in given)
        raise InputError(f"--resume {path}: goes on in the folder of the file; leave out {named}")
    stored = stored_settings(study, path)
    refuse_ended_tables(stored, given, f"--resume {path}")
    return require_settings(TransferSettings, {**stored, **given, **folder})


class _Lines(logging.Formatter):
    """A line a message, whatever the names in it hold."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record))


class _Screen(logging.StreamHandler[TextIO]):
    """Raises where the reader of our output went away, as print does, instead of telling it on the screen."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


class _LogFile(_Screen):
    """Raises where the log cannot be written, with its name."""

    def __init__(self, stream: TextIO, path: Path) -> None:
        super().__init__(stream)
        self._path = path

    def handleError(self, record: logging.LogRecord) -> None:
        with naming(self._path):
            super().handleError(record)


@contextmanager
def _log(path: Path, quiet: bool) -> Iterator[logging.Logger]:
    """Lines for a file, with the time, and for the screen."""
    log = logging.getLogger(f"autoenc.transfer.{path.resolve()}")
    log.setLevel(logging.INFO)
    log.propagate = False
    file = _LogFile(open_own(path), path)
    file.setFormatter(_Lines("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    screen = _Screen(sys.stdout)
    screen.setFormatter(_Lines())
    handlers: list[logging.Handler] = [file] if quiet else [file, screen]
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield log
    finally:
        for handler in handlers:
            log.removeHandler(handler)
        file.stream.close()


def _run(job: TransferJob, study: optuna.Study, log: logging.Logger, stop: StopFlag) -> None:
    settings, data = job.settings, job.data
    stages = Stages(data, settings, job.engine)
    n_known = sum(trial.state.is_finished() for trial in study_trials(study))
    n_left = max(settings.n_trials - n_known, 0)
    names = [_told_target(kind, target) for kind, target in data.targets.items()]
    shared = "the same table" if data.shared else data.labelled.path
    size = f"{len(data.table.values):,} rows x {len(data.table.columns)} columns"
    log.info(f"stage 1       {data.table.path}: {size}{_left_out(data)}")
    log.info(f"stage 2       {', '.join(names)}, in {data.any_label.size:,} rows of {shared}")
    log.info(
        f"judged by     {len(job.division.folds)} folds; {job.division.final.validation.size:,} test rows "
        "stay out of the search"
    )
    log.info(f"trials        {settings.n_trials:,} wanted, {n_known:,} done")
    if n_left and not stop.is_set():
        make_ready(job.engine, stop, settings.quiet)
    if n_left and not stop.is_set():
        log.info(f"estimate      {_estimate(job, stages, n_left)}")

    def on_end(number: int) -> None:
        log.info(_line(study, number))
        write_tables(study, job.folder)

    timeout_s = inf if settings.timeout_hours is None else 3600 * settings.timeout_hours
    deadline_s, objective = time.monotonic() + timeout_s, job.objective()
    threads = Threads(objective, job.n_slots, stop)
    try:
        trials = TransferTrials(study, settings, objective, on_end, deadline_s)
        run(trials, objective, threads, stop, settings.n_jobs)
        judge_finalists(study, settings, objective, threads, stop, deadline_s)
    finally:
        threads.close()
    if time.monotonic() >= deadline_s:
        n_done = sum(trial.state.is_finished() for trial in study_trials(study))
        judged = "" if is_decided(study) else "; the finalists are not judged to the end"
        log.info(f"time is up    {n_done:,} of {settings.n_trials:,} trials are made{judged}")


def _left_out(data: TransferData) -> str:
    if not data.n_overlapping:
        return ""
    return f"; {data.n_overlapping:,} of them are labelled rows, too, and left out, as such rows judge"


def _told_target(kind: str, target: Target) -> str:
    found = f"; to be found: {target.class_name(1)}" if target.classes else ""
    return f"{target.name} ({kind}, {target.known.sum():,} known{found})"


def _estimate(job: TransferJob, stages: Stages, n_left: int) -> str:
    settings = job.settings
    try:
        trial_s = estimate_trial_s(stages, job.data, job.division.folds, settings, job.engine, job.n_threads)
    except TrainingFailed as error:
        return f"none: a configuration in the middle of the space cannot be trained ({error})"
    n_fitted = n_left + n_judgements(min(settings.finalists, settings.n_trials))
    return f"{trial_s:.1f} s a trial, {_duration(trial_s * n_fitted / settings.n_jobs)} in all"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _line(study: optuna.Study, number: int) -> str:
    """A trial that ended, in a line."""
    trial = study.get_trials(deepcopy=False)[number]
    head = f"trial {number:<7} "
    if trial.state == TrialState.FAIL:
        return f"{head} failed: {trial.user_attrs['failure']}"
    if trial.state == TrialState.PRUNED:
        return f"{head} {trial.value:.4f}  ended early after fold {1 + (trial.last_step or 0)}"
    scores = {name: trial.user_attrs[name] for name in ("mae", "f1", "recall", "stage1_loss")}
    told = "  ".join(f"{name} {value:.4f}" for name, value in scores.items() if value is not None)
    best = ranked_trials(study)[0]
    return f"{head} {trial.value:.4f}  {told}  best {best.value:.4f} in trial {best.number}"


def _told_best(study: optuna.Study, best: FrozenTrial) -> str:
    """Which trial is kept, and why where it is not the one with the lowest value."""
    lowest = ranked_trials(study)[0]
    told = f"trial {best.number}, value {best.value:.6f} in the search"
    if finalists := compare(study):
        told += f", {finalists[0].mean:.4f} over all its folds"
    if lowest.number == best.number:
        return told
    return f"{told}; the last round put it before trial {lowest.number}, whose was {lowest.value:.6f}"


def _conclude(
    study: optuna.Study, log: logging.Logger, written: list[tuple[str, Path]], signals: StopOnSignals
) -> int:
    counts = count_states(study_trials(study))
    log.info("")
    told = f"{counts['complete']:,} complete, {counts['pruned']:,} pruned, {counts['fail']:,} failed"
    log.info(f"trials        {told}")
    for each in compare(study):
        beside = (
            ""
            if not each.above_standard_error
            else (
                f", {each.above:+.4f} +- {each.above_standard_error:.4f} beside the first on the same folds"
            )
        )
        log.info(f"finalist      trial {each.number}: {each.mean:.4f} over {each.n_folds} folds{beside}")
    best = best_trial(study)
    if best is not None:
        log.info(f"best trial    {_told_best(study, best)}")
        for name, value in best.params.items():
            log.info(
                f"{'':<13} {name} {value:.5g}" if isinstance(value, float) else f"{'':<13} {name} {value}"
            )
    for word, path in written:
        log.info(f"{word:<13} {path}")
    database = written[0][1].parent / "study.db"
    log.info(f"{'record':<13} {database}")
    if signals.number:
        log.info(f"stopped by {signals.name}; go on with: {_resume_command(database)}")
        return signals.exit_code
    return 1 if best is None else 0
