"""Reading CSV in one pass, piece by piece, with numbers in double precision."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.csv_rows import CsvRows, Piece
from autoenc.data.csv_wide import read_wide
from autoenc.data.markers import MISSING_WORDS, Markers
from autoenc.data.naming import is_number, refuse_repeated

__all__ = ["read_csv"]

_TRUE, _FALSE = frozenset(("True", "TRUE", "true")), frozenset(("False", "FALSE", "false"))
# Older versions of pandas may be off by the last digit of a number otherwise.
_EXACT: dict[str, Any] = (
    {} if int(pd.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}
)


def read_csv(
    name: str, start: bytes, file: IO[bytes], as_text: Collection[str], markers: Markers
) -> tuple[pd.DataFrame, list[str], frozenset[str]]:
    """Read a table with its header.

    Args:
        name: Of the table, for messages.
        start: Its first bytes.
        file: The rest.
        as_text: Columns whose cells are kept as they are written; an empty one is ``""``.
        markers: What stands for a missing cell, beside :data:`MISSING_WORDS` for a missing number.

    Returns:
        Columns in double precision with NaN for a missing cell, or of objects where a cell is text, which
        stands there as text; warnings, a sentence each; and the columns of nothing but truth values.

    Raises:
        InputError: If it is not CSV with a header, all rows of which have as many cells.
    """
    rows = CsvRows(name, start, file)
    names = [cell if cell.strip() else f"Unnamed: {j}" for j, cell in enumerate(rows.header)]
    refuse_repeated(name, names)
    columns = _Columns(names, as_text, markers)
    for piece in rows:
        _add_piece(rows, piece, columns)
    return columns.frame(), rows.warnings(columns.with_text()), columns.truth()


def _add_piece(rows: CsvRows, piece: Piece, columns: _Columns) -> None:
    """Read a piece: of a wide one all numbers at once, and column by column what stands beside them."""
    n_columns, words = len(columns.names), sorted({"", *MISSING_WORDS, *columns.markers.words})
    options = {"keep_default_na": False, "na_values": words, **_EXACT}
    wide = read_wide(piece, n_columns, columns.with_text(), lambda cell: bool(columns.cell(cell)[1]), options)
    if wide is None:
        columns.add(_parsed(rows, piece, columns, range(n_columns), words))
    else:
        columns.add(_parsed(rows, wide.text, columns, wide.apart, words), wide.numbers)


def _parsed(rows: CsvRows, piece: Piece, columns: _Columns, which: Sequence[int], words: Any) -> pd.DataFrame:
    """Return columns of a piece as pandas reads them: of one kind of number, or of text."""
    texts = {j for j in which if columns.names[j] in columns.as_text}
    if texts:
        words = {j: words for j in which if j not in texts}
    if not which:
        return pd.DataFrame(index=range(piece.n_cells.size))
    try:
        frame: pd.DataFrame = pd.read_csv(
            io.BytesIO(piece.data), header=None, names=list(which), index_col=False,
            skip_blank_lines=False, dtype=dict.fromkeys(texts, str), keep_default_na=False,
            na_values=words, low_memory=False, encoding="utf-8", **_EXACT,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise rows.no_csv(str(error).strip()) from None
    if len(frame) != piece.n_cells.size:
        raise rows.no_csv(f"lines {rows.n_lines + 1} to {rows.n_lines + piece.n_lines} have odd quotes")
    return frame


class _Columns:
    """The columns of a table while it is read.

    A cell counts as a number by itself, whatever stands above and below it, so that nothing depends on where
    a piece ends. ``True`` and ``False`` are numbers where a column holds nothing else.
    """

    def __init__(self, names: list[str], as_text: Collection[str], markers: Markers) -> None:
        self.names, self.as_text = names, frozenset(as_text)
        self.markers = markers
        self.values = np.empty((0, len(names)))
        self.n_rows = 0
        self.texts: dict[int, list[NDArray[np.object_]]] = {}  # of the columns that are kept as text
        self.found_words: dict[int, list[tuple[NDArray[np.int64], NDArray[np.object_]]]] = {}
        self.only_truth: dict[int, bool] = {}

    def with_text(self) -> set[int]:
        """Return columns in which text was found, or which are kept as text."""
        kept = {j for j, name in enumerate(self.names) if name in self.as_text} if self.as_text else set()
        return kept | self.found_words.keys()

    def add(self, piece: pd.DataFrame, numbers: NDArray[np.float64] | None = None) -> None:
        """Add rows at the end.

        Args:
            piece: Columns by their place.
            numbers: The cells of all others, ``[rows, columns]``.
        """
        first, self.n_rows = self.n_rows, self.n_rows + len(piece)
        if self.n_rows > len(self.values):
            # In place: the system moves pages instead of copying cells.
            self.values.resize((self.n_rows + self.n_rows // 32, len(self.names)), refcheck=False)
        values = self.values[first : self.n_rows]
        if numbers is not None:
            values[:] = numbers
        if numbers is None and all(dtype.kind in "iuf" for dtype in piece.dtypes):
            values[:] = piece.to_numpy(np.float64)
        else:
            for j, column in piece.items():
                self._add_column(int(str(j)), column, first, values)
        self.markers.forget(values)

    def _add_column(self, j: int, column: pd.Series, first: int, values: NDArray[np.float64]) -> None:
        if self.names[j] in self.as_text:
            cells = np.where(column.isna(), "", column.to_numpy(object))
            if self.markers:
                cells = np.array(["" if self.markers.mark(cell) else cell for cell in cells], object)
            self.texts.setdefault(j, []).append(cells)
            values[:, j] = np.nan
            return
        if column.dtype.kind in "iuf":
            values[:, j] = column.to_numpy(np.float64)
            return
        codes, uniques = pd.factorize(column.to_numpy(object))
        read = [self.cell(cell) for cell in uniques] + [(np.nan, "")]  # the last for a missing one, -1
        values[:, j] = np.array([value for value, _ in read])[codes]
        words = np.array([word for _, word in read], object)[codes]
        rows = np.flatnonzero(words != "")
        if rows.size:
            self.found_words.setdefault(j, []).append((rows + first, words[rows]))
            truth = all(word in _TRUE | _FALSE for word in set(words[rows]))
            self.only_truth[j] = self.only_truth.get(j, True) and truth

    def cell(self, cell: Any) -> tuple[float, str]:
        """Return a cell as number and, where it is none for sure, as text."""
        if isinstance(cell, bool):
            return float(cell), str(cell)
        if not isinstance(cell, str):
            return float(cell), ""
        text = cell.strip()
        if is_number(text):
            return float(text), ""
        if not text or text in MISSING_WORDS or text in self.markers.words:
            return np.nan, ""
        return (float(text in _TRUE) if text in _TRUE | _FALSE else np.nan), cell

    def frame(self) -> pd.DataFrame:
        """Return the table."""
        self.values.resize((self.n_rows, len(self.names)), refcheck=False)
        mixed = {j: column for j in self.found_words if (column := self._mixed(j)) is not None}
        frame = pd.DataFrame(self.values, columns=pd.Index(self.names), copy=False)
        texts = {j: np.concatenate(parts) for j, parts in self.texts.items()}
        for j, cells in {**mixed, **texts}.items():
            frame.isetitem(j, cells)
        return frame

    def truth(self) -> frozenset[str]:
        """Return names of the columns that hold truth values and nothing else, as numbers."""
        return frozenset(self.names[j] for j in self.found_words if self._is_truth(j))

    def _is_truth(self, j: int) -> bool:
        n_words = sum(rows.size for rows, _ in self.found_words[j])
        return self.only_truth[j] and n_words == np.count_nonzero(~np.isnan(self.values[:, j]))

    def _mixed(self, j: int) -> NDArray[np.object_] | None:
        """Return a column with text in it; None where its words are truth values only."""
        values = self.values[:, j]
        if self._is_truth(j):
            return None
        column = values.astype(object)
        for rows, words in self.found_words[j]:
            column[rows] = words
        return column
