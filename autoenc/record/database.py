"""The database of a record: its troubles in one sentence, and a damaged row costs no more than its trial."""

from __future__ import annotations

import errno
import json
import os
import shlex
import sqlite3
import weakref
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from autoenc.errors import InputError
from autoenc.record.checked import NOTE, Checked
from autoenc.record.digest import LOST, lost_trial, without_digest
from autoenc.record.private import CachedDatabase, Database, FrozenStudy, trial_id

__all__ = ["CheckedDatabase", "MalformedError", "has_tables", "sqlite_file", "sqlite_url"]

_WAIT_S = 300  # for another program that holds the database
_UNREADABLE = {"value": None, "digest": "unreadable"}
_DAMAGED = (
    "malformed", "not a database", "Could not decode", "no such column", "no such table",
    "has no column named",
)  # fmt: skip
"""What SQLite says where a file, or a table in it, is not what it was."""
_SAID = (
    {"autoenc_context", "autoenc_search"}, {"autoenc_tune"}, {"autoenc_modules"},
    {"autoenc_transfer_context", "autoenc_transfer_settings"},
)  # fmt: skip
"""The attributes by which a study says of what search it is, for each kind."""
_MAGIC = b"SQLite format 3\0"


class MalformedError(InputError):
    """Raised where SQLite cannot read its own file; ``repair`` reads what there is."""

    def __init__(self, name: str, path: Path, reason: str) -> None:
        again = f"`autoenc repair {shlex.quote(str(path))}` writes a record of all that can be read"
        super().__init__(f"{name}: is damaged: {' '.join(reason.split())}; {again}")


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL; None of another database.

    Raises:
        sqlalchemy.exc.ArgumentError, ValueError: If it is no URL.
    """
    from sqlalchemy import make_url

    parts = make_url(url)
    if parts.get_backend_name() != "sqlite":
        return None
    name = parts.database or ""
    # SQLite's own URIs, sqlite:///file:study.db?uri=true, name the file in a URL of their own.
    return Path(unquote(urlsplit(name).path) if name.startswith("file:") else name)


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file.

    Raises:
        InputError: If the file's name is no UTF-8, which no URL can hold.
    """
    from sqlalchemy import URL

    name = str(path.resolve())
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{name}: is no UTF-8, which a database's name must be; give another --output_dir or --name"
        ) from None
    # Not put together by hand: some characters of a path mean something else in a URL.
    return URL.create("sqlite", database=name).render_as_string()


def _check_file(path: Path, name: str, kind: str) -> None:
    """See that an SQLite file is whole and of Optuna, before it is opened to be written.

    Raises:
        MalformedError: If it is not whole.
        InputError: If it is not of Optuna, or it cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{name}: {'is a folder' if path.is_dir() else 'there is no such file'}")
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise InputError(f"{name}: is not an SQLite file")
    # To be written: where a kill came in the middle of a write, SQLite can take it back only then.
    mode = "rw" if os.access(path, os.W_OK) else "ro"
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=_WAIT_S)
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        tables = {table for (table,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError as error:
        raise InputError(f"{name}: cannot be read: {error}") from None
    except (sqlite3.DatabaseError, UnicodeError) as error:
        raise MalformedError(name, path, str(error)) from None
    finally:
        connection.close()
    if verdict != "ok":
        raise MalformedError(name, path, str(verdict))
    if not {"studies", "trials"} <= tables:
        raise InputError(f"{name}: is not the record of {kind}")


def has_tables(url: str) -> bool:
    """Return whether a database has Optuna's tables; none is made. True, too, where it cannot be asked."""
    import sqlalchemy

    try:
        file = sqlite_file(url)
        if file is not None:
            return file.exists() and file.stat().st_size > 0
        engine = sqlalchemy.create_engine(url)
    except (sqlalchemy.exc.ArgumentError, ValueError, ImportError):
        return True  # which is reported when it is opened
    try:
        return bool(sqlalchemy.inspect(engine).has_table("studies"))
    except sqlalchemy.exc.SQLAlchemyError:
        return True
    finally:
        engine.dispose()


