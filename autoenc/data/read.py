"""Reading a table's file, with every complaint a person needs to mend it."""

from __future__ import annotations

import difflib
import errno
import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.as_csv import as_csv, cells_of_any_length
from autoenc.data.characters import in_utf8
from autoenc.data.csv_rows import CsvRows
from autoenc.data.csv_table import read_csv
from autoenc.data.formats import read_typed
from autoenc.data.markers import MISSING_WORDS, Markers, without_markers
from autoenc.data.naming import as_value, no_sheets
from autoenc.data.sources import source_name
from autoenc.data.unpacking import open_unpacked
from autoenc.errors import InputError, listed, shortened
from autoenc.settings.dialects import Dialect
from autoenc.system.text import counted

__all__ = [
    "COPUS_COLUMNS",
    "THOUSANDS",
    "as_written",
    "choose_columns",
    "chosen_names",
    "coerced",
    "csv_header",
    "label_column",
    "numeric_column",
    "read_table",
    "ReadTable",
    "without_missing_words",
    "too_large",
    "with_markers",
]

COPUS_COLUMNS: tuple[str, ...] = (
    "L", "Ind", "CG", "WG", "OG", "S_Anq", "SQ", "WC", "PRD", "SP", "TQ", "S_W", "S_O",
    "Lec", "RTW", "FUP", "T_PQ", "CQ", "T_ANQ", "MG", "ONE_O_ONE", "DV", "ADMIN", "T_W",
)  # fmt: skip
"""Students' and instructors' behaviours of the COPUS protocol (Smith et al., CBE Life Sci. Educ. 2013)."""

_MOST_WORDS = 5  # of a column: no more are named as what may stand for a missing cell
_LARGEST = float(np.finfo(np.float64).max) / 4  # of which differences are still finite
THOUSANDS = re.compile(r"[+-]?\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d*)?")
"""A number such as 1,234.5; of three digits behind one comma it may be a decimal number, too."""
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*\d,\d+", re.ASCII)


class ReadTable(NamedTuple):
    """A table that was read.

    Attributes:
        frame: The table.
        name: What it is called in messages.
        warnings: What looks odd about it, a sentence each.
        typed: Whether the file says of its cells what they are, as Parquet does.
        is_arrow: Whether it holds the types of Arrow.
        na_values: Words and numbers that stood for a missing cell beside the usual ones.
        truth: Columns of numbers that stand for truth values.
        dialect: How a text table was said to be written.
        beside: Columns that annotate rows, and are learned from only where they are named.
    """

    frame: pd.DataFrame
    name: str
    warnings: list[str]
    typed: bool
    na_values: tuple[str, ...] = ()
    truth: frozenset[str] = frozenset()
    dialect: Dialect = Dialect()
    beside: frozenset[str] = frozenset()
    is_arrow: bool = False


def read_table(
    path: str | Path,
    as_text: Collection[str] = (),
    missing: Collection[str] = (),
    dialect: Dialect = Dialect(),  # noqa: B008 - it cannot be changed
) -> ReadTable:
    """Read a table with its header, in one pass.

    Args:
        path: A file of text, also compressed, Parquet, Feather, a workbook, NPY, NPZ or .h5ad, or a pipe;
            ``-`` is standard input.
        as_text: Columns whose cells are kept as they are written, such as labels.
        missing: Words and numbers that stand for a missing cell.
        dialect: How text is written, as far as that is not to be recognized, and which sheet is meant.

    Raises:
        InputError: If the file is missing, a folder, empty, binary, not a table, or without rows, or
            names a column twice.
        OSError: If memory runs out, or the file cannot be read to its end.
    """
    name, markers = source_name(path), Markers(missing)
    try:
        with open_unpacked(path) as (start, file), cells_of_any_length():
            typed = read_typed(name, start, file, as_text, markers, dialect.sheet)
            if typed is None:
                if dialect.sheet is not None:
                    raise InputError(f"{name}: {no_sheets(dialect.sheet)}")
                read = _read_text(name, start, file, as_text, markers, dialect)
            else:
                read = ReadTable(
                    typed.frame,
                    name,
                    list(typed.warnings),
                    True,
                    beside=typed.beside,
                    is_arrow=typed.is_arrow,
                )
    except MemoryError:
        raise OSError(errno.ENOMEM, "there is not enough memory to read this table", name) from None
    if read.frame.shape[0] == 0:
        raise InputError(f"{name}: has a header but no rows")
    return read._replace(na_values=tuple(missing), dialect=dialect)


def _read_text(
    name: str, start: bytes, file: IO[bytes], as_text: Collection[str], markers: Markers, dialect: Dialect
) -> ReadTable:
    start, file, notes = _commas(name, start, file, dialect)
    frame, warnings, truth = read_csv(name, start, file, as_text, markers)
    return ReadTable(frame, name, [*notes, *warnings], False, truth=truth)


def _commas(name: str, start: bytes, file: IO[bytes], dialect: Dialect) -> tuple[bytes, IO[bytes], list[str]]:
    """Return text as CSV in UTF-8, and what was recognized of it."""
    start, file, characters = in_utf8(name, start, file, dialect.encoding)
    start, file, separators = as_csv(name, start, file, dialect)
    return start, file, [*characters, *separators]


