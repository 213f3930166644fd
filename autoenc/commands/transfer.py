"""``transfer``: choose the autoencoder by what its encoder is worth to predictions on labelled rows."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from autoenc.commands.resume import program_words, same_command
from autoenc.report.files import files_lines
from autoenc.report.transfer_lines import search_lines
from autoenc.settings import TransferSettings
from autoenc.system.machine import tell_interrupted
from autoenc.system.secrets import masked_storage
from autoenc.system.text import say
from autoenc.two_stage.job import TransferJob
from autoenc.workflows.screen import Screen
from autoenc.workflows.stored_transfer import with_stored
from autoenc.workflows.transfer import (
    TransferLog,
    TransferRun,
    dry_transfer,
    open_transfer,
    transfer_warnings,
)

__all__ = ["transfer"]


def transfer(settings: TransferSettings) -> int:
    """Run the search, or as much of it as is not recorded yet.

    Returns:
        The exit code: 0; 1 if no trial is complete; 128 and the signal's number if one stopped it.

    Raises:
        InputError: If data, targets, device, record or output folder cannot be used.
    """
    if settings.resume is not None:
        settings = with_stored(settings, Path(settings.resume))
    if settings.dry_run:
        job = TransferJob.prepare(settings, is_on_disk=False)
        Screen(settings.quiet).warn(transfer_warnings(job))
        say(*dry_transfer(job))
        return 0
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
    with open_transfer(job, Screen(settings.quiet)) as search:
        try:
            run = search.run()
        except Exception as error:
            return tell_interrupted(error, job.folder, _place(settings, path), _resume(settings, path))
        return _conclude(settings, run, search.log)


def _place(settings: TransferSettings, database: Path) -> str:
    """Return where the record is, for people."""
    return str(database) if settings.storage is None else masked_storage(settings.storage)


def _resume(settings: TransferSettings, database: Path) -> str:
    """Return the command that goes on with the search."""
    if settings.storage is not None:
        return same_command(settings)
    return shlex.join([*program_words(), "transfer", "--resume", str(database)])


def _conclude(settings: TransferSettings, run: TransferRun, log: TransferLog) -> int:
    database = run.written[0][1].parent / "study.db"
    files: list[tuple[str, Path | str]] = [*run.written, ("record", _place(settings, database))]
    for line in ["", *search_lines(run.results.study), *files_lines(files)]:
        log(line)
    if run.signals.number:
        log(f"stopped by {run.signals.name}; resume with: {_resume(settings, database)}")
        return run.signals.exit_code
    return 1 if run.results.best_trial is None else 0
