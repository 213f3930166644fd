"""An exhaustive search as a JSON document and as a CSV table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from autoenc.analysis.error import corrected_error
from autoenc.report.cells import csv_lines
from autoenc.report.results import SearchResults
from autoenc.searching.trials import TrialResult
from autoenc.system.strict_json import finite

__all__ = ["csv_text", "results_document"]


def results_document(results: SearchResults) -> dict[str, Any]:
    """Return the JSON document; numbers that are not finite become null."""
    settings = results.settings
    document = {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "args": settings.model_dump(mode="json"),
        "total_configurations": results.n_configurations,
        "best_configuration": _best(results),
        "baselines": results.baselines,
        "pca_explained_variance": results.pca_explained,
        "measure": settings.measure,
        **({"halving": results.halving} if results.halving else {}),
        "selection": _selection(results),
        **({"finalists": _finalists(results)} if settings.finalists > 1 else {}),
        **({"factors": [effect._asdict() for effect in results.effects]} if settings.factors else {}),
        **({"ensemble": results.ensemble} if settings.ensemble else {}),
        **({"warm_start": results.warm_start} if settings.warm_start else {}),
        "test_loss_is_made_of": results.cells,
        "all_results": [_entry(results, result) for result in results.finished],
        "failed_configurations": [
            {"config": list(result.trial.architecture), "reason": result.failure} for result in results.failed
        ],
        "environment": {
            **results.search["environment"],
            "device": results.search["device"],
            "engine": results.search["engine"],
            "seed": settings.seed,
            "columns": results.columns,
            "rows": {
                "all": results.search["n_rows"],
                "train": results.search["n_train"],
                "test": results.search["n_test"],
            },
            "data_fingerprint": results.search["fingerprint"],
        },
    }
    return finite(document)


def _best(results: SearchResults) -> dict[str, Any] | None:
    if not results.ranked:
        return None
    best = results.selection.chosen
    network = best.trial.fits[0].network(len(results.columns))
    document = {
        "config": list(best.trial.architecture),
        **({"recipe": best.trial.varied} if best.trial.factors else {}),
        "final_test_loss": best.loss,
        "best_test_loss": best.best_test_loss,
        "final_train_loss": best.final_train_loss,
        "explained_variance": best.explained,
        "model_info": network.describe(best.trial.recipe.dropout),
    }
    if results.settings.folds:
        outcome = results.holdout_outcome
        document["holdout_test_loss"] = None if outcome is None else outcome.final_test_loss
        document["holdout_explained_variance"] = None if outcome is None else outcome.explained
        baselines = dict(results.held_out_baselines)
        document["holdout_pca_explained_variance"] = baselines.pop("pca_explained", None)
        document["holdout_baselines"] = baselines
    return document


def _selection(results: SearchResults) -> dict[str, Any] | None:
    if not results.finished:
        return None
    selection = results.selection

    def configs(chosen: list[TrialResult]) -> list[list[int]]:
        return [list(result.trial.architecture) for result in chosen]

    return {
        "rule": selection.rule,
        "chosen": list(selection.chosen.trial.architecture),
        "best": list(selection.best.trial.architecture),
        "tied": None if selection.tied is None else configs(selection.tied),
        "one_se": list(selection.one_se.trial.architecture),
        "pareto": configs(selection.pareto),
        "method": selection.method,
        "compared": len(results.finished),
        "dropped_untested": results.n_dropped,
    }


def _finalists(results: SearchResults) -> list[dict[str, Any]]:
    """Return how the finalists compare, best first; empty while they are not judged to the end."""
    judged = results.judged_again
    if judged is None:
        return []
    documents = []
    for finalist in judged.standing.finalists():
        trial = judged.results[finalist.number].trial
        recipe = {"recipe": trial.varied} if trial.factors else {}
        numbers = {name: value for name, value in finalist._asdict().items() if name != "number"}
        documents.append({"config": list(trial.architecture), **recipe, **numbers})
    return documents


def _entry(results: SearchResults, result: TrialResult) -> dict[str, Any]:
    trial = result.trial
    return {
        "config": list(trial.architecture),
        **({"recipe": trial.varied} if trial.factors else {}),
        "final_test_loss": result.loss,
        "best_test_loss": result.best_test_loss,
        "final_train_loss": result.final_train_loss,
        "explained_variance": result.explained,
        "model_params": results.n_parameters(trial),
        "num_layers": len(trial.architecture),
        "train_losses": result.train_losses,
        "test_losses": result.test_losses,
        "seconds": result.seconds,
        "mean_test_loss": result.loss,
        "standard_error": result.standard_error,
        "corrected_standard_error": corrected_error(result),
        "fits": [
            {
                "fold": fit.fold,
                "seed": fit.seed,
                "final_test_loss": outcome.final_test_loss,
                "final_train_loss": outcome.final_train_loss,
                "explained_variance": outcome.explained,
                "epochs": len(outcome.test_losses),
                "kept_epoch": outcome.n_kept_epochs,
                "seconds": outcome.seconds,
            }
            for fit, outcome in zip(trial.fits, result.outcomes, strict=True)
        ],
    }


def csv_text(results: SearchResults) -> str:
    """Return a line per architecture, best first, failed ones last."""
    head = (
        ["rank", "config", "num_layers", "model_params", "final_test_loss", "standard_error",
         "best_test_loss", "final_train_loss", "explained_variance", "n_fits", "seconds", "failure"]
    )  # fmt: skip
    lines: list[list[Any]] = []
    for rank, result in enumerate(results.ranked, 1):
        losses = [
            result.loss, result.standard_error, result.best_test_loss, result.final_train_loss,
            result.explained,
        ]  # fmt: skip
        lines.append([rank, *_named(results, result), *losses, len(result.losses), result.seconds, ""])
    for result in results.failed:
        lines.append(["", *_named(results, result), *5 * [""], len(result.losses), "", result.failure])
    return csv_lines(head, lines)


def _named(results: SearchResults, result: TrialResult) -> list[Any]:
    trial = result.trial
    return [trial.name, len(trial.architecture), results.n_parameters(trial)]
