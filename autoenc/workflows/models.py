"""Loading whatever model a file holds; nothing in it is ever run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from autoenc.data.table import Scaling
from autoenc.engines import Recipe
from autoenc.errors import InputError
from autoenc.exports.tensors import SUFFIX, content_of_tensors
from autoenc.fitted.autoencoder import (
    FORMAT_VERSION,
    MODEL_FORMAT,
    FittedAutoencoder,
    model_of_content,
    network_of_state,
)
from autoenc.fitted.ensemble import ENSEMBLE_FORMAT, FittedEnsemble, ensemble_of_content
from autoenc.fitted.parts import REAL, parameters_of
from autoenc.fitted.sealed import check_digest, read_archive
from autoenc.two_stage.checkpoint import TRANSFER_FORMAT, TRANSFER_VERSIONS, transfer_of_content

__all__ = ["load_model"]


def load_model(path: str | Path) -> FittedAutoencoder | FittedEnsemble:
    """Load a saved model or ensemble, or a bare state dict of the same names, its sizes read off its shapes.

    A file that ends in ``.safetensors`` is one that ``export`` wrote.
    A bare state dict names neither columns nor scaling: it takes arrays in scaled units, and a ReLU
    is assumed.

    Raises:
        InputError: If the file is missing, truncated, foreign, or holds more than tensors and plain
            values. Nothing in it is run.

    Example:
        >>> import os
        >>> import tempfile
        >>> import autoenc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "weights.pth")
        ...     torch.save(autoenc.DynamicAutoencoder(4, 2, (8,)).state_dict(), path)
        ...     model = load_model(path)
        >>> model.info["hidden_dims"], model.encode(np.zeros((5, 4))).shape
        ([8], (5, 2))
    """
    path = Path(path)
    content = content_of_tensors(path) if path.suffix == SUFFIX else read_archive(path)
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: is not a model file: it holds a {type(content).__name__}")
    name = content.get("format")
    known = _FORMATS.get(name) if isinstance(name, str) else None
    if known is None:
        return _bare(path, content)
    version = content.get("version")
    if type(version) is not int or version not in known.versions:
        kind = "transfer" if name == TRANSFER_FORMAT else "model"
        raise InputError(
            f"{path}: is of {kind} format {version}, but this version reads {known.versions[-1]}; "
            "update autoenc"
        )
    try:
        model = known.read(content)
        check_digest(content)
        return model
    except _DAMAGED as error:
        raise InputError(f"{path}: is a damaged model file: {_first_line(error)}") from None


class _Format(NamedTuple):
    versions: tuple[int, ...]
    read: Callable[[Mapping[str, Any]], FittedAutoencoder | FittedEnsemble]


_FORMATS = {
    MODEL_FORMAT: _Format((FORMAT_VERSION,), model_of_content),
    ENSEMBLE_FORMAT: _Format((FORMAT_VERSION,), ensemble_of_content),
    TRANSFER_FORMAT: _Format(TRANSFER_VERSIONS, transfer_of_content),
}
_DAMAGED = (
    KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError, OverflowError, MemoryError,
)  # fmt: skip


def _first_line(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error} is not there"
    return (str(error) or type(error).__name__).splitlines()[0]


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
        model = network_of_state(parameters_of(content, REAL), Recipe(dropout=0.0))
    except _DAMAGED as error:
        raise InputError(f"{path}: is not an autoencoder of this kind: {_first_line(error)}") from None
    n_columns = model.shape.input_dim
    scaling = Scaling("none", np.zeros(n_columns), np.ones(n_columns))
    return FittedAutoencoder(model, None, scaling, {})
