"""Reading workbooks: Excel's, old and new, and OpenDocument's."""

from __future__ import annotations

from typing import IO

import pandas as pd

from autoenc.data.naming import refuse_repeated
from autoenc.errors import InputError, listed

__all__ = ["OLD_WORKBOOK_MAGIC", "read_workbook"]

OLD_WORKBOOK_MAGIC = b"\xd0\xcf\x11\xe0"


def read_workbook(name: str, file: IO[bytes]) -> tuple[pd.DataFrame, list[str]]:
    """Return the first sheet, whose first row names the columns, and a sentence where there are others.

    Args:
        name: Of the table, for messages.
        file: All of it.

    Raises:
        InputError: If it is no workbook, its first sheet is empty, a column is named twice, or a package is
            missing.
    """
    try:
        import python_calamine  # noqa: F401
    except ImportError:
        raise InputError(
            f"{name}: reading workbooks needs python-calamine: pip install 'autoenc[excel]'"
        ) from None
    try:
        with pd.ExcelFile(file, engine="calamine") as book:
            sheets = [str(sheet) for sheet in book.sheet_names]
            cells = pd.read_excel(book, sheet_name=0, header=None, nrows=1)
            names = [
                "" if cell is None or cell != cell else str(cell) for cell in cells.to_numpy(object).ravel()
            ]
            frame: pd.DataFrame = pd.read_excel(book, sheet_name=0) if names else cells
    except Exception as error:  # the library has many of its own, and no base for them
        raise InputError(f"{name}: is not a readable workbook: {' '.join(str(error).split())}") from None
    if not names:
        raise InputError(f"{name}: its first sheet, {sheets[0]!r}, is empty; a header and rows were expected")
    refuse_repeated(name, names)
    frame.columns = pd.Index([str(column) for column in frame.columns])
    others = listed(sheets[1:])
    return frame, [f"only its first sheet is read, {sheets[0]!r}, and not {others}"] if sheets[1:] else []
