"""``train-best``: the best trial of a record, trained in full on all training rows, and measured once."""

from __future__ import annotations

from pathlib import Path

from autoenc.errors import InputError
from autoenc.record.searches import holds_transfer
from autoenc.report.files import files_lines
from autoenc.report.full_training import full_lines
from autoenc.report.full_transfer import full_transfer_lines
from autoenc.settings import TrainBestSettings
from autoenc.system.text import say, warn
from autoenc.workflows import train_best as workflow
from autoenc.workflows.screen import Screen

__all__ = ["train_best"]


def train_best(settings: TrainBestSettings) -> int:
    """Train the best trial of a record in full, save its model, and report its test loss.

    Returns:
        The exit code: 0; 1 if the training failed; 128 and the signal's number if one stopped it.

    Raises:
        InputError: If record, trial, data or folder cannot be used.
    """
    source = Path(settings.from_)
    if settings.storage is None and not source.is_dir():
        what = "is a file" if source.exists() else "there is no such folder"
        raise InputError(f"--from {source}: {what}; name the folder of a search")
    if holds_transfer(source, settings.storage):
        from autoenc.workflows.train_transfer import train_best_of_transfer

        result = train_best_of_transfer(settings, Screen(settings.quiet))
        if not settings.quiet:
            say(*full_transfer_lines(result))
        return 0
    for name in workflow.OF_TRANSFER:
        if getattr(settings, name) is not None:
            raise InputError(f"--{name}: {source} holds no transfer-aware search, the one with stages")
    run = workflow.train_best(settings, Screen(settings.quiet))
    if run.result is None and run.failure is None:
        warn(f"stopped by {run.signals.name}; no model was written")
        return run.signals.exit_code
    if run.result is None:
        warn(f"error: the training failed: {run.failure}")
        return 1
    if not settings.quiet:
        say(*full_lines(run.result), "", *files_lines(run.written or ()))
    return 0
