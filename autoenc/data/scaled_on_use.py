"""Scaled rows that are not kept in memory: computed whenever some are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.data.compact import Cells
from autoenc.data.scaling import Scaling

__all__ = ["ScaledOnUse"]


@dataclass(frozen=True)
class ScaledOnUse:
    """What an array of scaled rows is for those who take rows from it, or columns of rows.

    It is for measures that pass over a long table once or twice; a network trains on an array.

    Attributes:
        values: The table, ``[rows, columns]``.
        scaling: Of its columns.
    """

    values: Cells
    scaling: Scaling

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.values.shape

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        if not isinstance(key, tuple):
            return self.scaling.apply_to_rows(self.values, key)
        rows, columns = key
        places = np.arange(self.shape[1])[columns].tolist()
        cells = [self.scaling.apply_to_column(self.values, rows, j) for j in places]
        return np.stack(cells, axis=1)
