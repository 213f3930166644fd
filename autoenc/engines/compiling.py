"""Compiled functions whose cache is never in the way: it is found, made, or done without.

Numba keeps compiled code beside the source or in the home folder, and raises where neither can be written.
Here a folder of the user's own below the temporary one is the next place; without any, or where saving fails,
the code is compiled anew in each process, and a note says so.
"""

from __future__ import annotations

import gc
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import caching
from numba.core.runtime import rtsys

from autoenc.engines.simd import JIT
from autoenc.system.trouble import require_room

__all__ = ["announced", "compiled", "take_notes", "without_collection"]

# LLVM ends the process where it gets no memory, so what it needs is asked for before.
_COMPILE_BYTES, _LOAD_BYTES = 256 * 2**20, 64 * 2**20

_lock = threading.Lock()
_notes: list[str] = []
_listener: Callable[[], None] | None = None
_n_compiling = 0


def compiled(function: Any) -> Any:
    """Compile a function by its first call's types, or load what an earlier process compiled."""
    dispatcher = njit(**JIT)(function)
    try:
        dispatcher._cache = _Cache(function)
    except (RuntimeError, OSError):  # no folder at all
        _note("no folder can be written to keep compiled code in; it is compiled anew in each process")
        dispatcher._cache = _NoCache()
    return dispatcher


@contextmanager
def announced(listener: Callable[[], None]) -> Iterator[None]:
    """Call ``listener`` once if anything is being compiled within the block, in whichever thread."""
    global _listener
    with _lock:
        _listener = listener
        compiling = _n_compiling > 0
    try:
        if compiling:
            _announce()
        yield
    finally:
        with _lock:
            _listener = None


@contextmanager
def without_collection() -> Iterator[None]:
    """Look for no garbage within the block: compiling makes next to none, and takes an eighth less."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def take_notes() -> list[str]:
    """Return what people should know about the cache, each note once."""
    with _lock:
        notes = list(_notes)
        _notes.clear()
    return notes


def _note(text: str) -> None:
    with _lock:
        if text not in _notes:
            _notes.append(text)


def _announce() -> None:
    global _listener
    with _lock:
        listener, _listener = _listener, None
    if listener is not None:
        listener()


def _begin_compiling() -> None:
    global _n_compiling
    require_room(_COMPILE_BYTES, "compiling")
    with _lock:
        _n_compiling += 1
    _announce()


def _end_compiling() -> None:
    global _n_compiling
    with _lock:
        _n_compiling = max(_n_compiling - 1, 0)


class _TemporaryLocator(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):
    """A folder below the temporary one that belongs to this user alone: cached code is run."""

    def __init__(self, function: Any, file: str) -> None:
        self._py_file = file
        self._lineno = function.__code__.co_firstlineno
        self._folder = private_folder()

    def get_cache_path(self) -> str:
        return str(self._folder / self.get_suitable_cache_subpath(self._py_file))

    def ensure_cache_path(self) -> None:
        check_private(self._folder)
        super().ensure_cache_path()

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        try:
            locator = super().from_function(py_func, py_file)
        except OSError:  # no temporary folder, or somebody else's in its place
            return None
        if locator is not None:
            _note(f"compiled code is kept in {locator._folder}, as no other folder can be written")
        return locator


def private_folder() -> Path:
    """Return the user's own folder for compiled code below the temporary one, made if it is not there.

    Raises:
        OSError: If it cannot be made, or what is there is no folder of this user alone.
    """
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"autoenc-{owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    check_private(folder)
    return folder


def check_private(folder: Path) -> None:
    """See that a folder is no link, belongs to this user, and can be written by nobody else.

    Raises:
        OSError: If that is not so.
    """
    about = folder.lstat()
    wrong = not stat.S_ISDIR(about.st_mode)
    if hasattr(os, "getuid"):  # on Windows the temporary folder itself is the user's own
        wrong |= about.st_uid != os.getuid() or bool(about.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    if wrong:
        raise PermissionError(f"{folder} does not belong to this user alone")


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = [*caching.CacheImpl._locator_classes, _TemporaryLocator]  # noqa: RUF012


class _Cache(caching.FunctionCache):
    """Numba's cache, whose errors cost time and nothing else."""

    _impl_class = _Implementation

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        require_room(_LOAD_BYTES, "loading compiled code")
        overload = None
        try:
            # Numba would first load all that compiling needs, SciPy's linear algebra with it: half a second
            # for code that is compiled already. What compiles loads that by itself.
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                overload = self._load_overload(sig, target_context)
        except Exception as error:  # a damaged file raises whatever its bytes come to
            _note(f"{self.cache_path}: compiled code cannot be read ({_reason(error)}); it is compiled anew")
            with suppress(Exception):
                self.flush()
        if overload is None:
            _begin_compiling()
        return overload

    def save_overload(self, sig: Any, data: Any) -> None:
        _end_compiling()
        try:
            super().save_overload(sig, data)
        except Exception as error:  # no space, no descriptor, a damaged index
            _note(f"{self.cache_path}: compiled code cannot be kept ({_reason(error)}); it is compiled anew "
                  "in each process")  # fmt: skip


class _NoCache(caching.NullCache):
    def load_overload(self, sig: Any, target_context: Any) -> None:
        _begin_compiling()

    def save_overload(self, sig: Any, data: Any) -> None:
        _end_compiling()


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
