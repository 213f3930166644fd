"""Missing cells filled with what a model makes of the rest of their row; observed cells stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from autoenc.data.encoding import Encoding
from autoenc.data.features import Number
from autoenc.data.filling import Fill, filled_pandas, filled_polars
from autoenc.data.frames import Rows, array_places, frame_of, mixed_frame
from autoenc.errors import InputError

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.fitted.ensemble import FittedEnsemble

__all__ = ["fills_of", "impute"]


def impute(model: FittedAutoencoder | FittedEnsemble, data: Any) -> Any:
    """See :meth:`.FittedAutoencoder.impute`."""
    frame, backend = frame_of(data, None)
    rows = model.rows(data if frame is None else frame, stacklevel=4)
    if frame is None:
        return _imputed_array(model, data, rows)
    fills = fills_of(model, frame, rows)
    if backend == "polars":
        return filled_polars(data, fills)
    filled = filled_pandas(frame, fills)
    return filled.set_axis(data.columns, axis=1) if isinstance(data, pd.DataFrame) else filled


def fills_of(model: FittedAutoencoder | FittedEnsemble, data: Any, rows: Rows) -> list[Fill]:
    """Return what the missing cells of a frame are filled with, for each column that has some.

    One pass: a network has learned with missing cells as 0. Going on with its own answers in their place
    makes them worse, and at last no numbers; ``benchmarks/imputation.py`` shows it.

    Args:
        model: The model.
        data: The frame.
        rows: What the model reads of it.

    Raises:
        InputError: As :meth:`.FittedAutoencoder.encode` does.
    """
    encoding = _encoding(model)
    first = getattr(model, "members", [model])[0]  # of an ensemble, whose members read rows alike
    frame, _, _ = mixed_frame(data, encoding, first.info.get("na_values", ()))
    missing = encoding.missing(frame)
    values = model.scaling.undo(model.reconstructed(rows.cells))
    answers = encoding.decode(values, ~model.scaling.unseen)
    return [
        Fill(feature, missing[feature.name], answers[feature.name][missing[feature.name]])
        for feature in encoding.features
        if missing[feature.name].any()
    ]


def _encoding(model: FittedAutoencoder | FittedEnsemble) -> Encoding:
    """Return the encoding of the model's columns, those of plain numbers too."""
    if model.encoding is not None:
        return model.encoding
    if model.columns is None:
        raise InputError("this model does not name its columns; pass an array, not a frame")
    return Encoding(tuple(map(Number, model.columns)))


def _imputed_array(model: FittedAutoencoder | FittedEnsemble, data: Any, rows: Rows) -> NDArray[Any]:
    if rows.mixed:
        assert model.encoding is not None
        names, filled_rows = model.encoding.names, np.array(data, object)
        places = dict(zip(names, array_places(names, filled_rows.shape[1]) or (), strict=True))
        for fill in fills_of(model, data, rows):
            filled_rows[fill.missing, places[fill.feature.name]] = fill.values
        is_float = isinstance(data, np.ndarray | torch.Tensor) and np.asarray(data).dtype.kind == "f"
        return filled_rows.astype(np.asarray(data).dtype) if is_float else filled_rows
    filled = np.where(np.isnan(rows.cells), model.scaling.undo(model.reconstructed(rows.cells)), rows.cells)
    kind = data.numpy(force=True).dtype if isinstance(data, torch.Tensor) else getattr(data, "dtype", None)
    return filled.astype(kind) if isinstance(kind, np.dtype) and kind.kind == "f" else filled
