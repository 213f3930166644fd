"""A trained model with all it needs, and what its file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from autoenc.data import Scaling
from autoenc.engines.contract import Recipe, State
from autoenc.model import DynamicAutoencoder, shape_of_state_dict
from autoenc.model_parts import (
    check_keys,
    columns_of,
    info_of,
    parameters_of,
    recipe_of,
    scaling_content,
    scaling_of,
)
from autoenc.sealed import write_sealed

__all__ = [
    "FORMAT_VERSION",
    "MODEL_FORMAT",
    "MODEL_PARTS",
    "FittedAutoencoder",
    "fitted_model",
    "model_content",
    "model_of_content",
    "network_of_state",
    "save_model",
]

MODEL_FORMAT = "autoenc-model"
MODEL_PARTS = ("format", "version", "state_dict", "recipe", "columns", "scaling", "info")
FORMAT_VERSION = 1
"""Of the files of models and ensembles."""
_ROWS_AT_ONCE = 65536


class FittedAutoencoder:
    """A trained autoencoder with its columns and scaling: raw rows in, latent points or raw rows out.

    Args:
        model: The network.
        columns: Names of the columns, in the network's order; None where the file did not say.
        scaling: Applied to rows before they enter.
        info: Everything else that is known, as plain values.
    """

    def __init__(
        self, model: DynamicAutoencoder, columns: list[str] | None, scaling: Scaling, info: Mapping[str, Any]
    ) -> None:
        self.model = model.eval()
        self.columns = columns
        self.scaling = scaling
        self.info: dict[str, Any] = {
            **model.get_model_info(),
            "activation": model.activation,
            "norm": model.shape.norm,
            "columns": columns,
            "scaling": scaling.kind,
            **info,
        }

    def encode(self, data: pd.DataFrame | NDArray[Any]) -> Any:
        """Latent points of rows.

        Args:
            data: A frame, whose columns are matched by name (others are ignored), or an array
                ``[rows, columns]`` in the model's order. NaN is missing.

        Returns:
            ``[rows, latent_dim]``: a frame with ``latent_1``, ``latent_2``, ... and the index of
            ``data`` for a frame, an array for an array.

        Raises:
            ValueError: If columns are missing, the shape is wrong, or a cell is infinite or no number.
        """
        points = self._through(data, self.model.encode)
        if isinstance(data, pd.DataFrame):
            names = [f"latent_{i + 1}" for i in range(points.shape[1])]
            return pd.DataFrame(points, index=data.index, columns=names)
        return points

    def reconstruct(self, data: pd.DataFrame | NDArray[Any]) -> Any:
        """Rows as the model gives them back, in the original units, missing cells filled in.

        Takes and raises what :meth:`encode` does; returns ``[rows, columns]``.
        """
        rows = self.scaling.undo(self.reconstruct_scaled(data))
        if isinstance(data, pd.DataFrame):
            return pd.DataFrame(rows, index=data.index, columns=self.columns)
        return rows

    def reconstruct_scaled(self, data: pd.DataFrame | NDArray[Any]) -> NDArray[np.float32]:
        """The same in scaled units, where the loss is measured, as an array."""
        return self._through(data, lambda x: self.model(x)[0])

    @torch.inference_mode()
    def _through(self, data: pd.DataFrame | NDArray[Any], network: Any) -> NDArray[np.float32]:
        values = self._values(data)
        parts = []
        for start in range(0, max(len(values), 1), _ROWS_AT_ONCE):
            scaled = torch.from_numpy(self.scaling.apply(values[start : start + _ROWS_AT_ONCE]))
            parts.append(network(torch.nan_to_num(scaled, nan=0.0)).numpy())
        return np.concatenate(parts)

    def _values(self, data: pd.DataFrame | NDArray[Any]) -> NDArray[np.float64]:
        input_dim = self.model.shape.input_dim
        if isinstance(data, pd.DataFrame):
            if self.columns is None:
                raise ValueError(
                    f"this model does not name its columns; pass an array [rows, {input_dim}], not a frame"
                )
            missing = [name for name in self.columns if name not in data.columns]
            if missing:
                raise ValueError(f"the model needs columns that are not there: {', '.join(missing)}")
            data = data[self.columns]
        try:
            if isinstance(data, pd.DataFrame):
                data = data.to_numpy(dtype=np.float64, na_value=np.nan)
            values = np.asarray(data, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"data must be numbers: {error}") from None
        if values.ndim != 2 or values.shape[1] != input_dim:
            raise ValueError(f"data must be of shape [rows, {input_dim}], got {list(values.shape)}")
        if np.isinf(values).any():
            row, column = np.argwhere(np.isinf(values))[0]
            raise ValueError(f"data must be finite or NaN, got {values[row, column]} in row {row + 1}")
        return values


def fitted_model(
    state: State, recipe: Recipe, columns: list[str], scaling: Scaling, info: Mapping[str, Any]
) -> FittedAutoencoder:
    """The model of a fit, from the fit's parameters.

    Args:
        state: Parameters by state-dict name.
        recipe: The fit's recipe.
        columns: Names of the columns it was trained on.
        scaling: Of those columns.
        info: Anything else worth keeping, as plain values.
    """
    tensors = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in state.items()}
    return FittedAutoencoder(
        network_of_state(tensors, recipe), columns, scaling, {**info, "recipe": dataclasses.asdict(recipe)}
    )


def save_model(path: Path, fitted: FittedAutoencoder, *, keep_earlier: bool = False) -> Path | None:
    """Write a model file that :func:`autoenc.load_model` reads; it holds tensors and plain values only.

    Args:
        path: The file.
        fitted: The model.
        keep_earlier: Keep a file that is replaced under another name.

    Returns:
        What the earlier file is called now; None if none was kept.

    Raises:
        ValueError: If the model does not know its columns or its recipe.
        OSError: If the file cannot be written; an earlier one is then as it was.
    """
    return write_sealed(path, model_content(fitted), keep_earlier)


def model_content(fitted: FittedAutoencoder) -> dict[str, Any]:
    """What a model file holds.

    Raises:
        ValueError: If the model does not know its columns or its recipe.
    """
    if fitted.columns is None or "recipe" not in fitted.info:
        raise ValueError("fitted must know its columns and its recipe; a bare state dict names neither")
    scaling, recipe = fitted.scaling, fitted.info["recipe"]
    derived = {*FittedAutoencoder(fitted.model, fitted.columns, scaling, {}).info, "recipe"}
    return {
        "format": MODEL_FORMAT,
        "version": FORMAT_VERSION,
        "state_dict": fitted.model.state_dict(),
        "recipe": dict(recipe),
        "columns": list(fitted.columns),
        "scaling": scaling_content(scaling),
        "info": {name: value for name, value in fitted.info.items() if name not in derived},
    }


def model_of_content(content: Mapping[str, Any]) -> FittedAutoencoder:
    """The model that a file's content describes.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError: If it is damaged.
    """
    check_keys(content, MODEL_PARTS)
    recipe = recipe_of(content["recipe"])
    model = network_of_state(parameters_of(content["state_dict"]), recipe)
    columns, n_columns = columns_of(content["columns"]), model.shape.input_dim
    if len(columns) != n_columns:
        raise ValueError(f"it must name {n_columns} columns, got {len(columns)}")
    scaling = scaling_of(content["scaling"], n_columns)
    plain = FittedAutoencoder(model, columns, scaling, {"recipe": dict(content["recipe"])})
    return FittedAutoencoder(
        model, columns, scaling, {**info_of(content["info"], plain.info), "recipe": plain.info["recipe"]}
    )


def network_of_state(state: Mapping[str, torch.Tensor], recipe: Recipe) -> DynamicAutoencoder:
    """The network of a state dict, its sizes read off the shapes; raises as :func:`model_of_content`.

    Neither the caller's default type and device nor its random numbers take part.
    """
    shape = shape_of_state_dict(state)
    with torch.inference_mode(False), torch.device("meta"):  # without weights that would be replaced
        model = DynamicAutoencoder(
            shape.input_dim, shape.latent_dim, shape.hidden_dims, recipe.dropout, recipe.activation,
            shape.norm, shape.variational,
        )  # fmt: skip
        model.load_state_dict(dict(state), assign=True)
    return model
