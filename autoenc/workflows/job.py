"""The job of an exhaustive search: its options, its table, its part of the grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage

from autoenc.data.division import HOLDOUT, Division
from autoenc.data.read import ReadTable
from autoenc.data.table import Table
from autoenc.engines import Engine, Fit, Outcome
from autoenc.engines.calibration import Calibrating
from autoenc.engines.remembering import Remembering
from autoenc.engines.warm import WarmStarting
from autoenc.errors import InputError
from autoenc.record.environment import describe_environment
from autoenc.record.fits import FitRecord, records_in
from autoenc.record.identity import Context
from autoenc.record.single_precision import as_recorded, holds_in_journal
from autoenc.record.storage import is_there, journal_path, open_storage
from autoenc.searching.choice import Estimate, choose, is_open, taken
from autoenc.searching.inputs import context_of, prepare_inputs, table_warnings
from autoenc.searching.shards import partition
from autoenc.searching.strategies import make_strategy, planned_fits
from autoenc.searching.trials import Trial, trained_trials_of, trials_of
from autoenc.settings import SearchSettings
from autoenc.settings.shards import parse_shard
from autoenc.system.paths import OutputPaths

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.report import SearchResults
    from autoenc.report.latent import LatentPlot

__all__ = ["SearchJob"]


@dataclass
class SearchJob:
    """A search that is ready to run.

    Attributes:
        settings: The options.
        paths: Where its files go.
        engine: What trains.
        table: What it learns from.
        shard: Which part of the grid, as (i, N); None for all of it.
        is_on_disk: Whether it keeps a record and files in a folder; else it leaves nothing behind.
        opened: Its record as it was read, once it was.
    """

    settings: SearchSettings
    paths: OutputPaths
    engine: Engine
    table: Table
    shard: tuple[int, int] | None
    is_on_disk: bool = True
    opened: BaseStorage | None = field(default=None, init=False, repr=False)

    @classmethod
    def prepare(
        cls, settings: SearchSettings, read: ReadTable | None = None, is_on_disk: bool = True
    ) -> SearchJob:
        """Find engine, folder and table.

        Args:
            settings: The options.
            read: The table, where it is no file.
            is_on_disk: Whether it keeps a record and files in a folder.

        Raises:
            InputError: With everything that is wrong about them.
        """
        shard = parse_shard(settings.shard) if settings.shard else None
        if shard is not None and settings.storage is not None:
            raise InputError(
                "--storage does not go with --shard or a SLURM array task: each shard keeps a journal of its "
                "own, which `autoenc merge` joins"
            )
        paths = OutputPaths(Path(settings.output_dir), settings.latent_size)
        writes = is_on_disk and not (settings.verify or settings.dry_run)
        engine, table = prepare_inputs(settings, paths.folder if writes else None, read)
        if is_on_disk and not settings.fresh:
            table = as_recorded(table, holds_in_journal(journal_path(paths.folder, shard), settings.storage))
        return cls(settings, paths, engine, table, shard, is_on_disk)

    @cached_property
    def division(self) -> Division:
        """Which rows train and which test."""
        settings = self.settings
        return Division(
            self.table, settings.scaling[0], settings.seed, settings.stratify, settings.group, settings.folds
        )

    @cached_property
    def trials(self) -> list[Trial]:
        """What is compared, in the order of the grid."""
        return trials_of(self.settings)

    @property
    def folds(self) -> list[str]:
        """The splits that it trains on: the holdout, and the folds that compare if there are any."""
        return sorted({HOLDOUT, *self.trials[0].folds})

    @cached_property
    def trainer(self) -> Engine:
        """What trains the fits: the engine, with warm starts found their parents."""
        if not self.settings.warm_start:
            return Remembering(Calibrating(self.engine, self.division.split_of))
        return Remembering(WarmStarting(self.engine, self.settings.max_layers))

    @property
    def is_engine_open(self) -> bool:
        """Whether a calibration says what trains; workers elsewhere have devices of their own."""
        settings = self.settings
        return settings.scheduler is None and is_open(self.engine, settings.engine, settings.device)

    def choose_engine(self) -> list[Estimate]:
        """Take the engine that is fastest for this table and grid, where the options leave it open.

        Returns:
            What was measured, the engine's time first that would train otherwise; nothing where there was
            no choice.
        """
        if not self.is_engine_open or not self.fits:
            return []
        done = self.done()
        pending = [fit for fit in self.planned(done) if fit not in done]
        measured = choose(self.engine, pending, self.division.split_of, self.settings.jobs)
        if measured:
            self.engine = taken(measured).engine
        return measured

    @cached_property
    def fits(self) -> list[Fit]:
        """What is to be trained: the fits of all trials, or the shard's part of them."""
        fits = [fit for trial in trained_trials_of(self.settings) for fit in trial.fits]
        if self.shard is None:
            return fits
        return partition(fits, len(self.table.columns), self.shard[1])[self.shard[0]]

    @cached_property
    def context(self) -> Context:
        """What all its fits share."""
        settings = self.settings
        return context_of(
            settings, settings.scaling_kind, self.table, settings.latent_size, self.division, self.folds,
            settings.measure,
        )  # fmt: skip

    @property
    def n_train(self) -> int:
        """Training rows."""
        return int(self.division.train.size)

    @property
    def n_test(self) -> int:
        """Test rows."""
        return int(self.division.test.size)

    @property
    def record_place(self) -> str:
        """Where the record is, for people."""
        return self.settings.storage or str(journal_path(self.paths.folder, self.shard))

    def note(self, earlier: dict[str, Any]) -> dict[str, Any]:
        """Return what the record says about the search, for reports that have only the record.

        Args:
            earlier: What it said before; what follows from the context need not be found again.
        """
        baselines = dict(earlier.get("baselines", {}))
        for fold in set(self.folds) - set(baselines):
            baselines[fold] = self._baselines(fold)
        return {
            "settings": self.settings.model_dump(mode="json"),
            "columns": self.table.columns,
            "fingerprint": self.context.fingerprint,
            "n_rows": len(self.table.values),
            "n_train": self.n_train,
            "n_test": self.n_test,
            "baselines": dict(sorted(baselines.items())),
            "engine": self.engine.name,
            "device": self.engine.device,
            "environment": describe_environment(),
            **({"cells": earlier["cells"]} if "cells" in earlier else {}),
        }

    def _baselines(self, fold: str) -> dict[str, Any]:
        """Return what PCA and the column mean come to on a fold, in the unit in which trials are compared."""
        from autoenc.analysis.baselines import baseline_losses, pca_explained

        settings = self.settings
        explained = pca_explained(self.division.standardized(fold), settings.latent_size)
        if settings.measure == "explained":
            return {"mean": 1.0, "pca": 1 - (explained or 0.0), "pca_explained": explained}
        losses = baseline_losses(self.division.passing(fold), settings.latent_size, settings.recipes()[0])
        return {**losses, "pca_explained": explained}

    def recorded(self) -> list[FitRecord]:
        """Return the record of this context, without touching it; none, or one."""
        journal = journal_path(self.paths.folder, self.shard)
        if not self.is_on_disk or self.settings.fresh or not is_there(self.settings.storage or journal):
            return []
        self.opened = open_storage(self.settings.storage or journal, read_only=True)
        return [record for record in records_in(self.opened) if record.context == self.context]

    def done(self) -> dict[Fit, Outcome]:
        """Return fits that the record holds and that would not be tried again."""
        retried = self.settings.retry_failed
        return {
            fit: outcome
            for record in self.recorded()
            for fit, outcome in record.outcomes().items()
            if not (retried and outcome.failure)
        }

    def planned(self, done: dict[Fit, Outcome]) -> list[Fit]:
        """Return what would be trained in all, as far as that is known.

        Args:
            done: See :meth:`done`.
        """
        return self.fits if self.shard else planned_fits(make_strategy(self.settings), done)

    def warnings(self) -> list[str]:
        """Return what was left out of the table or the loss, or looks odd; a sentence each."""
        settings = self.settings
        norms = [*settings.norm] if settings.input_norm == ("same",) else [*settings.input_norm]
        return table_warnings(
            self.division, self.folds, settings.latent_size, norms, scalings=settings.scaling
        )

    def plan(self, n_done: int) -> list[str]:
        """Return what it will do, a sentence each.

        Args:
            n_done: Fits that are recorded already.
        """
        from autoenc.workflows.plan import plan

        return plan(self, n_done)

    def model(self, fit: Fit) -> FittedAutoencoder | None:
        """Return the model of a fit, trained again; None if the fit fails."""
        from autoenc.workflows.best import trained_model

        return trained_model(self, fit)

    def latent_plot(self, results: SearchResults) -> LatentPlot:
        """Return where the best model puts the rows."""
        from autoenc.report import latent_plane

        chosen = results.selection.chosen
        split = self.division.split_of(chosen.trial.refit(chosen))
        return latent_plane(results, results.best_model(), self.table, split)
