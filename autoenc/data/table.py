"""The table: values, missing cells, labels and fingerprint."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from autoenc.data.compact import (
    Cells,
    Column,
    Compact,
    column_ends,
    compacted,
    in_fewest_bytes,
    row_blocks,
    worth_compacting,
)
from autoenc.data.encoding import Encoding
from autoenc.data.features import Number
from autoenc.data.naming import with_columns
from autoenc.data.oddities import odd_columns
from autoenc.data.read import (
    COPUS_COLUMNS,
    ReadTable,
    choose_columns,
    chosen_names,
    label_column,
    numeric_column,
    read_table,
    too_large,
)
from autoenc.data.scaling import Scaling, ScalingKind
from autoenc.errors import InputError, listed

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TEST_SHARE",
    "Scaling",
    "ScalingKind",
    "Table",
    "fits_single",
    "label_fingerprint",
    "load_table",
    "one_form",
    "table_of",
]

TEST_SHARE = 0.2
_CELLS_AT_ONCE = 2**20
Floating = TypeVar("Floating", bound=np.floating)


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes:
        values: ``[rows, columns]`` as in the file, in double precision for whoever takes some of them: a
            C-contiguous array, or in fewer bytes of a long table; NaN is missing, zero is a value.
        columns: The columns' names.
        path: Where it came from.
        warnings: What was left out or looks odd, a sentence each.
        labels: Other columns that were asked for, as text, by name; they say which rows belong together.
        na_values: Words and numbers that stood for a missing cell beside the usual ones.
        encoding: What the columns stand for, where they are made of a table's mixed ones.
    """

    values: Cells
    columns: list[str]
    path: str
    warnings: list[str] = field(default_factory=list)
    labels: dict[str, NDArray[np.object_]] = field(default_factory=dict)
    na_values: tuple[str, ...] = ()
    encoding: Encoding | None = None

    def model_info(self) -> dict[str, Any]:
        """Return what a model that learns from it should know of it, as plain values."""
        info: dict[str, Any] = {"data_fingerprint": self.fingerprint}
        return {**info, "na_values": list(self.na_values)} if self.na_values else info

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """How columns are scaled, see :class:`.Scaling`; None where they are no encoded ones."""
        return None if self.encoding is None else self.encoding.groups

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the columns' names, the shape and every cell, as hexadecimal.

        Where all cells are single-precision numbers their single bits count, as when tables held no others,
        so that the records of such tables stay valid.
        """
        return self._digest(np.float32 if all(map(fits_single, self._blocks())) else np.float64)

    @cached_property
    def single_fingerprint(self) -> str:
        """The fingerprint of :meth:`in_single_precision`."""
        return self._digest(np.float32)

    def in_single_precision(self) -> Table:
        """Return the same with every cell rounded to single precision, as tables once were read."""
        with np.errstate(over="ignore"):
            rounded = self.values.astype(np.float32)
        n_rows, n_columns = rounded.shape
        fewer = compacted(n_rows, n_columns, lambda j: rounded[:, j].astype(np.float64))
        return replace(self, values=rounded.astype(np.float64) if fewer is None else fewer)

    def _digest(self, dtype: type[np.floating]) -> str:
        digest = hashlib.sha256(repr((self.columns, self.values.shape)).encode())
        for block in self._blocks():
            with np.errstate(over="ignore"):
                digest.update(one_form(block.astype(dtype)).tobytes())
        return digest.hexdigest()

    @cached_property
    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The lowest and the highest observed cell of each column, NaN where there is none."""
        return column_ends(self.values)

    @property
    def varying(self) -> NDArray[np.bool_]:
        """Which columns hold more than one number, ``[columns]``."""
        low, high = self.ends
        varies: NDArray[np.bool_] = low < high
        return varies

    def _blocks(self) -> Iterator[NDArray[np.floating]]:
        return (self.values[block] for block in row_blocks(self.values))


def fits_single(cells: NDArray[np.floating]) -> bool:
    """Return whether every cell is a single-precision number or missing."""
    with np.errstate(over="ignore"):
        return bool(((cells.astype(np.float32) == cells) | np.isnan(cells)).all())


