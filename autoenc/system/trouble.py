"""Failures of the machine: reported in a sentence, and never taken for a result."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["MachineError", "blamed_on_machine", "require_room", "trouble"]

_MEMORY = (
    "allocate memory",
    "failed to map segment",
    "out of memory",
    "not enough memory",
    "memory allocation",
    "bad_alloc",
)
_DEVICE = ("cuda error", "cuda driver error", "cuda unknown error", "no cuda gpus", "hip error")
_THREADS = ("can't start new thread", "cannot start new thread", "failed to start thread")

_RUN_OUT = ("out of memory", "no further thread")

has_run_out = False
"""Whether memory or threads were found to have run out in this process."""


class MachineError(RuntimeError):
    """A failure of the machine, in a sentence."""


def trouble(error: BaseException) -> str | None:
    """Say what the machine could not do; None for an error that has another reason.

    This is the one place where a failure of the machine (memory, disk, file descriptors, threads, GPU) is
    distinguished from one of a training: the latter is a result and recorded, the former ends the
    search, which can be resumed.

    Args:
        error: What was raised; what it was raised from counts as well.
    """
    global has_run_out
    reason = _reason(error)
    has_run_out = has_run_out or (reason is not None and any(words in reason for words in _RUN_OUT))
    return reason


def _reason(error: BaseException) -> str | None:
    for cause in _causes(error):
        text = str(cause).strip()
        if isinstance(cause, MachineError):
            return text
        if isinstance(cause, MemoryError):
            return f"out of memory{f' ({text})' if text else ''}"
        if isinstance(cause, OSError):
            return _disk_text(cause)
        if isinstance(cause, RuntimeError | ImportError | SystemError) or _is_numbas(cause):
            lower = text.lower()
            if any(words in lower for words in _MEMORY):
                return f"out of memory ({text.splitlines()[0]})"
            if any(words in lower for words in _THREADS):
                return f"no further thread can be started ({text.splitlines()[0]})"
            if lower.startswith(_DEVICE) or "cudacachingallocator" in lower:
                return f"the GPU failed ({text.splitlines()[0]})"
    return None


def _is_numbas(error: BaseException) -> bool:
    """Return whether it comes from a compiler that puts what happened into words of its own."""
    return type(error).__module__.partition(".")[0] in ("numba", "llvmlite")


def _disk_text(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno == errno.ENOMEM:
        reason = f"out of memory ({reason})"
    return f"{os.fsdecode(error.filename)}: {reason}" if isinstance(error.filename, str | bytes) else reason


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


@contextmanager
def blamed_on_machine(what: str) -> Iterator[None]:
    """Turn every error within the block into a :class:`MachineError`.

    Args:
        what: What could not be done, e.g. "the training cannot be compiled".
    """
    try:
        yield
    except Exception as error:
        reason = trouble(error) or f"{type(error).__name__}: {error}"
        raise MachineError(f"{what}: {reason}") from error


def require_room(n_bytes: int, purpose: str) -> None:
    """See that so much memory can be had, where a library would end the process without it.

    Only addresses are asked for and given back at once, which takes microseconds.

    Raises:
        MachineError: If it cannot be had, as under ``ulimit -v``.
    """
    try:
        mmap.mmap(-1, n_bytes).close()
    except (OSError, OverflowError):  # no room, or more than any address can name
        raise MachineError(
            f"out of memory: {purpose} needs {n_bytes // 2**20} MiB that cannot be had"
        ) from None
