"""Telling what the columns of a mixed table are, and which of them nothing can be learned from."""

from __future__ import annotations

import decimal
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.dates import are_dates, days_of, resolution_of, zone_of
from autoenc.data.encoding import Encoding, with_indicators
from autoenc.data.features import Category, Date, Feature, Number, Truth, blanks, key_of, plain_label
from autoenc.data.naming import is_number
from autoenc.data.oddities import is_identifier
from autoenc.data.read import THOUSANDS, ReadTable, as_written, coerced
from autoenc.errors import InputError, listed

__all__ = ["Recognized", "read_mixed", "recognize"]

_FEW_WORDS = 0.05
"""Of a column's cells: where no more are words among numbers, they are mistakes that a person should see."""
_FEW_OTHERS = 0.001
"""Of a column's cells: where no more differ from the most common one, the column is near-constant."""
_EVERY_ROW = "text that differs in every row, like an identifier"
_SIGN = "[%‰$€£¥]"
_DECORATED = re.compile(rf"[+-]?{_SIGN}?\s?({THOUSANDS.pattern}|[+-]?\d+([.,]\d*)?)\s?{_SIGN}?")
_FEWEST_ROWS = 20  # of which a single other cell is next to nothing


class Recognized(NamedTuple):
    """The columns that a table is learned as.

    Attributes:
        encoding: Of the columns that are learned from.
        warnings: What was left out, a sentence for each reason.
    """

    encoding: Encoding
    warnings: list[str]


def recognize(
    frame: pd.DataFrame,
    names: Sequence[str],
    path: str,
    truth: Collection[str],
    max_categories: int,
    asked: bool,
) -> Recognized:
    """Find out what columns are, and leave out those that say nothing of what rows have in common.

    Args:
        frame: The table.
        names: Of the columns that may be learned from.
        path: Of the table, for messages.
        truth: Columns of numbers that stand for truth values.
        max_categories: A column of text is one of categories where it has no more.
        asked: Whether somebody named the columns, so that what only looks like an identifier stays.

    Raises:
        InputError: If no column is left, or one that was named cannot be learned from.
    """
    seen, left_out = _Seen(max_categories), _LeftOut()
    features: list[Feature] = []
    for name in names:
        column = frame[name]
        feature = _feature(column, name, name in truth, max_categories)
        if not isinstance(feature, Feature):
            left_out.add(feature, name)
            continue
        reason = None
        if not asked:
            reason = (
                _row_index(column, feature) or _identifier(column, feature) or _near_constant(column, feature)
            )
            reason = reason or seen.twin(column, feature)
        if reason:
            left_out.add(reason, name)
        else:
            features.append(feature)
    if asked and left_out.by_reason:
        problems = [f"{path}: --columns: {text}" for text in left_out.sentences("cannot be learned from")]
        raise InputError(problems)
    if not features:
        raise InputError([f"{path}: has no column to learn from", *left_out.sentences()])
    taken = [str(name) for name in frame.columns]
    return Recognized(with_indicators(features, taken), left_out.sentences())


class _LeftOut:
    """Columns that are left out, by the reason."""

    def __init__(self) -> None:
        self.by_reason: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        reason, _, more = reason.partition("|")
        self.by_reason.setdefault(reason, []).append(f"{name!r}{more}")

    def sentences(self, what: str = "left out") -> list[str]:
        return [
            f"{what}, {reason}: {listed(names, quoted=False)}" for reason, names in self.by_reason.items()
        ]


def _feature(column: pd.Series, name: str, is_truth: bool, most: int) -> Feature | str:
    """Return what a column is; in words where it can be nothing of these."""
    dtype = column.dtype
    present = column[~blanks(column)]
    if not len(present):
        return "no observed cell"
    if is_truth or (pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype)):
        return Truth(name)
    if dtype.kind == "m":
        return "durations; give numbers, e.g. of days"
    if pd.api.types.is_complex_dtype(dtype):
        return "complex numbers"
    if pd.api.types.is_numeric_dtype(dtype):
        return Number(name)
    if are_dates(present):
        days = days_of(present)
        return Date(name, resolution_of(days), zone_of(dtype))
    return _of_objects(present, name, most)


def _of_objects(present: pd.Series, name: str, most: int) -> Feature | str:
    """Return what a column of text, categories or any objects is."""
    try:
        hash(tuple(present.to_numpy(object)))
    except TypeError:  # lists and the like have no hash
        return "lists or other objects"
    counts = present.astype(object).value_counts(sort=False)
    cells = list(counts.index)
    if all(isinstance(cell, bool | np.bool_) for cell in cells):
        return Truth(name)
    numbers = [isinstance(cell, int | float | np.number | decimal.Decimal) for cell in cells]
    is_text = not any(numbers)
    is_word = [
        not (known or (isinstance(cell, str) and is_number(cell.strip())))
        for cell, known in zip(cells, numbers, strict=True)
    ]
    n_words = int(counts.to_numpy()[is_word].sum())
    few = len({key_of(cell) for cell in cells}) <= most
    if isinstance(present.dtype, pd.CategoricalDtype):
        return _category(name, cells) if few else _too_many(present, len(cells), most)
    if n_words <= _FEW_WORDS * len(present) and not (few and is_text and n_words == 0):
        return Number(name)  # reading it tells which cells are none
    return _category(name, cells) if few else _too_many(present, len(cells), most)


