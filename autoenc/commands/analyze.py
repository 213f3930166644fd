"""``analyze``: show a search from its record, also while it runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from autoenc.errors import InputError
from autoenc.record.lock import is_held
from autoenc.record.runs import mark_interrupted
from autoenc.record.searches import Searches
from autoenc.record.storage import journal_path, records_below
from autoenc.settings import AnalyzeSettings
from autoenc.system.paths import remove_leftovers
from autoenc.system.text import say
from autoenc.workflows.analyze import show_search, show_study, show_transfer, where_it_can_write

__all__ = ["analyze"]


def analyze(settings: AnalyzeSettings) -> int:
    """Print every search of a folder and rebuild its reports from the record alone.

    While a search runs there its own reports are left to it.

    Raises:
        InputError: If the folder holds no record.
    """
    folder = Path(settings.folder)
    mark_interrupted(folder)
    journal = journal_path(folder)
    if settings.storage is None and not journal.exists() and (folder / "study.db").exists():
        return show_transfer(folder)
    if settings.storage is None and not journal.exists():
        hint = records_below(folder) or "; search and tune make one"
        raise InputError(
            f"{folder}: there is no {journal.name} here{hint}; a record that is elsewhere is named by "
            "--storage"
        )
    searches = Searches.read(settings.storage or journal)
    if searches.transfer_of(folder):
        return show_transfer(folder, settings.storage)
    if searches.last_used is None:
        raise InputError(f"{settings.storage or journal}: holds no search yet")
    running = is_held(journal)
    if not running:
        with suppress(OSError):  # a folder that may only be read
            remove_leftovers(folder)
    latest = {record.context.latent_dim: record for record in searches.exhaustive}
    for record in latest.values():
        with where_it_can_write(folder):
            show_search(record, folder, running)
    for adaptive in searches.adaptive:
        with where_it_can_write(folder):
            show_study(adaptive.study, folder, running)
    older = len(searches.exhaustive) - len(latest)
    if older:
        number, are = ("search", "is") if older == 1 else ("searches", "are")
        say("", f"{older:,} older {number} with other data or another recipe {are} in the record, too")
    return 0
