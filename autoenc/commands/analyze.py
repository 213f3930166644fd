"""``analyze``: a search as its record tells it, also while it runs."""

from __future__ import annotations

import sys
from pathlib import Path

from autoenc.errors import InputError
from autoenc.lock import is_held
from autoenc.paths import OutputPaths
from autoenc.report import SearchResults, write_reports
from autoenc.report.live import LiveView
from autoenc.report.overview import overview
from autoenc.settings import AnalyzeSettings, SearchSettings
from autoenc.study import Record, journal_path, open_storage, records_in

__all__ = ["analyze"]


def analyze(settings: AnalyzeSettings) -> int:
    """Print every search of a folder and rebuild its reports from the record alone.

    While a search runs there its own reports are left to it.

    Raises:
        InputError: If the folder holds no record.
    """
    folder = Path(settings.folder)
    journal = journal_path(folder)
    if settings.storage is None and not journal.exists():
        raise InputError(
            f"{folder}: there is no {journal.name} here; `autoenc search --output_dir` makes one"
        )
    records = [r for r in records_in(open_storage(settings.storage or journal, read_only=True)) if r.search]
    if not records:
        raise InputError(f"{settings.storage or journal}: holds no search yet")
    running = is_held(journal)
    latest: dict[int, Record] = {}
    for record in sorted(records, key=lambda record: record.last_used):
        latest[record.context.latent_dim] = record
    for record in latest.values():
        _show(record, folder, running)
    older = len(records) - len(latest)
    if older:
        print(f"\n{older} older search(es), with other data or another recipe, are kept in the record too")
    return 0


def _show(record: Record, folder: Path, running: bool) -> None:
    options = SearchSettings.model_validate({**record.search["settings"], "output_dir": str(folder)})
    results = SearchResults.of(options, record)
    print(overview(results))
    if running:
        print("\na search is running here; it writes the reports itself", file=sys.stderr)
        return
    paths = OutputPaths(folder, options.latent_size)
    LiveView(results, paths, 0).refresh("finished" if not results.missing else "stopped")
    print()
    for word, path in write_reports(results, paths):
        print(f"{word:<13} {path}")
