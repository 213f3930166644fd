"""Numbers, names and times for people."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["duration_text", "first_of", "listed_values", "percent", "rounded", "value_word"]


def duration_text(seconds: float) -> str:
    """Return seconds in the unit that suits them."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def value_word(measure: str) -> str:
    """Return what trials are compared by: a loss, or the variance that they do not explain."""
    return "loss" if measure == "loss" else "unexplained variance"


def percent(share: float) -> str:
    """Return a share in percent, e.g. ``61.5 %``."""
    return f"{100 * share:.1f} %"


def rounded(value: object, digits: int) -> str:
    """Return a value as text, a number that is not whole by its first digits."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def first_of(names: Sequence[str], most: int, between: str) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def listed_values(values: Sequence[object], noun: str) -> str:
    """Return values of an option as they are given with their noun, e.g. ``20,100 epochs``, ``1 epoch``."""
    return f"{','.join(map(str, values))} {noun}" + ("" if [*values] == [1] else "s")
