"""``fit``: choose stack and recipe within a budget, train the choice on all training rows, and measure it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from autoenc.data.curves import fit_curve
from autoenc.data.division import HOLDOUT, Division, fold_names
from autoenc.data.read import ReadTable
from autoenc.data.table import Table
from autoenc.engines import Fit, Outcome
from autoenc.engines.calibration import hardly_varies
from autoenc.report import SearchResults
from autoenc.report.fit_answer import enough_units
from autoenc.report.words import percent
from autoenc.searching.fits import FitWork
from autoenc.searching.in_time import run_in_time
from autoenc.searching.inputs import prepare_inputs, table_warnings
from autoenc.searching.pace import Pace
from autoenc.searching.race import Race
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings import FitSettings, RaceSettings
from autoenc.settings.fit import TableProfile
from autoenc.system.paths import OutputPaths
from autoenc.workflows.job import SearchJob
from autoenc.workflows.screen import Screen
from autoenc.workflows.search import SearchRun, Training, run_search

__all__ = ["FitJob", "prepare_fits", "run_fit"]

_REPORTS_S, _FILES_S = 0.4, 3.0
"""Time that is left for reports, and for those that are files: pictures, and a model."""
_MOST_REPORTS = 0.2
"""Part of a budget that reports are left at most, so that a small one is not theirs alone."""
_MOST_LATE = 0.05
"""Part of a budget by which a fit may pass its end that early stopping does not end as soon as others."""
_MOST_SIZES = 7
"""Latent sizes that ``auto`` tries."""


@dataclass
class FitJob(SearchJob):
    """A search within a budget that is ready to run.

    Attributes:
        started: When the command began, by the monotonic clock.
        share: Part of the budget that is this latent size's.
        due: Part of the budget after which it ends at the latest, those before it counted.
    """

    settings: RaceSettings
    started: float = field(default_factory=time.monotonic)
    share: float = 1.0
    due: float = 1.0

    @cached_property
    def trials(self) -> list[Trial]:
        """What there is to compare before anything is known: PCA alone."""
        return [Race(self.settings).pca]

    @cached_property
    def fits(self) -> list[Fit]:
        """None: what is trained is proposed while it runs."""
        return []

    def plan(self, n_done: int) -> list[str]:
        """Return what it will do, a sentence each."""
        from autoenc.workflows.plan import at_once

        settings, table = self.settings, self.table
        return [
            f"stacks and recipes for latent size {settings.latent_size}, within "
            f"{settings.budget * self.share:.0f} s, judged by {settings.folds} folds",
            f"{table.path}: {len(table.values):,} rows x {len(table.columns)} columns, "
            f"{self.n_train:,} to train on, {self.n_test:,} to measure the choice once",
            f"engine {self.engine.name}, {at_once(self)}",
        ]

    def warnings(self) -> list[str]:
        """See :meth:`SearchJob.warnings`."""
        return table_warnings(
            self.division, self.folds, self.settings.latent_size, ["none"], scalings=("standard",)
        )


def prepare_fits(
    settings: FitSettings, read: ReadTable | None = None, is_on_disk: bool = True
) -> list[FitJob]:
    """Make a search of each latent size ready; they share the budget.

    Args:
        settings: The options.
        read: The table, where it is no file.
        is_on_disk: Whether they keep a record and files in a folder.

    Raises:
        InputError: With everything that is wrong about them.
    """
    started, folder = time.monotonic(), Path(settings.output_dir)
    engine, table = prepare_inputs(settings, folder if is_on_disk else None, read)
    division = Division(table, "standard", settings.seed, settings.stratify, settings.group, settings.folds)
    profile = _profile(table, division, settings)
    jobs = []
    for size in settings.latent_dim or _sizes(profile):
        race = settings.race(size, profile)
        jobs.append(FitJob(race, OutputPaths(folder, size), engine, table, None, is_on_disk, started))
    for i, job in enumerate(jobs):
        job.share, job.due = 1 / len(jobs), (i + 1) / len(jobs)
    return jobs


def _profile(table: Table, division: Division, settings: FitSettings) -> TableProfile:
    folds = fold_names(settings.n_folds(division.train.size))
    rows, n_zero, n_observed, has_long_tails = division.train, 0, 0, False
    for j in range(len(table.columns)):
        column = table.values[rows, j]
        n_zero += int((column == 0).sum())
        n_observed += int((~np.isnan(column)).sum())
        has_long_tails = has_long_tails or fit_curve("auto", column) is not None
    is_uneven = any(hardly_varies(division.standardized(fold)) for fold in folds)
    if settings.refit == "all":  # which may learn of columns that no fold knows
        is_uneven |= bool((division.scaling(HOLDOUT, "standard").left_out & table.varying).any())
    n_cells = rows.size * len(table.columns)
    return TableProfile(
        n_train=rows.size, n_columns=len(table.columns), zero_share=n_zero / max(n_observed, 1),
        has_long_tails=has_long_tails, missing_share=1 - n_observed / n_cells,
        calibration_folds=len(folds) if is_uneven else 0,
    )  # fmt: skip


def _sizes(profile: TableProfile) -> tuple[int, ...]:
    """Return the latent sizes that ``auto`` tries: Fibonacci's, below the number of columns."""
    sizes, most = [1, 2], max(1, min(profile.n_columns - 1, profile.n_train - 1))
    while len(sizes) < _MOST_SIZES:
        sizes.append(sizes[-1] + sizes[-2])
    return tuple(size for size in sizes if size <= most)


