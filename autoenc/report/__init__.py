"""Views of a search's results: JSON, tables and pictures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autoenc.report import backend  # noqa: F401  (before anything imports Matplotlib)

if TYPE_CHECKING:
    from autoenc.report.results import SearchResults
    from autoenc.report.write import latent_plane, write_reports

__all__ = ["SearchResults", "latent_plane", "write_reports"]

_HOMES = {"SearchResults": "results", "latent_plane": "write", "write_reports": "write"}


def __getattr__(name: str) -> Any:
    """Import what is asked for: most of this folder is no view of an exhaustive search, and needs none."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
