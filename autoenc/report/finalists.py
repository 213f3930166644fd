"""The finalists of a search in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from autoenc.searching.finalists import Finalist

__all__ = ["finalist_lines"]


def finalist_lines(finalists: Iterable[Finalist], name_of: Callable[[int], str]) -> list[str]:
    """Return a line for each finalist, best first: its mean, and how far it is from the first.

    Args:
        finalists: How they compare.
        name_of: The name of a finalist, by its number.
    """
    return [f"{'finalist':<13} {name_of(finalist.number)}: {_compared(finalist)}" for finalist in finalists]


def _compared(finalist: Finalist) -> str:
    text = f"{finalist.mean:.4f} over {finalist.n_folds} folds"
    if not finalist.above_standard_error:
        return text
    error = f"{finalist.above:+.4f} +- {finalist.above_standard_error:.4f}"
    return f"{text}, {error} beside the first on the same folds"
