"""The journal of a record: a file of lines, each numbered and with a digest of its own.

Optuna's journal is replayed from its first line. A line that is damaged is reported and left out; what it
would have begun is put in its place, so that the others keep their meaning. Journals that were written
without digests are read as well.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from autoenc.errors import InputError
from autoenc.record.checked import Checked, Finished
from autoenc.record.digest import DIGEST, LOST
from autoenc.record.lines import AT, FIRST, Place, is_intact, read_line, whole_trial, written_line
from autoenc.record.lock import JournalLock
from autoenc.record.private import Journal, JournalOperation, Replay, trial_id
from autoenc.system.machine import naming
from autoenc.system.special import refuse_link

__all__ = ["CheckedJournal", "mend"]

_BAD, _WHOLE = -1, -2  # the operations of a line that cannot be used, and of one with a whole trial
_BEGINS = re.compile(rb'\{"op_code":(\d+)')
_STUDY = re.compile(rb'"study_id":(\d+)')
_TIME = "2000-01-01T00:00:00+00:00"
_BYTES_AT_ONCE = 2**22


class _Line(NamedTuple):
    """A line of the file.

    Attributes:
        number: Its place among all that were written, from 1.
        log: What it says; of a line that cannot be used, what it seems to begin.
        text: As it stands there; of a whole trial its digest.
    """

    number: int
    log: dict[str, Any]
    text: bytes


class _Backend(JournalFileBackend):
    """A journal file whose lines are checked as they are read."""

    def __init__(self, path: str) -> None:
        self._place, self._appending = path, JournalLock(Path(path))
        super().__init__(path, lock_obj=self._appending)
        self._forget()

    def _forget(self) -> None:
        self._offset = self._n_logs = self._n_lines = self.last_number = self.n_missing = 0

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """See Optuna's ``BaseJournalBackend``."""
        if log_number_from != self._n_logs:
            self._forget()
        before = self.last_number
        lines = self._in_order(list(self._new_lines()))
        for line in lines:
            self.n_missing += max(line.number - before - 1, 0)
            before = line.number
        self._n_logs += len(lines)
        return iter([line.log for line in lines])

    def _new_lines(self) -> Iterator[_Line]:
        """Yield the lines that were not read yet; of the last one somebody may be writing the rest."""
        with open(self._place, "rb") as file:
            file.seek(self._offset)
            rest = b""
            while block := file.read(_BYTES_AT_ONCE):
                *texts, rest = (rest + block).split(b"\n")
                for text in texts:
                    yield self._line(text)

    def _line(self, text: bytes) -> _Line:
        self._n_lines += 1
        offset, length = self._offset, len(text)
        self._offset += length + 1
        text = text.rstrip(b"\r")
        whole = whole_trial(text)
        if whole is not None:
            self.last_number = whole.at[0]
            place = Place(offset, length, self._n_lines, whole.identity)
            log: dict[str, Any] = {"op_code": _WHOLE, AT: whole.at, "whole": whole, "place": place}
            return _Line(whole.at[0], log, text[-20:])
        number, said = self.last_number + 1, read_line(text)
        if said is None:
            begins, study = _BEGINS.match(text), _STUDY.search(text)
            said = {
                "op_code": _BAD, "begins": int(begins[1]) if begins else None,
                "study_id": int(study[1]) if study else None,
            }  # fmt: skip
        elif isinstance(said.get(AT), list):
            number = said[AT][0]
        self.last_number = number
        return _Line(number, {**said, "line": self._n_lines}, text)

    def _in_order(self, lines: list[_Line]) -> list[_Line]:
        """Return lines in the order in which they were written, each once."""
        if all(one.number < other.number for one, other in pairwise(lines)):
            return lines
        self.last_number = max(line.number for line in lines)
        lines_by_number: dict[tuple[int, bytes], _Line] = {}
        for line in sorted(lines, key=lambda line: line.number):
            lines_by_number.setdefault((line.number, line.text), line)
        return list(lines_by_number.values())

    @contextmanager
    def reading(self) -> Iterator[Callable[[Place], dict[str, Any]]]:
        """Provide what reads a line again that was seen to be intact."""
        with open(self._place, "rb") as file:  # a large buffer would be filled anew for each fit

            def entry(place: Place) -> dict[str, Any]:
                file.seek(place.offset)
                text = file.read(place.length).rstrip(b"\r")
                if not is_intact(text):
                    raise InputError(
                        f"{self._place}: line {place.line} was changed while it was in use; run the command "
                        "again"
                    )
                log: dict[str, Any] = json.loads(text)
                return log

            yield entry

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """See Optuna's ``BaseJournalBackend``: all of them with one flush."""
        content = b"".join(map(written_line, logs))
        self._appending.acquire()
        try:
            with naming(self._place), open(self._place, "ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._appending.release()


class _Replay(Replay):
    """The state that the lines of a journal lead to; lines that cannot be used are noted.

    Attributes:
        bad: Places in the file of lines that cannot be used, since they were last reported.
        line_of: The place of the line that began a trial, by the trial's id.
    """

    def __init__(self, lines: _Backend, worker_id_prefix: str) -> None:
        super().__init__(worker_id_prefix)
        self._lines = lines
        self.bad: list[int] = []
        self.line_of: dict[int, int] = {}

    def entry_at(self, place: Place) -> dict[str, Any]:
        with self._lines.reading() as read:
            return read(place)

    def apply_logs(self, logs: Iterable[dict[str, Any]]) -> None:
        for log in logs:
            if log.get("op_code") == _WHOLE:
                self._fill(log[AT])
                self.log_number_read += 1
                self.keep_trial(log["whole"].study_id, log["whole"].worker_id, log["place"])
                continue
            n_trials, n_studies = self.n_trials, self.n_studies
            if log.get("op_code") != _BAD:
                self._fill(log.get(AT))
                n_trials, n_studies = self.n_trials, self.n_studies
                try:
                    super().apply_logs([log])
                except Exception:  # whatever the words in it come to
                    if log.get("worker_id") == self.worker_id:
                        raise  # a mistake of the caller, and not of the file
                    self.bad.append(log["line"])
                    self._stand_in(log.get("op_code"), log.get("study_id"), n_trials, n_studies)
            else:
                self.log_number_read += 1
                self.bad.append(log["line"])
                self._stand_in(log["begins"], log["study_id"], n_trials, n_studies)
            if self.n_trials > n_trials:
                self.line_of[n_trials] = log["line"]

    def _stand_in(self, begins: Any, study_id: Any, n_trials: int, n_studies: int) -> None:
        """Begin what a line that cannot be used would have begun."""
        if begins == JournalOperation.CREATE_STUDY and self.n_studies == n_studies:
            self._lost_study()
        elif (
            begins == JournalOperation.CREATE_TRIAL
            and self.n_trials == n_trials
            and self.n_trials_of(study_id) is not None
        ):
            self._lost_trial(study_id)

    def _fill(self, at: Any) -> None:
        """Begin what lines that are missing had begun, by the counts that a later line holds."""
        if at is None:
            return
        while self.n_studies < len(at) - 1:
            self._lost_study()
        for study_id, n_trials in enumerate(at[1:]):
            while (known := self.n_trials_of(study_id)) is not None and known < n_trials:
                self._lost_trial(study_id)

    def _lost_study(self) -> None:
        name = f"lost-{self.n_studies}"
        self.begin_study({"study_name": name, "directions": [1], "worker_id": ""})

    def _lost_trial(self, study_id: int) -> None:
        self.begin_trial(
            {"study_id": study_id, "datetime_start": _TIME, "datetime_complete": _TIME, "state": 3,
             "user_attrs": {"failure": LOST}, "worker_id": ""}
        )  # fmt: skip


class CheckedJournal(Checked, Journal):
    """The storage of a journal.

    Args:
        path: The file.

    Raises:
        InputError: If it holds no line of a record.
    """

    replay: _Replay

    def __init__(self, path: Path) -> None:
        self._begin(str(path))
        self._file = _file_at(path)
        self._lines, self._gathered = _Backend(str(path)), threading.local()
        super().__init__(self._lines, partial(_Replay, self._lines))
        if not self.replay.get_all_studies():
            if self.replay.bad:
                raise InputError(
                    f"{path}: cannot be read as a record: it contains no valid entry; --fresh keeps it aside "
                    "and starts over"
                )
            _check_beginning(path)
        self._tell()

    def is_of(self, path: Path) -> bool:
        """Return whether it has read the file that is at a path now."""
        return self._file is not None and self._file == _file_at(path)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to a thread, as the storage's own lock is left out."""
        return {name: value for name, value in super().__getstate__().items() if name != "_gathered"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._gathered = threading.local()
        super().__setstate__(state)

    def _tell(self) -> None:
        bad, n_missing = self.replay.bad, self._lines.n_missing
        again = f"`autoenc repair {shlex.quote(str(self.place))}` writes a record of all valid entries"
        if bad:
            first = ", ".join(map(str, bad[:10])) + (f" and {len(bad) - 10:,} more" if len(bad) > 10 else "")
            word = "lines" if len(bad) > 1 else "line"
            self.damaged(f"{word} {first}", f"left out; {again}")
        if n_missing:
            self.damaged("the file", f"{n_missing:,} of its lines are missing; {again}")

    def synchronize(self) -> None:
        """Read what others have written; not while lines are gathered, which nobody else wrote."""
        if self._gathering is None:
            super().synchronize()

    def _sync_with_backend(self) -> None:
        if self._gathering is None:
            super()._sync_with_backend()

    @property
    def _gathering(self) -> list[dict[str, Any]] | None:
        """The lines that this thread is to write together, as far as they are known."""
        return getattr(self._gathered, "logs", None)

    def write(self, log: dict[str, Any]) -> None:
        """Write a line, with its number and how many trials there were before it."""
        if self._gathering is not None:
            self._gathering.append(log)
        else:
            self.synchronize()
            self._append([log])

    def add_finished(self, study_id: int, trials: Sequence[FrozenTrial]) -> None:
        """Add trials that ended; see :class:`~autoenc.record.checked.Checked`."""
        logs: list[dict[str, Any]] = []
        self._gathered.logs = logs
        try:
            for trial in trials:
                self.create_new_trial(study_id, trial)
        finally:
            self._gathered.logs = None
        with self.lock:
            self.synchronize()
            self._append(logs)
            self.synchronize()

    def _append(self, logs: list[dict[str, Any]]) -> None:
        """Append lines with one flush; ``logs`` of several lines hold trials of one study."""
        number, counts = self._lines.last_number, self.replay.counts()
        numbered = []
        for log in logs:
            number += 1
            numbered.append({**log, AT: [number, *counts]})
            if len(logs) > 1:
                counts[log["study_id"]] += 1
        self._lines.append_logs(numbered)

    def study_holding(self, trial: FrozenTrial) -> int:
        """Return the id of a trial's study."""
        assert self.replay is not None
        return self.replay.study_holding(trial_id(trial))

    def where(self, trial: FrozenTrial) -> str:
        """Return where a trial stands in the file, for people."""
        place = self.replay.place_of(trial_id(trial))
        line = self.replay.line_of.get(trial_id(trial)) if place is None else place.line
        return f"trial {trial.number}" if line is None else f"line {line}, trial {trial.number}"

    def entries(self, study_id: int) -> list[tuple[str | None, FrozenTrial | Place]]:
        """Return the trials of a study; see :class:`~autoenc.record.checked.Checked`."""
        with self.lock:
            self.synchronize()
            places = {number: self.replay.place_of(number) for number in self.replay.ids_of(study_id)}
            read = [self.replay.get_trial(number) for number, place in places.items() if place is None]
        shown = iter(self._shown_of(read, study_id))
        return [
            (None, next(shown)) if place is None else (place.identity, place) for place in places.values()
        ]

    @contextmanager
    def reading(self) -> Iterator[Callable[[Place], Finished]]:
        """Provide what reads trials; see :class:`~autoenc.record.checked.Checked`."""
        with self._lines.reading() as read:
            yield lambda place: _finished(read(place))


def _file_at(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that takes its place; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _finished(log: dict[str, Any]) -> Finished:
    curve = {int(step): value for step, value in log["intermediate_values"].items()}
    attributes = {key: value for key, value in log["user_attrs"].items() if key != DIGEST}
    return Finished(TrialState(log["state"]), log["value"], curve, attributes)


def mend(path: Path) -> None:
    """Remove what a killed process can leave: the lock, and a last line that is not whole."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    if not path.exists():
        return
    with path.open("rb+") as file:
        size, end = file.seek(0, os.SEEK_END), _end_of_lines(file)
        if end != size:
            file.seek(0)
            content = file.read()
            if not content.startswith(FIRST[: len(content)]) and b"\n" + FIRST not in content:
                raise InputError(_no_record(path))
            file.truncate(end)


def _end_of_lines(file: IO[bytes]) -> int:
    """Return where the last whole line ends; 0 where there is none."""
    start = file.seek(0, os.SEEK_END)
    while start:
        start, end = max(0, start - _BYTES_AT_ONCE), start
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
    return 0


def _check_beginning(path: Path) -> None:
    """See that a file without a whole line may become a journal, as somebody may just write its first."""
    if path.exists():
        with path.open("rb") as file:
            beginning = file.read(len(FIRST))
        if not FIRST.startswith(beginning):
            raise InputError(_no_record(path))


def _no_record(path: Path) -> str:
    refuse_link(path)  # whatever it leads to
    return f"{path}: is not a record: it contains no complete entry; --fresh keeps it aside and starts over"
