"""Exhaustive search for the hidden layers of autoencoders on tables."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import would take most of the time of this one
if TYPE_CHECKING:
    from typing import Any

    from autoenc.api import fit, load_results, search, transfer, tune
    from autoenc.data.dataset import COPUSDataset
    from autoenc.errors import InputError, Interrupted
    from autoenc.estimators.autoencoder import Autoencoder
    from autoenc.estimators.search import ArchitectureSearch
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.fitted.ensemble import FittedEnsemble
    from autoenc.models.grid import ArchitectureGrid
    from autoenc.models.loss import sparse_aware_loss
    from autoenc.models.network import DynamicAutoencoder
    from autoenc.report.results import SearchResults
    from autoenc.report.study_results import TuneResults
    from autoenc.report.transfer_results import TransferResults
    from autoenc.tuning.resilient import ResilientSampler
    from autoenc.tuning.space import HyperparameterSearchSpace
    from autoenc.workflows.models import load_model
    from autoenc.workflows.module_results import ModuleResults
    from autoenc.workflows.optimizer import HyperparameterOptimizer

__version__ = "0.1.0"
__all__ = [
    "ArchitectureGrid",
    "ArchitectureSearch",
    "Autoencoder",
    "COPUSDataset",
    "DynamicAutoencoder",
    "FittedAutoencoder",
    "FittedEnsemble",
    "HyperparameterOptimizer",
    "HyperparameterSearchSpace",
    "InputError",
    "Interrupted",
    "ModuleResults",
    "ResilientSampler",
    "SearchResults",
    "TransferResults",
    "TuneResults",
    "fit",
    "load_model",
    "load_results",
    "search",
    "sparse_aware_loss",
    "transfer",
    "tune",
]

_HOMES = {
    "ArchitectureGrid": "models.grid",
    "ArchitectureSearch": "estimators.search",
    "Autoencoder": "estimators.autoencoder",
    "COPUSDataset": "data.dataset",
    "DynamicAutoencoder": "models.network",
    "FittedAutoencoder": "fitted.autoencoder",
    "FittedEnsemble": "fitted.ensemble",
    "HyperparameterOptimizer": "workflows.optimizer",
    "HyperparameterSearchSpace": "tuning.space",
    "InputError": "errors",
    "Interrupted": "errors",
    "ModuleResults": "workflows.module_results",
    "ResilientSampler": "tuning.resilient",
    "SearchResults": "report.results",
    "TransferResults": "report.transfer_results",
    "TuneResults": "report.study_results",
    "fit": "api",
    "load_model": "workflows.models",
    "load_results": "api",
    "search": "api",
    "sparse_aware_loss": "models.loss",
    "transfer": "api",
    "tune": "api",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: torch takes seconds to import, and most commands never need it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import warnings
    from importlib import import_module

    with warnings.catch_warnings():
        # A notebook without ipywidgets is told so by a library's bar, which is not the one that is shown.
        warnings.filterwarnings("ignore", message="IProgress not found")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
