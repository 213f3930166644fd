"""Reading a CSV or Parquet file, with every complaint a person needs to mend it."""

from __future__ import annotations

import csv
import difflib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autoenc.errors import InputError, listed

__all__ = ["COPUS_COLUMNS", "choose_columns", "label_column", "missing_words", "numeric_column", "read_frame"]

COPUS_COLUMNS: tuple[str, ...] = (
    "L", "Ind", "CG", "WG", "OG", "S_Anq", "SQ", "WC", "PRD", "SP", "TQ", "S_W", "S_O",
    "Lec", "RTW", "FUP", "T_PQ", "CQ", "T_ANQ", "MG", "ONE_O_ONE", "DV", "ADMIN", "T_W",
)  # fmt: skip
"""Students' and instructors' behaviours of the COPUS protocol (Smith et al., CBE Life Sci. Educ. 2013)."""

_PARQUET_MAGIC = b"PAR1"
_LARGEST = float(np.finfo(np.float64).max) / 4  # of which differences are still finite


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a table with its header.

    Raises:
        InputError: If the file is missing, a folder, empty, binary, not a table, or without rows, or
            names a column twice.
    """
    if not str(path):
        raise InputError("the name of a table must not be empty")
    path = Path(path)
    if not path.exists():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise InputError(f"{path}: there is no such file{hint}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a CSV or Parquet file")
    try:
        with path.open("rb") as file:
            start = file.read(8192)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    frame = _read_parquet(path) if start.startswith(_PARQUET_MAGIC) else _read_csv(path, start)
    frame.columns = pd.Index([str(name) for name in frame.columns])
    if frame.shape[0] == 0:
        raise InputError(f"{path}: has a header but no rows")
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(f"{path}: reading Parquet needs pyarrow: pip install 'autoenc[parquet]'") from None
    try:
        _refuse_duplicates(path, pyarrow.parquet.read_schema(path).names)
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path}: is not a readable Parquet file: {error}") from None
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read_csv(path: Path, start: bytes) -> pd.DataFrame:
    if not start.strip():
        raise InputError(f"{path}: is empty; a table with a header and rows was expected")
    if b"\0" in start:
        raise InputError(f"{path}: is a binary file, not CSV or Parquet")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(line for line in csv.reader(file) if "".join(line).strip())
        _refuse_duplicates(path, header)
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            raise InputError(f"{path}: its columns are not separated by commas; the header is {header[0]!r}")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path, index_col=False, compression=None, low_memory=False, encoding="utf-8-sig"
            )
        if frame.iloc[:, -1].isna().any():  # as it is where a row ends before the last column
            _refuse_short_rows(path, len(header))
        return frame
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: is not UTF-8 text (byte {error.start} is {error.object[error.start]:#04x}); "
            "save it as UTF-8 CSV"
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        raise InputError(f"{path}: is not a CSV table: {str(error).strip()}") from None


def _refuse_short_rows(path: Path, n_columns: int) -> None:
    """See that no row ends early, which pandas passes over in silence: half a line would count as missing."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        for row in reader:
            if len(row) < n_columns and "".join(row).strip():
                raise InputError(
                    f"{path}: line {reader.line_num} has {len(row)} cells, but the header has {n_columns}; "
                    "missing cells need their commas, too"
                )


def _refuse_duplicates(path: Path, header: Sequence[str]) -> None:
    repeated = sorted({name for name in header if name and list(header).count(name) > 1})
    if repeated:
        raise InputError(
            f"{path}: column names must differ, but these stand there twice: {', '.join(repeated)}"
        )


