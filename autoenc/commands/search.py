"""``search``: train every stack of the grid, show the best."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path

from tqdm import tqdm

from autoenc.commands.best import write_best
from autoenc.commands.job import SearchJob
from autoenc.commands.plan import dry_run, plan
from autoenc.commands.verify import verify
from autoenc.engines import Fit, Outcome
from autoenc.grid import format_architecture
from autoenc.lock import RecordLock
from autoenc.report import SearchResults, write_reports
from autoenc.report.live import LiveView
from autoenc.search import run_fits
from autoenc.search.signals import StopOnSignals
from autoenc.settings import SearchSettings
from autoenc.study import Record, journal_path, keep_aside, keep_study_aside, open_storage

__all__ = ["search"]


def search(settings: SearchSettings) -> int:
    """Run the search, or as much of it as is not recorded yet.

    Returns:
        The exit code: 0; 1 if every fit failed, the engines disagree or the disk is full; 128 and the
        signal's number if one stopped it.

    Raises:
        InputError: If data, device, record or output folder cannot be used.
    """
    job = SearchJob.prepare(settings)
    if settings.verify:
        return verify(job.fits, settings.verify, job.split)
    if settings.dry_run:
        return dry_run(job)
    journal = journal_path(job.paths.folder, job.shard)
    with RecordLock(journal):
        if not job.shard:
            job.paths.remove_leftovers()
        return _run(job, _open_record(job, journal))


def _open_record(job: SearchJob, journal: Path) -> Record:
    settings = job.settings
    if settings.fresh and settings.storage is None and (kept := keep_aside(journal)):
        _say(settings, f"the old record is kept as {kept}")
    storage = open_storage(settings.storage or journal)
    if settings.fresh and settings.storage is not None and (name := keep_study_aside(storage, job.context)):
        _say(settings, f"the old record is kept as study {name}")
    record = Record.open(storage, job.context)
    record.note_search(job.note(record.search))
    return record


def _run(job: SearchJob, record: Record) -> int:
    settings = job.settings
    results = SearchResults.of(settings, record)
    results = dataclasses.replace(results, fits=job.fits)
    pending = results.missing + ([fit for fit, _ in results.failed] if settings.retry_failed else [])
    _say(settings, plan(job, n_done=len(results.fits) - len(pending)))
    with StopOnSignals() as signals:
        try:
            if pending:
                _train(job, record, results, pending, signals)
            written = [] if job.shard else write_reports(results, job.paths)
            if results.ranked and not signals.number and not job.shard:
                written += write_best(job, results)
        except OSError as error:
            _tell_disk_error(job, error)
            return 1
    return _conclude(job, results, written, signals)


def _train(
    job: SearchJob, record: Record, results: SearchResults, pending: list[Fit], signals: StopOnSignals
) -> None:
    settings, engine = job.settings, job.engine
    live = None if job.shard else LiveView(results, job.paths, len(results.fits) - len(pending))
    best = results.ranked[0][1].final_test_loss if results.ranked else float("inf")
    with tqdm(total=len(results.fits), initial=len(results.fits) - len(pending), unit="stack",
              disable=settings.quiet) as bar:  # fmt: skip

        def done(fit: Fit, outcome: Outcome) -> None:
            nonlocal best
            record.add(fit, outcome, engine.name)
            results.outcomes[fit] = outcome
            name = format_architecture(fit.architecture)
            if outcome.failure is None and outcome.final_test_loss < best:
                best = outcome.final_test_loss
                bar.set_postfix_str(f"best {name} {best:.5f}", refresh=False)
            if settings.verbose:
                told = outcome.failure or f"test loss {outcome.final_test_loss:.5f}"
                size = f"{results.n_parameters(fit):,} parameters"
                bar.write(f"{name:>20}  {told}  {size}  {outcome.seconds:.2f} s")
            bar.update()
            if live:
                live.refresh()

        run_fits(pending, job.split, engine, settings.jobs, done, signals.flag)
    if live:
        live.refresh(f"stopped by {signals.name}" if signals.number else "finished")


def _conclude(
    job: SearchJob, results: SearchResults, written: list[tuple[str, Path]], signals: StopOnSignals
) -> int:
    settings = job.settings
    if signals.number:
        n_done = len(results.fits) - len(results.missing)
        print(
            f"stopped by {signals.name}: {n_done} of {len(results.fits)} stacks are recorded in "
            f"{job.record_place}\nresume with: {_same_command()}",
            file=sys.stderr,
        )
        return signals.exit_code
    if results.failed and not results.finished:
        fit, outcome = results.failed[0]
        print(
            f"error: all {len(results.failed)} stacks failed; "
            f"{format_architecture(fit.architecture)}: {outcome.failure}",
            file=sys.stderr,
        )
        return 1
    _say(settings, _summary(job, results, written))
    return 0


def _tell_disk_error(job: SearchJob, error: OSError) -> None:
    where = f" ({error.filename})" if error.filename else ""
    print(
        f"error: cannot write to {job.paths.folder}: {error.strerror or error}{where}; the earlier files "
        f"are as they were, and what {job.record_place} holds is safe\n"
        f"make room, then resume with: {_same_command()}",
        file=sys.stderr,
    )


def _summary(job: SearchJob, results: SearchResults, written: list[tuple[str, Path]]) -> str:
    lines = [""]
    if results.ranked:
        fit, outcome = results.ranked[0]
        loss, pca = outcome.final_test_loss, results.baselines["pca"]
        lines += [
            f"best stack    {format_architecture(fit.architecture)}",
            f"test loss     {loss:.6f}, {compared_with_pca(loss, pca)}",
            f"parameters    {results.n_parameters(fit):,}",
        ]
    if results.failed:
        lines.append(
            f"failed        {len(results.failed)} of {len(results.fits)}; --retry_failed tries them again"
        )
        for fit, outcome in results.failed[:5]:
            lines.append(f"              {format_architecture(fit.architecture)}: {outcome.failure}")
    if job.shard:
        lines += ["", f"shard {job.shard[0]} of {job.shard[1]} is done; `autoenc merge` joins the shards"]
    lines += ["", *(f"{word:<13} {path}" for word, path in written), f"{'record':<13} {job.record_place}"]
    return "\n".join(lines)


def compared_with_pca(loss: float, pca: float) -> str:
    """The best loss in relation to PCA of the same latent size, in words."""
    if pca == 0:
        return "PCA of the same latent size loses nothing"
    share = 100 * (loss / pca - 1)
    if share > 0:
        return f"{share:.0f} % ABOVE PCA of the same latent size ({pca:.6f}): PCA is better"
    return f"{-share:.0f} % below PCA of the same latent size ({pca:.6f})"


def _same_command() -> str:
    """What the user typed, ready to be typed again."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        words = ["python", "-m", program.parent.name]
    else:
        words = ["python", sys.argv[0]] if program.suffix == ".py" else [program.name]
    # Starting over is the one thing that resuming must not do.
    return shlex.join([*words, *(word for word in sys.argv[1:] if word != "--fresh")])


def _say(settings: SearchSettings, text: str) -> None:
    if not settings.quiet:
        print(text)