def _too_many(present: pd.Series, n_different: int, most: int) -> str:
    if _are_decorated(present):
        return "numbers with thousands separators, percent or currency signs; give plain numbers"
    if n_different == len(present):
        return _EVERY_ROW
    return f"free text, or more categories than --max_categories {most}| ({n_different:,})"


def _are_decorated(present: pd.Series) -> bool:
    """Return whether all cells are text of numbers, some of them with more than digits and a point."""
    cells = [cell.strip() if isinstance(cell, str) else "" for cell in present]
    has_more = any(THOUSANDS.fullmatch(cell) or re.search(_SIGN, cell) for cell in cells)
    return has_more and all(map(_DECORATED.fullmatch, cells))


def _category(name: str, cells: Sequence[object]) -> Category:
    texts_last = sorted(cells, key=lambda cell: isinstance(cell, str))
    by_key = {key_of(cell): plain_label(cell) for cell in texts_last}
    are_numbers = all(map(is_number, by_key))
    keys = sorted(by_key, key=lambda key: (float(key) if are_numbers else 0.0, key))
    return Category(name, tuple(by_key[key] for key in keys))


def _row_index(column: pd.Series, feature: Feature) -> str | None:
    """Return whether a column counts rows from 0 or 1, or has no name."""
    nameless = feature.name.startswith("Unnamed: ") or not feature.name.strip()
    if isinstance(feature, Number) and len(column) > 1:
        cells = _numbers(column)
        for first in (0, 1):
            if np.array_equal(cells, np.arange(first, first + len(cells))) and (nameless or len(cells) >= 10):
                return f"a row index, {first} to {first + len(cells) - 1}"
    return "without a name" if nameless else None


def _identifier(column: pd.Series, feature: Feature) -> str | None:
    if isinstance(feature, Number) and is_identifier(_numbers(column)):
        return "whole, different in every row and in order, like an identifier"
    if isinstance(feature, Category) and len(feature.labels) == int((~blanks(column)).sum()) > 1:
        return _EVERY_ROW
    return None


def _near_constant(column: pd.Series, feature: Feature) -> str | None:
    counts = pd.Series(_codes(column, feature)).value_counts()
    counts = counts[counts.index >= 0]
    n_observed, n_common = int(counts.sum()), int(counts.iloc[0])
    n_others = n_observed - n_common
    if n_others == 0:
        return "constant"
    if n_observed >= _FEWEST_ROWS and n_others <= max(1, _FEW_OTHERS * n_observed):
        return f"near-constant| (all but {n_others} of {n_observed:,} cells)"
    return None


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    numbers = coerced(column)
    return np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))


def _codes(column: pd.Series, feature: Feature) -> NDArray[np.int64]:
    """Return the same number for equal cells, in the order in which they come; -1 for missing ones."""
    if isinstance(feature, Category):
        keys = np.array([key_of(cell) for cell in column.to_numpy(object)], object)
        keys[blanks(column)] = None
        return np.asarray(pd.factorize(keys)[0])
    cells = _numbers(column) if isinstance(feature, Number) else feature.encode(column)[:, 0]
    return np.asarray(pd.factorize(cells)[0])


@dataclass
class _Seen:
    """Columns that were seen, to find one that says the same: equal cells, or other words for them."""

    most: int

    def __post_init__(self) -> None:
        self._by_cells: dict[bytes, str] = {}
        self._by_codes: dict[bytes, tuple[str, bool]] = {}

    def twin(self, column: pd.Series, feature: Feature) -> str | None:
        is_number = isinstance(feature, Number)
        codes = _codes(column, feature)
        earlier = None
        if is_number or isinstance(feature, Date):
            cells = _numbers(column) if is_number else feature.encode(column)[:, 0]
            earlier = self._by_cells.setdefault(_digest(np.where(cells == 0, 0.0, cells)), feature.name)
        n_different, n_observed = codes.max() + 1, int((codes >= 0).sum())
        # Where no cell is there twice, any other column like that would be the same in other words.
        if n_different <= max(self.most, 2) and n_different < n_observed and earlier in (None, feature.name):
            name, other_is_number = self._by_codes.setdefault(_digest(codes), (feature.name, is_number))
            if not (is_number and other_is_number):
                earlier = name
        if earlier in (None, feature.name):
            return None
        return f"the same as an earlier column| ({earlier!r})"


def _digest(cells: NDArray[np.generic]) -> bytes:
    """Return what stands for a column, so that none is kept to be compared with later ones."""
    return hashlib.sha256(np.ascontiguousarray(cells).data).digest()


def read_mixed(read: ReadTable, path: str | Path, labels: Collection[str] = ()) -> ReadTable:
    """Return a table whose columns of text and numbers together are text, as it is written: 01 is not 1.

    Args:
        read: The table.
        path: Where it came from.
        labels: Columns that were read as text.
    """
    mixed = [name for name in read.frame.columns if name not in labels and _is_mixed(read.frame[name])]
    return as_written(read, path, mixed)


def _is_mixed(column: pd.Series) -> bool:
    if not pd.api.types.is_object_dtype(column.dtype):
        return False
    kinds = {type(cell) for cell in column.dropna()}
    return str in kinds and len(kinds) > 1
