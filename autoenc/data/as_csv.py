"""Text tables of any separators, as CSV with commas and decimal points, made while they are read."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from autoenc.data.separators import name_of, recognized
from autoenc.data.streams import chunks_of, stream_of
from autoenc.errors import InputError, shortened
from autoenc.settings.dialects import WHITE_SPACE, Dialect

__all__ = ["as_csv", "cells_of_any_length"]

_SAMPLE_BYTES = 2**20
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*", re.ASCII)
_POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*", re.ASCII)

_ODD_COMMA = re.compile(rb"(?<!\d),|,(?!\d)|,\d+,|[eE]\d*,")


@contextmanager
def cells_of_any_length() -> Iterator[None]:
    """Let the cells of CSV be as long as they are."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def as_csv(name: str, start: bytes, file: IO[bytes], dialect: Dialect) -> tuple[bytes, IO[bytes], list[str]]:
    """Return a text table with commas and decimal points, and what was recognized, a sentence each.

    A table that has them is returned as it is, byte for byte. Lines stay lines, and rows keep as many cells.

    Args:
        name: Of the table, for messages.
        start: Its first bytes, UTF-8.
        file: The rest.
        dialect: What was said of how it is written; the rest is recognized by the first rows.

    Raises:
        InputError: On reading, if a number is written otherwise than the others.
    """
    more = file.read(_SAMPLE_BYTES)
    file = stream_of(chunks_of(more, file)) if more else file
    text = _first_lines(start + more, is_whole=len(more) < _SAMPLE_BYTES)
    if (dialect.delimiter, dialect.decimal) == (",", "."):
        return start, file, []
    actual = recognized(text, dialect)
    if (actual.delimiter, actual.decimal) == (",", "."):
        return start, file, []
    written = stream_of(_Rewriting(name, actual).chunks(chunks_of(start, file)))
    return written.read(max(len(start), 1)), written, _notes(dialect, actual)


def _first_lines(data: bytes, is_whole: bool) -> str:
    """Return whole lines; a mark of UTF-8 at the beginning is taken off."""
    cut = len(data) if is_whole else max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    return data[:cut].decode("utf-8-sig", errors="replace")


def _notes(given: Dialect, actual: Dialect) -> list[str]:
    options, facts = [], []
    if given.delimiter is None and actual.delimiter not in (None, ","):
        facts.append(f"its columns are separated by {name_of(actual.delimiter)}")
        options.append("--delimiter")
    if given.decimal is None and actual.decimal == ",":
        facts.append("its numbers have decimal commas")
        options.append("--decimal")
    otherwise = "says" if len(options) == 1 else "say"
    return [f"{' and '.join(facts)}; {' and '.join(options)} {otherwise} otherwise"] if facts else []


class _Rewriting:
    """Text of one dialect, chunk by chunk, as CSV with commas and points."""

    def __init__(self, name: str, dialect: Dialect) -> None:
        self.name, self.delimiter = name, dialect.delimiter or ","
        self.has_commas = dialect.decimal == ","
        self.n_lines, self.seen_header = 0, False
        other = rb"[^%s\n]" % re.escape(self.delimiter.encode())
        edges = rb"(?<!%s)%%s(?!%s)" % (other, other)
        exponent = rb"((?:[eE][+-]?\d+)? *)"
        self._comma = re.compile(edges % (rb"( *[+-]?\d*),(\d+)" + exponent))
        self._point = re.compile(edges % (rb" *[+-]?\d*\.\d+" + exponent))

    def chunks(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        waiting = b""
        for chunk in chunks:
            waiting += chunk
            cut = waiting.rfind(b"\n") + 1 or waiting.rfind(b"\r", 0, len(waiting) - 1) + 1
            n_bytes, rows = self._rows(waiting[:cut])
            waiting = waiting[n_bytes:]
            yield rows
        n_bytes, rows = self._rows(waiting)
        yield rows
        if n_bytes < len(waiting):
            raise self._error(self.n_lines + 1, "the quote that is opened in its row is not closed")

    def _rows(self, data: bytes) -> tuple[int, bytes]:
        """Return of how many bytes whole rows consist, and these rows as CSV."""
        quick = self._quick(data.replace(b"\r\n", b"\n")) if self.seen_header else None
        return self._row_by_row(data) if quick is None else (len(data), quick)

    def _quick(self, data: bytes) -> bytes | None:
        """Return lines without quotes as CSV, all at once; None where each cell must be looked at."""
        if self._is_spaced or b'"' in data or b"\r" in data:
            return None
        if self.has_commas and self._holds_numbers_alone(data):
            data = data.replace(b",", b".")
        elif self.has_commas:
            if self._point.search(data):
                return None
            data = self._comma.sub(rb"\1.\2\3", data)
        if b"," in data and self.delimiter != ",":
            return None
        self.n_lines += data.count(b"\n")
        return data.replace(self.delimiter.encode(), b",")

    def _holds_numbers_alone(self, data: bytes) -> bool:
        """Return whether every comma of some lines is a decimal one: between digits, one a cell, no text."""
        others = data.translate(None, b"0123456789+-eE, \n" + self.delimiter.encode())
        return self.delimiter != "," and not others and _ODD_COMMA.search(data) is None

    def _row_by_row(self, data: bytes) -> tuple[int, bytes]:
        try:
            text = data.decode("utf-8-sig" if not self.seen_header else "utf-8")
        except UnicodeDecodeError:
            return len(data), data  # the reader says where
        lines = _Lines(text)
        output = io.StringIO(newline="")
        writer = csv.writer(output, lineterminator="\n")
        n_whole, n_before = 0, self.n_lines
        delimiter = " " if self._is_spaced else self.delimiter
        reader = csv.reader((self._plain(line) for line in lines), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                self.n_lines = n_before + reader.line_num
                writer.writerow(self._cells(row))
                n_whole = lines.n_read
        except csv.Error as error:
            if "unexpected end" not in str(error):
                raise self._error(n_before + reader.line_num, str(error)) from None
        n_bytes = len(data) if n_whole == len(text) else len(data) - len(text[n_whole:].encode())
        return n_bytes, output.getvalue().encode()

    @property
    def _is_spaced(self) -> bool:
        return self.delimiter == WHITE_SPACE

    def _plain(self, line: str) -> str:
        return " ".join(line.split()) + "\n" if self._is_spaced else line

    def _cells(self, row: list[str]) -> list[str]:
        if not self.seen_header:
            self.seen_header = bool("".join(row).strip())
            return row
        return [self._number(cell) for cell in row] if self.has_commas else row

    def _number(self, cell: str) -> str:
        if "," in cell and _COMMA_NUMBER.fullmatch(cell):
            return cell.replace(",", ".")
        if "." in cell and _POINT_NUMBER.fullmatch(cell):
            raise self._error(
                self.n_lines,
                f"{shortened(cell)} has a decimal point among decimal commas; write all numbers in one way",
            )
        return cell

    def _error(self, line: int, why: str) -> InputError:
        return InputError(
            f"{self.name}: is not a table separated by {name_of(self.delimiter)}: line {line}: {why}"
        )


class _Lines:
    """The lines of a text; knows how much of it has been read."""

    def __init__(self, text: str) -> None:
        self._lines, self.n_read = io.StringIO(text, newline=""), 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.n_read += len(line)
            yield line
