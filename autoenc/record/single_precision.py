"""Records that were begun when tables were read in single precision go on with such cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoenc.data.table import Table

__all__ = ["as_recorded", "holds_in_journal"]


def as_recorded(table: Table, holds: Callable[[str], bool]) -> Table:
    """Return the table with the cells that a record was begun with, so that what is in it stays valid.

    Args:
        table: As it was read.
        holds: Tells whether the record names a table's fingerprint.

    Returns:
        The table, its cells rounded to single precision where the record knows only that one.
    """
    rounded = table.single_fingerprint
    if rounded == table.fingerprint or not holds(rounded) or holds(table.fingerprint):
        return table
    return table.in_single_precision()


def holds_in_journal(journal: Path, storage: str | None) -> Callable[[str], bool]:
    """Return a function that says whether a record names a fingerprint: a journal's or a database's."""

    def holds(fingerprint: str) -> bool:
        if storage is None:
            return journal.is_file() and fingerprint.encode() in journal.read_bytes()
        from autoenc.record.fits import records_in
        from autoenc.record.storage import is_there, open_storage

        if not is_there(storage):
            return False
        records = records_in(open_storage(storage, read_only=True))
        return any(record.context.fingerprint == fingerprint for record in records)

    return holds
