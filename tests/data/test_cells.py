from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from autoenc.data.cells import cells_of
from autoenc.errors import InputError

NAN = np.nan
EXPECTED = np.array([[1.0, NAN], [0.0, 2.5]])


@pytest.mark.parametrize(
    "data",
    [
        EXPECTED,
        EXPECTED.astype(np.float32),
        EXPECTED.tolist(),
        [[1, None], [0, 2.5]],
        [[1, pd.NA], [0, "2.5"]],
        np.array([[1, pd.NaT], [Decimal(0), 2.5]], dtype=object),
        np.ma.masked_invalid(EXPECTED),
        np.ma.array([[1, -999], [0, 2.5]], mask=[[0, 1], [0, 0]]),
        np.ma.array([[1, "junk"], [0, 2.5]], dtype=object, mask=[[0, 1], [0, 0]]),
        list(np.ma.array([[1, -999], [0, 2.5]], mask=[[0, 1], [0, 0]])),
        torch.tensor(EXPECTED, requires_grad=True),
        torch.tensor(EXPECTED).bfloat16(),
        pd.DataFrame(EXPECTED),
        pd.DataFrame({"a": pd.array([1, 0], dtype="Int64"), "b": pd.array([pd.NA, 2.5], dtype="Float64")}),
        pd.DataFrame({"a": pd.array([True, False], dtype="boolean"), "b": ["", 2.5]}).replace("", None),
        pd.DataFrame({"a": pd.Categorical([1, 0]), "b": pd.Categorical([None, 2.5])}),
        pd.DataFrame({"a": pd.arrays.SparseArray([1, 0]), "b": pd.array([pd.NA, "2.5"], dtype="string")}),
    ],
)
def test_cells_of_anything_that_holds_numbers(data: object) -> None:
    cells = cells_of(data)
    assert cells.dtype == np.float64
    np.testing.assert_array_equal(cells, EXPECTED)


def test_a_frame_gives_the_columns_asked_for_in_their_order() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4], "when": pd.to_datetime(["2020", "2021"])})
    np.testing.assert_array_equal(cells_of(frame, columns=["b", "a"]), [[3, 1], [4, 2]])
    with pytest.raises(InputError, match="not there: c, d"):
        cells_of(frame, columns=["a", "c", "d"])
    with pytest.raises(InputError, match="has several of: a"):
        cells_of(frame.set_axis(["a", "a", "b"], axis=1), columns=["a"])


def test_cells_are_a_copy() -> None:
    given = np.zeros((2, 2))
    cells_of(given)[:] = 1
    assert not given.any()


TIMES = "column 'x' holds dates or durations"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pd.DataFrame({"x": pd.to_datetime(["2020", None])}), TIMES),
        (pd.DataFrame({"x": pd.to_datetime(["2020"], utc=True)}), TIMES),
        (pd.DataFrame({"x": pd.to_timedelta([1], unit="s")}), TIMES),
        (pd.DataFrame({"x": pd.period_range("2020", periods=1)}), TIMES),
        (pd.DataFrame({"x": [None, datetime.date(2020, 1, 1)]}), TIMES),
        (pd.DataFrame({"x": pd.Series([1, np.timedelta64(1, "s")], dtype=object)}), TIMES),
        (pd.DataFrame({"x": pd.Categorical(pd.to_datetime(["2020"]))}), TIMES),
        (pd.DataFrame({"x": [1 + 0j]}), "column 'x' holds complex numbers"),
        (pd.Series([1, 1j], dtype=object, name="x"), "column 'x' holds complex numbers"),
        (pd.DataFrame({"x": [1, "text"]}), "column 'x' has 'text' in row 2"),
        (pd.DataFrame({"x": ["1", "1_000"]}), "column 'x' has '1_000' in row 2"),
        (np.array([["1", "\u0661"]]), "has '\u0661' in row 1"),
        (np.array(["2020"], "M8[D]"), "holds dates or durations"),
        (np.ma.array([1], dtype="m8[s]"), "holds dates or durations"),
        (np.array([[np.datetime64("2020"), 1]], dtype=object), "holds dates or durations"),
        (np.array([[1j]]), "holds complex numbers"),
        (torch.tensor([1j]).conj(), "holds complex numbers"),
        (np.array([(1, 2)], dtype=[("a", int), ("b", int)]), r"structured array; give its fields \(a, b\)"),
        ([[1, 2], [3]], "in rows of one length"),
    ],
)
def test_what_is_no_real_number_is_refused_by_name(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cells_of(data, "train_data")
