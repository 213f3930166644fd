"""How matrix products of float32 are rounded: exactly to their type, whatever the caller has set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch

__all__ = ["Rounding", "products"]

Rounding = Literal["exact", "tf32", "any"]
"""What somebody needs of the products of a GPU; ``any`` is of those who compute on the CPU."""

_EXACT = ("ieee", "none")
_BACKENDS: tuple[Any, Any] = (torch.backends.cuda, torch.backends.mkldnn)
_IS_NEW = hasattr(torch.backends.cuda.matmul, "fp32_precision")
"""Whether torch has a setting for each kind of device, as from 2.9 on, beside the one for all."""

_lock = threading.Lock()
_needs: list[Rounding] = []  # of those who compute


class _Settings(NamedTuple):
    """What is set.

    Attributes:
        common: For all devices: ``highest``, ``high`` or ``medium``; None where settings of devices differ
            from it, so that torch refuses to tell.
        each: For a GPU and for the CPU; none before torch 2.9.
    """

    common: str | None
    each: tuple[str, ...]


_before: list[_Settings] = []  # the caller's


@contextmanager
def products(gpu: Rounding = "exact") -> Iterator[None]:
    """See that products of float32 matrices are exact to their type, in all threads.

    torch has one setting for the process. The caller's comes back once nobody computes any more.

    Args:
        gpu: ``tf32`` if a GPU may round what it multiplies to TF32; it does not while anybody else needs
            exact products of a GPU.
    """
    with _lock:
        if not _needs:
            _before[:] = [_settings()]
        _needs.append(gpu)
        _settle()
    try:
        yield
    finally:
        with _lock:
            _needs.remove(gpu)
            if _needs:
                _settle()
            else:
                _give_back(_before.pop())


def _settings() -> _Settings:
    try:
        common = torch.get_float32_matmul_precision()
    except RuntimeError:
        common = None
    each = tuple(backend.matmul.fp32_precision for backend in _BACKENDS) if _IS_NEW else ()
    return _Settings(common, each)


def _settle() -> None:
    """Set what all together need, by the setting that the caller has used: the others then stay readable."""
    is_tf32 = "tf32" in _needs and "exact" not in _needs
    wanted = "high" if is_tf32 else "highest"
    if _before[0].common is not None and _settings().common != wanted:
        torch.set_float32_matmul_precision(wanted)
    for backend, value, rounded in zip(_BACKENDS, _settings().each, (is_tf32, False), strict=False):
        if rounded and value != "tf32":
            backend.matmul.fp32_precision = "tf32"
        elif not rounded and value not in _EXACT:
            backend.matmul.fp32_precision = "ieee"


def _give_back(before: _Settings) -> None:
    if before.common not in (None, _settings().common):
        torch.set_float32_matmul_precision(before.common)
    for backend, value, now in zip(_BACKENDS, before.each, _settings().each, strict=False):
        if value != now:
            is_general = value == torch.backends.fp32_precision  # type: ignore[attr-defined]
            backend.matmul.fp32_precision = "none" if is_general else value
