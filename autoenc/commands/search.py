"""``search``: train every stack of the grid, show the best."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from autoenc.baselines import above_pca
from autoenc.commands.best import write_best
from autoenc.commands.ensemble import write_ensemble
from autoenc.commands.job import SearchJob
from autoenc.commands.plan import dry_run, plan
from autoenc.commands.tracking import curves_of, search_metrics
from autoenc.commands.verify import verify
from autoenc.division import HOLDOUT
from autoenc.effects import Effect
from autoenc.engines import Fit, Outcome
from autoenc.inputs import open_cluster
from autoenc.lock import RecordLock
from autoenc.machine import tell_interrupted
from autoenc.paths import keep_aside
from autoenc.report import SearchResults, write_reports
from autoenc.report.beside import ensemble_lines, warm_start_lines
from autoenc.report.live import LiveView
from autoenc.report.ties import not_compared, tie_lines
from autoenc.runs import TrackedRun
from autoenc.search import run_fits
from autoenc.search.fits import FitExecutor
from autoenc.search.ready import make_ready
from autoenc.search.signals import StopOnSignals
from autoenc.secrets import masked_command
from autoenc.settings import SearchSettings, TrainingSettings
from autoenc.study import Record, journal_path, keep_study_aside, open_storage
from autoenc.text import escaped, say, warn
from autoenc.trials import Trial

__all__ = ["compared_with_pca", "program_words", "same_command", "search"]


def search(settings: SearchSettings) -> int:
    """Run the search, or as much of it as is not recorded yet.

    Returns:
        The exit code: 0; 1 if every fit failed, the engines disagree or the disk is full; 128 and the
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
    if settings.verify:
        job.warn()
        return verify(job.fits, settings.verify, job.division.split)
    if settings.dry_run:
        job.warn()
        return dry_run(job)
    journal = journal_path(job.paths.folder, job.shard)
    # Dividing the rows may show that the table will not do; so far nothing is written.
    note = job.note(job.recorded_note())
    job.warn()
    with ExitStack() as stack:
        cluster = open_cluster(stack, settings.scheduler, job.trainer, job.division)
        stack.enter_context(RecordLock(journal))
        if not job.shard:
            job.paths.remove_leftovers()
        return _run(job, _open_record(job, journal, note), cluster)


def _open_record(job: SearchJob, journal: Path, note: dict[str, Any]) -> Record:
    settings = job.settings
    if settings.fresh and settings.storage is None and (kept := keep_aside(journal)):
        _say(settings, f"the old record is kept as {kept}")
    storage = open_storage(settings.storage or journal)
    if settings.fresh and settings.storage is not None:
        name = keep_study_aside(storage, job.context.name)
        if name is not None:
            _say(settings, f"the old record is kept as study {name}")
    record = Record.open(storage, job.context)
    record.note_search(note)
    return record


def _run(job: SearchJob, record: Record, cluster: FitExecutor | None) -> int:
    settings = job.settings
    results = SearchResults.of(settings, record)
    pending = _pending(job, results, settings.retry_failed)
    n_done = len(job.fits) - len(pending)
    _say(settings, *plan(job, n_done))
    with StopOnSignals() as signals:
        try:
            with _tracked(job) as run, ExitStack() as stack:
                live = None if job.shard else stack.enter_context(LiveView(results, job.paths))
                if pending and cluster is None:
                    make_ready(job.trainer, signals.flag, settings.quiet)
                if pending:
                    _train(job, record, results, pending, signals, live, cluster)
                written = [] if live is None else _report(job, record, results, signals, live)
                _conclude_run(run, job, results, signals)
        except Exception as error:
            return tell_interrupted(error, job.paths.folder, job.record_place, same_command(settings))
    return _conclude(job, results, written, signals)


def _report(
    job: SearchJob, record: Record, results: SearchResults, signals: StopOnSignals, live: LiveView
) -> list[tuple[str, Path]]:
    """Every file that a search leaves; a word for each, and the file."""
    if not signals.number:
        _measure_on_test_rows(job, record, results)
    together = write_ensemble(job, record, results, signals.flag)
    drawing = not signals.number  # what was stopped ends at once; analyze draws
    written = [*write_reports(results, job.paths, drawing), *together]
    if results.ranked and not signals.number:
        written += write_best(job, results)
    # The state last: it says finished once everything else is there.
    state = f"stopped by {signals.name}" if signals.number else "failed" if results.all_failed else "finished"
    live.conclude(state, drawing)
    return written


def _tracked(job: SearchJob) -> TrackedRun:
    seeds = range(job.settings.seed, job.settings.seed + job.settings.seeds)
    return TrackedRun(job.paths.folder, "search", job.settings, job.context.fingerprint, seeds)


