"""``search``: train every stack of the grid, show the best."""

from __future__ import annotations

import shlex
from pathlib import Path

from autoenc.commands.resume import same_command, warn_stopped
from autoenc.engines import Engine, EngineName
from autoenc.report.summary import search_summary
from autoenc.settings import SearchSettings
from autoenc.system.machine import tell_interrupted
from autoenc.system.text import counted, say, warn
from autoenc.workflows.job import SearchJob
from autoenc.workflows.plan import dry_run
from autoenc.workflows.screen import Screen
from autoenc.workflows.search import SearchRun, run_search

__all__ = ["search"]


def search(settings: SearchSettings) -> int:
    """Run the search, or as much of it as is not recorded yet.

    Returns:
        The exit code: 0; 1 if every fit failed, the engines disagree or the machine failed; 128 and the
        signal's number if one stopped it.

    Raises:
        InputError: If data, device, record or output folder cannot be used.
    """
    code = 0
    for single in settings.for_each_latent_size():
        code = max(code, _search_one(single))
        if code > 1:  # stopped by a signal, or its input was wrong
            break
    return code


def _search_one(settings: SearchSettings) -> int:
    job = SearchJob.prepare(settings)
    screen = Screen(settings.quiet, settings.verbose)
    if settings.verify or settings.dry_run:
        screen.warn(job.warnings())
        if not settings.verify:
            return dry_run(job)
        from autoenc.commands.verify import verify  # and with it the engines

        return verify(job.fits, settings.verify, job.division.split_of, *_verified(job.engine))
    try:
        run = run_search(job, screen)
    except Exception as error:
        return tell_interrupted(error, job.paths.folder, job.record_place, same_command(settings))
    return _conclude(job, run)


def _verified(engine: Engine) -> tuple[EngineName, str]:
    """Return what is compared with the reference: the search's own engine, unless that is the reference."""
    if engine.n_at_once:
        return "stacked", engine.device  # without TF32, whose rounding is no fault
    return "native", "cpu"


def _conclude(job: SearchJob, run: SearchRun) -> int:
    results, signals = run.results, run.signals
    if signals.number:
        n_done = sum(fit in results.outcomes for fit in job.fits)
        wanted = counted(len(job.fits), "stack" if len(job.trials[0].fits) == 1 else "fit")
        recorded = f"{n_done:,} of {wanted} are recorded in {job.record_place}"
        analyze = f"`autoenc analyze {shlex.quote(str(job.paths.folder))}` draws what there is"
        return warn_stopped(signals, recorded, job.settings, analyze)
    if results.failed and not results.finished:
        first = results.failed[0]
        failed = "the only stack" if len(results.failed) == 1 else f"all {len(results.failed):,} stacks"
        warn(f"error: {failed} failed; {first.trial.name}: {first.failure}")
        return 1
    if not job.settings.quiet:
        files: list[tuple[str, Path | str]] = [*run.written, ("record", job.record_place)]
        say(*search_summary(results, files, job.shard))
    return 0