def as_written(read: ReadTable, path: str | Path, names: Collection[str]) -> ReadTable:
    """Return the table with the text of some columns as it is written; in CSV 01 may else have become 1.

    Args:
        read: The table.
        path: Where it came from.
        names: Columns of text; a missing cell is None.
    """
    if read.typed or not names:
        return read
    again, frame = read_table(path, names, read.na_values, read.dialect).frame, read.frame.copy(deep=False)
    for name in names:
        frame[name] = without_missing_words(again[name])
    return read._replace(frame=frame)


def csv_header(path: str | Path, dialect: Dialect) -> list[str]:
    """Return the names of the columns of a text table as they stand there, blank ones too."""
    name = source_name(path)
    with open_unpacked(path) as (start, file), cells_of_any_length():
        start, file, _ = _commas(name, start, file, dialect)
        return CsvRows(name, start, file).header


def without_missing_words(column: pd.Series, typed: bool = False) -> pd.Series:
    """Return a column that was read as it is written, None for a missing cell.

    Args:
        column: The column.
        typed: Whether the file tells text from missing cells, so that ``NA`` is text.
    """
    words = column.astype("string").str.strip()
    missing = words.isin([""] if typed else ["", *MISSING_WORDS]).fillna(True).to_numpy(bool)
    return pd.Series(column, dtype=object).mask(missing, None)


def with_markers(read: ReadTable, as_text: Collection[str], missing: Collection[str]) -> ReadTable:
    """Return a table that was no file, with markers of missing cells taken for what they are.

    Args:
        read: The table.
        as_text: Columns whose other cells are kept as they are.
        missing: Words and numbers that stand for a missing cell.
    """
    if read.na_values or not missing:
        return read
    frame = without_markers(read.frame, as_text, Markers(missing))
    return read._replace(frame=frame, na_values=tuple(missing))


def choose_columns(
    frame: pd.DataFrame,
    path: str | Path,
    wanted: Sequence[str] | None,
    exclude: Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """Decide which columns are learned from.

    Args:
        frame: The table as read.
        path: Where it came from, for messages.
        wanted: Column names asked for; None for the COPUS columns if all are there, else all numeric ones.
        exclude: Columns not to learn from.

    Returns:
        The names of the columns, and warnings about those left out.

    Raises:
        InputError: If a column that is named is not there, or no column is left or numeric.
    """
    names = [str(name) for name in frame.columns]
    left = chosen_names(frame, path, wanted, exclude)
    if wanted is not None:
        return left, []
    left_out = set(names) - set(left)
    warnings: list[str] = []
    if set(COPUS_COLUMNS) <= set(names):
        numeric = [name for name in COPUS_COLUMNS if name not in left_out]
    else:
        numeric, warnings = _numeric_columns(frame, left)
    if not numeric:
        of = " left" if left_out else ""
        raise InputError(f"{path}: has no numeric column{of}; its columns are {listed(names)}")
    return numeric, warnings


def chosen_names(
    frame: pd.DataFrame, path: str | Path, wanted: Sequence[str] | None, exclude: Sequence[str] = ()
) -> list[str]:
    """Return columns that may be learned from, whatever they hold; see :func:`choose_columns`."""
    names = [str(name) for name in frame.columns]
    left_out = frozenset(_named_columns(names, path, exclude, "--exclude"))
    if wanted is not None:
        return _wanted_columns(names, path, wanted, left_out)
    return [name for name in names if name not in left_out]


def _numeric_columns(frame: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], list[str]]:
    numeric: list[str] = []
    other: list[str] = []
    nameless: list[str] = []
    is_float = dict(zip(map(str, frame.columns), frame.dtypes == np.float64, strict=True))
    for name in names:
        if name.startswith("Unnamed: ") or not name.strip():
            nameless.append(name)
        elif is_float[name] or _is_numeric(frame[name]):
            numeric.append(name)
        else:
            other.append(name)
    warnings = []
    if other:
        warnings.append(f"left out, not numeric: {listed(other)}")
    if nameless:
        warnings.append(f"left out, without a name: {counted(len(nameless), 'column')}, probably a row index")
    return numeric, warnings


def _wanted_columns(
    names: Sequence[str], path: str | Path, wanted: Sequence[str], left_out: frozenset[str]
) -> list[str]:
    _named_columns(names, path, wanted, "--columns")
    both = [name for name in wanted if name in left_out]
    if both:
        raise InputError(f"--columns and --exclude must not name the same columns, got {listed(both)}")
    if not wanted:
        raise InputError("--columns must name at least one column")
    return list(wanted)


def _named_columns(names: Sequence[str], path: str | Path, wanted: Sequence[str], flag: str) -> list[str]:
    """Return columns that somebody named, each of them there."""
    repeated = sorted(name for name, count in Counter(wanted).items() if count > 1)
    if repeated:
        raise InputError(f"{flag} must not repeat a name, got {listed(repeated)} twice")
    there = frozenset(names)
    absent = [name for name in wanted if name not in there]
    if absent:
        near = difflib.get_close_matches(absent[0], names, 1)
        hint = f"; did you mean {shortened(near[0])}?" if near else ""
        by = f"; {flag} names it" if flag == "--exclude" else ""
        raise InputError(f"{path}: has no column {listed(absent)}{hint}; it has {listed(names)}{by}")
    return list(wanted)


