"""Messages about failures of the machine: no room, a folder that is gone, a closed pipe."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoenc.system.text import warn
from autoenc.system.trouble import trouble

__all__ = ["PIPE_CLOSED", "close_output", "naming", "tell_interrupted", "what_happened"]

PIPE_CLOSED = 128 + 13  # as if SIGPIPE had ended the process
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Let an error of this block name a file: writing and flushing leave it out."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def what_happened(error: OSError) -> str:
    """Return an error of the operating system as a sentence that names its file, where one is known."""
    where = f"{error.filename}: " if error.filename is not None else ""
    gone = _gone(error)
    if gone is not None:
        return f"{where}cannot be written: {gone} was removed, renamed or unmounted meanwhile"
    return f"{where}{error.strerror or error}"


def _gone(error: OSError) -> Path | None:
    """Return the file or folder that is no longer there, where that is the reason."""
    if error.errno not in (errno.ENOENT, errno.ESTALE, errno.ENODEV, errno.ENXIO) or error.filename is None:
        return None
    path = Path(os.fsdecode(error.filename))
    above = [folder for folder in path.parents if not folder.exists()]
    return above[-1] if above else path


def tell_interrupted(error: Exception, folder: Path, record: str, resume: str) -> int:
    """Say why a search ended before its end, what is left of it, and how it goes on.

    Args:
        error: What was raised.
        folder: Of the search.
        record: Where its record is: a file or a URL.
        resume: The command that goes on with it.

    Returns:
        The exit code.

    Raises:
        Exception: The error itself, where it is none of the machine.
    """
    if not isinstance(error, OSError):
        if (reason := trouble(error)) is None:
            raise error
        warn(f"error: {reason}; what {record} holds is safe", f"resume with: {resume}")
        return 1
    if isinstance(error, BrokenPipeError):
        close_output()
        warn(
            "stopped: what read the standard output has closed it",
            f"what {record} holds is safe; resume with: {resume}",
        )
        return PIPE_CLOSED
    is_file = "://" not in record
    if not folder.exists() or (is_file and not Path(record).exists()):
        lost = record if folder.exists() else folder
        with_it = "" if folder.exists() or not is_file else ", and the record with it"
        warn(
            f"error: {lost}: was removed, renamed or unmounted while the search ran{with_it}",
            f"put it back, or start over with: {resume}",
        )
        return 1
    where = f"cannot write to {folder}: " if error.filename is None else ""
    safe = f"the earlier files are as they were, and what {record} holds is safe"
    warn(
        f"error: {where}{what_happened(error)}; {safe}",
        f"{'make room' if error.errno in _FULL else 'mend that'}, then resume with: {resume}",
    )
    return 1


def close_output() -> None:
    """Give up standard output, whose reader went away: the interpreter flushes it once more at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # a stream in memory, or none
        return
