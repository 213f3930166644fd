"""``encode`` and ``predict``: the latent points of a table's rows, and what heads on them predict."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from autoenc.commands.row_files import check_row_file, kept_columns, write_rows
from autoenc.data.markers import MISSING_WORDS
from autoenc.data.read import numeric_column, read_table
from autoenc.data.sources import source_name
from autoenc.errors import InputError, listed
from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.fitted.ensemble import FittedEnsemble
from autoenc.settings import EncodeSettings, PredictSettings
from autoenc.system.outputs import refuse_inputs, summary_stream
from autoenc.system.text import say, warn
from autoenc.two_stage.checkpoint import FittedTransfer
from autoenc.workflows.models import load_model

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
    rows = _read(model, settings)
    latents = rows.put_through(model.encode)
    write_rows("--output", settings.output, rows.kept, latents)
    _say(settings.output, f"{len(latents):,} rows, latent size {latents.shape[1]}")
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
    rows = _read(model, settings)
    predictions = rows.put_through(model.predict)
    write_rows("--output", settings.output, rows.kept, predictions)
    _say(settings.output, f"{len(predictions):,} rows, {', '.join(predictions.columns)}")
    return 0


def _check_output(settings: EncodeSettings | PredictSettings) -> None:
    refuse_inputs("--output", settings.output, {"--data_path": settings.data_path, "--model": settings.model})
    check_row_file("--output", settings.output)


class _Rows(NamedTuple):
    """What a table holds for a model, and what goes into the output beside its answers."""

    table: str
    features: pd.DataFrame
    kept: pd.DataFrame

    def put_through(self, answer: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
        """A model's answers; what it warns of and refuses is told of the table."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                answers = answer(self.features)
            except InputError as error:
                raise InputError([f"{self.table}: {problem}" for problem in error.problems]) from None
            finally:
                for warning in caught:
                    warn(*(f"warning: {self.table}: {text}" for text in str(warning.message).split("; ")))
        return answers


def _read(model: FittedAutoencoder, settings: EncodeSettings | PredictSettings) -> _Rows:
    import pandas as pd

    if model.columns is None:
        raise InputError(f"{settings.model}: does not name its columns; load it in Python and pass an array")
    table = source_name(settings.data_path)
    markers = settings.na_values or model.info.get("na_values", ())
    read = read_table(settings.data_path, settings.keep, markers)
    for odd in read.warnings:
        warn(f"warning: {table}: {odd}")
    frame = read.frame
    missing = [name for name in model.columns if name not in frame.columns]
    if missing:
        raise InputError(f"{table}: has no column {listed(missing, quoted=False)}, which the model needs")
    kept = kept_columns(frame, settings.keep, table)
    for name in {*settings.keep} & {*model.columns}:  # they were read as they are written
        text = frame[name]
        words = text.astype("string").str.strip()
        frame[name] = text.mask(words.isin(["", *MISSING_WORDS]).fillna(True).to_numpy(bool), None)
    features = {name: numeric_column(frame, name, table) for name in model.columns}
    return _Rows(table, pd.DataFrame(features), kept)


def _say(output: str, text: str) -> None:
    say(f"{text}: {output}", file=summary_stream(output))
