"""The journal of a record: a file of lines, each numbered and with a digest of its own.

Optuna's journal is replayed from its first line. A line that is damaged is reported and left out; what it
would have begun is put in its place, so that the others keep their meaning. Journals that were written
without digests are read as well.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from autoenc.errors import InputError
from autoenc.record.checked import Checked
from autoenc.record.digest import LOST, digest_of
from autoenc.record.lock import JournalLock
from autoenc.record.private import Journal, JournalOperation, Replay, trial_id
from autoenc.system.machine import naming
from autoenc.system.special import refuse_link

__all__ = ["CheckedJournal", "mend"]

_AT, _SUM = "at", "sum"
_FIRST = b'{"op_code":'  # how every line begins
_BAD = -1  # the operation of a line that cannot be used
_BEGINS = re.compile(rb'\{"op_code":(\d+)')
_STUDY = re.compile(rb'"study_id":(\d+)')
_TIME = "2000-01-01T00:00:00+00:00"


class _Line(NamedTuple):
    """A line of the file.

    Attributes:
        number: Its place among all that were written, from 1.
        place: Its place in the file, from 1.
        log: What it says; of a line that cannot be used, what it seems to begin.
        text: As it stands there.
    """

    number: int
    place: int
    log: dict[str, Any]
    text: bytes


def _sum_of(log: dict[str, Any]) -> str:
    return digest_of({key: value for key, value in log.items() if key != _SUM})[:16]


def _written(log: dict[str, Any]) -> bytes:
    """Return a log as its line, with its digest."""
    return json.dumps({**log, _SUM: _sum_of(log)}, separators=(",", ":")).encode() + b"\n"


def _read(text: bytes) -> dict[str, Any] | None:
    """Return what a line says; None if it cannot be read, or its digest does not hold."""
    try:
        log = json.loads(text)
        if not isinstance(log, dict) or not isinstance(log.get("worker_id", ""), str):
            return None
        if (_AT in log or _SUM in log) and log.get(_SUM) != _sum_of(log):
            return None
    except (ValueError, RecursionError):
        return None
    return log


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
        with open(self._place, "rb") as file:
            file.seek(self._offset)
            content = file.read()
        content = content[: content.rfind(b"\n") + 1]  # somebody may be writing the rest
        if not content:
            return iter(())
        self._offset += len(content)
        before = self.last_number
        lines = self._in_order([self._line(text.rstrip(b"\r")) for text in content.split(b"\n")[:-1]])
        for line in lines:
            self.n_missing += max(line.number - before - 1, 0)
            before = line.number
        logs = [line.log for line in lines]
        self._n_logs += len(logs)
        return iter(logs)

    def _line(self, text: bytes) -> _Line:
        self._n_lines += 1
        log = _read(text)
        number = self.last_number + 1
        if log is None:
            begins, study = _BEGINS.match(text), _STUDY.search(text)
            log = {
                "op_code": _BAD, "begins": int(begins[1]) if begins else None,
                "study_id": int(study[1]) if study else None,
            }  # fmt: skip
        elif isinstance(log.get(_AT), list):
            number = log[_AT][0]
        self.last_number = number
        return _Line(number, self._n_lines, {**log, "line": self._n_lines}, text)

    def _in_order(self, lines: list[_Line]) -> list[_Line]:
        """Return lines in the order in which they were written, each once."""
        if all(one.number < other.number for one, other in pairwise(lines)):
            return lines
        self.last_number = max(line.number for line in lines)
        lines_by_number: dict[tuple[int, bytes], _Line] = {}
        for line in sorted(lines, key=lambda line: line.number):
            lines_by_number.setdefault((line.number, line.text), line)
        return list(lines_by_number.values())

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """See Optuna's ``BaseJournalBackend``."""
        self._appending.acquire()
        try:
            with naming(self._place), open(self._place, "ab") as file:
                file.write(b"".join(map(_written, logs)))
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

    def __init__(self, worker_id_prefix: str) -> None:
        super().__init__(worker_id_prefix)
        self.bad: list[int] = []
        self.line_of: dict[int, int] = {}

    def apply_logs(self, logs: Iterable[dict[str, Any]]) -> None:
        for log in logs:
            n_trials, n_studies = self.n_trials, self.n_studies
            if log.get("op_code") != _BAD:
                self._fill(log.get(_AT))
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
        self._lines = _Backend(str(path))
        super().__init__(self._lines, _Replay)
        if not self.replay.get_all_studies():
            if self.replay.bad:
                raise InputError(
                    f"{path}: cannot be read as a record: it contains no valid entry; --fresh keeps it aside "
                    "and starts over"
                )
            _check_beginning(path)
        self._tell()

    def _tell(self) -> None:
        bad, n_missing = self.replay.bad, self._lines.n_missing
        again = f"`autoenc repair {self.place}` writes a record of all valid entries"
        if bad:
            first = ", ".join(map(str, bad[:10])) + (f" and {len(bad) - 10:,} more" if len(bad) > 10 else "")
            word = "lines" if len(bad) > 1 else "line"
            self.damaged(f"{word} {first}", f"left out; {again}")
        if n_missing:
            self.damaged("the file", f"{n_missing:,} of its lines are missing; {again}")

    def write(self, log: dict[str, Any]) -> None:
        """Write a line, with its number and how many trials there were before it."""
        self.synchronize()
        self._lines.append_logs([{**log, _AT: [self._lines.last_number + 1, *self.replay.counts()]}])

    def study_holding(self, trial: FrozenTrial) -> int:
        """Return the id of a trial's study."""
        assert self.replay is not None
        return self.replay.study_holding(trial_id(trial))

    def where(self, trial: FrozenTrial) -> str:
        """Return where a trial stands in the file, for people."""
        line = self.replay.line_of.get(trial_id(trial))
        return f"trial {trial.number}" if line is None else f"line {line}, trial {trial.number}"


def mend(path: Path) -> None:
    """Remove what a killed process can leave: the lock, and a last line that is not whole."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        end = content.rfind(b"\n") + 1
        if end != len(content):
            if not content.startswith(_FIRST[: len(content)]) and b"\n" + _FIRST not in content:
                raise InputError(_no_record(path))
            file.truncate(end)


def _check_beginning(path: Path) -> None:
    """See that a file without a whole line may become a journal, as somebody may just write its first."""
    if path.exists():
        with path.open("rb") as file:
            beginning = file.read(len(_FIRST))
        if not _FIRST.startswith(beginning):
            raise InputError(_no_record(path))


def _no_record(path: Path) -> str:
    refuse_link(path)  # whatever it leads to
    return f"{path}: is not a record: it contains no complete entry; --fresh keeps it aside and starts over"
