"""The plan of an adaptive search: what it will do, printed before it does it; or instead (``--dry_run``)."""

from __future__ import annotations

import optuna
from optuna.samplers import RandomSampler

from autoenc.engines import Fit
from autoenc.engines.recipe import Family
from autoenc.record.storage import journal_path, open_storage
from autoenc.report.tuning import steps_of
from autoenc.report.words import duration_text
from autoenc.searching.estimate import estimate_seconds
from autoenc.searching.finalists import n_judgements, plan_line
from autoenc.searching.memory import estimate_bytes, memory_text
from autoenc.system.surroundings import quiet_optuna
from autoenc.system.text import counted
from autoenc.tuning.job import TuneJob
from autoenc.tuning.study import study_name, tune_studies

__all__ = ["dry_tune", "tune_plan"]

_SAMPLE = 24  # trials that stand for all in an estimate


def tune_plan(job: TuneJob, n_before: int) -> list[str]:
    """Return what a search will do: strategy, trials, space, rows, PCA's loss, what is already done."""
    settings = job.settings
    depth, width = settings.num_layers_range, settings.hidden_size_range
    folds = f"{settings.folds} folds" if settings.folds else "one fifth"
    n_rows, n_columns = job.table.values.shape
    lines = [
        f"{settings.strategy}: {counted(job.n_trials, 'trial')} of {', '.join(settings.families)}, "
        f"{depth[0]} to {depth[1]} layers of {width[0]} to {width[1]}, latent size {settings.latent_dim}, "
        f"up to {counted(job.epochs, 'epoch')}",
        f"{job.table.path}: {n_rows:,} rows x {n_columns} columns; {folds} of the training rows judge "
        "the trials, the test rows are not used",
        f"PCA of the same latent size has a loss of {job.baselines['pca']:.5f} there",
    ]
    if settings.finalists > 1:
        lines.append(plan_line(settings.finalists, settings.folds))
    if n_before:
        lines.append(f"{n_before:,} of {counted(job.n_trials, 'trial')} already done")
    return lines


def dry_tune(job: TuneJob) -> list[str]:
    """Return the plan with sizes and an estimate of the time; nothing is trained to the end or written."""
    n_done = _n_recorded(job)
    fits = _sample(job)
    n_columns = len(job.table.columns)
    sizes = [fit.network(n_columns).count_parameters() for fit in fits]
    n_bytes = estimate_bytes(
        fits, job.table.values.size, n_columns, n_tables=job.division.n_scaled_tables(job.folds),
        jobs=job.settings.jobs, n_recorded=job.n_trials * len(fits) // _SAMPLE,
    )  # fmt: skip
    n_left = max(job.n_trials - n_done, 0)
    jobs = job.settings.jobs
    n_together = jobs * len(fits) // _SAMPLE  # the next trial follows from those before it
    seconds = estimate_seconds(fits, job.division.split_of, job.engine, jobs, n_together) / _SAMPLE
    seconds *= n_left + n_judgements(min(job.settings.finalists, job.n_trials))
    return [
        *tune_plan(job, n_done),
        f"{counted(n_left, 'trial')} left, of {counted(len(fits) // _SAMPLE, 'fit')} each",
        f"parameters from {min(sizes):,} to {max(sizes):,}, in a random sample of {_SAMPLE} trials",
        f"memory {memory_text(n_bytes)}",
        f"training will take about {duration_text(seconds)} on this machine, if trials are like those",
    ]


def _n_recorded(job: TuneJob) -> int:
    """Return trials that the record holds."""
    journal = journal_path(job.folder)
    if job.settings.fresh or (job.settings.storage is None and not journal.exists()):
        return 0
    name = study_name(job.settings.strategy, job.settings.latent_dim)
    storage = open_storage(job.settings.storage or journal, read_only=True)
    return sum(len(steps_of(study)) for study in tune_studies(storage) if study.study_name == name)


@quiet_optuna()
def _sample(job: TuneJob) -> list[Fit]:
    """Return the fits of some trials, drawn at random from the space."""
    study = optuna.create_study(sampler=RandomSampler(seed=job.settings.seed))
    stacks = None if job.grid is None else job.grid["hidden_dims"]
    families: tuple[Family, ...] = job.settings.families
    fits: list[Fit] = []
    for i in range(_SAMPLE):
        configured = job.space.suggest(study.ask(), stacks)
        fits += job.trial_of(configured, families[i % len(families)]).fits
    return fits
