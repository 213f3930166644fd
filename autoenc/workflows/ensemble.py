"""The best models of a search as one, trained again from its record and held against the single best."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.data.division import HOLDOUT
from autoenc.engines import Fit, StopFlag, Stopped
from autoenc.record.fits import FitRecord
from autoenc.report import SearchResults
from autoenc.workflows.best import trained_model
from autoenc.workflows.job import SearchJob

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["write_ensemble"]

Members = dict[Fit, "FittedAutoencoder"]


def write_ensemble(
    job: SearchJob, record: FitRecord, results: SearchResults, stop: StopFlag
) -> list[tuple[str, Path]]:
    """Save the best fits as one model if that is wanted, and note what it is worth.

    Returns:
        What was written: a word for it, and the file; nothing if fewer than two fits succeeded, or the search
        was stopped.

    Raises:
        OSError: If a file cannot be written.
    """
    if not job.settings.ensemble or not results.finished:
        return []
    try:
        members = _members(job, _candidates(job, results), stop)
        comparison = _compare(job, results, members, stop)
    except Stopped:
        return []
    record.note_search({**record.search, "ensemble": comparison})
    results.search["ensemble"] = comparison
    if len(members) < 2:
        return []
    from autoenc.fitted.ensemble import FittedEnsemble, save_ensemble

    info = {**job.table.model_info(), **comparison}
    save_ensemble(job.paths.best_ensemble, FittedEnsemble(list(members.values()), info))
    return [("ensemble", job.paths.best_ensemble)]


def _candidates(job: SearchJob, results: SearchResults) -> list[Fit]:
    """What may be a member, best first: fits by test loss; with folds the refits of the ranked trials."""
    if job.settings.folds:
        return [result.trial.refit(result) for result in results.ranked]
    outcomes = results.outcomes
    fits = [fit for trial in results.trials for fit in trial.fits]
    succeeded = [fit for fit in fits if fit in outcomes and outcomes[fit].failure is None]
    return sorted(succeeded, key=lambda fit: outcomes[fit].final_test_loss)


def _members(job: SearchJob, candidates: list[Fit], stop: StopFlag) -> Members:
    """Return the best candidates, as many as are wanted, trained again; the next ones for those that fail."""
    members: Members = {}
    with ThreadPoolExecutor(job.settings.jobs) as pool:
        while candidates and (n_wanted := job.settings.ensemble - len(members)):
            tried, candidates = candidates[:n_wanted], candidates[n_wanted:]
            models = pool.map(lambda fit: trained_model(job, fit, stop), tried)
            members |= {fit: model for fit, model in zip(tried, models, strict=True) if model is not None}
    return members


def _compare(job: SearchJob, results: SearchResults, members: Members, stop: StopFlag) -> dict[str, Any]:
    """Members, losses on the test rows, and whether the difference is more than chance; plain values."""
    comparison: dict[str, Any] = {
        "members": [_member(fit, list(job.settings.factors)) for fit in members],
        "test_loss": None,
        "single_test_loss": None,
        "difference_interval": None,
        "better": None,
        "optimistic": not job.settings.folds,
    }
    chosen = results.selection.chosen
    fit = chosen.trial.refit(chosen)
    if len(members) < 2:
        return comparison
    single = members.get(fit) or trained_model(job, fit, stop)
    from autoenc.analysis.baselines import reconstruction_loss
    from autoenc.analysis.bootstrap import loss_difference_interval
    from autoenc.fitted.ensemble import FittedEnsemble

    split, recipe = job.division.split(HOLDOUT, chosen.trial.recipe.scaling), chosen.trial.recipe
    rows, target = job.table.values[split.test], split.values[split.test]
    together = FittedEnsemble(list(members.values()), {}).reconstruct_scaled(rows)
    comparison["test_loss"] = reconstruction_loss(together, target, recipe)
    if single is None:  # with folds: its fit on all training rows failed
        return comparison
    alone = single.reconstruct_scaled(rows)
    comparison["single_test_loss"] = reconstruction_loss(alone, target, recipe)
    interval = loss_difference_interval(together, alone, target, recipe)
    if interval is not None:
        low, high = interval
        comparison["difference_interval"] = [low, high]
        comparison["better"] = True if high < 0 else False if low > 0 else None
    return comparison


def _member(fit: Fit, factors: list[str]) -> dict[str, Any]:
    recipe = {name: getattr(fit.recipe, name) for name in factors}
    return {"config": list(fit.architecture), "seed": fit.seed, **({"recipe": recipe} if recipe else {})}
