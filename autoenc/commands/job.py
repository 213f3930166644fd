"""What a search works on: its options, its table, its part of the grid."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autoenc.data import TEST_SHARE, Scaling, Table, load_table, split_table
from autoenc.engines import Engine, Fit, Split, make_engine
from autoenc.environment import describe_environment
from autoenc.errors import InputError
from autoenc.identity import Context
from autoenc.paths import OutputPaths
from autoenc.report.results import fits_of
from autoenc.search.shards import parse_shard, partition, shard_from_environment
from autoenc.settings import SearchSettings
from autoenc.study import journal_path

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
    """

    settings: SearchSettings
    paths: OutputPaths
    engine: Engine
    table: Table
    shard: tuple[int, int] | None

    @classmethod
    def prepare(cls, settings: SearchSettings) -> SearchJob:
        """Find engine, folder and table.

        Raises:
            InputError: With everything that is wrong about them.
        """
        paths = OutputPaths(Path(settings.output_dir), settings.latent_dim)
        problems: list[str] = []
        engine = table = None
        try:
            engine = make_engine(settings.engine, settings.device)
            # Compiling, the first time, goes on while the table is read.
            threading.Thread(target=engine.prepare, daemon=True).start()
        except InputError as error:
            problems += error.problems
        try:
            if not settings.verify and not settings.dry_run:
                paths.prepare()
        except InputError as error:
            problems += error.problems
        try:
            table = load_table(settings.data_path, settings.columns)
        except InputError as error:
            problems += error.problems
        if problems or engine is None or table is None:
            raise InputError(problems)
        _warn(settings, table)
        shard = parse_shard(settings.shard) if settings.shard else shard_from_environment()
        return cls(settings, paths, engine, table, shard)

    @cached_property
    def _divided(self) -> tuple[Split, Scaling]:
        return split_table(self.table, self.settings.scaling, self.settings.seed)

    @property
    def split(self) -> Split:
        """Scaled values with training and test rows."""
        return self._divided[0]

    @property
    def scaling(self) -> Scaling:
        """The scaling of the columns."""
        return self._divided[1]

    @cached_property
    def fits(self) -> list[Fit]:
        """What is to be trained, in the order of the grid: all of it, or the shard's part."""
        fits = fits_of(self.settings)
        if self.shard is None:
            return fits
        return partition(fits, len(self.table.columns), self.shard[1])[self.shard[0]]

    @cached_property
    def context(self) -> Context:
        """What all its fits share."""
        settings = self.settings
        return Context(
            self.table.fingerprint, tuple(self.table.columns), settings.scaling, settings.seed, TEST_SHARE,
            settings.latent_dim, settings.recipe(),
        )  # fmt: skip

    @property
    def record_place(self) -> str:
        """Where the record is, for people."""
        return self.settings.storage or str(journal_path(self.paths.folder, self.shard))

    def note(self, earlier: dict[str, Any]) -> dict[str, Any]:
        """What the record says about the search, for reports that have only the record.

        Args:
            earlier: What it said before; sizes and baselines follow from the context and need not be
                found again.
        """
        if "baselines" not in earlier:
            from autoenc.baselines import baseline_losses

            earlier = {
                "n_train": self.split.train.size,
                "n_test": self.split.test.size,
                "baselines": baseline_losses(self.split, self.settings.latent_dim, self.settings.recipe()),
            }
        return {
            "settings": self.settings.model_dump(mode="json"),
            "columns": self.table.columns,
            "fingerprint": self.context.fingerprint,
            "n_rows": len(self.table.values),
            "n_train": earlier["n_train"],
            "n_test": earlier["n_test"],
            "baselines": earlier["baselines"],
            "engine": self.engine.name,
            "environment": describe_environment(),
        }


def _warn(settings: SearchSettings, table: Table) -> None:
    for warning in table.warnings:
        print(f"warning: {table.path}: {warning}", file=sys.stderr)
    if settings.latent_dim >= len(table.columns):
        print(
            f"warning: latent size {settings.latent_dim} is not below the {len(table.columns)} columns: "
            "nothing has to be compressed",
            file=sys.stderr,
        )
