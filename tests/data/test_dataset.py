"""The table as a torch dataset."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from autoenc import COPUSDataset, InputError


def test_the_shipped_table_as_it_is_in_the_file(root):
    dataset = COPUSDataset(root / "data" / "stains.csv")
    assert len(dataset) == 2008
    assert dataset.data.shape == (2008, 24)
    assert dataset.data.dtype == torch.float32
    assert dataset.columns[:3] == ["L", "Ind", "CG"]
    assert dataset[0].shape == (24,)
    assert int(dataset.data.isnan().sum()) == 238


def test_rows_are_unscaled_and_missing_cells_are_nan(frame, table_csv):
    dataset = COPUSDataset(table_csv)
    expected = frame.to_numpy(np.float32)
    np.testing.assert_array_equal(dataset.data.numpy(), expected)
    np.testing.assert_array_equal(dataset[7].numpy(), expected[7])


def test_chosen_columns(table_csv, frame):
    dataset = COPUSDataset(table_csv, columns=["up", "north"])
    assert dataset.columns == ["up", "north"]
    np.testing.assert_array_equal(dataset.data.numpy(), frame[["up", "north"]].to_numpy(np.float32))


def test_a_loader_batches_it(table_csv):
    batches = list(DataLoader(COPUSDataset(table_csv), batch_size=32))
    assert [tuple(batch.shape) for batch in batches] == [(32, 6), (28, 6)]


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        COPUSDataset(tmp_path / "none.csv")
