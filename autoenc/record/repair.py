"""Writing a damaged record anew, with all of it that holds."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoenc.errors import InputError
from autoenc.record.checked import Checked
from autoenc.record.database import CheckedDatabase, MalformedError, sqlite_url
from autoenc.record.digest import LOST
from autoenc.record.fits import records_in
from autoenc.record.journal import CheckedJournal
from autoenc.record.private import study_id
from autoenc.record.record import CONTEXT
from autoenc.record.salvage import salvage
from autoenc.system.paths import keep_aside, remove_unfinished

__all__ = ["records_of_folder", "repair_file"]


def records_of_folder(folder: Path) -> list[Path]:
    """Return the records of a folder.

    Raises:
        InputError: If there is none.
    """
    names = ("study.journal", "study.shard-*-of-*.journal", "study.db")
    paths = [path for name in names for path in sorted(folder.glob(name))]
    if not paths:
        raise InputError(f"{folder}: there is no study.journal or study.db here")
    return paths


def repair_file(path: Path) -> list[str]:
    """Rewrite a damaged record and keep the damaged one; no other process may use it meanwhile.

    Returns:
        What was done, for people.

    Raises:
        InputError: If no trial of it can be read.
    """
    with path.open("rb") as file:
        is_database = file.read(6) == b"SQLite"
    remove_unfinished(path.parent, (path.name,))
    if not (is_database or path.suffix == ".db"):
        return _repaired(path, CheckedJournal(path))
    try:
        return _repaired(path, _database(path, path))
    except MalformedError:
        with _beginning(path) as salvaged:
            CheckedDatabase(sqlite_url(salvaged), str(path)).close()
            salvage(path, salvaged)
            damaged = _database(salvaged, path)
            damaged.damaged("the file", "what cannot be read of it is left out")
            return _repaired(path, damaged)


def _database(file: Path, shown: Path) -> CheckedDatabase:
    return CheckedDatabase(sqlite_url(file), str(shown), read_only=True)


@contextmanager
def _beginning(path: Path) -> Iterator[Path]:
    """Provide a file beside a record that may take its place; removed unless it did."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.", suffix=".tmp")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _repaired(path: Path, damaged: CheckedJournal | CheckedDatabase) -> list[str]:
    """See :func:`repair_file`."""
    with _beginning(path) as beginning:
        whole: CheckedJournal | CheckedDatabase
        if isinstance(damaged, CheckedDatabase):
            whole = CheckedDatabase(sqlite_url(beginning), str(path))
        else:
            whole = CheckedJournal(beginning)
        try:
            n_kept, n_lost = _copy(damaged, whole)
        finally:  # Windows neither removes nor renames what is open
            for storage in (whole, damaged):
                if isinstance(storage, CheckedDatabase):
                    storage.close()
        if not damaged.damage and not n_lost:
            return [f"{path}: is intact: {n_kept:,} trials"]
        if not n_kept:
            raise InputError(f"{path}: is damaged, and no trial of it can be read")
        beginning.chmod(stat.S_IMODE(path.stat().st_mode))
        kept = keep_aside(path)
        os.replace(beginning, path)
    return [
        f"{path}: {n_kept:,} trials are kept, {n_lost:,} are lost; the damaged record is kept as {kept}",
        "the command that began the search resumes from it",
    ]


def _copy(damaged: Checked, whole: BaseStorage) -> tuple[int, int]:
    """Copy what holds; how many trials that were, and how many are lost."""
    n_kept = n_lost = 0
    records = {record.study.study_name: record for record in records_in(damaged)}
    for frozen in damaged.get_all_studies():
        if frozen.study_name.startswith("lost-"):  # whatever it was, its line cannot be read
            continue
        new_id = whole.create_new_study(frozen.directions, frozen.study_name)
        for key, value in frozen.system_attrs.items():
            whole.set_study_system_attr(new_id, key, value)
        for key, value in frozen.user_attrs.items():
            whole.set_study_user_attr(new_id, key, value)
        record = records.get(frozen.study_name)
        for trial in damaged.get_all_trials(study_id(frozen), deepcopy=False):
            lost = trial.user_attrs.get("failure") == LOST or (record is not None and not record.holds(trial))
            n_kept, n_lost = n_kept + (not lost), n_lost + lost
            if not (lost and (record is not None or CONTEXT in frozen.user_attrs)):
                whole.create_new_trial(new_id, _template(trial))
    return n_kept, n_lost


def _template(trial: FrozenTrial) -> FrozenTrial:
    if trial.state == TrialState.FAIL and trial.datetime_start is None:
        return create_trial(state=TrialState.FAIL, user_attrs=trial.user_attrs)
    return trial
