"""Searching: the one loop, what it runs on, and the strategies that propose."""

from __future__ import annotations

from autoenc.searching.fits import run_fits

__all__ = ["run_fits"]
