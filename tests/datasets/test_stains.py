"""The example table of the package is that of the checkout."""

from __future__ import annotations

import doctest
import gzip

import pandas as pd
import pytest

import autoenc.datasets
from autoenc.data.read import read_table
from autoenc.data.table import load_table
from autoenc.errors import InputError


def test_it_is_the_table_of_the_checkout(root) -> None:
    path = autoenc.datasets.stains_path()
    assert gzip.decompress(path.read_bytes()) == (root / "data" / "stains.csv").read_bytes()
    assert load_table(path).fingerprint == load_table(root / "data" / "stains.csv").fingerprint
    pd.testing.assert_frame_equal(autoenc.datasets.load_stains(), read_table(path).frame, check_dtype=False)


def test_its_examples_run() -> None:
    assert doctest.testmod(autoenc.datasets) == doctest.TestResults(0, 2)


def test_where_the_default_table_is_not_at_hand_it_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no such file; the package brings it along: .*stains\.csv\.gz"):
        read_table("data/stains.csv")
