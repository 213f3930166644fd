"""The loop: strategies propose, an engine trains, the study records."""

from __future__ import annotations

from autoenc.search.loop import run_fits

__all__ = ["run_fits"]
