"""``fit``: choose stack and recipe within a budget of seconds."""

from __future__ import annotations

from pathlib import Path

from autoenc.commands.resume import same_command, warn_stopped
from autoenc.report.files import files_lines
from autoenc.report.fit_answer import fit_lines, latent_size_lines
from autoenc.report.results import SearchResults
from autoenc.settings import FitSettings
from autoenc.system.machine import tell_interrupted
from autoenc.system.text import say
from autoenc.workflows.fit import FitJob, prepare_fits, run_fit
from autoenc.workflows.screen import Screen

__all__ = ["fit"]


def fit(settings: FitSettings) -> int:
    """Search within the budget, and save the model of the choice.

    Returns:
        The exit code: 0; 1 if nothing could be fitted or the machine failed; 128 and the signal's number if
        one stopped it.

    Raises:
        InputError: If data, device, record or output folder cannot be used.
    """
    jobs, results = prepare_fits(settings), list[SearchResults]()
    for job in jobs:
        code = _fit_one(job, settings, results)
        if code:
            return code
    if len(results) > 1 and not settings.quiet:
        say("", *latent_size_lines(results))
    return 0


def _fit_one(job: FitJob, settings: FitSettings, results: list[SearchResults]) -> int:
    try:
        run = run_fit(job, Screen(settings.quiet))
    except Exception as error:
        return tell_interrupted(error, job.paths.folder, job.record_place, same_command(settings))
    if run.signals.number:
        recorded = f"{len(run.results.outcomes)} fits are recorded in {job.record_place}"
        return warn_stopped(run.signals, recorded, settings)
    results.append(run.results)
    if not settings.quiet:
        files: list[tuple[str, Path | str]] = [*run.written, ("record", job.record_place)]
        say("", *fit_lines(run.results), "", *files_lines(files))
    return 0 if run.results.finished else 1
