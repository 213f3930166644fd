"""The table as a torch dataset, for training loops of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from autoenc.data.table import load_table

__all__ = ["COPUSDataset"]


class COPUSDataset(Dataset[torch.Tensor]):
    """Rows of a table as float32 tensors, loaded eagerly; NaN marks a missing cell.

    Args:
        path: CSV or Parquet file, or a pipe; ``-`` is standard input.
        columns: Names of the columns; by default the COPUS columns if all are there, else all numeric ones.
        exclude: Names of columns to leave out.
        na_values: Words and numbers that stand for a missing cell.

    Attributes:
        data: float32 ``[rows, columns]``, as in the file, unscaled.
        columns: The columns' names.

    Raises:
        InputError: If the file cannot be used; it says why.

    Example:
        >>> import os
        >>> import tempfile
        >>> import pandas as pd
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "rows.csv")
        ...     pd.DataFrame({"a": [1, 3], "b": [2, None]}).to_csv(path, index=False)
        ...     dataset = COPUSDataset(path)
        >>> len(dataset), list(dataset.columns), dataset[1]
        (2, ['a', 'b'], tensor([3., nan]))
    """

    def __init__(
        self,
        path: str | Path = "data/stains.csv",
        columns: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        na_values: Sequence[str] = (),
    ) -> None:
        table = load_table(path, columns, (), exclude, na_values)
        self.data = torch.from_numpy(table.values.astype(np.float32))
        self.columns = table.columns

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.data[index]
