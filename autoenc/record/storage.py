"""Storages of records: journals and databases, opened to read or to write."""

from __future__ import annotations

import time
from pathlib import Path

from optuna.storages import BaseStorage

from autoenc.errors import InputError
from autoenc.record.database import CheckedDatabase, has_tables
from autoenc.record.journal import CheckedJournal, mend
from autoenc.system.secrets import is_masked, masked_error, masked_storage, masked_url
from autoenc.system.special import refuse_link, special_kind
from autoenc.system.surroundings import quiet_optuna

__all__ = ["is_there", "journal_path", "open_storage", "records_below"]


def journal_path(folder: Path, shard: tuple[int, int] | None = None) -> Path:
    """Return where a search in this folder keeps its journal; every shard has its own."""
    return folder / ("study.journal" if shard is None else f"study.shard-{shard[0]}-of-{shard[1]}.journal")


def records_below(folder: Path) -> str:
    """Return a hint where folders in this one have a journal, as those of phases; nothing where none has."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{journal_path(folder).name}"))
    if len(names) > 1:
        return f"; its folders {', '.join(names)} have one"
    return f"; its folder {names[0]} has one" if names else ""


@quiet_optuna()
def open_storage(
    place: Path | str, read_only: bool = False, opened: BaseStorage | None = None
) -> BaseStorage:
    """Open a journal file or an Optuna storage URL.

    Args:
        place: A journal's path, or a URL such as ``sqlite:///study.db``.
        read_only: Leave a journal as it is; otherwise what a killed process left at its end is
            removed, which only the holder of its lock may do.
        opened: What was opened before; where it is the same journal it is gone on with, as a long one takes
            seconds to read.

    Raises:
        InputError: If it cannot be opened or is not a record.
    """
    if isinstance(place, Path):
        kind = special_kind(place)
        if kind is not None:
            raise InputError(f"{place}: is {kind}, not a record")
        if not read_only:
            refuse_link(place)
            mend(place)
        if isinstance(opened, CheckedJournal) and opened.is_of(place):
            opened.synchronize()
            return opened
        return CheckedJournal(place)
    if is_masked(place):
        raise InputError(
            f"--storage {place}: the password is masked; give it again, or leave it out where the "
            "environment (PGPASSWORD) or a file of the database's own (~/.pgpass) has it"
        )
    if _in_memory(place):
        raise InputError(
            f"--storage {place}: is lost when the program ends; name a file, as sqlite:///study.db does"
        )
    try:
        return _database(place, read_only)
    except (InputError, OSError):
        raise
    except Exception as error:  # whatever the database's driver raises
        reason, shown = masked_error(error, place), masked_storage(place)
        raise InputError(
            f"--storage {shown}: cannot be opened: {reason}; expected a URL such as sqlite:///study.db"
        ) from None


def is_there(place: Path | str) -> bool:
    """Return whether there is a journal or database to read; nothing is made."""
    if isinstance(place, Path):
        return place.exists()
    return _in_memory(place) or has_tables(place)


def _in_memory(url: str) -> bool:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # which is reported when it is opened
        return False
    return parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")


def _database(url: str, read_only: bool) -> BaseStorage:
    """Open a database; whoever comes first makes its tables, and those who come at the same time wait."""
    place = f"--storage {masked_url(url)}"
    for pause_s in (0.2, 0.5, 1.0, 2.0):
        try:
            return CheckedDatabase(url, place, read_only)
        except Exception as error:
            if not any(words in str(error) for words in ("already exists", "duplicate key")):
                raise
            time.sleep(pause_s)
    return CheckedDatabase(url, place, read_only)
