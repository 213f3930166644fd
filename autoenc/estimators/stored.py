"""Models and results as plain arrays and values, as pickle, joblib and skops hold them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.report.results import SearchResults
from autoenc.settings import SearchSettings

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["model_from", "results_from", "results_to_keep", "stored_model", "stored_results"]


def stored_model(model: FittedAutoencoder) -> dict[str, Any]:
    """Return what a model file holds, tensors as arrays."""
    from autoenc.fitted.autoencoder import model_content

    plain: dict[str, Any] = _arrays(model_content(model))
    return plain


def model_from(content: dict[str, Any]) -> FittedAutoencoder:
    """Return the model that :func:`stored_model` took apart."""
    from autoenc.fitted.autoencoder import model_of_content

    return model_of_content(_tensors(content))


def results_to_keep(results: SearchResults) -> SearchResults:
    """Return results without the table and without the parameters of every model."""
    outcomes = {fit: replace(outcome, state={}) for fit, outcome in results.outcomes.items()}
    return replace(results, outcomes=outcomes, source=None)


def stored_results(results: SearchResults) -> dict[str, Any]:
    """Return results as plain values."""
    return {
        "settings": results.settings.model_dump(mode="json"),
        "search": results.search,
        "outcomes": [[asdict(fit), asdict(outcome)] for fit, outcome in results.outcomes.items()],
    }


def results_from(content: dict[str, Any]) -> SearchResults:
    """Return the results that :func:`stored_results` took apart."""
    outcomes = {}
    for fit, outcome in content["outcomes"]:
        own = {**fit, "architecture": tuple(fit["architecture"]), "recipe": Recipe(**fit["recipe"])}
        outcomes[Fit(**own)] = Outcome(**outcome)
    return SearchResults(SearchSettings.model_validate(content["settings"]), content["search"], outcomes)


def _arrays(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy().copy()
    if isinstance(value, dict):
        return {name: _arrays(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_arrays(item) for item in value]
    return value


def _tensors(value: Any) -> Any:
    import torch

    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {name: _tensors(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tensors(item) for item in value]
    return value
