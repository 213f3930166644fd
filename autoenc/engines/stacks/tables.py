"""The tables that fits learn from, on the device that trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.split import Split

_ROWS = 65536  # that are copied at once

__all__ = ["DeviceTables", "table_bytes"]


def table_bytes(splits: Iterable[Split], itemsize: int) -> int:
    """Return how much memory these tables take on a device; those that are the same count once."""
    return itemsize * sum({id(split.values): split.values.size for split in splits}.values())


class DeviceTables:
    """All scaled tables of some splits below one another, and a row that nobody observed.

    Args:
        splits: Of tables with the same columns; a table that several share is there once.
        device: Where they go.
        dtype: Precision.

    Attributes:
        values: ``[all rows + 1, columns]``, NaN where a cell is missing.
        nothing: Index of the last row, all of whose cells are missing: what fills short batches.
    """

    def __init__(self, splits: Iterable[Split], device: torch.device, dtype: torch.dtype) -> None:
        self._splits = list(splits)  # which keeps their ids from being given to others
        self._first: dict[int, int] = {}
        n_rows = 0
        for split in self._splits:
            if id(split.values) not in self._first:
                self._first[id(split.values)] = n_rows
                n_rows += len(split.values)
        self.nothing, n_columns = n_rows, self._splits[0].values.shape[1]
        self.values = torch.full((n_rows + 1, n_columns), torch.nan, device=device, dtype=dtype)
        for here, part in self._parts():
            self.values[here] = torch.tensor(part).to(device, dtype)  # a copy: the table may be read-only

    def _parts(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Parts of the tables, and where they stand."""
        arrays = {id(split.values): split.values for split in self._splits}
        for key, array in arrays.items():
            for start in range(0, len(array), _ROWS):
                part = array[start : start + _ROWS]
                yield slice(self._first[key] + start, self._first[key] + start + len(part)), part

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many cells of each row are observed, and how many of these are not zero.

        Shape:
            returns: ``[all rows + 1, 2]``, not on the device.
        """
        counts = np.zeros((self.nothing + 1, 2), np.int64)
        for here, part in self._parts():
            observed = ~np.isnan(part)
            counts[here, 0] = np.count_nonzero(observed, axis=1)
            counts[here, 1] = np.count_nonzero(observed & (part != 0), axis=1)
        return counts

    def rows(self, split: Split, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where rows of a split's table stand here."""
        return rows + self._first[id(split.values)]