def one_form(cells: NDArray[Floating]) -> NDArray[Floating]:
    """Return equal cells as equal bits: one NaN, whatever bits it came with, and no -0."""
    zero = cells.dtype.type(0)
    return np.where(np.isnan(cells), cells.dtype.type(np.nan), cells + zero)


def label_fingerprint(labels: NDArray[np.object_]) -> str:
    """Return the SHA-256 of a column of labels, as hexadecimal."""
    text = "\n".join(labels)
    if text.count("\n") >= len(labels):  # a label has lines of its own
        text = json.dumps(list(labels))
    return hashlib.sha256(text.encode()).hexdigest()


def load_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    labels: Sequence[str] = (),
    exclude: Sequence[str] = (),
    na_values: Sequence[str] = (),
) -> Table:
    """Load the columns to learn from.

    Args:
        path: CSV or Parquet file, or a pipe; ``-`` is standard input.
        columns: Names of the columns; by default the COPUS columns if all are there, else all numeric ones
            that are no labels.
        labels: Names of columns to keep beside them, as they are written.
        exclude: Names of columns not to learn from.
        na_values: Words and numbers that stand for a missing cell.

    Raises:
        InputError: If the file or a cell of it cannot be used; it says which and why.
        OSError: If memory runs out, or the file cannot be read to its end.
    """
    return table_of(read_table(path, labels, na_values), columns, labels, exclude)


def table_of(
    read: ReadTable,
    columns: Sequence[str] | None = None,
    labels: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_categories: int = 0,
) -> Table:
    """Return the columns to learn from of a table that has been read; see :func:`load_table`.

    Args:
        read: The table.
        columns: Names of the columns.
        labels: Names of columns to keep beside them.
        exclude: Names of columns not to learn from.
        max_categories: Learn from truth values, dates and categories, too: text of so many different words;
            0 to learn from numbers alone.

    Raises:
        InputError: If a cell or a name cannot be used; it says which and why.
        OSError: If memory runs out.
    """
    frame, name = read.frame, read.name
    kept_labels, problems = {}, []
    for label in labels:
        try:
            kept_labels[label] = label_column(frame, label, name)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    features = frame
    if columns is None and (labels or read.beside):
        beside = dict.fromkeys([*labels, *read.beside])
        features = frame.drop(columns=[label for label in beside if label not in exclude])
    if max_categories:
        return _encoded(read, features, columns, exclude, kept_labels, max_categories)
    names, left_out = choose_columns(features, name, columns, exclude)
    try:
        values, names, odd = _values(read, names, columns is not None)
    except MemoryError:
        raise OSError(errno.ENOMEM, "there is not enough memory for this table", name) from None
    suspects = odd_columns(lambda j: values[:, j], names, look_for_identifiers=columns is None)
    warnings = [*read.warnings, *left_out, *odd, *suspects]
    return Table(values, names, name, warnings, kept_labels, read.na_values)


def _encoded(
    read: ReadTable,
    features: pd.DataFrame,
    columns: Sequence[str] | None,
    exclude: Sequence[str],
    labels: dict[str, NDArray[np.object_]],
    max_categories: int,
) -> Table:
    """Return the table of mixed columns, made numbers."""
    from autoenc.data.recognition import recognize

    frame, name, asked = read.frame, read.name, columns is not None
    names = chosen_names(features, name, columns, exclude)
    if not asked and {*COPUS_COLUMNS} <= {*features.columns}:
        names = [column for column in COPUS_COLUMNS if column in names]
    encoding, left_out = recognize(frame, names, name, read.truth, max_categories, asked)
    numbers = [feature.name for feature in encoding.features if isinstance(feature, Number)]
    is_long = worth_compacting(len(frame), len(encoding.encoded))
    as_numbers, kept = dict[str, NDArray[np.float64]](), dict[str, Column]()
    for column in numbers:
        cells = numeric_column(frame, column, name, not asked, read.na_values)
        if is_long:
            kept[column] = in_fewest_bytes(cells)
        else:
            as_numbers[column] = cells
    values: Cells
    try:
        if is_long:
            values = _encoded_compactly(encoding, frame, kept)
        else:
            values = encoding.encode(with_columns(frame, as_numbers))
    except InputError as error:
        raise InputError([f"{name}: {problem}" for problem in error.problems]) from None
    except MemoryError:
        raise OSError(errno.ENOMEM, "there is not enough memory for this table", name) from None
    places = [encoding.encoded.index(column) for column in numbers]
    odd = odd_columns(lambda j: values[:, places[j]], numbers, look_for_identifiers=False)
    warnings = [*read.warnings, *left_out, *odd]
    return Table(values, encoding.encoded, name, warnings, labels, read.na_values, encoding)


