"""The last search of each latent size, exhaustive or adaptive."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoenc.analysis.baselines import above_pca, best_baseline
from autoenc.analysis.error import corrected_error
from autoenc.errors import InputError
from autoenc.record.fits import FitRecord
from autoenc.record.identity import Context
from autoenc.record.record import Record
from autoenc.record.searches import Searches, holds_transfer
from autoenc.record.storage import journal_path, records_below
from autoenc.report import SearchResults
from autoenc.report.comparison import SizeRow
from autoenc.report.plots import loss_name, unit_of
from autoenc.searching.trials import TrialResult
from autoenc.settings import search_settings
from autoenc.tuning.results import kept_trial, trial_results

__all__ = ["latest_records", "size_rows"]


def latest_records(folders: Sequence[Path], storage: str | None = None) -> tuple[list[Record], list[str]]:
    """Return the last search for each latent size, and words on those that are left out.

    Where there are exhaustive searches, adaptive ones are left out that are not judged as those are.

    Args:
        folders: Of searches.
        storage: URL of the record, where it is not in the folders.

    Raises:
        InputError: If a folder holds no record, or the searches cannot be compared.
    """
    problems = [problem for folder in folders if storage is None and (problem := _missing(folder))]
    places = [storage] if storage is not None else [journal_path(folder) for folder in folders]
    read = [Searches.read(place) for place in ([] if problems else places)]
    exhaustive = _latest([record for searches in read for record in searches.exhaustive])
    adaptive = _latest([record for searches in read for record in searches.adaptive])
    if not exhaustive:
        return _comparable(adaptive, problems), []
    kinds = {_kind(record) for record in exhaustive.values()}
    alike = [record for record in adaptive.values() if kinds == {_kind(record)}]
    left_out = [
        f"left out: the adaptive search for latent size {size}, of other data or rows that judge"
        for size, record in adaptive.items()
        if record not in alike
    ]
    return _comparable(_latest([*exhaustive.values(), *alike]), problems), left_out


def _latest(records: Sequence[Record]) -> dict[int, Record]:
    """Return the last one of each latent size."""
    return {_context(one).latent_dim: one for one in sorted(records, key=lambda one: one.last_used)}


def _comparable(latest: Mapping[int, Record], problems: list[str]) -> list[Record]:
    kinds = {dataclasses.replace(_context(record), latent_dim=0) for record in latest.values()}
    if len(kinds) > 1:
        problems.append(
            "the searches are of different data, columns, scaling or split and cannot be compared; "
            "name folders of one kind"
        )
    elif len({_judges(record) for record in latest.values()}) > 1:
        judged = ", ".join(f"size {size} by {_judges(latest[size])}" for size in sorted(latest))
        problems.append(f"other rows judge other latent sizes ({judged}); search them with the same --folds")
    if problems:
        raise InputError(problems)
    return [latest[size] for size in sorted(latest)]


def _missing(folder: Path) -> str | None:
    """Return what is wrong with a folder whose searches are to be compared."""
    if holds_transfer(folder, None):
        return (
            f"{folder}: a transfer-aware search tries its latent sizes within one search; "
            f"`autoenc pivot {shlex.quote(str(folder))} --rows latent_dim` compares them"
        )
    journal = journal_path(folder)
    if journal.exists():
        return None
    return f"{folder}: there is no {journal.name} here{records_below(folder)}"


def _kind(record: Record) -> tuple[Context, str]:
    """Return what searches have in common that can be compared."""
    return dataclasses.replace(_context(record), latent_dim=0), _judges(record)


def _context(record: Record) -> Context:
    return record.context if isinstance(record, FitRecord) else Context.from_dict(record.noted["context"])


def _judges(record: Record) -> str:
    folds = record.noted["settings"].get("folds", 0)
    if folds:
        return f"{folds} folds"
    return "the test rows" if isinstance(record, FitRecord) else "one fifth of the training rows"


def size_rows(records: Sequence[Record]) -> list[SizeRow]:
    """Return the chosen stack of each search that has one."""
    rows = [_of_grid(record) if isinstance(record, FitRecord) else _of_trials(record) for record in records]
    return [row for row in rows if row is not None]


def _of_grid(record: FitRecord) -> SizeRow | None:
    results = SearchResults.of(search_settings(record.search["settings"]), record)
    if not results.ranked:
        return None
    selection = results.selection
    row = _row(record, selection.chosen, results.baselines, selection.rule, loss_name(results))
    return row._replace(unit=unit_of(results))


def _of_trials(record: Record) -> SizeRow | None:
    kept = kept_trial(record.study)
    result = next((result for trial, result in trial_results(record.study) if trial == kept), None)
    if result is None:
        return None
    folds = record.noted["settings"].get("folds", 0)
    measure = "mean loss over folds" if folds else "validation loss"
    return _row(record, result, record.noted["baselines"], "best", measure)


def _row(
    record: Record, kept: TrialResult, baselines: Mapping[str, float], rule: str, measure: str
) -> SizeRow:
    better = best_baseline(baselines)
    return SizeRow(
        _context(record).latent_dim, kept.trial.name, kept.loss, corrected_error(kept),
        baselines["pca"], rule, measure, baselines.get("linear"), better,
        above_pca(kept.loss, baselines, better),
    )  # fmt: skip
