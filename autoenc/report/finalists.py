"""The finalists of a search in words, and as columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import nan
from typing import TYPE_CHECKING

from autoenc.searching.finalists import Finalist
from autoenc.system.text import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["finalist_lines", "insert_finalists", "undecided_line"]


def insert_finalists(table: pd.DataFrame, finalists: Iterable[Finalist], numbers: Iterable[int]) -> None:
    """Insert ``finalist_mean`` and ``finalist_standard_error``, missing where a trial was not judged again.

    They stand behind ``standard_error``.

    Args:
        table: A row a trial; changed in place.
        finalists: How they compare.
        numbers: The number of the trial of each row.
    """
    compared = {finalist.number: finalist for finalist in finalists}
    place = [*table.columns].index("standard_error")
    rows = [compared.get(number) for number in numbers]
    for i, name in enumerate(("mean", "standard_error"), 1):
        table.insert(place + i, f"finalist_{name}", [getattr(finalist, name, nan) for finalist in rows])


def finalist_lines(finalists: Iterable[Finalist], name_of: Callable[[int], str]) -> list[str]:
    """Return a line for each finalist, best first: its mean, and how far it is from the first.

    Args:
        finalists: How they compare.
        name_of: The name of a finalist, by its number.
    """
    return [f"{'finalist':<13} {name_of(finalist.number)}: {_compared(finalist)}" for finalist in finalists]


def undecided_line(n_left: int, what: str = "command") -> str:
    """Say what is left of the finalists' round.

    Args:
        n_left: Cross-validations that its present round still wants.
        what: What goes on with it, run again.
    """
    wanted = counted(n_left, "cross-validation")
    return f"the finalists are not decided: {wanted} left in this round; the same {what} goes on with it"


def _compared(finalist: Finalist) -> str:
    text = f"{finalist.mean:.4f} over {finalist.n_folds} folds"
    if not finalist.above_standard_error:
        return text
    error = f"{finalist.above:+.4f} +- {finalist.above_standard_error:.4f}"
    return f"{text}, {error} beside the first on the same folds"
