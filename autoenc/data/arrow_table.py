"""Reading Parquet and Feather, which is Arrow's own file format."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import pandas as pd

from autoenc.data.compact import worth_compacting
from autoenc.data.markers import Markers, without_markers
from autoenc.data.naming import refuse_repeated
from autoenc.data.sources import source_name
from autoenc.data.unpacking import open_unpacked
from autoenc.errors import InputError, needing

__all__ = ["ARROW_MAGICS", "give_back_memory", "read_arrow", "read_arrow_frame"]

_PARQUET_MAGIC = b"PAR1"
ARROW_MAGICS = (_PARQUET_MAGIC, b"ARROW1", b"FEA1")
"""What Parquet and both versions of Feather begin with."""


def read_arrow_frame(
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
        InputError: If it is neither, names a column twice, or cannot be read without another package.
    """
    table = _table(name, start, file)
    try:
        # Of whole numbers pandas would round some where one is missing; an index of it is a column, too.
        texts = {column: table[column].to_pylist() for column in {*as_text} & {*table.column_names}}
        # Of a long table no column is there twice: what has become one of pandas is given back by Arrow.
        is_long = worth_compacting(*table.shape)
        frame: pd.DataFrame = table.to_pandas(split_blocks=is_long, self_destruct=is_long)
        del table
        frame.columns = pd.Index([str(column) for column in frame.columns])
        frame = frame.reset_index(drop=True)  # rows are known by their place, whatever pandas called them
        for column, cells in texts.items():
            frame[column] = pd.Series(cells, frame.index, dtype=object)
    except (OSError, _errors()) as error:
        raise InputError(f"{name}: is not a readable {_kind(start)} file: {error}") from None
    return without_markers(frame, as_text, markers)


def give_back_memory() -> None:
    """Give memory back that Arrow keeps for tables to come."""
    import pyarrow

    pyarrow.default_memory_pool().release_unused()


def read_arrow(path: str | Path) -> Any:
    """Return a file as a table of pyarrow, with all types that it has; see :func:`read_arrow_frame`."""
    with open_unpacked(path) as (start, file):
        return _table(source_name(path), start, file)


def _table(name: str, start: bytes, file: IO[bytes]) -> Any:
    with needing(f"{name}: reading {_kind(start)} needs pyarrow", "parquet"):
        import pyarrow
        import pyarrow.feather
        import pyarrow.parquet
    try:
        whole = pyarrow.BufferReader(start + file.read())
        if not start.startswith(_PARQUET_MAGIC):
            table = pyarrow.feather.read_table(whole)
            refuse_repeated(name, table.column_names)
            return table
        parquet = pyarrow.parquet.ParquetFile(whole)
        refuse_repeated(name, parquet.schema_arrow.names)
        return parquet.read()
    except (OSError, _errors()) as error:
        raise InputError(f"{name}: is not a readable {_kind(start)} file: {error}") from None


def _kind(start: bytes) -> str:
    return "Parquet" if start.startswith(_PARQUET_MAGIC) else "Feather"


def _errors() -> type[Exception]:
    import pyarrow

    errors: type[Exception] = pyarrow.ArrowException
    return errors