def choose_columns(
    frame: pd.DataFrame, path: str | Path, wanted: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Decide which columns are learned from.

    Args:
        frame: The table as read.
        path: Where it came from, for messages.
        wanted: Column names asked for; None for the COPUS columns if all are there, else all numeric ones.

    Returns:
        The names of the columns, and warnings about those left out.

    Raises:
        InputError: If a wanted column is not there, or no column is numeric.
    """
    names = [str(name) for name in frame.columns]
    if wanted is not None:
        return _wanted_columns(names, path, wanted), []
    if set(COPUS_COLUMNS) <= set(names):
        return list(COPUS_COLUMNS), []
    numeric, other, nameless = [], [], []
    for name in names:
        if name.startswith("Unnamed: ") or not name.strip():
            nameless.append(name)
        elif _is_numeric(frame[name]):
            numeric.append(name)
        else:
            other.append(name)
    if not numeric:
        raise InputError(f"{path}: has no numeric column; its columns are {listed(names)}")
    told = []
    if other:
        told.append(f"left out, not numeric: {listed(other)}")
    if nameless:
        told.append(f"left out, without a name: {len(nameless)} column(s), probably a row index")
    return numeric, told


def _wanted_columns(names: list[str], path: str | Path, wanted: Sequence[str]) -> list[str]:
    repeated = sorted({name for name in wanted if list(wanted).count(name) > 1})
    if repeated:
        raise InputError(f"--columns must not repeat a name, got {listed(repeated)} twice")
    missing = [name for name in wanted if name not in names]
    if missing:
        near = difflib.get_close_matches(missing[0], names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{path}: has no column {listed(missing)}{hint}; it has {listed(names)}")
    return list(wanted)


def _is_numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers, or mostly numbers with some text among them (told later as wrong)."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return True
    if not pd.api.types.is_object_dtype(column) and not pd.api.types.is_string_dtype(column):
        return False
    present = column.dropna()
    return bool(pd.to_numeric(present, errors="coerce").notna().sum() * 2 > len(present))


def numeric_column(frame: pd.DataFrame, name: str, path: str | Path) -> np.ndarray:
    """One column in double precision, with NaN where a cell is missing.

    Raises:
        InputError: If a cell is text or too large; it names row and column.
    """
    column = frame[name]
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind in "mM":
        raise InputError(f"{path}: column {name!r} holds dates or durations; numbers are needed")
    if not pd.api.types.is_numeric_dtype(column):
        numbers = pd.to_numeric(column, errors="coerce")
        wrong = np.flatnonzero(column.notna().to_numpy() & numbers.isna().to_numpy())
        if wrong.size:
            raise InputError(_bad_cell(path, name, wrong, column, "is not a number"))
        column = numbers
    if pd.api.types.is_complex_dtype(column):
        raise InputError(f"{path}: column {name!r} holds complex numbers; real ones are needed")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    too_large = np.flatnonzero(np.abs(values) > _LARGEST)
    if too_large.size:
        raise InputError(_bad_cell(path, name, too_large, column, "is infinite or too large"))
    return values


def missing_words(path: str | Path, name: str) -> dict[str, int]:
    """What stands in those cells of a CSV file's column that were read as missing, such as ``None``.

    An empty cell holds no word, and Parquet files say themselves what is missing.

    Returns:
        Words, each with how many cells hold it.
    """
    with Path(path).open("rb") as file:
        if file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC:
            return {}
    options: dict[str, Any] = {"index_col": False, "compression": None, "encoding": "utf-8-sig"}
    words = pd.read_csv(path, usecols=[name], dtype=str, keep_default_na=False, **options)[name]
    read = pd.read_csv(path, usecols=[name], dtype=str, **options)[name]
    found = words[read.isna().to_numpy() & (words.str.strip() != "").to_numpy()]
    return {str(word): int(count) for word, count in found.value_counts().items()}


def label_column(frame: pd.DataFrame, name: str, path: str | Path) -> np.ndarray:
    """A column of classes or groups as text; a missing cell is a class of its own, ``""``.

    Raises:
        InputError: If the column is not there.
    """
    if name not in frame.columns:
        _wanted_columns([str(column) for column in frame.columns], path, [name])
    return frame[name].astype("string").fillna("").to_numpy(dtype=str)


def _bad_cell(path: str | Path, name: str, wrong: np.ndarray, column: pd.Series, what: str) -> str:
    row = int(wrong[0])
    more = f" (and {wrong.size - 1} more cells of this column)" if wrong.size > 1 else ""
    where = f"{path}: row {row + 1}, column {name!r}"
    value = column.iloc[row]
    shown = repr(value) if isinstance(value, str) else str(value)
    return f"{where}: {shown} {what}{more}; leave a missing cell empty"