def _encoded_compactly(encoding: Encoding, frame: pd.DataFrame, numbers: dict[str, Column]) -> Compact:
    """Return the cells of a long table of mixed columns, a column at a time, of which numbers are there."""
    columns: list[Column] = []
    for feature in encoding.features:
        if isinstance(feature, Number):
            columns.append(numbers[feature.name])
        else:
            columns += map(in_fewest_bytes, feature.encode(frame[feature.name]).T)
    return Compact(columns)


def _values(read: ReadTable, names: list[str], asked: bool) -> tuple[Cells, list[str], list[str]]:
    """Return cells and names of the columns that have an observed cell, and what is odd about columns."""
    frame, name = read.frame, read.name
    values: Cells | None = _in_fewer_bytes(read, names, asked)
    if values is None:
        values = _whole(frame, names)
    if values is None:
        values = _collected(read, names, asked)
    low, high = column_ends(values)
    for j in np.flatnonzero(too_large(low) | too_large(high))[:1]:
        numeric_column(frame, names[j], name)  # says which cell it is
    empty = np.flatnonzero(np.isnan(low))
    constant = [names[j] for j in np.flatnonzero(low == high)]
    if empty.size == len(names):
        raise InputError(f"{name}: all cells are missing in {listed(names, quoted=False)}")
    warnings = []
    if empty.size:
        warnings.append(f"left out, no observed cell: {listed([names[j] for j in empty], quoted=False)}")
        kept = np.setdiff1d(np.arange(len(names)), empty)
        values = values.only(kept) if isinstance(values, Compact) else np.ascontiguousarray(values[:, kept])
        names = [names[j] for j in kept]
    if constant:
        warnings.append(f"constant, kept but without information: {listed(constant, quoted=False)}")
    return values, names, warnings


def _in_fewer_bytes(read: ReadTable, names: list[str], asked: bool) -> Compact | None:
    """Return the cells of a long table in fewer bytes, read column by column; None where there are none."""
    frame = read.frame
    places = {column_name: place for place, column_name in enumerate(frame.columns)}

    def column(j: int) -> NDArray[np.float64]:
        series = frame.iloc[:, places[names[j]]]
        if series.dtype == np.float64:
            return series.to_numpy()
        return numeric_column(frame, names[j], read.name, not asked, read.na_values)

    return compacted(len(frame), len(names), column)


def _collected(read: ReadTable, names: list[str], asked: bool) -> NDArray[np.float64]:
    """Return the cells of some columns, many at a time, as each column costs."""
    frame = read.frame
    values = np.empty((len(frame), len(names)))
    place_of = {column_name: place for place, column_name in enumerate(frame.columns)}
    places = np.array([place_of[column_name] for column_name in names])
    is_float = (frame.dtypes.iloc[places] == np.float64).to_numpy(bool)
    for j in np.flatnonzero(~is_float):
        values[:, j] = numeric_column(frame, names[j], read.name, not asked, read.na_values)
    floats = np.flatnonzero(is_float)
    n_at_once = max(1, _CELLS_AT_ONCE // max(1, len(frame)))
    for start in range(0, floats.size, n_at_once):
        part = floats[start : start + n_at_once]
        values[:, part] = frame.iloc[:, places[part]].to_numpy()
    return values


def _whole(frame: pd.DataFrame, names: list[str]) -> NDArray[np.float64] | None:
    """Return the cells of a frame that is learned from as it is, not copied; None where that cannot be."""
    if list(frame.columns) != names or any(dtype != np.float64 for dtype in frame.dtypes):
        return None
    values = frame.to_numpy()
    if not values.flags.c_contiguous:
        return None
    if values.base is not None and not values.flags.writeable:
        values.flags.writeable = True  # pandas lends it read-only; nobody else has it
    return values
