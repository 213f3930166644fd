"""A trained model with all it needs, and what its file holds."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.data.encoding import Encoding
from autoenc.data.frames import Rows, encoded_rows, rows_of
from autoenc.data.table import Scaling
from autoenc.engines import Recipe, State
from autoenc.errors import InputError
from autoenc.exports.card import card_of
from autoenc.exports.files import write_export
from autoenc.exports.quality import quality_of
from autoenc.fitted.evaluation import evaluating
from autoenc.fitted.imputation import impute
from autoenc.fitted.learned_range import far_outside, refuse_beyond, refuse_no_number
from autoenc.fitted.parts import (
    check_keys,
    columns_of,
    encoding_of,
    info_of,
    parameters_of,
    recipe_of,
    scaling_content,
    scaling_of,
)
from autoenc.fitted.row_errors import leaves_range, row_errors, within_range
from autoenc.fitted.sealed import sealed, write_sealed
from autoenc.models.network import DynamicAutoencoder, shape_of_state_dict

if TYPE_CHECKING:
    from autoenc.fitted.ensemble import FittedEnsemble

__all__ = [
    "FORMAT_VERSION",
    "MODEL_FORMAT",
    "MODEL_PARTS",
    "FittedAutoencoder",
    "fitted_model",
    "given_back",
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
        encoding: What the columns stand for, where they are made of a table's mixed ones; None where they are
            the table's own.

    Example:
        >>> import pandas as pd
        >>> import autoenc
        >>> frame = pd.DataFrame(np.random.default_rng(0).random((60, 3)), columns=["a", "b", "c"])
        >>> options = {"hidden_dims_search": 4, "max_layers": 1, "epochs": 2, "quiet": True}
        >>> model = autoenc.search(frame, latent_dim=2, **options).best_model()
        >>> model
        <FittedAutoencoder of 3 columns: 4, latent size 2>
        >>> list(model.encode(frame[["c", "a", "b"]]))  # columns are matched by name
        ['latent_1', 'latent_2']
        >>> list(model.reconstruct(frame))
        ['a', 'b', 'c']
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.pth")
        ...     autoenc.load_model(f"{folder}/model.pth").columns
        ['a', 'b', 'c']
    """

    def __init__(
        self,
        model: DynamicAutoencoder,
        columns: list[str] | None,
        scaling: Scaling,
        info: Mapping[str, Any],
        encoding: Encoding | None = None,
    ) -> None:
        self.model = model.eval()
        self.encoding = encoding
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

    def __repr__(self) -> str:
        stack = "-".join(map(str, self.info["hidden_dims"])) or "no hidden layers"
        n_columns, latent_dim = self.info["input_dim"], self.info["latent_dim"]
        return f"<FittedAutoencoder of {n_columns} columns: {stack}, latent size {latent_dim}>"

    def encode(self, data: Any) -> Any:
        """Return latent points of rows.

        Args:
            data: A frame of pandas, polars, Arrow or another library, or a mapping of columns: they are
                matched by name, and others are ignored. Or an array ``[rows, columns]``, whose columns must
                stand in the model's order. NaN, masked and null cells are missing, and what ``info`` names as
                ``na_values``.

        Returns:
            ``[rows, latent_dim]``: for what has names a frame with ``latent_1``, ``latent_2``, ..., of polars
            for one of polars, else of pandas and with the index of one; for an array an array.

        Raises:
            ValueError: If columns are missing or repeated, the shape is wrong, a cell is infinite or no
                number, or so far outside of what was learned from that the result is no number.

        Warns:
            UserWarning: If cells are far outside of what was learned from.
        """
        rows = self.rows(data)
        points = self.latent_points(rows.cells)
        return rows.give_back(points, [f"latent_{i + 1}" for i in range(points.shape[1])])

    def reconstruct(self, data: Any, *, return_error: bool = False, clip: bool = False) -> Any:
        """Return rows as the model gives them back, in original units, missing cells filled in.

        Raises and warns as :meth:`encode` does.

        Args:
            data: Rows as :meth:`encode` takes them.
            return_error: Return the error of each row, too: its loss alone, in scaled units, by which rows
                that the model does not know are told.
            clip: Move what leaves the range of the training rows to its nearer end.

        Returns:
            ``[rows, columns]``, of mixed columns categories, truth values and dates; with ``return_error`` a
            pair of that and an array ``[rows]``, NaN of rows without an observed cell. The error is that of
            what is returned.
        """
        rows = self.rows(data)
        scaled = self.reconstructed(rows.cells)
        if clip:
            scaled = within_range(scaled, self.scaling)
        given = given_back(self, rows, scaled)
        return (given, self._errors(rows.cells, scaled)) if return_error else given

    def row_errors(self, data: Any) -> NDArray[np.float64]:
        """Return the error of each row, see :meth:`reconstruct`, as an array ``[rows]``."""
        cells = self.rows(data).cells
        return self._errors(cells, self.reconstructed(cells))

    def outside(self, data: Any) -> NDArray[np.bool_]:
        """Return which rows are given back far outside of what was seen in training, as an array ``[rows]``.

        Such a row has a column whose reconstruction leaves the range of the training rows by more than the
        width of that range; nothing can be said of it.

        Raises:
            InputError: If the range is not known, as in model files of earlier versions.
        """
        return leaves_range(self.scaling.undo(self.reconstructed(self.rows(data).cells)), self.scaling)

    def _errors(
        self, cells: NDArray[np.float64], reconstruction: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        parts, start = [], 0
        for scaled in self.scaled_blocks(cells):
            block = reconstruction[start : start + len(scaled)]
            parts.append(row_errors(scaled, block, self.info.get("recipe", {})))
            start += len(scaled)
        return np.concatenate(parts)

    def impute(self, data: Any) -> Any:
        """Return rows whose missing cells are filled with the reconstruction; all others are as they were.

        Columns that the model does not know stay as they are, missing cells included, and so do categories
        that it does not know. Takes, raises and warns as :meth:`encode` does.

        Returns:
            All of ``data``: a frame of polars for one of polars, else of pandas, an array for an array. A
            column keeps its type; numbers are rounded where that holds whole ones alone.

        Example:
            >>> import autoenc
            >>> rows = np.random.default_rng(0).random((60, 3)).round(2)
            >>> rows[0, 1] = np.nan
            >>> options = {"hidden_dims_search": 4, "max_layers": 1, "epochs": 2, "quiet": True}
            >>> filled = autoenc.search(rows, latent_dim=2, **options).best_model().impute(rows)
            >>> np.isnan(filled).any(), (filled == rows).sum()
            (np.False_, np.int64(179))
        """
        return impute(self, data)

    def decode(self, points: Any) -> Any:
        """Return rows in the original units from latent points.

        Args:
            points: ``[rows, latent_dim]``: an array, or a frame with the columns that :meth:`encode` makes.

        Returns:
            ``[rows, columns]``: a frame for a frame, else an array; of mixed columns categories, truth values
            and dates.

        Raises:
            ValueError: If the shape is wrong, or a point is no finite number.
        """
        latent_dim = self.model.shape.latent_dim
        rows = rows_of(points, [f"latent_{i + 1}" for i in range(latent_dim)], latent_dim)
        rows = dataclasses.replace(rows, mixed=self.encoding is not None)
        return given_back(self, rows, self.decoded(rows.cells))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file that :func:`autoenc.load_model` reads; it holds tensors and plain values.

        Args:
            path: The file; an earlier one of this name is replaced.

        Raises:
            ValueError: If the model does not know its columns or its recipe.
            OSError: If the file cannot be written; an earlier one is then as it was.
        """
        save_model(Path(path), self)

    def export(self, path: str | Path, format: str | None = None) -> None:
        """Write the model for other programs: encoder, decoder and scaling as one, raw rows in and out.

        Rows are float64 ``[rows, columns]`` in the order of ``columns``, NaN where a cell is missing; of
        mixed columns they hold the numbers that stand for them. Heads for predictions are in
        ``safetensors`` alone.

        Args:
            path: The file.
            format: ``onnx``, a graph with the input ``rows`` and the outputs ``latent`` and
                ``reconstruction``; ``torch``, a program of ``torch.export`` that takes rows and returns both;
                or ``safetensors``, the parameters with a description as JSON, which
                :func:`autoenc.load_model` reads. By default what the suffix says: ``.onnx``, ``.pt2`` or
                ``.safetensors``.

        Raises:
            InputError: If format or suffix is unknown, a package is not installed, or columns or recipe are
                not known, which ``safetensors`` needs.
            OSError: If the file cannot be written; an earlier one is then as it was.
        """
        write_export(self, Path(path), format)

    def card(self, data: Any = None) -> str:
        """Return a description for people, in Markdown: data, recipe, quality, limits.

        Args:
            data: Rows as for :meth:`encode`, on which the quality of each column is measured.
        """
        if data is None:
            return card_of(self, None)
        cells = self.rows(data).cells
        reconstruction = self.scaling.undo(self.reconstructed(cells))
        return card_of(self, quality_of(self.columns, cells, reconstruction))

    def content(self) -> dict[str, Any]:
        """Return what a model file holds.

        Raises:
            ValueError: If the model does not know its columns or its recipe.
        """
        return model_content(self)

    def sealed_content(self) -> dict[str, Any]:
        """Return the content with its digest, which shows any change of it."""
        return sealed(self.content())

    def reconstruct_scaled(self, data: Any) -> NDArray[np.floating]:
        """Return reconstructions in scaled units, where the loss is measured, as an array."""
        return self.reconstructed(self.rows(data).cells)

    def rows(self, data: Any, stacklevel: int = 3) -> Rows:
        """Return rows as :meth:`encode` takes them, with a warning of cells that are far outside.

        Args:
            data: The rows.
            stacklevel: Who is warned: 3 for the caller of the method that calls this.
        """
        markers = self.info.get("na_values", ())
        if self.encoding is None:
            rows = rows_of(data, self.columns, self.model.shape.input_dim, markers)
        else:
            rows, unknown = encoded_rows(data, self.encoding, markers)
            for message in unknown:
                warnings.warn(message, UserWarning, stacklevel=stacklevel)
        for message in far_outside(rows.cells, self.scaling, self.columns):
            warnings.warn(message, UserWarning, stacklevel=stacklevel)
        return rows

    def latent_points(
        self, cells: NDArray[np.float64], dtype: torch.dtype = torch.float32
    ) -> NDArray[np.floating]:
        """Return latent points of rows in original units, as an array, computed in this precision.

        In double precision those of a row do not depend on which rows come with it.
        """
        return self._through(cells, lambda model, x: model.encode(x), dtype)

    def reconstructed(self, cells: NDArray[np.float64]) -> NDArray[np.floating]:
        """Return reconstructions of rows in original units, in scaled units, as an array."""
        return self._through(cells, lambda model, x: model(x)[0])

    def decoded(
        self, points: NDArray[np.float64], dtype: torch.dtype = torch.float32
    ) -> NDArray[np.floating]:
        """Return rows in scaled units of latent points, as arrays; see :meth:`latent_points`."""
        if not np.isfinite(points).all():
            raise InputError("points must be finite numbers, and some are not")
        parts = []
        with evaluating(self.model, dtype) as model:
            for start in range(0, max(len(points), 1), _ROWS_AT_ONCE):
                block = torch.from_numpy(points[start : start + _ROWS_AT_ONCE]).to(dtype)
                parts.append(model.decode(block).numpy())
                refuse_no_number(parts[-1], start)
        return np.concatenate(parts)

    def scaled_blocks(self, cells: NDArray[np.float64]) -> Iterator[NDArray[np.float32]]:
        """Yield scaled rows, some at a time, the first block also where there are none.

        Raises:
            InputError: If a scaled cell is past what single precision can hold.
        """
        for start in range(0, max(len(cells), 1), _ROWS_AT_ONCE):
            scaled = self.scaling.apply(cells[start : start + _ROWS_AT_ONCE])
            refuse_beyond(scaled, cells, start, self.columns)
            yield scaled

    def _through(
        self,
        cells: NDArray[np.float64],
        part: Callable[[DynamicAutoencoder, torch.Tensor], torch.Tensor],
        dtype: torch.dtype = torch.float32,
    ) -> NDArray[np.floating]:
        parts: list[NDArray[np.floating]] = []
        with evaluating(self.model, dtype) as model:
            for scaled in self.scaled_blocks(cells):
                block = part(model, torch.from_numpy(scaled).to(dtype)).numpy()
                refuse_no_number(block, sum(map(len, parts)))
                parts.append(block)
        return np.concatenate(parts)


def given_back(model: FittedAutoencoder | FittedEnsemble, rows: Rows, scaled: NDArray[np.floating]) -> Any:
    """Return scaled reconstructions as what the columns of a table hold, in the form that the rows had."""
    values = model.scaling.undo(scaled)
    if model.encoding is None or not rows.mixed:
        return rows.give_back(values, model.columns or ())
    return rows.give_back_columns(model.encoding.decode(values, ~model.scaling.unseen), model.encoding)


def fitted_model(
    state: State,
    recipe: Recipe,
    columns: list[str],
    scaling: Scaling,
    info: Mapping[str, Any],
    encoding: Encoding | None = None,
) -> FittedAutoencoder:
    """Return the model of a fit, from the fit's parameters.

    Args:
        state: Parameters by state-dict name.
        recipe: The fit's recipe.
        columns: Names of the columns it was trained on.
        scaling: Of those columns.
        info: Anything else worth keeping, as plain values.
        encoding: What the columns stand for, where they are made of mixed ones.
    """
    with torch.inference_mode(False):  # parameters that can be trained on
        tensors = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in state.items()}
    more = {**info, "recipe": dataclasses.asdict(recipe)}
    return FittedAutoencoder(network_of_state(tensors, recipe), columns, scaling, more, encoding)


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
    """Return what a model file holds.

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
        **({} if fitted.encoding is None else {"encoding": fitted.encoding.as_plain()}),
        "info": {name: value for name, value in fitted.info.items() if name not in derived},
    }


