"""Tables as CSV text; a spreadsheet takes none of their cells for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pandas takes half a second to import
    import pandas as pd

__all__ = ["csv_lines", "plain_cell", "plain_frame"]

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain_cell(value: Any) -> Any:
    """Return a cell as it may be written: text that a spreadsheet would compute begins with an apostrophe.

    Names and choices come from other people's tables, and ``=HYPERLINK(...)`` in one of them would run where
    the table is opened. Numbers, also those that are text, compute nothing and stay as they are.
    """
    if isinstance(value, str) and value.startswith(_BEGINS_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip() == text and "_" not in text


def csv_lines(head: Sequence[Any], lines: Iterable[Sequence[Any]]) -> str:
    """Return head and lines as CSV, ended by line feeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([plain_cell(cell) for cell in line] for line in (head, *lines))
    return text.getvalue()


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose names and words may be written as CSV, see :func:`plain_cell`."""
    import pandas as pd
    from pandas.api.types import is_object_dtype, is_string_dtype

    frame = frame.copy()
    for name, dtype in frame.dtypes.items():
        if is_object_dtype(dtype) or is_string_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
            frame[name] = pd.Series(map(plain_cell, frame[name]), frame.index, object)
    return frame.rename(columns=plain_cell)
