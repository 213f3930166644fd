"""Changes to the whole process for the time of a block: Optuna's log level, threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from autoenc.system.thread_limit import ThreadLimit

__all__ = ["one_library_thread", "one_thread_each", "one_torch_thread", "quiet_optuna", "restoring"]

_OPEN: ContextVar[ExitStack | None] = ContextVar("open", default=None)
_guard = threading.Lock()
_n_quiet, _level = 0, 0
_is_single = False


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna log errors alone in this block; the last block to end gives the level back."""
    global _n_quiet, _level
    import optuna

    with _guard:
        if not _n_quiet:
            _level = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.ERROR)
        _n_quiet += 1
    try:
        yield
    finally:
        with _guard:
            _n_quiet -= 1
            if not _n_quiet:
                optuna.logging.set_verbosity(_level)


@contextmanager
def one_library_thread() -> Iterator[None]:
    """Let BLAS compute in one thread in this block; in one inside of another it stays so.

    A product or a decomposition by several threads differs by bits from that by one, and beside other fits
    it takes longer. A search is such a block, of the thread that called it: a library obeys a single one.
    """
    global _is_single
    with _guard:
        is_first, _is_single = not _is_single, True
    if not is_first:
        yield
        return
    limit = ThreadLimit()
    try:
        yield
    finally:
        limit.close()
        _is_single = False


@contextmanager
def restoring() -> Iterator[None]:
    """Give back at the end of the block what :func:`one_thread_each` changes in it; Optuna is quiet."""
    with ExitStack() as stack, quiet_optuna():
        token = _OPEN.set(stack)
        try:
            yield
        finally:
            _OPEN.reset(token)


def one_thread_each() -> None:
    """Let torch and BLAS compute in the thread that calls them: fits beside each other use the cores.

    It holds until the block of :func:`restoring` around it ends; without one, as in the process of a
    command or a worker, for good.
    """
    one_torch_thread()
    limit, stack = ThreadLimit(None), _OPEN.get()
    if stack is not None:
        stack.callback(limit.close)


def one_torch_thread() -> None:
    """Do as :func:`one_thread_each`, for torch alone."""
    import torch

    stack = _OPEN.get()
    if stack is not None:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
    torch.set_num_threads(1)
