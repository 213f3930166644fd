"""Searching: the one loop, what it runs on, and the strategies that propose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoenc.searching.fits import run_fits

__all__ = ["run_fits"]


def __getattr__(name: str) -> Any:
    """Import the loop, and Optuna with it, where it is asked for: trials are shown without it."""
    if name != "run_fits":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from autoenc.searching.fits import run_fits

    return run_fits
