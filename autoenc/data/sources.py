"""The bytes of a table: a file, a pipe or standard input, opened once and read from the front."""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from autoenc.datasets import stains_path
from autoenc.errors import InputError
from autoenc.system.text import warn

__all__ = [
    "STANDARD_INPUT",
    "is_stream",
    "open_table",
    "pipes_kept",
    "refuse_ended",
    "source_name",
    "table_stem",
]

STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
"""The names that mean standard input."""

EXAMPLE = Path("data/stains.csv")
"""The table of the checkout, which commands read by default."""

_DESCRIPTORS = ("/dev/fd/", "/proc/self/fd/")

_START_BYTES = 8192
_SLOW_S = 0.5
_IN_MEMORY_BYTES = 64 * 2**20

# What came through a pipe during a command, which may need it again: a search of several latent sizes does.
_kept: ContextVar[dict[str, IO[bytes]] | None] = ContextVar("kept", default=None)


def source_name(path: str | Path) -> str:
    """Return a table's name for people."""
    return "standard input" if str(path) in STANDARD_INPUT else str(path)


def is_stream(path: str | Path) -> bool:
    """Return whether a table comes through a pipe or another device, so that it can be read only once."""
    if str(path) in STANDARD_INPUT or str(path).startswith(_DESCRIPTORS):
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def table_stem(path: str | Path) -> str:
    """Return a table's name without folder and suffix, for what is named after it."""
    return "table" if is_stream(path) else Path(path).stem


def refuse_ended(path: str | Path, of: str, option: str) -> None:
    """See that a table that an earlier run has read is still there to be read.

    Args:
        path: As it was given to that run.
        of: What says so, for messages.
        option: The one that names the table now.

    Raises:
        InputError: If it came through standard input or a pipe that ended with that run.
    """
    if str(path) in STANDARD_INPUT or str(path).startswith(_DESCRIPTORS):
        raise InputError(
            f"{of}: its table came through {source_name(path)} and cannot be read from there again; name it "
            f"with {option}"
        )


@contextmanager
def pipes_kept() -> Iterator[None]:
    """Keep what comes through pipes until the end, so that reading a table twice gives the same."""
    if _kept.get() is not None:
        yield
        return
    kept: dict[str, IO[bytes]] = {}
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        for file in kept.values():
            file.close()


@contextmanager
def open_table(path: str | Path) -> Iterator[tuple[bytes, IO[bytes]]]:
    """Open a table.

    Args:
        path: Of a file, a named pipe or a device; ``-`` for standard input.

    Yields:
        The first bytes, empty only where there are none, and the file with the rest.

    Raises:
        InputError: If there is nothing of this name, or it cannot be read.
    """
    _check(path)
    kept = _kept.get()
    if kept is None or not is_stream(path):
        with _begun(path) as (start, file):
            yield start, file
        return
    key = source_name(path)
    if key not in kept:
        kept[key] = _copied(path)
    kept[key].seek(0)
    yield kept[key].read(_START_BYTES), kept[key]


def _check(path: str | Path) -> None:
    text = str(path)
    if text in STANDARD_INPUT:
        return
    if not text or "\0" in text:
        raise InputError("the name of a table must not be empty" if not text else f"{text!r} names no table")
    path = Path(path)
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            raise InputError(f"{path}: is a folder; name a CSV or Parquet file")
        return
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
    hint = f"; did you mean {path.parent / near[0]}?" if near else ""
    if str(path).startswith(_DESCRIPTORS):
        hint = "; the pipe of that name has ended with the process that it was made for"
    elif path == EXAMPLE:
        hint = f"; the package brings it along: {stains_path()}"
    raise InputError(f"{path}: there is no such file{hint}")


@contextmanager
def _begun(path: str | Path) -> Iterator[tuple[bytes, IO[bytes]]]:
    with ExitStack() as stack:
        try:
            with _telling(path):
                if str(path) not in STANDARD_INPUT:
                    file: IO[bytes] = stack.enter_context(Path(path).open("rb"))
                elif sys.stdin is None or sys.stdin.closed:
                    raise InputError("standard input: is closed; name a CSV or Parquet file")
                else:
                    file = sys.stdin.buffer
                _refuse_endless(path, file)
                start = file.read(_START_BYTES)
        except OSError as error:
            raise InputError(f"{source_name(path)}: cannot be read: {error.strerror}") from None
        yield start, file


def _refuse_endless(path: str | Path, file: IO[bytes]) -> None:
    """See that a device has an end: a terminal has, where somebody types, and so has the null device."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):  # no file of the system's, but bytes in its place
        return
    if not stat.S_ISCHR(status.st_mode) or file.isatty():
        return
    # Windows does not number its devices; there is none among them that gives zeros for ever.
    if getattr(status, "st_rdev", 0) != getattr(os.stat(os.devnull), "st_rdev", 0):
        raise InputError(f"{source_name(path)}: is a device without an end; name a CSV or Parquet file")


@contextmanager
def _telling(path: str | Path) -> Iterator[None]:
    """Say what is waited for: at once where a person has to type it, else after a moment."""
    if not is_stream(path):
        yield
        return
    typed = str(path) in STANDARD_INPUT and sys.stdin is not None and sys.stdin.isatty()
    text = f"waiting for a table from {source_name(path)}" + "; end it with Ctrl-D" * typed
    timer = threading.Timer(0 if typed else _SLOW_S, warn, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _copied(path: str | Path) -> IO[bytes]:
    """Return all that comes through a pipe: in memory, or in a temporary file where it is much."""
    copy: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
    try:
        with _begun(path) as (start, file):
            copy.write(start)
            shutil.copyfileobj(file, copy, 2**20)
    except OSError as error:
        copy.close()
        error.filename = tempfile.gettempdir()
        raise
    return copy