class _Backend(Database):
    """Optuna's storage, with rows that cannot be read left out one by one."""

    place = ""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        try:
            super().__init__(url, options)
        except Exception:  # Optuna leaves the database open, as where its tables are of another version
            if hasattr(self, "engine"):
                self.engine.dispose()
            raise

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Return the rows of a query in plain SQL."""
        from sqlalchemy import text

        with self.engine.connect() as connection:
            return list(connection.execute(text(query), values))

    def attributes(self, kind: str, study_id: int) -> dict[str, Any]:
        """Return the attributes of a study, ``user`` or ``system``; those that cannot be read are marked.

        Raises:
            KeyError: If there is no such study.
        """
        query = f"SELECT key, value_json FROM study_{kind}_attributes WHERE study_id = :study"
        values = {str(key): _loaded(text) for key, text in self.rows(query, study=study_id)}
        if not values:
            self.get_study_name_from_id(study_id)
        return values

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """See Optuna's ``BaseStorage``."""
        return self.attributes("user", study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """See Optuna's ``BaseStorage``; what cannot be read is left out."""
        values = self.attributes("system", study_id)
        return {key: value for key, value in values.items() if value is not _UNREADABLE}

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """See Optuna's ``BaseStorage``."""
        try:
            return super().get_study_directions(study_id)
        except KeyError:  # there is no such study
            raise
        except LookupError as error:
            raise InputError(f"{self.place}: is damaged: {error}") from None

    def get_all_studies(self) -> list[FrozenStudy]:
        """See Optuna's ``BaseStorage``."""
        return [
            FrozenStudy(
                study_name=name, direction=None, user_attrs=self.get_study_user_attrs(study_id),
                system_attrs=self.get_study_system_attrs(study_id), study_id=study_id,
                directions=self.get_study_directions(study_id),
            )
            for study_id, name in self.rows("SELECT study_id, study_name FROM studies ORDER BY study_id")
        ]  # fmt: skip

    def read_trials(
        self, study_id: int, states: Any, included_trial_ids: set[int], trial_id_greater_than: int
    ) -> list[FrozenTrial]:
        """See :class:`~autoenc.record.private.Database`; what cannot be read is left out."""
        trials = self._readable(study_id, states, included_trial_ids, trial_id_greater_than)
        return trials if trial_id_greater_than >= 0 else self._numbered(trials)

    def _numbered(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """Return all trials of a study by their ids; those whose number does not follow are lost."""
        if all(trial.number == place for place, trial in enumerate(trials)):
            return trials
        standing = _increasing([_possible_number(trial) for trial in trials])
        taken = {trials[place].number for place in standing}
        free = (number for number in count() if number not in taken)
        for place in sorted(set(range(len(trials))) - standing):
            trials[place] = _unreadable(next(free), trial_id(trials[place]))
        return trials

    def _readable(
        self, study_id: int, states: Any, included_trial_ids: set[int], trial_id_greater_than: int
    ) -> list[FrozenTrial]:
        try:
            return super().read_trials(study_id, states, included_trial_ids, trial_id_greater_than)
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
            query = "SELECT trial_id, number FROM trials WHERE study_id = :study ORDER BY trial_id"
            wanted = [
                (trial_id, number)
                for trial_id, number in self.rows(query, study=study_id)
                if trial_id > trial_id_greater_than or trial_id in included_trial_ids
            ]
            return [self._one(*row) for row in wanted]

    def _one(self, trial_id: int, number: Any) -> FrozenTrial:
        try:
            return self.get_trial(trial_id)
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
            return _unreadable(number, trial_id)


def _possible_number(trial: FrozenTrial) -> int:
    """Return a trial's number; -1 if it cannot be that, as it counts the trials that were begun before."""
    number: Any = trial.number
    return number if isinstance(number, int) and 0 <= number < trial_id(trial) else -1


def _increasing(numbers: list[int]) -> set[int]:
    """Return the places of the most numbers that increase from each to the next, negative ones left out."""
    ends: list[int] = []  # the lowest number that ends a run of each length
    places: list[int] = []  # and where it stands
    before: dict[int, int] = {}
    for place, number in enumerate(numbers):
        if number < 0:
            continue
        length = bisect_left(ends, number)
        ends[length : length + 1] = [number]
        if length:
            before[place] = places[length - 1]
        places[length : length + 1] = [place]
    place = places[-1] if places else -1
    increasing = set()
    while place >= 0:
        increasing.add(place)
        place = before.get(place, -1)
    return increasing


def _unreadable(number: Any, trial_id: int) -> FrozenTrial:
    lost = lost_trial(number, trial_id)
    lost.user_attrs["failure"] = f"{LOST}: it cannot be read"
    return lost


def _loaded(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return _UNREADABLE


def _raise_machines(text: str, file: Path) -> None:
    """Raise what SQLite says of the machine as the error of the operating system that it is."""
    for words, number in (("is full", errno.ENOSPC), ("readonly", errno.EROFS), ("disk I/O", errno.EIO)):
        if words in text:
            raise OSError(number, os.strerror(number), str(file)) from None


def _in_words(place: str, context: Any) -> None:
    """Say in one sentence what the machine or the file lacks.

    SQLAlchemy never forgets it, so that it must know neither storage nor engine: they would stay, too, with
    their connections.
    """
    text = str(context.original_exception)
    file = sqlite_file(str(context.engine.url)) if context.engine else None
    if file is not None:
        _raise_machines(text, file)
        if "unable to open" in text:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(file))
    if "locked" in text and file is not None:
        raise OSError(errno.EBUSY, f"another program has held it for {_WAIT_S} s", str(file))
    if any(words in text for words in _DAMAGED):
        raise InputError(f"{place}: is damaged: {text}")


class CheckedDatabase(Checked, CachedDatabase):
    """The storage of a database.

    Args:
        url: Its URL.
        place: What it is called in messages.
        kind: Of what it is the record, for messages.
        read_only: Make no database and no table where there is none.

    Raises:
        InputError: If it is damaged, or there is no record in it to read.
    """

    def __init__(self, url: str, place: str, read_only: bool = False, kind: str = "a search") -> None:
        from sqlalchemy import event

        self._begin(place)
        file = sqlite_file(url)
        if file is not None and (read_only or (file.is_file() and file.stat().st_size)):
            _check_file(file, place, kind)
        options: dict[str, Any] = {} if file is None else {"connect_args": {"timeout": _WAIT_S}}
        if read_only and not has_tables(url):
            raise InputError(f"{place}: holds no search yet")
        try:
            backend = _Backend(url, options)
        except Exception as error:  # no listener is there yet; Optuna makes another error of some
            if file is not None:
                _raise_machines(f"{error} {error.__cause__}", file)
            raise
        backend.place = place
        self._rows = backend
        event.listen(backend.engine, "handle_error", partial(_in_words, place))
        # Drivers warn of a connection that is dropped without having been closed.
        weakref.finalize(self, backend.engine.dispose).atexit = False
        super().__init__(backend)
        if file is not None:
            self._tell_orphans()
            if read_only:  # a search that goes on says it again
                self._tell_nameless()

    def _tell_orphans(self) -> None:
        """Tell of what belongs to a row that is gone, which SQLite lets happen."""
        query = (
            "SELECT study_id, COUNT(*) FROM trials WHERE study_id NOT IN (SELECT study_id FROM studies) "
            "GROUP BY study_id"
        )
        for study, n_trials in self._rows.rows(query):
            self.damaged(f"study {study}, of {n_trials:,} trials (its name is gone)", "it is left out")
        orphans = [
            table for table, _, _, _ in self._rows.rows("PRAGMA foreign_key_check") if table != "trials"
        ]
        nowhere = [
            self._rows.rows(f"SELECT COUNT(*) FROM {table} WHERE study_id IS NULL")[0][0]
            for table in ("trials", "study_user_attributes")
        ]
        n_lost = len(orphans) + sum(nowhere)
        if n_lost:
            self.damaged(f"what {n_lost:,} rows belong to (it is gone)", "they are left out")

    def _tell_nameless(self) -> None:
        """Tell of studies that hold trials and do not say any more of what search."""
        query = (
            "SELECT study_id, study_name FROM studies WHERE study_id IN (SELECT study_id FROM trials) AND "
            "study_id IN (SELECT study_id FROM study_user_attributes WHERE key = :note)"
        )
        keys_of = {
            (study, name): self._rows.attributes("user", study).keys()
            for study, name in self._rows.rows(query, note=NOTE)
        }
        # The fits of adaptive searches are such studies, too, which no user asked for.
        is_tuned = any("autoenc_tune" in keys for keys in keys_of.values())
        for (_, name), keys in keys_of.items():
            if is_tuned and "autoenc_context" in keys:
                continue
            lost = [key for group in _SAID if keys & group for key in sorted(group - keys)]
            if not any(keys & group for group in _SAID):
                lost = ["saying what was searched"]
            for key in lost:
                self.damaged(f"study {name}: the attribute {key} (it is gone)", "the study is left out")

    def add_finished(self, study_id: int, trials: Sequence[FrozenTrial]) -> None:
        """Add trials that ended; see :class:`~autoenc.record.checked.Checked`."""
        if trials:
            self.add_trials(study_id, [self._with_digest(study_id, trial) for trial in trials])

    def close(self) -> None:
        """Let go of the database, so that its file can be moved."""
        self._rows.remove_session()
        self._rows.engine.dispose()

    def study_holding(self, trial: FrozenTrial) -> int:
        """Return the id of a trial's study."""
        known = self.study_of(trial)
        if known is not None:
            return known
        query = "SELECT study_id FROM trials WHERE trial_id = :trial"
        return int(self._rows.rows(query, trial=trial_id(trial))[0][0])

    def lose(self, trial: FrozenTrial, why: str) -> None:
        """Tell that a trial is damaged."""
        study = self.study_of(trial)
        name = "" if study is None else f" of study {self.get_study_name_from_id(study)}"
        self.damaged(f"trial {trial.number}{name} ({why})", "it is left out")

    def _checked(self, trial: FrozenTrial, study: str, since: int) -> FrozenTrial:
        if trial.user_attrs.get("failure") == f"{LOST}: it cannot be read":
            self.lose(trial, "it cannot be read")
            return without_digest(lost_trial(trial.number, trial_id(trial)))
        return super()._checked(trial, study, since)
