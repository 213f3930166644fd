"""The best model of a search, trained again from its record: saved, and its latent plane drawn."""

from __future__ import annotations

from pathlib import Path

from autoenc.commands.job import SearchJob
from autoenc.report import SearchResults, write_latent_plane

__all__ = ["write_best"]


def write_best(job: SearchJob, results: SearchResults) -> list[tuple[str, Path]]:
    """Save the best model if that is wanted, draw its latent points if they lie in a plane.

    The record keeps no parameters: a fit trained again comes to the same ones, bit for bit.

    Returns:
        What was written: a word for it, and the file.

    Raises:
        OSError: If a file cannot be written.
    """
    settings, paths = job.settings, job.paths
    plane = settings.latent_size == 2
    if not settings.save_models and not plane:
        return []
    from autoenc.checkpoint import fitted_model, save_model

    best = results.selection.chosen
    fit = best.trial.refit(best)
    split, scaling = job.division.split(fit.fold), job.division.scaling(fit.fold)
    outcome = job.engine.fit(split, fit)
    info = {
        "final_test_loss": outcome.final_test_loss,
        "seed": fit.seed,
        "n_train": split.train.size,
        "data_fingerprint": job.context.fingerprint,
    }
    model = fitted_model(outcome.state, fit.recipe, job.table.columns, scaling, info)
    written = []
    if plane:
        written.append(("latent plane", write_latent_plane(results, paths, model, job.table, split)))
    if settings.save_models:
        save_model(paths.best_model, model)
        written.append(("best model", paths.best_model))
    return written
