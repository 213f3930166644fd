"""One process, one record: a lock that ends with its process, and says who holds it."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from autoenc.errors import InputError
from autoenc.secrets import masked_command

__all__ = ["RecordLock", "is_held"]

_ADVICE = "wait for it, name another folder with --output_dir, or divide the work with --shard i/N"


class RecordLock:
    """Exclusive use of a journal, for the time of a ``with`` block.

    The operating system gives the lock back when the process ends, however it ends, so nothing is left
    behind to be cleaned up.

    Args:
        journal: The journal; lock and holder are written beside it.
        advice: What one may do instead, told where another process holds it.

    Raises:
        InputError: On entering, if another process holds it; it says which one and what to do.
    """

    def __init__(self, journal: Path, advice: str = _ADVICE) -> None:
        self._advice = advice
        self._lock = FileLock(_lock_path(journal))
        self._holder = journal.with_name(f".{journal.name}.holder")
        self._journal = journal

    def __enter__(self) -> RecordLock:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{self._journal.parent}: another process is searching here ({self._who()}); {self._advice}"
            ) from None
        command = masked_command([Path(sys.argv[0]).name, *sys.argv[1:]])
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        who = {"pid": os.getpid(), "host": socket.gethostname(), "started": started, "command": command}
        self._holder.write_text(json.dumps(who))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _who(self) -> str:
        try:
            who = json.loads(self._holder.read_text())
            return f"process {who['pid']} on {who['host']} since {who['started']}: {who['command']}"
        except (OSError, ValueError, KeyError):
            return "it has not said which"


def _lock_path(journal: Path) -> Path:
    return journal.with_name(f".{journal.name}.owner")


def is_held(journal: Path) -> bool:
    """Whether a process uses the journal right now."""
    if not _lock_path(journal).exists():
        return False
    lock = FileLock(_lock_path(journal))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
