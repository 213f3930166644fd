"""Models and results as plain arrays and values, as pickle, joblib and skops hold them."""

from __future__ import annotations

from collections.abc import Callable
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
    import torch

    from autoenc.fitted.autoencoder import model_content

    def as_array(tensor: torch.Tensor) -> Any:
        return tensor.detach().cpu().numpy().copy()

    plain: dict[str, Any] = _mapped(model_content(model), torch.Tensor, as_array)
    return plain


def model_from(content: dict[str, Any]) -> FittedAutoencoder:
    """Return the model that :func:`stored_model` took apart."""
    import torch

    from autoenc.fitted.autoencoder import model_of_content

    return model_of_content(_mapped(content, np.ndarray, lambda array: torch.from_numpy(array.copy())))


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


def _mapped(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Return plain values with everything of a kind in them changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(item, kind, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, kind, change) for item in value]
    return value
