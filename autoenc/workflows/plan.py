"""The plan of a search: what it will do, printed before it does it; or instead (``--dry_run``)."""

from __future__ import annotations

from collections.abc import Sequence

from autoenc.engines import Engine, Fit, make_engine
from autoenc.report.words import duration_text, listed_values
from autoenc.searching.choice import Estimate, estimate_on_gpu, estimates, has_gpu, taken
from autoenc.searching.finalists import check_repeats, n_judgements, plan_line
from autoenc.searching.memory import estimate_bytes, memory_text
from autoenc.system.text import counted, say
from autoenc.workflows.job import SearchJob

__all__ = ["at_once", "choice_lines", "dry_run", "plan"]


def plan(job: SearchJob, n_done: int, n_fits: int | None = None) -> list[str]:
    """Return how many stacks, rows, columns, which engine, how many cores, what is already done.

    Args:
        job: The search.
        n_done: Fits that are recorded already.
        n_fits: Fits in all; by default those of the whole grid.
    """
    settings, table = job.settings, job.table
    widths = ",".join(map(str, sorted(settings.hidden_dims_search)))
    part = f" (shard {job.shard[0]} of {job.shard[1]})" if job.shard else ""
    lines = [
        f"{_count(job)} of {widths}, up to {counted(settings.max_layers, 'layer')}, "
        f"latent size {settings.latent_size}, {listed_values(settings.epochs, 'epoch')}",
        f"{table.path}: {len(table.values):,} rows x {len(table.columns)} columns, "
        f"{job.n_train:,} to train on, {job.n_test:,} to test on",
    ]
    if len(job.fits) != len(job.settings.grid) * len(job.settings.recipes()):
        folds = f"{settings.folds} folds of the training rows" if settings.folds else "one split"
        lines.append(
            f"{counted(len(job.fits), 'fit')}{part}: {folds}, {counted(settings.seeds, 'seed')} each"
        )
    if settings.finalists > 1:
        lines.append(plan_line(settings.finalists, settings.folds))
    if settings.warm_start:
        n_warm = sum(fit.recipe.warm_start for fit in job.fits)
        lines.append(f"{n_warm:,} of the fits start from the trained stack that they extend")
    where = f"the Dask cluster at {settings.scheduler}" if settings.scheduler else at_once(job)
    lines.append(f"engine {job.engine.name}, {where}")
    if n_done:
        lines.append(f"{n_done:,} of {n_fits or len(job.fits):,} already trained")
    return lines


def at_once(job: SearchJob) -> str:
    """Return on how many cores it trains, or how many fits together."""
    if job.engine.n_at_once:
        return f"up to {job.engine.n_at_once} fits at once on {job.engine.device}"
    return counted(job.settings.jobs, "core")


def _count(job: SearchJob) -> str:
    n_recipes, n_stacks = len(job.settings.recipes()), len(job.settings.grid)
    stacks = counted(n_stacks, "stack")
    return stacks if n_recipes == 1 else f"{n_stacks * n_recipes:,} trials ({stacks} x {n_recipes} recipes)"


def dry_run(job: SearchJob) -> int:
    """Print the plan with sizes, memory and an estimate of the time; train nothing, write nothing."""
    settings, input_dim = job.settings, len(job.table.columns)
    check_repeats(job.division, settings.folds, settings.finalists)
    done = job.done()
    fits = job.planned(done)
    pending = [fit for fit in fits if fit not in done]
    sizes = [fit.network(input_dim).count_parameters() for fit in fits]
    say(*plan(job, len(fits) - len(pending), len(fits)))
    say(f"{counted(len(fits), 'fit')}, {len(pending):,} left to train")
    if sizes:
        say(f"parameters from {min(sizes):,} to {max(sizes):,}")
    n_at_once = min(job.engine.n_at_once or settings.jobs, max(len(pending), 1))
    n_tables = job.division.n_scaled_tables(job.folds, settings.scaling, n_at_once)
    if job.engine.n_at_once:  # a GPU has memory of its own; the CPU has the tables in one piece, too
        n_at_once, n_tables = (n_at_once, 2 * n_tables) if job.engine.device == "cpu" else (0, n_tables)
    n_bytes = estimate_bytes(
        fits, job.table.values.size, input_dim, n_tables=n_tables, jobs=n_at_once, n_recorded=len(fits)
    )
    say(f"memory {memory_text(n_bytes)}")
    measured = _estimates(job, pending)
    n_again = n_judgements(min(settings.finalists, len(job.trials))) * len(job.trials[0].fits)
    rounds = 1 + n_again / max(len(pending), 1)
    measured = [one._replace(seconds=rounds * one.seconds) for one in measured]
    if len(measured) > 1:
        say(*map(_would_take, measured))
    seconds = (taken(measured) if job.is_engine_open else measured[0]).seconds
    say(f"training will take about {duration_text(seconds)} on this machine")
    return 0


def _estimates(job: SearchJob, pending: Sequence[Fit]) -> list[Estimate]:
    """The time of the search by its engine, and by the other one that there is, if any."""
    measured = estimates([job.engine], pending, job.division.split_of, job.settings.jobs)
    if job.engine.n_at_once:
        native = make_engine("native", n_cores=job.settings.jobs)
        measured += estimates([native], pending, job.division.split_of, job.settings.jobs)
    elif pending and job.is_engine_open and has_gpu():
        measured.append(estimate_on_gpu(pending, job.division.split_of, job.settings.jobs))
    return measured


def _would_take(one: Estimate) -> str:
    if one.problem:
        return f"engine {_place(one.engine)} cannot train this: {one.problem}"
    return f"engine {_place(one.engine)} would take about {duration_text(one.seconds)}"


def choice_lines(engine: Engine, measured: Sequence[Estimate]) -> list[str]:
    """Return which engine was chosen and why."""
    if len(measured) == 1:
        seconds = duration_text(measured[0].seconds)
        return [f"engine {_place(engine)} takes about {seconds}, less than a GPU takes to get ready"]
    times = ", ".join(f"{_place(one.engine)} about {duration_text(one.seconds)}" for one in measured)
    problems = [f"{_place(one.engine)} cannot train this: {one.problem}" for one in measured if one.problem]
    if problems:
        return [f"engine {_place(engine)} trains; {problem}" for problem in problems]
    return [f"engine {_place(engine)} is the fastest here: a short calibration says {times}"]


def _place(engine: Engine) -> str:
    return f"{engine.name} on {engine.device}"
