"""Rows of a table for a saved model, and what goes into the output beside the model's answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from autoenc.data.features import Category, Number
from autoenc.data.read import ReadTable, as_written, numeric_column, read_table, without_missing_words
from autoenc.data.sources import source_name
from autoenc.errors import InputError, listed
from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.fitted.ensemble import FittedEnsemble
from autoenc.report.row_files import kept_columns
from autoenc.settings import EncodeSettings, PredictSettings
from autoenc.system.text import warn

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "features_of", "noted_markers", "read_rows", "told_of"]


class Rows(NamedTuple):
    """Rows of a table for a model, and what goes into the output beside its answers."""

    table: str
    features: pd.DataFrame
    kept: pd.DataFrame

    def put_through(self, answer: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
        """Return a model's answers; its warnings and errors name the table."""
        with told_of(self.table):
            return answer(self.features)


@contextmanager
def told_of(table: str) -> Iterator[None]:
    """Let a model's warnings and errors name the table."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except InputError as error:
            raise InputError([f"{table}: {problem}" for problem in error.problems]) from None
        finally:
            for warning in caught:
                warn(*(f"warning: {table}: {text}" for text in str(warning.message).split("; ")))


def noted_markers(model: FittedAutoencoder, given: Sequence[str]) -> Sequence[str]:
    """Return markers of missing cells: those given, which the model has from now on, else its own."""
    markers = given or model.info.get("na_values", ())
    model.info["na_values"] = list(markers)
    return markers


def read_rows(model: FittedAutoencoder, settings: EncodeSettings | PredictSettings) -> Rows:
    """Read the columns that a model takes, and those that are to be kept beside its answers.

    Oddities of the table are reported.

    Raises:
        InputError: If the table cannot be read or lacks a column, or the model does not name its columns.
    """
    if model.columns is None:
        raise InputError(f"{settings.model}: does not name its columns; load it in Python and pass an array")
    table = source_name(settings.data_path)
    markers = noted_markers(model, settings.na_values)
    read = read_table(settings.data_path, settings.keep, markers, settings.dialect)
    for odd in read.warnings:
        warn(f"warning: {table}: {odd}")
    kept = kept_columns(read.frame, settings.keep, table)
    return Rows(table, features_of(model, read, settings.data_path, settings.keep), kept)


def features_of(
    model: FittedAutoencoder | FittedEnsemble, read: ReadTable, path: str, as_text: Collection[str] = ()
) -> pd.DataFrame:
    """Return the columns of a table that a model takes: numbers as numbers, words as they are written.

    Args:
        model: The model.
        read: The table.
        path: Where it was read from.
        as_text: Columns that were read as they are written, missing cells included.

    Raises:
        InputError: If a column is not there, or a number none.
    """
    import pandas as pd

    table, encoding = read.name, model.encoding
    names = list(model.columns or ()) if encoding is None else encoding.names
    missing = [name for name in names if name not in read.frame.columns]
    if missing:
        raise InputError(f"{table}: has no column {listed(missing, quoted=False)}, which the model needs")
    features = [Number(name) for name in names] if encoding is None else encoding.features
    words = {feature.name for feature in features if isinstance(feature, Category)}
    read = as_written(read, path, [name for name in words if name not in as_text])
    frame = read.frame
    for name in {*as_text} & {*names}:
        frame[name] = without_missing_words(frame[name], read.typed and name in words)
    return pd.DataFrame(
        {
            feature.name: numeric_column(frame, feature.name, table)
            if isinstance(feature, Number)
            else frame[feature.name]
            for feature in features
        }
    )
