"""The pictures of a search as matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoenc.errors import InputError
from autoenc.report.results import SearchResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SearchPlots"]


class SearchPlots:
    """Draws a search; each method returns the main axes of a new figure, ``axes.figure``.

    Args:
        results: The search, of which at least one stack has succeeded.
    """

    def __init__(self, results: SearchResults) -> None:
        self._results = results

    def sizes(self) -> Axes:
        """Draw the loss of every stack against its number of parameters."""
        from autoenc.report.plots import complexity_plot, draw_complexity

        return draw_complexity(complexity_plot(self._trained())).axes[0]

    def loss_curves(self, n_best: int = 5) -> Axes:
        """Draw the loss after each epoch of the best stacks."""
        from autoenc.report.plots import curves_plot, draw_curves

        return draw_curves(curves_plot(self._trained(), n_best)).axes[0]

    def progress(self) -> Axes:
        """Draw the loss of every stack in the order of training, with the best so far."""
        from autoenc.report.progress import draw_progress, progress_plot

        return draw_progress(progress_plot(self._trained())).axes[0]

    def latent_space(self) -> Axes:
        """Return the rows in the latent plane of the best model; the latent size must be 2."""
        from autoenc.report.latent import draw_latent

        results = self._trained()
        if results.settings.latent_size != 2:
            raise InputError(f"a latent space is drawn of size 2, got {results.settings.latent_size}")
        if results.source is None:
            raise InputError("these results do not know their table; load them with autoenc.load_results")
        return draw_latent(results.source.latent_plot(results)).axes[0]

    def _trained(self) -> SearchResults:
        if not self._results.ranked:
            raise InputError("there is nothing to draw: no stack has succeeded")
        return self._results
