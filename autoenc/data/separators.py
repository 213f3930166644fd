"""Recognition of the separators of columns and decimals of a text table, by its first rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import islice

from autoenc.data.markers import MISSING_WORDS
from autoenc.data.naming import NO_NAME, is_number
from autoenc.settings.dialects import WHITE_SPACE, Dialect

__all__ = ["name_of", "recognized"]

_SAMPLE_ROWS = 100
_RARE = {
    WHITE_SPACE: "spaces",
    ":": "colons",
    "^": "carets",
    "~": "tildes",
    "/": "slashes",
    "&": "ampersands",
}
_NAMES = {";": "semicolons", "\t": "tabs", "|": "vertical bars", **_RARE}
_DECIMAL_NUMBER = re.compile(r"([+-]?\d*(,\d+)?([eE][+-]?\d+)?)|NA|NaN|nan", re.ASCII)
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", re.ASCII)


def name_of(delimiter: str) -> str:
    """Return a delimiter's name for people."""
    return _NAMES.get(delimiter, f"{delimiter!r}")


def recognized(text: str, known: Dialect) -> Dialect:
    """Return what separates columns and decimals, as far as that is not known.

    Args:
        text: Whole lines from the beginning of a table.
        known: What was said of it.
    """
    delimiter = known.delimiter or _delimiter(text, known.decimal)
    decimal = known.decimal
    if decimal is None and delimiter != ",":
        decimal = _decimal(_sample(text, delimiter))
    return known._replace(delimiter=delimiter, decimal=decimal or ".")


def _delimiter(text: str, decimal: str | None) -> str:
    """Return what separates columns: a comma unless something else must, or divides the rows better."""
    by_comma = _sample(text, ",")
    header = next((row for row in by_comma if "".join(row).strip(NO_NAME)), [])
    by_commas = _is_even(by_comma) and len(header) > 1 and decimal != ","
    for mark in _NAMES:
        rows = _sample(text, mark)
        if not rows or not all(len(row) > 1 for row in rows):
            continue
        if mark in _RARE:
            in_names = mark == WHITE_SPACE and any("," in cell.rstrip(",") for cell in rows[0])
            if in_names or not _is_even(rows) or not _has_decimal_commas(rows, only=True):
                continue
        elif by_commas and not _is_even(rows) and not _has_decimal_commas(rows):
            continue
        return mark
    return WHITE_SPACE if "," not in text and _are_numbers(_sample(text, WHITE_SPACE)) else ","


def _has_decimal_commas(rows: Sequence[Sequence[str]], only: bool = False) -> bool:
    """Return whether there are commas, and below the header in numbers alone.

    Args:
        rows: First rows, the header among them.
        only: See to it that all cells are numbers.
    """
    cells = [cell.strip() for row in rows[1:] for cell in row]
    with_comma = [cell for cell in cells if "," in cell]
    return bool(with_comma) and all(map(_DECIMAL_NUMBER.fullmatch, cells if only else with_comma))


def _decimal(rows: Sequence[Sequence[str]]) -> str:
    """Return a comma where a whole column of numbers has some, and no number a point."""
    cells = [[cell.strip() for cell in row] for row in rows[1:]]
    if any(_POINT.fullmatch(cell) for row in cells for cell in row):
        return "."
    width = max(map(len, cells), default=0)
    columns = ([row[j] for row in cells if j < len(row)] for j in range(width))
    has_commas = any(
        any("," in cell for cell in column) and all(map(_DECIMAL_NUMBER.fullmatch, column))
        for column in columns
    )
    return "," if has_commas else "."


def _are_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows have several cells, as many as the header, and numbers below it."""
    cells = [cell for row in rows[1:] for cell in row]
    even = bool(cells) and _is_even(rows) and len(rows[0]) > 1
    return even and all(is_number(cell) or cell in MISSING_WORDS for cell in cells)


def _sample(text: str, mark: str) -> list[list[str]]:
    """Return the first rows of a text as they are if ``mark`` separates its columns."""
    lines: Iterable[str] = io.StringIO(text, newline="")
    if mark == WHITE_SPACE:
        lines, mark = (" ".join(line.split()) for line in lines), " "
    try:
        rows = islice(csv.reader(lines, delimiter=mark), _SAMPLE_ROWS)
        return [row for row in rows if "".join(row).strip()]
    except csv.Error:
        return []


def _is_even(rows: Sequence[Sequence[str]]) -> bool:
    return len({len(row) for row in rows}) == 1
