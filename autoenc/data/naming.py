"""Names of columns: numbers among them, repeated ones, and how they are given to an option."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autoenc.errors import InputError, listed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NO_NAME", "as_value", "is_number", "no_sheets", "places_of", "refuse_repeated", "with_columns"]


NO_NAME = ' \r\n\t,;|"'
"""Characters of which no name consists."""
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf(inity)?|nan)", re.ASCII | re.IGNORECASE)


def is_number(text: str) -> bool:
    """Return whether text is a number with a decimal point, infinite or not a number included."""
    return _NUMBER.fullmatch(text) is not None


def as_value(names: Sequence[str]) -> str:
    """Return names as the value of an option, to be pasted into a shell."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return shlex.quote(line.getvalue())


def no_sheets(sheet: str) -> str:
    """Return why a sheet cannot be chosen in a file that holds one table."""
    return f"is no workbook or .h5ad, so there is no sheet {sheet!r} to choose; leave out --sheet"


def places_of(columns: Iterable[Any], wanted: Sequence[str]) -> list[int]:
    """Return the places of some columns of a frame that was given.

    Raises:
        InputError: If one is not there, or there twice.
    """
    places: dict[Any, list[int]] = {}
    for place, name in enumerate(columns):
        places.setdefault(name, []).append(place)
    absent = [str(name) for name in wanted if name not in places]
    if absent:
        raise InputError(f"data needs columns that are not there: {', '.join(absent)}")
    repeated = [str(name) for name in wanted if len(places[name]) > 1]
    if repeated:
        raise InputError(f"data must have each column once, but has several of: {', '.join(repeated)}")
    return [places[name][0] for name in wanted]


def refuse_repeated(table: str, header: Sequence[str]) -> None:
    """See that column names differ.

    Raises:
        InputError: If they do not.
    """
    counts = Counter(header)
    repeated = sorted(name for name, count in counts.items() if name and count > 1)
    if repeated:
        hint = "; a file without a header needs one" if all(map(is_number, filter(None, counts))) else ""
        names = listed(repeated, quoted=False)
        raise InputError(f"{table}: column names must differ, but these stand there twice: {names}{hint}")


def with_columns(frame: pd.DataFrame, changed: Mapping[str, Any]) -> pd.DataFrame:
    """Return a frame with other columns; ``assign`` cannot have one called ``self``."""
    if not changed:
        return frame
    other = frame.copy(deep=False)
    for name, column in changed.items():
        other[name] = column
    return other
