"""Tables that say of their cells what they are: Parquet, Feather, workbooks, arrays, annotated matrices."""

from __future__ import annotations

from collections.abc import Collection
from typing import IO, NamedTuple

import numpy as np
import pandas as pd

from autoenc.data.anndata_table import HDF5_MAGIC, read_h5ad
from autoenc.data.arrow_table import ARROW_MAGICS, read_arrow_frame
from autoenc.data.markers import Markers, without_markers
from autoenc.data.naming import no_sheets, with_columns
from autoenc.data.numpy_table import NPY_MAGIC, read_npy, read_npz
from autoenc.data.unpacking import ZIP_MAGIC, members_of, seekable
from autoenc.data.workbook import OLD_WORKBOOK_MAGIC, read_workbook
from autoenc.errors import InputError

__all__ = ["TypedTable", "read_typed"]


class TypedTable(NamedTuple):
    """A table that was read.

    Attributes:
        frame: The table.
        is_arrow: Whether its file holds the types of Arrow.
        warnings: What to know of it, a sentence each.
        beside: Columns that annotate rows, and are learned from only where they are named.
    """

    frame: pd.DataFrame
    is_arrow: bool = False
    warnings: tuple[str, ...] = ()
    beside: frozenset[str] = frozenset()


def read_typed(
    name: str,
    start: bytes,
    file: IO[bytes],
    as_text: Collection[str],
    markers: Markers,
    sheet: str | None = None,
) -> TypedTable | None:
    """Read a table whose first bytes say that it is no text; None where they do not.

    Args:
        name: Of the table, for messages.
        start: Its first bytes.
        file: The rest.
        as_text: Columns whose cells are kept as they are, with None for a missing one.
        markers: What stands for a missing cell.
        sheet: Which of several tables, in a file that holds several.

    Raises:
        InputError: If it cannot be read, holds no such sheet, or not without another package.
    """
    if start.startswith(ARROW_MAGICS):
        _refuse_sheet(name, sheet)
        return TypedTable(read_arrow_frame(name, start, file, as_text, markers), is_arrow=True)
    read = _read(name, start, file, sheet)
    if read is None:
        return None
    kept = {column: _as_they_are(read.frame[column]) for column in as_text if column in read.frame}
    frame = with_columns(_with_plain_numbers(read.frame), kept)
    return read._replace(frame=without_markers(frame, as_text, markers))


def _refuse_sheet(name: str, sheet: str | None) -> None:
    if sheet is not None:
        raise InputError(f"{name}: {no_sheets(sheet)}")


def _read(name: str, start: bytes, file: IO[bytes], sheet: str | None) -> TypedTable | None:
    if not start.startswith((NPY_MAGIC, HDF5_MAGIC, ZIP_MAGIC, OLD_WORKBOOK_MAGIC)):
        return None
    with seekable(start, file) as whole:
        return _read_whole(name, start, whole, sheet)


def _read_whole(name: str, start: bytes, whole: IO[bytes], sheet: str | None) -> TypedTable:
    if start.startswith(NPY_MAGIC):
        _refuse_sheet(name, sheet)
        return TypedTable(read_npy(name, whole))
    if start.startswith(HDF5_MAGIC):
        frame, beside, notes = read_h5ad(name, whole, sheet)
        return TypedTable(frame, warnings=tuple(notes), beside=beside)
    if start.startswith(ZIP_MAGIC) and all(member.endswith(".npy") for member in members_of(name, whole)):
        _refuse_sheet(name, sheet)
        whole.seek(0)
        return TypedTable(read_npz(name, whole))
    whole.seek(0)
    frame, warnings = read_workbook(name, whole, sheet)
    return TypedTable(frame, warnings=tuple(warnings))


def _with_plain_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with numbers that no longer tell missing cells by a mask in double precision."""
    masked = {
        str(column): frame[column].to_numpy(np.float64, na_value=np.nan)
        for column, dtype in frame.dtypes.items()
        if isinstance(dtype, pd.Float64Dtype | pd.Int64Dtype)
    }
    return with_columns(frame, masked)


def _as_they_are(column: pd.Series) -> pd.Series:
    return pd.Series(list(column), column.index, dtype=object).mask(column.isna(), None)