def _conclude_run(run: TrackedRun, job: SearchJob, results: SearchResults, signals: StopOnSignals) -> None:
    state, reason = f"stopped by {signals.name}" if signals.number else "finished", None
    if not results.ranked:
        if results.failed and not signals.number:
            state, reason = "failed", results.failed[0].failure
        run.conclude(state, reason=reason)
        return
    metrics = search_metrics(results, job.table.values, job.engine)
    run.conclude(state, metrics, curves_of(results.selection.chosen))


def _pending(job: SearchJob, results: SearchResults, retry_failed: bool) -> list[Fit]:
    """What the strategy wants now and the record does not hold yet."""

    def wanted(fit: Fit) -> bool:
        outcome = results.outcomes.get(fit)
        return outcome is None or (retry_failed and outcome.failure is not None)

    proposed = results.strategy.propose(results.outcomes)
    mine = set(job.fits) if job.shard else None
    return [fit for fit in proposed if (mine is None or fit in mine) and wanted(fit)]


class _Bar(tqdm):  # type: ignore[type-arg]
    monitor_interval = 0  # no thread beside, which may be one too many


def _train(
    job: SearchJob,
    record: Record,
    results: SearchResults,
    pending: list[Fit],
    signals: StopOnSignals,
    live: LiveView | None,
    cluster: FitExecutor | None,
) -> None:
    settings = job.settings
    first, trial_of, compared = pending, dict[Fit, Trial](), set[Fit]()
    best = results.ranked[0].loss if results.ranked else float("inf")
    unit = "stack" if len(job.trials[0].fits) == 1 else "fit"
    with _Bar(unit=unit, disable=settings.quiet or sys.stderr is None) as bar:

        def done(fit: Fit, outcome: Outcome) -> None:
            nonlocal best
            record.add(fit, outcome, job.engine.name)
            results.outcomes[fit] = outcome
            result = trial_of[fit].result(results.outcomes)
            if result and fit in compared and result.failure is None and result.loss < best:
                best = result.loss
                bar.set_postfix_str(f"best {result.trial.name} {best:.5f}", refresh=False)
            if settings.verbose and result:
                told = result.failure or f"test loss {result.loss:.5f}"
                size = f"{results.n_parameters(result.trial):,} parameters"
                bar.write(escaped(f"{result.trial.name:>20}  {told}  {size}  {result.seconds:.2f} s"))
            bar.update()
            if live:
                live.refresh()

        def wanted() -> list[Fit]:
            """What the strategy wants once all that it wanted before is done."""
            nonlocal first, trial_of, compared
            fits, first = first or _pending(job, results, retry_failed=False), []
            trial_of = {fit: trial for trial in results.trained for fit in trial.fits}
            compared = {fit for trial in results.trials for fit in trial.fits}
            total = len(job.fits) if job.shard else len(trial_of)
            bar.total, bar.n = total, total - len(fits)
            return fits

        run_fits(wanted, job.division.split, job.trainer, settings.jobs, done, signals.flag, cluster)


def _measure_on_test_rows(job: SearchJob, record: Record, results: SearchResults) -> None:
    """With folds: train the chosen trial on all training rows and use the test rows, this once."""
    if not job.settings.folds or not results.finished:
        return
    chosen = results.selection.chosen
    fit = chosen.trial.refit(chosen)
    if fit not in results.outcomes:
        outcome = job.trainer.fit(job.division.split(fit.fold), fit)
        record.add(fit, outcome, job.engine.name)
        results.outcomes[fit] = outcome


def _conclude(
    job: SearchJob, results: SearchResults, written: list[tuple[str, Path]], signals: StopOnSignals
) -> int:
    settings = job.settings
    if signals.number:
        n_done = sum(fit in results.outcomes for fit in job.fits)
        what = "stacks" if len(job.trials[0].fits) == 1 else "fits"
        warn(
            f"stopped by {signals.name}: {n_done} of {len(job.fits)} {what} are recorded in "
            f"{job.record_place}",
            f"resume with: {same_command(settings)}",
            f"`autoenc analyze {shlex.quote(str(job.paths.folder))}` draws what there is",
        )
        return signals.exit_code
    if results.failed and not results.finished:
        first = results.failed[0]
        warn(f"error: all {len(results.failed)} stacks failed; {first.trial.name}: {first.failure}")
        return 1
    _say(settings, *_summary(job, results, written))
    return 0


