"""Views of a search's results: JSON, tables and pictures."""

from __future__ import annotations

from autoenc.report import backend  # noqa: F401  (before anything imports Matplotlib)
from autoenc.report.results import SearchResults
from autoenc.report.write import latent_plane, write_reports

__all__ = ["SearchResults", "latent_plane", "write_reports"]
