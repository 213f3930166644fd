"""The rows of CSV text, in pieces: read once, each row counted, none left out and none guessed."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, pairwise
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.data.markers import MISSING_WORDS
from autoenc.data.naming import NO_NAME, is_number, refuse_repeated
from autoenc.errors import InputError, listed

__all__ = ["CsvRows", "Piece"]

_PIECE_BYTES = 2 * 2**20
_PIECE_ROWS = 256  # of a wide table, whose columns should not be begun again for a few rows each


class Piece(NamedTuple):
    """Some whole rows.

    Attributes:
        data: Their text, in UTF-8.
        n_cells: How many cells each row has, 0 for a blank one, ``[rows]``.
        lines: The line that each row ends in, counted from 0 in this piece, ``[rows]``.
        n_lines: Lines of all rows.
        n_bytes: Of the text as it was in the file.
    """

    data: bytes
    n_cells: NDArray[np.int64]
    lines: NDArray[np.int64]
    n_lines: int
    n_bytes: int


class CsvRows:
    """The header and the rows of CSV text; iterating reads it.

    Args:
        name: Of the table, for messages.
        start: The first bytes.
        file: The rest.

    Attributes:
        header: The first row that is not blank.
        n_lines: Lines read so far.

    Raises:
        InputError: If it is not CSV with a header, all rows of which have as many cells.
    """

    def __init__(self, name: str, start: bytes, file: IO[bytes]) -> None:
        self.name = name
        self.n_lines = 0
        self._n_bytes = 0
        self._blank_lines: list[int] = []
        self._pieces = self._texts(start, file)
        self.header, self._rest = self._find_header()

    def __iter__(self) -> Iterator[Piece]:
        for piece in self._whole_rows(self._rest):
            self._check_rows(piece, len(self.header))
            yield piece
            self.n_lines += piece.n_lines

    def warnings(self, texts: Collection[int] = ()) -> list[str]:
        """Return what looks odd, a sentence each; all of it once the rows are read.

        Args:
            texts: Columns that hold text, by their place.
        """
        warnings_so_far = []
        names = [cell.strip() for j, cell in enumerate(self.header) if j not in texts and cell.strip()]
        if _are_cells(names, len(names) < len(self.header)):
            warnings_so_far.append(
                f"the names of all columns{' of numbers' if texts else ''} are numbers, {listed(names, 3)}: "
                "if the file has no header, its first row is lost to the names; put one over it"
            )
        if self._blank_lines:
            lines = listed([str(line) for line in self._blank_lines], quoted=False)
            warnings_so_far.append(f"blank, and kept as rows without an observed cell: line {lines}")
        return warnings_so_far

    def _texts(self, start: bytes, file: IO[bytes]) -> Iterator[bytes]:
        """Yield pieces that end where a line does, checked to be text."""
        rest, size = b"", _PIECE_BYTES
        data = start
        more = True
        while more:
            block = file.read(size)
            more = bool(block)
            data += block
            cut = len(data) if not more else data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
            data, rest = data[:cut], data[cut:]
            if data:
                self._check_text(data)
                size = max(_PIECE_BYTES, min(_PIECE_ROWS * (data.find(b"\n") + 1), 2**27))
                yield data if data.endswith((b"\n", b"\r")) else data + b"\n"
            else:
                size = max(_PIECE_BYTES, len(rest))  # a line longer than a piece
            data = rest

    def _check_text(self, data: bytes) -> None:
        if b"\0" in data:
            raise InputError(f"{self.name}: is a binary file, not CSV or Parquet")
        try:
            if not data.isascii():
                data.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.name}: is not UTF-8 text (byte {self._n_bytes + error.start} is "
                f"{data[error.start]:#04x}); give its encoding, such as --encoding cp1252"
            ) from None
        self._n_bytes += len(data)

    def _find_header(self) -> tuple[list[str], bytes]:
        """Return the first row that is not blank, and what is left of its piece."""
        data, unclosed = b"", 0
        for piece in self._pieces:
            data += piece
            text = data.decode("utf-8-sig")
            lines = io.StringIO(text, newline="")
            reader = csv.reader(lines, strict=True)
            try:
                header = next((row for row in reader if "".join(row).strip(NO_NAME)), None)
            except csv.Error as error:
                if "unexpected end" in str(error):
                    unclosed = text.count("\n", 0, text.find('"')) + 1
                    continue
                raise self.no_csv(f"line {reader.line_num}: {error}") from None
            if header is None:
                continue
            rest = lines.read()
            refuse_repeated(self.name, header)
            self.n_lines = reader.line_num
            return header, rest.encode()
        if unclosed:
            raise self.no_csv(f"a quote that is opened in the header, line {unclosed}, is not closed")
        if data.strip():
            raise InputError(f"{self.name}: has no header; its lines hold nothing but separators or quotes")
        raise InputError(f"{self.name}: is empty; a table with a header and rows was expected")

    def _whole_rows(self, rest: bytes) -> Iterator[Piece]:
        """Yield pieces that end where a row does: a line may end inside quotes."""
        waiting, enough = rest, 1
        for piece in chain([b""], self._pieces):
            waiting += piece
            if len(waiting) < enough:
                continue
            counted = self._counted(waiting)
            waiting = waiting[counted.n_bytes :]
            enough = 2 * len(waiting) + 1  # a long cell is not looked at again for every piece
            if counted.n_cells.size:
                yield counted
        if waiting:
            counted = self._counted(waiting)
            if counted.n_cells.size:
                yield counted
            if counted.n_bytes < len(waiting):
                line = self.n_lines + 1
                raise self.no_csv(f"the quote that is opened in the row of line {line} is not closed")

    def _counted(self, data: bytes) -> Piece:
        """Return the whole rows that text begins with."""
        if b'"' not in data:
            return _count_plain(data)
        text, n_read, n_whole = data.decode(), 0, 0

        def lines() -> Iterator[str]:
            nonlocal n_read
            for line in io.StringIO(text, newline=""):
                n_read += len(line)
                yield line

        n_cells, ends = [], []
        reader = csv.reader(lines(), strict=True)
        try:
            for row in reader:
                n_cells.append(len(row) if len(row) > 1 or "".join(row).strip() else 0)
                ends.append(reader.line_num - 1)
                n_whole = n_read
        except csv.Error as error:
            if "unexpected end" not in str(error):
                raise self.no_csv(f"line {self.n_lines + reader.line_num}: {error}") from None
        whole = data if n_whole == len(text) else text[:n_whole].encode()
        n_lines = ends[-1] + 1 if ends else 0
        return Piece(whole, np.array(n_cells, np.int64), np.array(ends, np.int64), n_lines, len(whole))

    def _check_rows(self, piece: Piece, n_columns: int) -> None:
        """See that each row has as many cells as there are names; blank ones are noted."""
        if n_columns == 1:
            wrong = np.flatnonzero(piece.n_cells > 1)
        else:
            wrong = np.flatnonzero(piece.n_cells != n_columns)
        for i in wrong:
            line, n_cells = self.n_lines + int(piece.lines[i]) + 1, int(piece.n_cells[i])
            if n_cells == 0:
                self._blank_lines.append(line)
                continue
            reason = f"line {line} has {n_cells} cells, but the header has {n_columns}"
            if n_cells > n_columns:
                raise self.no_csv(reason)
            raise InputError(f"{self.name}: {reason}; missing cells need their separators, too")

    def no_csv(self, why: str) -> InputError:
        """Return the error to raise where the text is not CSV."""
        return InputError(f"{self.name}: is not a CSV table: {why}")


def _are_cells(names: Sequence[str], beside_text: bool) -> bool:
    """Return whether the names of columns of numbers may be the first row of a file without a header.

    Beside columns of text whole numbers in ascending order are names, such as years.
    """
    numbers = [float(name) for name in names if is_number(name)]
    if not numbers or not all(is_number(name) or name in MISSING_WORDS for name in names):
        return False
    steps = [after - before for before, after in pairwise(numbers)]
    are_years = all(step > 0 for step in steps) and all(number.is_integer() for number in numbers)
    return not (beside_text and are_years)


def _count_plain(data: bytes) -> Piece:
    """Count the cells of lines without quotes, all at once."""
    n_bytes = len(data)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    cells = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(cells == ord("\n"))
    n_cells = np.diff(np.searchsorted(np.flatnonzero(cells == ord(",")), ends), prepend=0) + 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    for i in np.flatnonzero(n_cells == 1):
        if not data[starts[i] : ends[i]].strip():
            n_cells[i] = 0
    return Piece(data, n_cells, np.arange(ends.size), ends.size, n_bytes)
