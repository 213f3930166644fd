"""``transfer``: choose the autoencoder by what its encoder is worth to predictions on labelled rows."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import count_states, ranked_trials, study_trials
from autoenc.commands.resume import program_words
from autoenc.errors import InputError
from autoenc.settings import TransferSettings, require_settings
from autoenc.system.machine import tell_interrupted
from autoenc.two_stage.finalists import best_trial, compare
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.record import read_study, refuse_ended_tables, stored_settings
from autoenc.workflows.screen import Terminal
from autoenc.workflows.transfer import TransferLog, TransferRun, open_transfer

__all__ = ["transfer"]


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
    path = job.folder / "study.db"
    with open_transfer(job, Terminal(settings.quiet)) as search:
        try:
            run = search.run()
        except Exception as error:
            return tell_interrupted(error, job.folder, str(path), _resume_command(path))
        return _conclude(run, search.log)


def _resume_command(database: Path) -> str:
    return shlex.join([*program_words(), "transfer", "--resume", str(database)])


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


def _told_best(study: optuna.Study, best: FrozenTrial) -> str:
    """Which trial is kept, and why where it is not the one with the lowest value."""
    lowest = ranked_trials(study)[0]
    told = f"trial {best.number}, value {best.value:.6f} in the search"
    if finalists := compare(study):
        told += f", {finalists[0].mean:.4f} over all its folds"
    if lowest.number == best.number:
        return told
    return f"{told}; the last round put it before trial {lowest.number}, whose was {lowest.value:.6f}"


def _conclude(run: TransferRun, log: TransferLog) -> int:
    study, written, signals = run.results.study, run.written, run.signals
    counts = count_states(study_trials(study))
    log("")
    told = f"{counts['complete']:,} complete, {counts['pruned']:,} pruned, {counts['fail']:,} failed"
    log(f"trials        {told}")
    for each in compare(study):
        beside = (
            ""
            if not each.above_standard_error
            else (
                f", {each.above:+.4f} +- {each.above_standard_error:.4f} beside the first on the same folds"
            )
        )
        log(f"finalist      trial {each.number}: {each.mean:.4f} over {each.n_folds} folds{beside}")
    best = best_trial(study)
    if best is not None:
        log(f"best trial    {_told_best(study, best)}")
        for name, value in best.params.items():
            log(f"{'':<13} {name} {value:.5g}" if isinstance(value, float) else f"{'':<13} {name} {value}")
    for word, path in written:
        log(f"{word:<13} {path}")
    database = written[0][1].parent / "study.db"
    log(f"{'record':<13} {database}")
    if signals.number:
        log(f"stopped by {signals.name}; go on with: {_resume_command(database)}")
        return signals.exit_code
    return 1 if best is None else 0
