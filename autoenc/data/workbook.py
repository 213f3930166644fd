"""Reading workbooks: Excel's, old and new, and OpenDocument's."""

from __future__ import annotations

from typing import IO

import pandas as pd

from autoenc.data.naming import refuse_repeated
from autoenc.errors import InputError, listed, needing

__all__ = ["OLD_WORKBOOK_MAGIC", "read_workbook"]

OLD_WORKBOOK_MAGIC = b"\xd0\xcf\x11\xe0"


def read_workbook(name: str, file: IO[bytes], sheet: str | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Return a sheet, whose first row names the columns, and a sentence where others were not chosen.

    Args:
        name: Of the table, for messages.
        file: All of it.
        sheet: Its name, or its number from 1; None for the first.

    Raises:
        InputError: If it is no workbook, has no such sheet or an empty one, a column is named twice, or a
            package is missing.
    """
    with needing(f"{name}: reading workbooks needs python-calamine", "excel"):
        import python_calamine  # noqa: F401
    try:
        with pd.ExcelFile(file, engine="calamine") as book:
            sheets = [str(sheet) for sheet in book.sheet_names]
            place = _place(name, sheets, sheet)
            cells = pd.read_excel(book, sheet_name=place, header=None, nrows=1)
            names = [
                "" if cell is None or cell != cell else str(cell) for cell in cells.to_numpy(object).ravel()
            ]
            frame: pd.DataFrame = pd.read_excel(book, sheet_name=place) if names else cells
    except InputError:
        raise
    except Exception as error:  # the library has many of its own, and no base for them
        raise InputError(f"{name}: is not a readable workbook: {' '.join(str(error).split())}") from None
    if not names:
        which = "first sheet" if sheet is None else "sheet"
        raise InputError(f"{name}: its {which}, {sheets[place]!r}, is empty; a header and rows were expected")
    refuse_repeated(name, names)
    frame.columns = pd.Index([str(column) for column in frame.columns])
    if sheet is not None or not sheets[1:]:
        return frame, []
    others = listed(sheets[1:])
    return frame, [f"only its first sheet is read, {sheets[0]!r}, and not {others}; --sheet names another"]


def _place(name: str, sheets: list[str], wanted: str | None) -> int:
    """Return the place of a sheet, from 0; a name goes before a number."""
    if wanted is None:
        return 0
    if wanted in sheets:
        return sheets.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(sheets):
        return int(wanted) - 1
    raise InputError(f"{name}: has no sheet {wanted!r}; it has {listed(sheets)}")
