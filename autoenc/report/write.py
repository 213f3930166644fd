"""Rendering every report of a search into its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from matplotlib.figure import Figure

from autoenc.grid import format_architecture
from autoenc.paths import OutputPaths, write_atomically
from autoenc.report.latent import draw_latent, latent_plot
from autoenc.report.plots import complexity_plot, curves_plot, draw_complexity, draw_curves
from autoenc.report.results import SearchResults, csv_text, json_bytes, results_document

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.checkpoint import FittedAutoencoder
    from autoenc.data import Table
    from autoenc.engines import Split

__all__ = ["write_latent_plane", "write_reports"]


def write_reports(results: SearchResults, paths: OutputPaths) -> list[tuple[str, Path]]:
    """Write JSON, CSV and pictures; pictures only where a fit succeeded.

    Returns:
        What was written: a word for it, and the file.

    Raises:
        OSError: If a file cannot be written; every file is then whole, the old one or the new one.
    """
    write_atomically(paths.results_json, _bytes(json_bytes(results_document(results))))
    write_atomically(paths.results_csv, _bytes(csv_text(results).encode()))
    written = [("results", paths.results_json), ("table", paths.results_csv)]
    if results.ranked:
        write_atomically(paths.curves_png, _png(draw_curves(curves_plot(results))))
        write_atomically(paths.complexity_png, _png(draw_complexity(complexity_plot(results))))
        written += [("loss curves", paths.curves_png), ("size and loss", paths.complexity_png)]
    return written


def write_latent_plane(
    results: SearchResults, paths: OutputPaths, model: FittedAutoencoder, table: Table, split: Split
) -> Path:
    """Draw the latent points of all rows under the best model; the latent space must be a plane."""
    name = format_architecture(results.ranked[0][0].architecture)
    title = f"Latent plane of stack {name}, {results.n_rows:,} rows"
    plot = latent_plot(model.encode(table.values), split.test, title, results.settings.seed)
    write_atomically(paths.latent_png, _png(draw_latent(plot)))
    return paths.latent_png


def _bytes(content: bytes) -> Callable[[IO[bytes]], object]:
    return lambda file: file.write(content)


def _png(figure: Figure) -> Callable[[IO[bytes]], object]:
    return lambda file: figure.savefig(file, format="png")
