"""A table's file with its missing cells filled, every other cell as it stands there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autoenc.data.arrow_table import read_arrow
from autoenc.data.features import key_of
from autoenc.data.filling import Fill, as_text, filled_pandas
from autoenc.data.read import ReadTable, csv_header, read_table
from autoenc.data.recognition import read_mixed
from autoenc.data.sources import source_name
from autoenc.errors import InputError
from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.fitted.ensemble import FittedEnsemble
from autoenc.fitted.imputation import fills_of
from autoenc.report.row_files import as_parquet, is_parquet
from autoenc.settings.dialects import Dialect
from autoenc.system.text import warn
from autoenc.workflows.rows import features_of, noted_markers, told_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Imputed", "impute_file"]


class Imputed(NamedTuple):
    """A filled table.

    Attributes:
        content: The file, CSV or Parquet as the name of the output says.
        n_rows: Its rows.
        n_cells: How many cells were filled, by column.
        n_left: How many cells are still missing, by column that the model does not know.
    """

    content: bytes
    n_rows: int
    n_cells: dict[str, int]
    n_left: dict[str, int]


def impute_file(
    model: FittedAutoencoder | FittedEnsemble,
    path: str,
    output: str,
    na_values: Sequence[str],
    dialect: Dialect,
) -> Imputed:
    """Fill the missing cells of a table's file.

    Args:
        model: The model.
        path: The table.
        output: Where it will go, whose name says whether CSV or Parquet is made.
        na_values: Words and numbers that stand for a missing cell; by default those that the model knows.
        dialect: How a text table is written, as far as that is not to be recognized.

    Raises:
        InputError: If the table cannot be read, lacks a column, or cannot be written in that format.
    """
    table = source_name(path)
    for member in getattr(model, "members", [model]):
        na_values = noted_markers(member, na_values)
    read = read_table(path, (), na_values, dialect)
    for odd in read.warnings:
        warn(f"warning: {table}: {odd}")
    features = features_of(model, read, path)
    with told_of(table):
        fills = fills_of(model, features, model.rows(features))
    known = {*features.columns}
    missing = {str(name): int(cells.isna().sum()) for name, cells in read.frame.items() if name not in known}
    if read.is_arrow:
        content = _from_arrow(path, output, fills)
    elif read.typed:
        filled = filled_pandas(read.frame, fills)
        content = as_parquet(output, filled) if is_parquet(output) else _csv(filled)
    elif is_parquet(output):
        frame = read_mixed(read, path).frame.astype(dict.fromkeys(read.truth, "boolean"))
        content = as_parquet(output, filled_pandas(frame, fills))
    else:
        content = _filled_csv(read, path, fills)
    n_cells = {fill.feature.name: int(fill.missing.sum()) for fill in fills}
    return Imputed(content, len(read.frame), n_cells, {name: n for name, n in missing.items() if n})


def _filled_csv(read: ReadTable, path: str, fills: Sequence[Fill]) -> bytes:
    """Return the text of every cell as it is; a blank line becomes a row of all its cells."""
    text = read_table(path, list(read.frame.columns), (), read.dialect).frame
    for fill in fills:
        cells = text[fill.feature.name].to_numpy(object, copy=True)
        cells[fill.missing] = as_text(fill, cells[~fill.missing].tolist())
        text[fill.feature.name] = cells
    return _csv(text.set_axis(csv_header(path, read.dialect), axis=1))


def _csv(frame: pd.DataFrame) -> bytes:
    """Return CSV without the apostrophes that keep a spreadsheet from computing, as the cells were before."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _from_arrow(path: str, output: str, fills: Sequence[Fill]) -> bytes:
    """Return the columns with their types, of which only those with filled cells are made anew."""
    import pyarrow
    import pyarrow.parquet

    table = read_arrow(path)
    try:
        for fill in fills:
            place = table.column_names.index(fill.feature.name)
            field = table.schema.field(place)
            filled = _filled_arrow(table.column(place), fill)
            table = table.set_column(place, field.with_type(filled.type), filled)
        if not is_parquet(output):
            return _csv(table.to_pandas(integer_object_nulls=True))
        buffer = io.BytesIO()
        pyarrow.parquet.write_table(table, buffer)
    except pyarrow.ArrowException as error:
        reason = " ".join(str(error).split())
        raise InputError(f"--output {output}: cannot be written: {reason}") from None
    return buffer.getvalue()


def _filled_arrow(column: Any, fill: Fill) -> Any:
    import pyarrow
    import pyarrow.compute

    kind, values = column.type, fill.values
    dictionary = kind if pyarrow.types.is_dictionary(kind) else None
    if dictionary is not None:
        column, kind = column.cast(kind.value_type), kind.value_type
    if pyarrow.types.is_integer(kind):
        values = np.round(values)
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        observed = [
            cell for cell, missing in zip(column.to_pylist(), fill.missing, strict=True) if not missing
        ]
        new = pyarrow.array(as_text(fill, observed), pyarrow.string())
    else:
        new = pyarrow.array(list(map(key_of, values)) if values.dtype.kind == "O" else values)
    places = np.cumsum(fill.missing) - 1
    spread = new.cast(kind, safe=False).take(pyarrow.array(places, mask=~fill.missing))
    filled = pyarrow.compute.if_else(pyarrow.array(fill.missing), spread, column.combine_chunks())
    if dictionary is None:
        return filled
    coded = filled.dictionary_encode()
    indices = coded.indices.cast(dictionary.index_type)
    return pyarrow.DictionaryArray.from_arrays(indices, coded.dictionary, ordered=dictionary.ordered)
