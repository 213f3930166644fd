"""The last search of each latent size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from autoenc.analysis.baselines import above_pca, best_baseline
from autoenc.analysis.error import corrected_error
from autoenc.errors import InputError
from autoenc.record.fits import FitRecord
from autoenc.record.searches import Searches
from autoenc.record.storage import journal_path
from autoenc.report import SearchResults
from autoenc.report.comparison import SizeRow
from autoenc.report.plots import loss_name
from autoenc.settings import search_settings

__all__ = ["latest_records", "size_rows"]


def latest_records(folders: list[Path]) -> list[FitRecord]:
    """Return the last search for each latent size."""
    problems: list[str] = []
    latest: dict[int, FitRecord] = {}
    for folder in folders:
        journal = journal_path(folder)
        if not journal.exists():
            problems.append(f"{folder}: there is no {journal.name} here")
            continue
        for record in Searches.read(journal).exhaustive:
            latest[record.context.latent_dim] = record
    kinds = {dataclasses.replace(record.context, latent_dim=0) for record in latest.values()}
    if len(kinds) > 1:
        problems.append(
            "the searches are of different data, columns, scaling or split and cannot be compared; "
            "name folders of one kind"
        )
    elif len({record.search["settings"].get("folds", 0) for record in latest.values()}) > 1:
        judged = ", ".join(f"size {size} by {_judges(latest[size])}" for size in sorted(latest))
        problems.append(f"other rows judge other latent sizes ({judged}); search them with the same --folds")
    if problems:
        raise InputError(problems)
    return [latest[size] for size in sorted(latest)]


def _judges(record: FitRecord) -> str:
    folds = record.search["settings"].get("folds", 0)
    return f"{folds} folds" if folds else "the test rows"


def size_rows(records: list[FitRecord]) -> list[SizeRow]:
    """Return the chosen stack of each search that has one."""
    rows = []
    for record in records:
        results = SearchResults.of(search_settings(record.search["settings"]), record)
        if results.ranked:
            selection, baselines = results.selection, results.baselines
            kept, better = selection.chosen, best_baseline(baselines)
            row = SizeRow(
                record.context.latent_dim, kept.trial.name, kept.loss, corrected_error(kept),
                baselines["pca"], selection.rule, loss_name(results), baselines.get("linear"), better,
                above_pca(kept.loss, baselines, better),
            )  # fmt: skip
            rows.append(row)
    return rows
