"""The best model of a search, trained again from its record: saved, and its latent plane drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoenc.data.division import ALL
from autoenc.engines import Fit, StopFlag
from autoenc.report import SearchResults, latent_plane
from autoenc.report.files import Written
from autoenc.report.latent import draw_latent
from autoenc.system.paths import write_atomically
from autoenc.system.png import png_content
from autoenc.workflows.full_training import model_of
from autoenc.workflows.job import SearchJob

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["trained_model", "write_best"]


def write_best(job: SearchJob, results: SearchResults) -> Written:
    """Save the best model if that is wanted, and draw its latent points if they lie in a plane.

    Raises:
        OSError: If a file cannot be written.
    """
    settings, paths = job.settings, job.paths
    plane = settings.latent_size == 2
    from autoenc.fitted.autoencoder import save_model

    best = results.selection.chosen
    fit = best.trial.refit(best)
    model = trained_model(job, fit)
    if model is None:  # with folds: its fit on all training rows failed
        return []
    split = job.division.split_of(fit)
    written = []
    if plane:
        plot = latent_plane(results, model, job.table, split)
        write_atomically(paths.latent_png, png_content(draw_latent(plot)))
        written.append(("latent plane", paths.latent_png))
    if settings.save_models:
        save_model(paths.best_model, model)
        written.append(("best model", paths.best_model))
    return written


def trained_model(job: SearchJob, fit: Fit, stop: StopFlag | None = None) -> FittedAutoencoder | None:
    """Return the model of a fit, trained on all rows where that is asked for; None if the fit fails.

    The record keeps no parameters: a fit trained again has the same ones, bit for bit.

    Raises:
        Stopped: If ``stop`` was set before the end.
    """
    if job.settings.refit == "all":
        if fit.recipe.patience:  # rows that are learned from must not say when to stop
            measured = job.trainer.fit(job.division.split_of(fit), fit, stop)
            fit = replace(fit, recipe=fit.recipe.stopped_after(measured.n_kept_epochs))
        fit = replace(fit, fold=ALL)
    outcome = job.trainer.fit(job.division.split_of(fit), fit, stop)
    return None if outcome.failure else model_of(fit, outcome, job.table, job.division)
