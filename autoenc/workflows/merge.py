"""Joining the records of shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autoenc.record.fits import FitRecord
from autoenc.record.lock import RecordLock
from autoenc.record.searches import shard_records
from autoenc.record.storage import journal_path, open_storage
from autoenc.report import SearchResults, write_reports
from autoenc.report.files import Written
from autoenc.report.live import LiveView, state_of_record
from autoenc.searching.trials import trained_trials_of
from autoenc.settings import search_settings
from autoenc.system.paths import OutputPaths, check_folder

__all__ = ["Merged", "merge_folders"]


@dataclass(frozen=True)
class Merged:
    """The joined record of shards.

    Attributes:
        results: What it holds.
        n_records: How many records it was joined from.
        n_twice: Fits that stood in more than one of them.
        written: The output files.
    """

    results: SearchResults
    n_records: int
    n_twice: int
    written: Written


def merge_folders(folders: list[Path], out: Path) -> Iterator[Merged]:
    """Join every record found in the folders into one in the output folder; doing it again changes nothing.

    Args:
        folders: Of the shards.
        out: Where the joined record is.

    Yields:
        What came of each search, once its files are written.

    Raises:
        InputError: If a folder holds no record, or the output folder cannot be used.
    """
    sources = shard_records(folders)
    check_folder(out)
    with RecordLock(journal_path(out)):
        OutputPaths(out, 0).remove_leftovers()
        storage = open_storage(journal_path(out))
        for name in sorted({record.context.name for record in sources}):
            parts = [record for record in sources if record.context.name == name]
            yield _join(parts, FitRecord.of(storage, parts[0].context), out)


def _join(parts: list[FitRecord], target: FitRecord, out: Path) -> Merged:
    """Join the records of one context; finalists are chosen by a search in the joined folder."""
    options = [search_settings({**p.search["settings"], "shard": None, "finalists": 1}) for p in parts]
    # Where the grids differ the joined one is that which holds most; the rest would not be its own.
    widest = max(options, key=lambda option: sum(len(trial.fits) for trial in trained_trials_of(option)))
    option = widest.model_copy(update={"output_dir": str(out)})
    n_twice = target.merge(parts, (fit for trial in trained_trials_of(option) for fit in trial.fits))
    note = {**parts[0].search, "settings": option.model_dump(mode="json")}
    note.pop("ensemble", None)  # chosen among a part of the fits; a search in this folder chooses among all
    target.note_search(note)
    results = SearchResults.of(option, target)
    paths = OutputPaths(out, option.latent_size)
    LiveView(results, paths).conclude("incomplete" if results.missing else state_of_record(results, paths))
    written = [*write_reports(results, paths), ("record", journal_path(out))]
    return Merged(results, len(parts), n_twice, written)