def _is_numeric(column: pd.Series) -> bool:
    """Return whether a column holds numbers, or mostly numbers with some text (reported later as wrong)."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return True
    if not pd.api.types.is_object_dtype(column) and not pd.api.types.is_string_dtype(column):
        return False
    present = column.dropna()
    return bool(coerced(present).notna().sum() * 2 > len(present))


def coerced(column: pd.Series) -> pd.Series:
    """Return a column as numbers, with NaN for what is none."""
    try:
        numbers: pd.Series = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # a whole number past all floating ones
        large = column.map(lambda cell: isinstance(cell, int) and abs(cell) >= 2**1024).to_numpy(bool)
        numbers = pd.to_numeric(column.mask(large, np.inf), errors="coerce")
    return numbers


def numeric_column(
    frame: pd.DataFrame,
    name: str,
    path: str | Path,
    may_be_left_out: bool = False,
    markers: Sequence[str] = (),
) -> np.ndarray:
    """Return one column in double precision, with NaN where a cell is missing.

    Args:
        frame: Holds the column.
        name: The column's.
        path: Where the frame is from, for messages.
        may_be_left_out: Whether a table can do without the column, which a message then names as a way.
        markers: What was said to stand for a missing cell, which a message repeats before what is new.

    Raises:
        InputError: If a cell is text or too large; it names row and column.
    """
    column = frame[name]
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind in "mM":
        raise InputError(f"{path}: column {name!r} holds dates or durations; numbers are needed")
    if not pd.api.types.is_numeric_dtype(column):
        numbers = coerced(column)
        wrong = np.flatnonzero(column.notna().to_numpy() & numbers.isna().to_numpy())
        if wrong.size:
            way = f", or leave the column out with --exclude {as_value([name])}"
            is_named = may_be_left_out and len(name) < 30
            problem = _bad_cell(path, name, wrong, column, "is not a number", markers)
            raise InputError(problem + way * is_named)
        column = numbers
    if pd.api.types.is_complex_dtype(column):
        raise InputError(f"{path}: column {name!r} holds complex numbers; real ones are needed")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(too_large(values))
    if wrong.size:
        raise InputError(_bad_cell(path, name, wrong, column, "is infinite or too large"))
    return values


def too_large(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which numbers are infinite, or so large that differences of such are; NaN is not."""
    large: NDArray[np.bool_] = np.abs(values) > _LARGEST
    return large


def label_column(frame: pd.DataFrame, name: str, path: str | Path) -> NDArray[np.object_]:
    """Return a column of classes or groups as text, just as it is written; ``""`` where a cell is empty.

    What was read ``as_text`` keeps all that tells two labels apart: 01 and 1 are two, and so are 1 and 1.0.
    In a frame text is told from what else is written like it.

    Raises:
        InputError: If the column is not there.
    """
    _named_columns([str(column) for column in frame.columns], path, [name], "")
    column = frame[name]
    cells = np.where(column.isna(), "", column.astype(object))
    texts = [cell if isinstance(cell, str) else str(cell) for cell in cells.tolist()]
    kinds = {(text, isinstance(cell, str)) for text, cell in zip(texts, cells, strict=True)}
    if len(kinds) > len({text for text, _ in kinds}):
        texts = [
            text if isinstance(cell, str) or (text, True) not in kinds else f"{text} ({type(cell).__name__})"
            for text, cell in zip(texts, cells, strict=True)
        ]
    return np.array([text if text.strip() else "" for text in texts], object)


def _bad_cell(
    path: str | Path,
    name: str,
    wrong: NDArray[np.int64],
    column: pd.Series,
    what: str,
    markers: Sequence[str] = (),
) -> str:
    row = int(wrong[0])
    more = f" (and {counted(wrong.size - 1, 'more cell')} of this column)" if wrong.size > 1 else ""
    where = f"{path}: row {row + 1}, column {shortened(name)}"
    value = column.iloc[row]
    shown = shortened(value) if isinstance(value, str) else str(value)
    advice = "leave a missing cell empty"
    if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
        advice = "write numbers with a decimal point, or say --decimal comma"
        if THOUSANDS.fullmatch(value.strip()):
            advice = (
                "write numbers without separators of thousands, or, of decimal commas, say --decimal comma"
            )
    elif isinstance(value, str):
        words = column.iloc[wrong].astype(str).unique().tolist()
        advice += _named_as_missing(words if len(words) <= _MOST_WORDS else words[:1], markers)
    return f"{where}: {shown} {what}{more}; {advice}"


def _named_as_missing(words: Sequence[str], markers: Sequence[str]) -> str:
    """Return how to say that words stand for missing cells, beside what is known to; nothing of long ones."""
    if max(map(len, words)) >= 30:
        return ""
    return f", or name what stands for it with --na_values {as_value([*markers, *words])}"
