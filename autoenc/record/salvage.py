"""Recovery of what can still be read of a database that SQLite calls malformed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["salvage"]

_BYTES_OF_ROW = 16  # the shortest row of any table of a record takes more
_GREATEST_ROW = 2**63 - 1


def salvage(damaged: Path, into: Path) -> None:
    """Copy the rows that can be read of a damaged SQLite file; what they say is for the reader to check.

    Args:
        damaged: The file, which is left as it is.
        into: Another one with the same tables; a row that they do not take is left out.
    """
    with closing(_opened(damaged)) as source, closing(sqlite3.connect(into)) as target, target:
        for table, columns in _tables(target).items():
            readable = [column for column in columns if _is_column(source, table, column)]
            if readable:
                marks = ", ".join("?" * len(readable))
                target.executemany(
                    f"INSERT OR IGNORE INTO {table} ({', '.join(readable)}) VALUES ({marks})",
                    _rows(source, table, readable, damaged.stat().st_size // _BYTES_OF_ROW),
                )


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=300)
    # Text with a changed byte is a value that its digest does not fit, and keeps no other from being read.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    # Nor does a file that is shorter than it says, or a table that is described in words of another language.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the tables of a whole database, and the columns of each."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}


def _is_column(connection: sqlite3.Connection, table: str, column: str) -> bool:
    try:
        connection.execute(f"SELECT {table}.{column} FROM {table} LIMIT 0")
    except sqlite3.DatabaseError:
        return False
    return True


def _rows(
    connection: sqlite3.Connection, table: str, columns: list[str], most: int
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table; after one that cannot be read, it goes on behind it, ``most`` times."""
    query = f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid"
    last = 0
    for _ in range(most):
        try:
            for row in connection.execute(query, (last,)):
                last = row[0]
                yield row[1:]
        except sqlite3.DatabaseError:
            last = min(last + 1, _GREATEST_ROW)
        else:
            return
