"""``tune``: an adaptive search over stacks and recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoenc.commands.resume import same_command, warn_stopped
from autoenc.record.storage import journal_path
from autoenc.report.summary import tune_summary
from autoenc.settings import TuneSettings
from autoenc.system.machine import tell_interrupted
from autoenc.system.text import say, warn
from autoenc.tuning.job import TuneJob
from autoenc.tuning.results import is_decided
from autoenc.workflows.screen import Screen
from autoenc.workflows.tune import TuneRun, open_tuning, tune_warnings
from autoenc.workflows.tune_plan import dry_tune

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
    job = TuneJob.prepare(settings, is_on_disk=not settings.dry_run)
    if settings.dry_run:
        screen = Screen(settings.quiet)
        screen.warn(tune_warnings(job))
        say(*dry_tune(job))
        return 0
    with open_tuning(job, Screen(settings.quiet), begin_with) as search:
        try:
            run = search.run()
        except Exception as error:
            place = settings.storage or str(journal_path(job.folder))
            return tell_interrupted(error, job.folder, place, same_command(settings))
        return _conclude(job, run)


def _conclude(job: TuneJob, run: TuneRun) -> int:
    settings, signals, n_done = job.settings, run.signals, run.n_done
    if signals.number:
        return warn_stopped(signals, f"{n_done} of {job.n_trials} trials are recorded", settings)
    decided = is_decided(run.results.study)
    if settings.timeout_hours is not None and (n_done < job.n_trials or not decided):
        judged = "" if decided else ", the finalists are not decided"
        warn(
            f"time limit of {settings.timeout_hours:g} h reached (--timeout_hours): {n_done} of "
            f"{job.n_trials} trials are done{judged}; resume with: {same_command(settings)}"
        )
    if not settings.quiet:
        say(*tune_summary(run.results, run.written))
    return 1 if run.results.best_trial is None else 0
