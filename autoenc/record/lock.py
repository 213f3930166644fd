"""One process, one record: a lock that ends with its process, and says who holds it."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout
from optuna.storages.journal import JournalFileOpenLock

from autoenc.errors import InputError
from autoenc.system.machine import naming
from autoenc.system.paths import make_folder, write_atomically
from autoenc.system.secrets import masked_command
from autoenc.system.special import refuse_link

__all__ = ["OTHER_FOLDER", "JournalLock", "RecordLock", "file_lock", "is_held"]

OTHER_FOLDER = "wait for it, or name another folder with --output_dir"
"""What to do where another process has the record of a folder."""


class RecordLock:
    """Exclusive use of a journal, for the time of a ``with`` block.

    The operating system gives the lock back when the process ends, however it ends, so nothing is left
    behind to be cleaned up.

    Args:
        journal: The journal; lock and holder are written beside it.
        advice: What to do instead, shown where another process holds the lock.

    Raises:
        InputError: On entering, if another process holds it; it says which one and what to do.
    """

    def __init__(self, journal: Path, advice: str = OTHER_FOLDER) -> None:
        self._advice = advice
        self._holder = journal.with_name(f".{journal.name}.holder")
        self._journal = journal

    def __enter__(self) -> RecordLock:
        self._made = make_folder(self._journal.parent)
        refuse_link(self._journal)
        self._lock = file_lock(_lock_path(self._journal))
        try:
            # A command that only looks holds it for a moment.
            self._lock.acquire(timeout=1)
        except Timeout:
            raise InputError(
                f"{self._journal.parent}: another process is searching here ({self._who()}); {self._advice}"
            ) from None
        command = masked_command([Path(sys.argv[0]).name, *sys.argv[1:]])
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        who = {"pid": os.getpid(), "host": socket.gethostname(), "started": started, "command": command}
        content = json.dumps(who).encode()
        write_atomically(self._holder, content)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.unlink(missing_ok=True)
        self._lock.release()
        if isinstance(error, InputError) and self._made:  # nothing began: leave no folder behind
            _lock_path(self._journal).unlink(missing_ok=True)
            for folder in self._made:
                with suppress(OSError):
                    folder.rmdir()

    def _who(self) -> str:
        try:
            who = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"process {who['pid']} on {who['host']} since {who['started']}: {who['command']}"
        except (OSError, ValueError, KeyError):
            return "owner unknown"


def _lock_path(journal: Path) -> Path:
    return journal.with_name(f".{journal.name}.owner")


def file_lock(path: Path) -> FileLock:
    """Return a lock on a file of the program's own.

    Raises:
        InputError: If there is a symbolic link in its place.
    """
    refuse_link(path)
    return FileLock(path)


class JournalLock(JournalFileOpenLock):
    """Optuna's lock on a journal, for the time of an append; it says when the journal has gone away.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        # A symbolic link, Optuna's default lock, cannot be made on Windows without special rights.
        super().__init__(str(path), grace_period=5)
        self._path = path
        self._known: tuple[int, int] | None = None

    def acquire(self) -> bool:
        """See Optuna's lock.

        Raises:
            FileNotFoundError: If the journal, or its folder, is not there any more; a new file in its place
                would hold the end of a record without its beginning.
        """
        with naming(self._path):
            super().acquire()
        identity = self._identity()
        self._known = self._known or identity
        if identity is None or identity != self._known:
            with suppress(FileNotFoundError):
                self.release()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path))
        return True

    def release(self) -> None:
        """See Optuna's lock; raises as :meth:`acquire` does."""
        try:
            super().release()
        except RuntimeError:  # it is not there to be removed
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path)) from None

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def is_held(journal: Path) -> bool:
    """Return whether a process uses the journal right now."""
    if not _lock_path(journal).exists():
        return False
    lock = file_lock(_lock_path(journal))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a read-only folder: the holder's file is all that is known
        return journal.with_name(f".{journal.name}.holder").exists()
    lock.release()
    return False
