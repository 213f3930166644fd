"""Rendering every report of a search into its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autoenc.report.effects_plot import draw_effects
from autoenc.report.files import Written
from autoenc.report.latent import LatentPlot, latent_plot
from autoenc.report.pictures import write_picture
from autoenc.report.plots import complexity_plot, curves_plot, draw_complexity, draw_curves, loss_name
from autoenc.report.results import SearchResults
from autoenc.report.search_document import results_document
from autoenc.report.words import value_word
from autoenc.system.paths import OutputPaths, utf8, write_atomically
from autoenc.system.strict_json import json_bytes

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.data.table import Table
    from autoenc.engines import Split
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["latent_plane", "write_reports"]


def write_reports(results: SearchResults, paths: OutputPaths, pictures: bool = True) -> Written:
    """Write JSON, CSV and, where a fit succeeded, pictures.

    Args:
        results: The search.
        paths: Where the files go.
        pictures: Whether there is time to draw: a second or two.

    Raises:
        OSError: If a file cannot be written; every file is then whole, the old one or the new one.
    """
    write_atomically(paths.results_json, json_bytes(results_document(results)))
    write_atomically(paths.results_csv, utf8(results.table_text))
    written = [("results", paths.results_json), ("table", paths.results_csv)]
    if not pictures:
        return written
    if results.ranked:
        write_picture(paths.curves_png, draw_curves, curves_plot(results))
        write_picture(paths.complexity_png, draw_complexity, complexity_plot(results))
        written += [("loss curves", paths.curves_png), ("size and loss", paths.complexity_png)]
    if results.effects:
        title = f"What the options change, latent size {results.settings.latent_size}"
        word = value_word(results.settings.measure)
        name = loss_name(results, final=False) if word == "loss" else word
        write_picture(paths.effects_png, draw_effects, results.effects, title, name)
        written.append(("effects", paths.effects_png))
    return written


def latent_plane(results: SearchResults, model: FittedAutoencoder, table: Table, split: Split) -> LatentPlot:
    """Return the latent points of all rows under the best model; the latent space must be a plane."""
    name = results.selection.chosen.trial.name
    title = f"Latent plane of stack {name}, {results.search['n_rows']:,} rows"
    return latent_plot(model.encode(np.asarray(table.values)), split.test, title, results.settings.seed)