def model_of_content(content: Mapping[str, Any]) -> FittedAutoencoder:
    """Return the model that a file's content describes.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError: If it is damaged.
    """
    check_keys(content, (*MODEL_PARTS, "encoding"))
    recipe = recipe_of(content["recipe"])
    model = network_of_state(parameters_of(content["state_dict"]), recipe)
    columns, n_columns = columns_of(content["columns"]), model.shape.input_dim
    if len(columns) != n_columns:
        raise ValueError(f"it must name {n_columns} columns, got {len(columns)}")
    encoding = encoding_of(content["encoding"], columns) if "encoding" in content else None
    groups = None if encoding is None else encoding.groups
    scaling = scaling_of(content["scaling"], n_columns, groups)
    plain = FittedAutoencoder(model, columns, scaling, {"recipe": dict(content["recipe"])})
    info = {**info_of(content["info"], plain.info), "recipe": plain.info["recipe"]}
    return FittedAutoencoder(model, columns, scaling, info, encoding)


def network_of_state(state: Mapping[str, torch.Tensor], recipe: Recipe) -> DynamicAutoencoder:
    """Return the network of a state dict, its sizes read off the shapes; raises as :func:`model_of_content`.

    Neither the caller's default type and device nor its random numbers take part.
    """
    shape = shape_of_state_dict(state)
    with torch.inference_mode(False), torch.device("meta"):  # without weights that would be replaced
        model = DynamicAutoencoder(
            shape.input_dim, shape.latent_dim, shape.hidden_dims, recipe.dropout, recipe.activation,
            shape.norm, shape.variational, shape.linear_path, shape.input_norm, shape.input_mask,
        )  # fmt: skip
        model.load_state_dict(dict(state), assign=True)
    return model
