"""Tables of answers, a row per row of another table: CSV or Parquet, as the name says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autoenc.errors import InputError, listed, needing
from autoenc.report.cells import plain_frame
from autoenc.system.outputs import is_regular, write_output

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_parquet", "check_row_file", "is_parquet", "kept_columns", "write_rows"]

_CSV, _PARQUET = ".csv", (".parquet", ".pq")


def check_row_file(output: str) -> None:
    """See that rows can be written in the format that an output's suffix names.

    Args:
        output: The name.

    Raises:
        InputError: If it names none, or one that needs a package which is not there.
    """
    if not output:
        raise InputError("--output must not be empty")
    if not is_regular(output) or Path(output).is_dir():
        return
    suffix = Path(output).suffix.lower()
    if suffix in _PARQUET:
        with needing(f"--output {output}: writing Parquet needs pyarrow", "parquet"):
            import pyarrow  # noqa: F401
    elif suffix != _CSV:
        raise InputError(
            f"--output {output}: must end in .csv or .parquet, which says what is written; - is standard "
            "output"
        )


def kept_columns(frame: pd.DataFrame, names: Sequence[str], table: str) -> pd.DataFrame:
    """Return columns that go into the output as they stand in the table.

    Args:
        frame: The table, these columns read as text.
        names: Of the columns.
        table: What the table is called, for messages.

    Raises:
        InputError: If one is not there.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"--keep: {table} has no column {listed(missing)}")
    return frame[list(names)]


def write_rows(output: str, kept: pd.DataFrame, answers: pd.DataFrame) -> None:
    """Write kept columns and answers side by side.

    Args:
        output: The name; a device, a pipe and ``-``, which is standard output, are given CSV.
        kept: Columns of the table; Parquet holds them as they are, CSV so that no spreadsheet computes them.
        answers: A row for each of its rows.

    Raises:
        InputError: If a name is there twice, a kept cell fits no Parquet column, or the output cannot be
            written.
        OSError: If the machine fails.
    """
    import pandas as pd

    twice = [name for name in kept.columns if name in answers.columns]
    if twice:
        raise InputError(f"--keep: {listed(twice)} is the name of a column of the output, too")
    if is_parquet(output):
        content = as_parquet(output, pd.concat([kept, answers], axis=1))
    else:
        content = plain_frame(pd.concat([kept, answers], axis=1)).to_csv(index=False).encode()
    write_output("--output", output, content)


def is_parquet(output: str) -> bool:
    """Return whether an output is given Parquet."""
    return is_regular(output) and Path(output).suffix.lower() in _PARQUET


def as_parquet(output: str, frame: pd.DataFrame) -> bytes:
    """Return a frame as Parquet.

    Raises:
        InputError: If a cell fits no Parquet column.
    """
    import pyarrow

    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, index=False)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"--output {output}: cannot be written as Parquet: {reason}") from None
    return buffer.getvalue()
