"""Loading whatever model a file holds; nothing in it is ever run."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoenc.checkpoint import (
    FORMAT_VERSION,
    MODEL_FORMAT,
    FittedAutoencoder,
    model_of_content,
    network_of_state,
)
from autoenc.data import Scaling
from autoenc.engines.contract import Recipe
from autoenc.ensemble import ENSEMBLE_FORMAT, FittedEnsemble, ensemble_of_content
from autoenc.errors import InputError
from autoenc.transfer.checkpoint import TRANSFER_FORMAT, read_transfer

__all__ = ["load_model"]


def load_model(path: str | Path) -> FittedAutoencoder | FittedEnsemble:
    """Load a saved model or ensemble, or a bare state dict of the same names, its sizes read off its shapes.

    A bare state dict names neither columns nor scaling: it takes arrays in scaled units, and a ReLU
    is assumed.

    Raises:
        InputError: If the file is missing, truncated, foreign, or holds more than tensors and plain
            values. Nothing in it is run.
    """
    content = _read(Path(path))
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: is not a model file: it holds a {type(content).__name__}")
    if content.get("format") == TRANSFER_FORMAT:
        return read_transfer(path, content)
    if content.get("format") not in (MODEL_FORMAT, ENSEMBLE_FORMAT):
        return _bare(path, content)
    if content.get("version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: is of model format {content.get('version')}, but this version reads {FORMAT_VERSION}; "
            "update autoenc"
        )
    try:
        if content["format"] == ENSEMBLE_FORMAT:
            return ensemble_of_content(content)
        return model_of_content(content)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
        raise InputError(f"{path}: is a damaged model file: {error}") from None


def _read(path: Path) -> Any:
    if not path.exists():
        raise InputError(f"{path}: there is no such file; search --save_models and train-best make one")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a model file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path}: was refused: it is not a model file, or it holds more than tensors and plain values"
        ) from None
    except Exception as error:  # torch raises many kinds on damaged archives
        reason = str(error).split(". ")[0].splitlines()[0] if str(error) else "it ends too early"
        raise InputError(f"{path}: is truncated or not a model file ({reason})") from None


def _bare(path: str | Path, content: Mapping[str, Any]) -> FittedAutoencoder:
    for wrapper in ("model_state_dict", "state_dict"):
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not content or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise InputError(f"{path}: is not a model file: it holds no state dict")
    try:
        model = network_of_state(content, Recipe(dropout=0.0))
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: is not an autoencoder of this kind: {error}") from None
    n_columns = model.shape.input_dim
    scaling = Scaling("none", np.zeros(n_columns), np.ones(n_columns))
    return FittedAutoencoder(model, None, scaling, {})
