"""``encode`` and ``predict``: the latent points of a table's rows, and what heads on them predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoenc.checkpoint import FittedAutoencoder
from autoenc.ensemble import FittedEnsemble
from autoenc.errors import InputError, listed
from autoenc.model_files import load_model
from autoenc.outputs import refuse_inputs, summary_stream, write_output
from autoenc.report.cells import plain_frame
from autoenc.settings import EncodeSettings, PredictSettings
from autoenc.sources import source_name
from autoenc.tables import numeric_column, read_frame
from autoenc.text import say
from autoenc.transfer.checkpoint import FittedTransfer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["encode", "predict"]


def encode(settings: EncodeSettings) -> int:
    """Encode a table with a saved model into a CSV, a row per row.

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
    latents = model.encode(_rows(model, settings))
    _write(latents, settings.output)
    _say(settings.output, f"{len(latents):,} rows, latent size {latents.shape[1]}")
    return 0


def predict(settings: PredictSettings) -> int:
    """Predict for a table with the heads of a saved model into a CSV, a row per row.

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
    predictions = model.predict(_rows(model, settings))
    _write(predictions, settings.output)
    _say(settings.output, f"{len(predictions):,} rows, {', '.join(predictions.columns)}")
    return 0


def _check_output(settings: EncodeSettings | PredictSettings) -> None:
    refuse_inputs("--output", settings.output, {"--data_path": settings.data_path, "--model": settings.model})


def _rows(model: FittedAutoencoder, settings: EncodeSettings | PredictSettings) -> pd.DataFrame:
    """The columns of a table that a model needs."""
    import pandas as pd

    if model.columns is None:
        raise InputError(f"{settings.model}: does not name its columns; load it in Python and pass an array")
    name_of_table = source_name(settings.data_path)
    frame = read_frame(settings.data_path, missing=settings.na_values)
    missing = [name for name in model.columns if name not in frame.columns]
    if missing:
        raise InputError(
            f"{name_of_table}: has no column {listed(missing, quoted=False)}, which the model needs"
        )
    return pd.DataFrame({name: numeric_column(frame, name, name_of_table) for name in model.columns})


def _write(frame: pd.DataFrame, output: str) -> None:
    content = plain_frame(frame).to_csv(index=False).encode()
    write_output("--output", output, lambda file: file.write(content))


def _say(output: str, text: str) -> None:
    say(f"{text}: {output}", file=summary_stream(output))
