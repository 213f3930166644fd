"""Cells in fewer bytes: the same bits as in double precision, whatever is taken."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoenc.data import compact
from autoenc.data.compact import Compact, column_ends, in_fewest_bytes, row_blocks

RNG = np.random.default_rng(0)
N_ROWS = 3000


def read_as(texts: list[str]) -> NDArray[np.float64]:
    return np.array([float(text) for text in texts])


def some_missing(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(RNG.random(cells.size) < 0.1, np.nan, cells)


COLUMNS = {
    "counts": (1, RNG.integers(0, 12, N_ROWS).astype(float)),
    "truth values": (1, RNG.integers(0, 2, N_ROWS).astype(float)),
    "missing": (1, np.full(N_ROWS, np.nan)),
    "cents": (2, some_missing(read_as([f"{cell:.2f}" for cell in RNG.normal(size=N_ROWS) * 20]))),
    "minus zero": (2, np.where(RNG.random(N_ROWS) < 0.1, -0.0, RNG.integers(-900, 900, N_ROWS) / 10)),
    "both ends": (1, np.array([-126.0, 127.0, np.nan, -0.0])),
    "past these": (2, np.array([-127.0, 127.0, np.nan, -0.0])),
    "degrees": (4, read_as([f"{cell:.6f}" for cell in RNG.uniform(-180, 180, N_ROWS)])),
    "past single precision": (4, 2.0**24 + 2 * np.arange(N_ROWS) + 1),
    "the largest": (4, np.array([2.0**31 - 2, 2 - 2.0**31])),
    "single precision": (4, RNG.normal(size=N_ROWS).astype(np.float32).astype(float)),
    "infinite": (4, np.where(RNG.random(N_ROWS) < 0.1, -np.inf, 0.5)),
    "tiny": (2, read_as([f"{cell}e-12" for cell in RNG.integers(0, 9999, N_ROWS)])),
    "nine digits": (5, read_as([f"{cell:.8e}" for cell in np.exp(5 * RNG.normal(size=N_ROWS))])),
    "printed single precision": (
        5, some_missing(read_as([str(cell) for cell in RNG.normal(size=N_ROWS).astype("f4")])),
    ),
    "large, rounded": (
        5, np.append(-0.0, read_as([f"{cell}e13" for cell in RNG.integers(1, 9999, N_ROWS - 1)])),
    ),
    "ten digits": (8, read_as([f"{cell:.9e}" for cell in RNG.normal(size=N_ROWS)])),
    "few digits, tiny": (8, read_as([f"{cell:.2e}" for cell in RNG.normal(size=N_ROWS) * 1e-30])),
    "past 32 bits": (8, 2.0**31 + np.arange(N_ROWS)),
    "full precision": (8, RNG.normal(size=N_ROWS)),
    "huge": (8, RNG.normal(size=N_ROWS) * 1e300),
    "one odd cell": (8, np.append(np.zeros(N_ROWS - 1), 1 / 3)),
    "one cell of more decimals": (4, np.append(RNG.integers(0, 99, N_ROWS) / 2, 0.000125)),
}  # fmt: skip


def same_bits(ours: NDArray[np.float64], cells: NDArray[np.float64]) -> bool:
    """Whether cells are equal, -0 told from 0; one NaN is as good as another."""
    return np.array_equal(ours, cells, equal_nan=True) and np.array_equal(
        np.signbit(ours[~np.isnan(ours)]), np.signbit(cells[~np.isnan(cells)])
    )


@pytest.mark.parametrize("at_once", [7, 2**18], ids=["many blocks", "one block"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_keeps_every_bit_in_few_bytes(
    name: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "_CELLS_AT_ONCE", at_once)
    n_bytes, cells = COLUMNS[name]
    column = in_fewest_bytes(cells)
    assert column.nbytes == n_bytes * cells.size
    assert same_bits(column.cells(slice(None)), cells)
    rows = RNG.integers(0, cells.size, 50)
    assert same_bits(column.cells(rows), cells[rows])
    assert same_bits(column.cells(slice(1, 3)), cells[1:3])


@given(
    st.lists(st.floats(allow_nan=True), min_size=1, max_size=20)
    | st.lists(st.decimals(-(10**7), 10**7, places=4).map(float), min_size=1, max_size=20)
    | st.lists(
        st.tuples(st.integers(-(10**9), 10**9), st.integers(-20, 20)).map(lambda n: float(f"{n[0]}e{n[1]}")),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_any_numbers_come_back(numbers: list[float]) -> None:
    cells = np.array(numbers)
    assert same_bits(in_fewest_bytes(cells).cells(slice(None)), cells)


def test_what_is_kept_is_no_part_of_the_array_it_was_made_of() -> None:
    cells = COLUMNS["full precision"][1].copy()
    column = in_fewest_bytes(cells)
    cells[:] = 0
    assert same_bits(column.cells(slice(None)), COLUMNS["full precision"][1])


TABLE = np.column_stack([cells for _, cells in COLUMNS.values() if cells.size == N_ROWS])


@pytest.fixture(scope="module")
def cells() -> Compact:
    return Compact([in_fewest_bytes(column) for column in TABLE.T])


KEYS = {
    "row": 5, "last row": -1, "rows": slice(10, 90), "steps": slice(0, None, 7), "all": slice(None),
    "some rows": RNG.integers(0, N_ROWS, 40), "no rows": np.array([], int), "mask": RNG.random(N_ROWS) < 0.1,
    "column": (slice(None), 3), "cell": (4, np.int64(2)), "column of rows": (RNG.integers(0, N_ROWS, 40), 1),
    "columns of rows": (RNG.integers(0, N_ROWS, 40), slice(2, 4)),
    "some columns": (slice(None), np.array([4, 0, 4])),
    "columns of a mask": (slice(5), np.arange(TABLE.shape[1]) % 2 == 0),
    "crossed": np.ix_(np.array([3, 9, 9, 0]), np.array([2, 1])),
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_an_index_takes_what_it_takes_of_an_array(cells: Compact, key: object) -> None:
    taken = cells[key]
    assert np.shape(taken) == np.shape(TABLE[key])
    assert same_bits(np.asarray(taken), np.asarray(TABLE[key]))


def test_it_is_an_array_for_those_who_need_one(cells: Compact) -> None:
    assert (cells.shape, cells.size, len(cells), cells.ndim) == (TABLE.shape, TABLE.size, N_ROWS, 2)
    assert same_bits(np.asarray(cells), TABLE)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(cells.astype(np.float32), TABLE.astype(np.float32))
        np.testing.assert_array_equal(np.asarray(cells, np.float32), TABLE.astype(np.float32))
    assert same_bits(np.asarray(pickle.loads(pickle.dumps(cells))), TABLE)
    assert cells.nbytes < 0.8 * TABLE.nbytes


def test_columns_can_be_chosen_and_replaced(cells: Compact) -> None:
    assert same_bits(np.asarray(cells.only(np.array([3, 0]))), TABLE[:, [3, 0]])
    changed = TABLE.copy()
    changed[:9, 1] = np.nan
    assert same_bits(np.asarray(cells.replaced({1: changed[:, 1]})), changed)
    assert same_bits(np.asarray(cells), TABLE)


def test_ends_are_those_of_an_array(cells: Compact) -> None:
    for ours, expected in zip(column_ends(cells), column_ends(TABLE), strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (1024, 5000), (5000, 3), (100_000, 24)])
def test_blocks_hold_each_row_once_and_few_of_a_long_table(shape: tuple[int, int]) -> None:
    blocks = list(row_blocks(np.broadcast_to(0.0, shape)))
    rows = [row for block in blocks for row in range(block.start, block.stop)]
    assert rows == list(range(shape[0]))
    assert all((block.stop - block.start) * shape[1] <= 2**18 or block.stop <= 1024 for block in blocks)
