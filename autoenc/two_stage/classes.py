"""The two classes of a column, called what the table calls them: numbers, words or truth values."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.markers import MISSING_WORDS
from autoenc.errors import InputError

__all__ = ["Class", "as_classes", "class_name", "missing_words", "plain_class", "two_classes"]

Class = bool | int | float | str
"""A class as it stands in the table."""

_EXACT = 2.0**53  # up to here a float is the whole number that was written


_PLAIN_NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,300})(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_TRUTH = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def as_classes(column: pd.Series) -> pd.Series:
    """Read labels as they are written for what they are, with NaN for a missing one.

    They are truth values or numbers where all of them are and no two become the same by that; else words, so
    that 01 stays apart from 1, 1 from 1.0, and no digit is lost.
    """
    labels = column.str.strip()
    known = labels.mask(labels.isin([*MISSING_WORDS, ""])).dropna()
    texts = set(known)
    meanings: dict[str, Class] = {}
    if texts <= set(_TRUTH):
        meanings = {text: _TRUTH[text] for text in texts}
    elif all(_PLAIN_NUMBER.fullmatch(text) for text in texts):
        meanings = {text: _number(text) for text in texts}
    if len(set(meanings.values())) < len(texts):
        meanings = {text: text for text in texts}
    return known.map(meanings).astype(object).reindex(column.index)


def missing_words(column: pd.Series) -> dict[str, int]:
    """Return words that count as missing labels, such as ``None``, each with how many cells hold it."""
    counts = Counter(cell.strip() for cell in column if isinstance(cell, str))
    return {word: counts[word] for word in sorted(MISSING_WORDS & set(counts))}


def _number(text: str) -> int | float:
    """Return a number; one without digits after its point is whole, however long it is."""
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def two_classes(
    column: pd.Series, where: str, positive: str | None, missing: str = ""
) -> tuple[NDArray[np.float64], tuple[Class, Class]]:
    """Read a column of two classes.

    Args:
        column: As read from the table.
        where: File and name of the column, for messages.
        positive: The class to be found, as it would be typed; by default the higher number, ``True``, or the
            later word whatever its case.
        missing: What is known of its missing cells, for messages.

    Returns:
        0 and 1 where the label is known and NaN elsewhere, ``[rows]``, and what 0 and 1 stand for.

    Raises:
        InputError: If there are not two classes, or the wanted one is none of them.
    """
    known = column.notna().to_numpy()
    items = _items(column[known], where)
    counts = Counter(items)
    order = sorted(counts, key=lambda one: (one.casefold(), one) if isinstance(one, str) else (one,))
    if len(order) != 2:
        raise InputError(
            f"{where} must have two classes, got {_counted(order, counts)}{missing and f'; {missing}'}"
        )
    low, high = order
    if positive is not None:
        matches = [one for one in order if _is_called(one, positive)]
        if not matches:
            names = ", ".join(map(repr, order))
            raise InputError(f"{where}: --positive_class must be one of {names}, got {positive!r}")
        if matches[0] == low:
            low, high = high, low
    values = np.full(len(column), np.nan)
    values[known] = [one == high for one in items]
    return values, (low, high)


def _items(column: pd.Series, where: str) -> list[Any]:
    """Return the cells as plain values of one kind."""
    items = (
        column.astype(object).tolist() if isinstance(column.dtype, pd.CategoricalDtype) else column.tolist()
    )
    items = [item.item() if isinstance(item, np.generic) else item for item in items]
    kinds = {type(item) for item in items}
    if not kinds <= {bool, int, float, str}:
        other = next(kind.__name__ for kind in sorted(kinds, key=str) if kind not in (bool, int, float, str))
        raise InputError(f"{where} must hold numbers, words or truth values, got cells of type {other}")
    if str in kinds:
        words = {item for item in items if isinstance(item, str)}
        both = [item for item in items if not isinstance(item, str) and str(item) in words]
        if both:
            kind = type(both[0]).__name__
            raise InputError(f"{where} must not hold {both[0]} as text and as {kind}; give all cells as text")
        return [str(item) for item in items]
    if all(isinstance(item, int) or (item.is_integer() and abs(item) < _EXACT) for item in items) and (
        kinds != {bool}
    ):
        return [int(item) for item in items]  # missing cells make floats of whole numbers
    return items


def plain_class(one: Any) -> Class:
    """Return a class as an earlier version wrote it, where all numbers were floats.

    Raises:
        TypeError: If it is no class.
    """
    if not isinstance(one, bool | int | float | str):
        raise TypeError(f"a class must be a number, a word or a truth value, got {one!r}")
    return int(one) if isinstance(one, float) and one.is_integer() and abs(one) < _EXACT else one


def class_name(one: Class) -> str:
    """Return a class as people write it."""
    return one if isinstance(one, str) else repr(one)


def _is_called(one: Class, text: str) -> bool:
    if isinstance(one, str):
        return one == text
    if isinstance(one, bool):
        return str(one).casefold() == text.casefold()
    if text == repr(one):
        return True
    try:
        return float(text) == one
    except ValueError:
        return False


def _counted(order: list[Any], counts: Counter[Any], most: int = 5) -> str:
    """Return classes with how often each is there, so that a slip among them shows."""
    shown = ", ".join(f"{one!r} ({counts[one]:,} row{'s' * (counts[one] > 1)})" for one in order[:most])
    return f"{len(order)}: {shown}" + (", ..." if len(order) > most else "")
