"""Wide pieces of CSV, read as one long column of numbers, as each column costs; text stands apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.csv_rows import Piece

__all__ = ["WidePiece", "read_wide"]

_MOST_APART = 0.25
"""Of the columns: where more are text, reading column by column is as quick."""


class WidePiece(NamedTuple):
    """A piece with more columns than rows.

    Attributes:
        numbers: Its cells, those of other columns NaN, ``[rows, columns]``.
        apart: The columns that may hold text, ascending.
        text: Their cells, as CSV.
    """

    numbers: NDArray[np.float64]
    apart: list[int]
    text: Piece


def read_wide(
    piece: Piece,
    n_columns: int,
    apart: Collection[int],
    is_text: Callable[[str], bool],
    options: dict[str, Any],
) -> WidePiece | None:
    """Read a piece with more columns than rows.

    Args:
        piece: Whole rows.
        n_columns: How many cells each has.
        apart: Columns that are known to hold text.
        is_text: Tells whether a cell is text.
        options: What pandas should know of cells.

    Returns:
        Its numbers and the text beside them; None where that is not worth it.
    """
    n_rows = piece.n_cells.size
    if n_columns <= n_rows or not (piece.n_cells == n_columns).all():
        return None
    text_columns = {*apart, *(j for j, cell in enumerate(next(_rows(piece))) if is_text(cell))}
    while len(text_columns) <= n_columns * _MOST_APART:
        kept = np.ones(n_columns, bool)
        kept[list(text_columns)] = False
        cut = _cut(piece, kept)
        more = cut if isinstance(cut, set) else set()
        if not isinstance(cut, set):
            cells, text = cut
            column = _one_column(cells, options)
            if column.dtype.kind in "iuf" and column.size == n_rows * kept.sum():
                numbers = np.full((n_rows, n_columns), np.nan)
                numbers[:, kept] = column.to_numpy(np.float64).reshape(n_rows, -1)
                return WidePiece(numbers, sorted(text_columns), piece._replace(data=text))
            wrong = column.notna() & pd.to_numeric(column, errors="coerce").isna()
            more = set(np.flatnonzero(kept)[np.flatnonzero(wrong) % kept.sum()].tolist())
        if not more:
            return None
        text_columns |= more
    return None


def _cut(piece: Piece, kept: NDArray[np.bool_]) -> tuple[bytes, bytes] | set[int]:
    """Part the columns that are kept from the others.

    Returns:
        The cells of the former, a line each, and the latter as CSV; instead of both further columns that
        must not be kept, where a cell holds a mark that has a meaning in CSV.
    """
    is_plain = b'"' not in piece.data
    if is_plain and kept.all():
        return piece.data.replace(b",", b"\n"), b""
    lines, n_kept = [], int(kept.sum())
    others = io.StringIO(newline="")
    writer, is_other = csv.writer(others), ~kept
    for row in _rows(piece):
        cells = "\n".join(compress(row, kept))
        if not is_plain and (cells.count("\n") >= n_kept or any(mark in cells for mark in ',"\r')):
            marked = (j for j, cell in enumerate(row) if any(mark in cell for mark in ',"\r\n'))
            return {j for j in marked if kept[j]}
        lines.append(cells)
        writer.writerow(list(compress(row, is_other)))
    return "\n".join([*lines, ""]).encode(), others.getvalue().encode()


def _one_column(cells: bytes, options: dict[str, Any]) -> pd.Series:
    frame: pd.DataFrame = pd.read_csv(
        io.BytesIO(cells), header=None, names=[0], skip_blank_lines=False, low_memory=False,
        encoding="utf-8", **options,
    )  # fmt: skip
    return frame[0]


def _rows(piece: Piece) -> Iterator[list[str]]:
    text = piece.data.decode()
    if '"' in text:
        return csv.reader(io.StringIO(text, newline=""), strict=True)
    return (line.split(",") for line in text.split("\n")[:-1])
