"""``encode`` and ``predict``: the latent points of a table's rows, and what heads on them predict."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from autoenc.errors import InputError
from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.fitted.ensemble import FittedEnsemble
from autoenc.report.row_files import check_row_file, write_rows
from autoenc.settings import EncodeSettings, PredictSettings
from autoenc.system.outputs import refuse_inputs, summary_stream
from autoenc.system.text import say, warn
from autoenc.two_stage.checkpoint import FittedTransfer
from autoenc.workflows.models import load_model
from autoenc.workflows.rows import Rows, read_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["encode", "predict"]


def encode(settings: EncodeSettings) -> int:
    """Encode a table with a saved model into a CSV or Parquet file, a row per row.

    Raises:
        InputError: If model or table cannot be used, or the output cannot be written.
    """
    _check_output(settings)
    model = load_model(settings.model)
    if isinstance(model, FittedEnsemble):
        raise InputError(
            f"{settings.model}: is an ensemble, whose members have latent spaces of their own; "
            "encode with one model, which search --save_models makes"
        )
    rows = read_rows(model, settings)
    latents = rows.put_through(model.encode)
    counted = f"{len(latents):,} rows, latent size {latents.shape[1]}"
    if settings.error:
        latents = _with_errors(model, rows, latents)
    write_rows(settings.output, rows.kept, latents)
    _say(settings.output, counted)
    return 0


def predict(settings: PredictSettings) -> int:
    """Predict for a table with the heads of a saved model into a CSV or Parquet file, a row per row.

    Raises:
        InputError: If model or table cannot be used, or the output cannot be written.
    """
    _check_output(settings)
    model = load_model(settings.model)
    if not isinstance(model, FittedTransfer):
        raise InputError(
            f"{settings.model}: has no heads to predict with; train-best makes such a model of a "
            "transfer-aware search"
        )
    rows = read_rows(model, settings)
    predictions = rows.put_through(model.predict)
    write_rows(settings.output, rows.kept, predictions)
    _say(settings.output, f"{len(predictions):,} rows, {', '.join(predictions.columns)}")
    return 0


def _with_errors(model: FittedAutoencoder, rows: Rows, latents: pd.DataFrame) -> pd.DataFrame:
    """Return latent points beside the error of each row, and whether it is given back far outside."""
    with warnings.catch_warnings():  # said once
        warnings.simplefilter("ignore", UserWarning)
        latents = latents.assign(error=model.row_errors(rows.features))
        if model.scaling.low is None:
            warn("warning: the column `outside` is left out: the model's file does not say its range")
            return latents
        outside = model.outside(rows.features)
    if outside.any():
        first = int(outside.argmax()) + 1
        warn(
            f"warning: {rows.table}: {outside.sum():,} of {outside.size:,} rows, row {first} the first, are "
            "given back far outside of the range that the model learned from: their latent points mean little"
        )
    return latents.assign(outside=outside)


def _check_output(settings: EncodeSettings | PredictSettings) -> None:
    refuse_inputs("--output", settings.output, {"--data_path": settings.data_path, "--model": settings.model})
    check_row_file(settings.output)


def _say(output: str, text: str) -> None:
    say(f"{text}: {output}", file=summary_stream(output))
