"""How matrix products of float32 are rounded: exactly to their type, whatever the caller has set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["products"]

_EXACT, _TF32 = "ieee", "tf32"
_BACKENDS: tuple[Any, Any] = (torch.backends.cuda, torch.backends.mkldnn)
_IS_NEW = hasattr(torch.backends.cuda.matmul, "fp32_precision")
"""Whether torch has a setting for each kind of device, as from 2.9 on; which do not mix with the old one."""

_lock = threading.Lock()
_needs: list[bool] = []  # of those who compute: whether their products must be exact
_before: list[str] = []  # what the caller has set


@contextmanager
def products(tf32: bool = False) -> Iterator[None]:
    """See that products of float32 matrices are exact to their type, in all threads.

    torch has one setting for the process. The caller's comes back once nobody computes any more.

    Args:
        tf32: Whether a GPU may round what it multiplies to TF32; products stay exact while anybody else
            needs that.
    """
    with _lock:
        if not _needs:
            _before[:] = _settings()
        _needs.append(not tf32)
        _settle()
    try:
        yield
    finally:
        with _lock:
            _needs.remove(not tf32)
            if _needs:
                _settle()
            else:
                _set(_before)


def _settle() -> None:
    _set([_EXACT if any(_needs) else _TF32, _EXACT])


def _settings() -> list[str]:
    """The precision of products on a GPU and on the CPU."""
    if _IS_NEW:
        return [backend.matmul.fp32_precision for backend in _BACKENDS]
    return [torch.get_float32_matmul_precision()]


def _set(wanted: list[str]) -> None:
    """Set what differs: to name a precision that holds anyway would cut it off from what it follows."""
    for i, (now, value) in enumerate(zip(_settings(), wanted, strict=False)):
        if now == value or (now == "none" and value == _EXACT):
            continue
        if _IS_NEW:
            _BACKENDS[i].matmul.fp32_precision = value
        else:
            torch.set_float32_matmul_precision({_EXACT: "highest", _TF32: "high"}.get(value, value))