def run_fit(job: FitJob, screen: Screen) -> SearchRun:
    """Search until the budget is spent, and write the reports; raises as :func:`run_search`."""
    return run_search(job, screen, lambda training: _race(job, training))


def chosen_size(results: Sequence[SearchResults]) -> SearchResults:
    """Return the search for the latent size beyond which more units stop paying.

    Args:
        results: A search for each size, ascending.
    """
    by_size = {r.settings.latent_size: r for r in results if r.finished}
    size = enough_units([(size, 1 - result.ranked[0].loss) for size, result in by_size.items()])
    return results[0] if size is None else by_size[size]


def _race(job: FitJob, training: Training) -> None:
    """Train what the race proposes while there is time."""
    results, record = training.results, training.record
    shares = training.cluster is None and job.engine.n_at_once > 0
    pace = Pace(FitWork(job.division.split_of), shares)
    clock = _Clock(job, results, pace)
    with training.screen.bar("fit", None, len(results.outcomes)) as shown:

        def done(fit: Fit, outcome: Outcome) -> None:
            record.add(fit, outcome, job.engine.name)
            results.outcomes[fit] = outcome
            if (best := clock.best()) is not None:
                text = f"best explains {percent(1 - best.loss)}, {clock.left():.0f} s left"
                shown.set_postfix_str(text, refresh=False)
            shown.update()
            training.refresh()

        def wanted() -> list[Fit]:
            proposed = results.strategy.propose(results.outcomes)
            return [fit for fit in proposed if fit not in results.outcomes]

        run_in_time(
            wanted, job.division.split_of, job.trainer, job.settings.jobs, done, clock.allows,
            pace, training.signals.flag, training.cluster,
        )  # fmt: skip


class _Clock:
    """Says what can still be begun within the budget, so that the choice can be trained at the end, too."""

    def __init__(self, job: FitJob, results: SearchResults, pace: Pace) -> None:
        self._results, self._pace = results, pace
        profile = job.settings.profile
        self._is_large = profile.is_large
        # Of small tables the fits on folds that calibrate are those that were compared.
        n_calibrating = profile.calibration_folds if self._is_large else 0
        self._n_last = 1 + n_calibrating + (job.settings.refit == "all")
        budget = job.settings.budget * job.share
        # Fits of a stack have their shares of its time; others are trained side by side.
        at_once = 1 if job.engine.n_at_once else job.settings.jobs
        spent = sum(outcome.seconds for outcome in results.outcomes.values()) / at_once
        self._is_shared = job.share < 1
        begun = time.monotonic() if self._is_shared else job.started
        # What the sizes before spent beside training, on reports above all, is not spent twice.
        latest = job.started + job.settings.budget * job.due
        reports = min(_FILES_S if job.is_on_disk else _REPORTS_S, _MOST_REPORTS * budget)
        self._end = min(begun + budget - spent, latest) - reports
        self._late = _MOST_LATE * budget

    def best(self) -> TrialResult | None:
        """Return the best trial so far; None while there is none."""
        return next(iter(self._results.ranked), None)

    def left(self) -> float:
        """Return seconds left, without those that the last training needs."""
        best = self.best()
        last = 0.0 if best is None else self._seconds_of_last(self._seconds_alone(best))
        return max(0.0, self._end - time.monotonic() - last)

    def _seconds_alone(self, best: TrialResult) -> float:
        """Return how long a fit of a trial takes with nothing beside it."""
        each = best.seconds / len(best.outcomes)
        return max(each, self._pace.seconds(best.trial.fits[:1])) if self._pace.shares else each

    def _seconds_of_last(self, seconds: float) -> float:
        """Return how long the last training of a candidate takes whose fits on folds take so many seconds.

        It meets the rows of all folds; a tenth is left for luck.
        """
        n_folds = len(self._results.trials[0].folds)
        return 1.1 * n_folds / (n_folds - 1) * seconds * self._n_last

    def allows(self, seconds: float, at_most: float) -> bool:
        """Return whether a fit that takes about so many seconds may be begun; see :meth:`_n_least`.

        On a large table it may be what is chosen, and must leave the time to be trained again.
        One that early stopping may end sooner may pass the end a little where it does not.
        """
        if len(self._results.outcomes) <= self._n_least() and len(self._results.finished) < 2:
            return True
        left = self.left()
        if self._is_large:
            left = min(left, self._end - time.monotonic() - self._seconds_of_last(seconds))
        return left > 0 and seconds <= left and at_most <= left + self._late

    def _n_least(self) -> int:
        """Fits that are always trained: PCA and one more; of several sizes the quick candidate on all folds.

        Sizes that are compared must not differ by what there was time for.
        """
        n_folds = len(self._results.trials[0].fits)
        return 3 * n_folds if self._is_shared else n_folds
