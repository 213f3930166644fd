"""Reading Parquet."""

from __future__ import annotations

from collections.abc import Collection
from typing import IO

import pandas as pd

from autoenc.data.markers import Markers
from autoenc.data.naming import refuse_repeated
from autoenc.errors import InputError

__all__ = ["PARQUET_MAGIC", "read_parquet"]

PARQUET_MAGIC = b"PAR1"


def read_parquet(
    name: str, start: bytes, file: IO[bytes], as_text: Collection[str], markers: Markers
) -> pd.DataFrame:
    """Read a table.

    Args:
        name: Of the table, for messages.
        start: Its first bytes.
        file: The rest.
        as_text: Columns whose cells are kept as they are, with None for a missing one.
        markers: What stands for a missing cell.

    Raises:
        InputError: If it is not Parquet, names a column twice, or cannot be read without another package.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(f"{name}: reading Parquet needs pyarrow: pip install 'autoenc[parquet]'") from None
    try:
        parquet = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(start + file.read()))
        refuse_repeated(name, parquet.schema_arrow.names)
        table = parquet.read()
        frame: pd.DataFrame = table.to_pandas()
        frame.columns = pd.Index([str(column) for column in frame.columns])
        frame = frame.reset_index(drop=True)  # rows are known by their place, whatever pandas called them
        for column in {*as_text} & {*table.column_names}:  # an index of pandas is a column, too
            cells = table[column].to_pylist()  # pandas would round whole numbers where one is missing
            frame[column] = pd.Series(cells, frame.index, dtype=object)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{name}: is not a readable Parquet file: {error}") from None
    for column in frame.columns if markers else ():
        marked = _marked(frame[column], markers)
        if marked.any():
            kept = frame[column].astype(object) if column in as_text else frame[column]
            frame[column] = kept.mask(marked)
    return frame


def _marked(column: pd.Series, markers: Markers) -> pd.Series:
    if pd.api.types.is_bool_dtype(column):
        return pd.Series(False, column.index)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column.isin(markers.numbers.tolist()).astype(bool)
    return column.map(markers.mark).fillna(False).astype(bool)
