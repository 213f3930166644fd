"""Telling people that they wait for a compiler, and what they should know about where its code is kept."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from autoenc.system.trouble import require_room

__all__ = ["announced", "compiling", "note", "take_notes"]

# LLVM ends the process where it gets no memory, so what it needs is asked for before.
_COMPILE_BYTES = 256 * 2**20

_lock = threading.Lock()
_notes: list[str] = []
_listener: Callable[[], None] | None = None
_n_compiling = 0


@contextmanager
def announced(listener: Callable[[], None]) -> Iterator[None]:
    """Call ``listener`` once if anything is being compiled within the block, in whichever thread."""
    global _listener
    with _lock:
        _listener = listener
        is_compiling = _n_compiling > 0
    try:
        if is_compiling:
            _announce()
        yield
    finally:
        with _lock:
            _listener = None


@contextmanager
def compiling() -> Iterator[None]:
    """Announce that what is in the block is being compiled, and look for no garbage meanwhile.

    There is next to none, and compiling takes an eighth less.

    Raises:
        MachineError: If there is no memory for it.
    """
    global _n_compiling
    require_room(_COMPILE_BYTES, "compiling")
    with _lock:
        _n_compiling += 1
    _announce()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        with _lock:
            _n_compiling -= 1


def take_notes() -> list[str]:
    """Return what people should know about compiled code, each note once."""
    with _lock:
        notes = list(_notes)
        _notes.clear()
    return notes


def note(text: str) -> None:
    """Tell people something with the next notes."""
    with _lock:
        if text not in _notes:
            _notes.append(text)


def _announce() -> None:
    global _listener
    with _lock:
        listener, _listener = _listener, None
    if listener is not None:
        listener()