def _summary(job: SearchJob, results: SearchResults, written: list[tuple[str, Path]]) -> list[str]:
    lines = ["", *_best_lines(results, job.shard is not None)]
    if results.failed:
        count = f"{len(results.failed)} of {len(results.trials)}"
        lines.append(f"failed        {count}; --retry_failed tries them again")
        lines += [f"              {result.trial.name}: {result.failure}" for result in results.failed[:5]]
    if job.shard:
        lines += ["", f"shard {job.shard[0]} of {job.shard[1]} is done; `autoenc merge` joins the shards"]
        settings = job.settings
        later = [
            *(["--save_models"] if settings.save_models else []),
            *([f"--ensemble {settings.ensemble}"] if settings.ensemble else []),
        ]
        if later:
            told = " and ".join(later)
            lines.append(
                f"{told}: models are chosen among all shards, by a search in the folder of the merge"
            )
    return [
        *lines, "", *(f"{word:<13} {path}" for word, path in written), f"{'record':<13} {job.record_place}"
    ]  # fmt: skip


def _best_lines(results: SearchResults, shard: bool) -> list[str]:
    if not results.ranked:
        return []
    found, settings = results.selection, results.settings
    best = found.chosen
    error = best.standard_error
    what = "folds" if settings.folds else "seeds"
    spread = f" +- {error:.6f} over {len(best.repetitions)} {what}" if error is not None else ""
    compared = compared_with_pca(best.loss, results.baselines)
    lines = [f"{'best stack' if best is found.best else 'chosen stack':<13} {best.trial.name}"]
    if best is not found.best:
        lines[0] += f" by {found.rule}; the lowest loss has {found.best.trial.name}, {found.best.loss:.6f}"
    if settings.folds:
        lines.append(f"fold loss     {best.loss:.6f}{spread}, {compared}")
        holdout = results.holdout_outcome
        if holdout is not None and holdout.failure is not None:
            lines.append(f"test loss     none: trained on all training rows it failed: {holdout.failure}")
        elif holdout is not None:
            baselines = results.search["baselines"][HOLDOUT]
            loss = holdout.final_test_loss
            lines.append(
                f"test loss     {loss:.6f} on rows that chose nothing, {compared_with_pca(loss, baselines)}"
            )
    else:
        lines.append(f"test loss     {best.loss:.6f}{spread}, {compared}")
        lines.append(
            "              the test rows chose it, so this loss is optimistic; --folds 5 avoids that"
        )
    lines.append(f"parameters    {results.n_parameters(best.trial):,}")
    if results.halving:
        spent, full = results.halving["epochs_spent"], results.halving["epochs_of_the_grid"]
        lines.append(f"halving       {spent:,} epochs instead of {full:,} of the whole grid")
        if not found.tied and results.n_dropped:
            lines.append(f"              {'; '.join(not_compared(results))}")
    lines += [*tie_lines(results), *map(_effect_line, results.effects)]
    return [*lines, *warm_start_lines(results)] + ([] if shard else ensemble_lines(results))


def _effect_line(effect: Effect) -> str:
    told = f"{effect.factor} {effect.value} against {effect.against}: loss {100 * effect.difference:+.1f} %"
    if effect.low is not None and effect.high is not None:
        told += f" (95 %: {100 * effect.low:+.1f} to {100 * effect.high:+.1f})"
    return f"{'effect':<13} {told} over {effect.n_pairs} pairs"


def compared_with_pca(loss: float, baselines: Mapping[str, float]) -> str:
    """The best loss in relation to PCA of the same latent size, in words."""
    above, pca = above_pca(loss, baselines), baselines["pca"]
    if above is None:
        return "PCA of the same latent size loses nothing"
    if above > 0:
        return f"{100 * above:.0f} % ABOVE PCA of the same latent size ({pca:.6f}): PCA is better"
    return f"{-100 * above:.0f} % below PCA of the same latent size ({pca:.6f})"


def same_command(settings: TrainingSettings) -> str:
    """What the user typed, ready to be typed again; it says where a password is not shown."""
    words = program_words()
    # Starting over is the one thing that resuming must not do.
    kept = [word for word in sys.argv[1:] if word != "--fresh"]
    by_file = settings.fresh and "--fresh" not in sys.argv
    command = [*words, *kept, *(["--no_fresh"] if by_file else [])]
    shown = masked_command(command)
    if shown != shlex.join(command):
        shown += (
            "   (with its password in the place of ***, or without one where PGPASSWORD or ~/.pgpass has it)"
        )
    return shown


def program_words() -> list[str]:
    """How this program was called."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return ["python", "-m", program.parent.name]
    return ["python", sys.argv[0]] if program.suffix == ".py" else [program.name]


def _say(settings: SearchSettings, *lines: str) -> None:
    if not settings.quiet:
        say(*lines)
