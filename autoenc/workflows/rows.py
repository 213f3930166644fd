"""Rows of a table for a saved model, and what goes into the output beside the model's answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from autoenc.data.markers import MISSING_WORDS
from autoenc.data.read import numeric_column, read_table
from autoenc.data.sources import source_name
from autoenc.errors import InputError, listed
from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.report.row_files import kept_columns
from autoenc.settings import EncodeSettings, PredictSettings
from autoenc.system.text import warn

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "read_rows"]


class Rows(NamedTuple):
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


def read_rows(model: FittedAutoencoder, settings: EncodeSettings | PredictSettings) -> Rows:
    """Read the columns that a model takes, and those that are to be kept beside its answers.

    What is odd about the table is told.

    Raises:
        InputError: If the table cannot be read or lacks a column, or the model does not name its columns.
    """
    import pandas as pd

    if model.columns is None:
        raise InputError(f"{settings.model}: does not name its columns; load it in Python and pass an array")
    table = source_name(settings.data_path)
    markers = settings.na_values or model.info.get("na_values", ())
    model.info["na_values"] = list(markers)  # what is named now holds instead
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
    return Rows(table, pd.DataFrame(features), kept)
