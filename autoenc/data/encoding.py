"""Mixed columns as numbers, and numbers as mixed columns: what stands between a table and a network."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.features import Category, Feature, Number, blanks, feature_of
from autoenc.data.naming import places_of
from autoenc.data.scaling import BY_KIND, STANDARDIZED
from autoenc.errors import listed

__all__ = ["Encoding", "with_indicators"]

_MOST_UNKNOWN = 5


@dataclass(frozen=True)
class Encoding:
    """The columns of a table that are learned from, and how each becomes numbers.

    Nothing of it is a statistic of rows: a category becomes indicators of 0 and 1, a truth value 0 or 1, a
    date days. What factor analysis of mixed data does with shares is the scaling's part, which is fitted on
    training rows.

    Attributes:
        features: The columns, in their order.
    """

    features: tuple[Feature, ...]

    @cached_property
    def names(self) -> list[str]:
        """Names of the columns of the table."""
        return [feature.name for feature in self.features]

    @cached_property
    def encoded(self) -> list[str]:
        """Names of the columns of numbers."""
        return [name for feature in self.features for name in feature.names]

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """How each column of numbers is scaled, see :class:`.Scaling`, ``[columns]``."""
        numbers: list[int] = []
        for place, feature in enumerate(self.features):
            of_one = BY_KIND if isinstance(feature, Number) else STANDARDIZED
            numbers += [place if isinstance(feature, Category) else of_one] * len(feature.names)
        return np.array(numbers, np.int64)

    @property
    def mark(self) -> str:
        """16 hexadecimal digits by which results of this encoding are told from those of others."""
        return hashlib.sha256(repr(self.as_plain()).encode()).hexdigest()[:16]

    def encode(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the columns of a frame as numbers ``[rows, columns]``, NaN where a cell is missing.

        Raises:
            InputError: If a column is not there or there twice, or a cell is nothing of its kind.
        """
        blocks = []
        for feature, place in zip(self.features, places_of(frame.columns, self.names), strict=True):
            blocks.append(feature.encode(frame.iloc[:, place]))
        return np.concatenate(blocks, axis=1)

    def missing(self, frame: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """Return which cells of each column are missing; an unknown category is not missing."""
        places = dict(zip(self.names, places_of(frame.columns, self.names), strict=True))
        return {name: blanks(frame.iloc[:, place]) for name, place in places.items()}

    def decode(self, cells: NDArray[np.floating], possible: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Return numbers as what they stand for, by the names of the table's columns.

        Args:
            cells: In original units, ``[rows, columns]``.
            possible: Which columns of numbers were learned from, ``[columns]``.
        """
        columns, start = {}, 0
        for feature in self.features:
            end = start + len(feature.names)
            part = np.asarray(cells[:, start:end], np.float64)
            columns[feature.name] = feature.decode(part, possible[start:end])
            start = end
        return columns

    def unknown(self, frame: pd.DataFrame) -> list[str]:
        """Name categories that were not there when the encoding was made, a sentence for each column."""
        texts = []
        for feature, place in zip(self.features, places_of(frame.columns, self.names), strict=True):
            if not isinstance(feature, Category):
                continue
            column = frame.iloc[:, place]
            rows = np.flatnonzero(feature.codes(column) == -2)
            if rows.size:
                labels = list(dict.fromkeys(str(cell) for cell in column.to_numpy(object)[rows]))
                texts.append(
                    f"column {feature.name!r}: {listed(labels, 3)} is no category that was learned from; "
                    f"{rows.size:,} such cell{'s count' if rows.size > 1 else ' counts'} as missing"
                )
        more = ["more columns have unknown categories"] if len(texts) > _MOST_UNKNOWN else []
        return [*texts[:_MOST_UNKNOWN], *more]

    def as_plain(self) -> list[dict[str, Any]]:
        """Return plain values, of which :meth:`of_plain` makes the same encoding."""
        return [feature.as_plain() for feature in self.features]

    @classmethod
    def of_plain(cls, plain: Any) -> Encoding:
        """Return the encoding of :meth:`as_plain`.

        Raises:
            ValueError, KeyError: If that makes no sense.
        """
        if not isinstance(plain, list) or not plain:
            raise ValueError("its encoding must be a list of columns")
        encoding = cls(tuple(map(feature_of, plain)))
        if len(set(encoding.names)) != len(plain):
            raise ValueError("the columns of its encoding must differ")
        return encoding


def with_indicators(features: Sequence[Feature], taken: Collection[str] = ()) -> Encoding:
    """Return an encoding whose indicators are called ``column=category``, or longer where that is taken."""
    used = {*taken, *(feature.name for feature in features)}
    named: list[Feature] = []
    for feature in features:
        if isinstance(feature, Category):
            names = []
            for label in feature.labels:
                name = f"{feature.name}={label}"
                while name in used:
                    name += "'"
                used.add(name)
                names.append(name)
            feature = Category(feature.name, feature.labels, tuple(names))
        named.append(feature)
    return Encoding(tuple(named))
