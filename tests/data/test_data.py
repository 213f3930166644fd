"""The table: missing cells and zeros, scaling, split and fingerprint."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import preprocessing

from autoenc import InputError
from autoenc.data.division import split_table
from autoenc.data.table import Scaling, Table, load_table

SCALERS = {
    "maxabs": preprocessing.MaxAbsScaler,
    "minmax": preprocessing.MinMaxScaler,
    "standard": preprocessing.StandardScaler,
    "robust": preprocessing.RobustScaler,
}
KINDS = [*SCALERS, "none"]


def table_of(values, columns=None) -> Table:
    values = np.asarray(values, np.float64)
    return Table(values, columns or [f"c{j}" for j in range(values.shape[1])], "memory")


def mixed_values() -> np.ndarray:
    """Columns of many kinds, some cells of each missing."""
    rng = np.random.default_rng(0)
    values = np.stack(
        [
            rng.normal(size=50),
            rng.normal(5, 1e-3, size=50),
            rng.exponential(1e4, size=50),
            np.where(rng.random(50) < 0.8, 0, rng.random(50)),
            -rng.random(50),
            np.full(50, 3.0),
            np.zeros(50),
            np.full(50, -2.0),
        ],
        axis=1,
    )
    values[rng.random(values.shape) < 0.1] = np.nan
    return values.astype(np.float32).astype(np.float64)


def test_an_empty_cell_is_missing_and_a_zero_is_a_value(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n0,1\n,2\nNA,0\n0.0,\n")
    values = load_table(path).values
    np.testing.assert_array_equal(
        values, np.array([[0, 1], [np.nan, 2], [np.nan, 0], [0, np.nan]], np.float32)
    )
    assert values.dtype == np.float64
    assert values.flags.c_contiguous


def test_values_are_the_files(frame, table_csv):
    table = load_table(table_csv)
    assert table.columns == list(frame.columns)
    np.testing.assert_array_equal(table.values, frame.to_numpy(np.float64))
    assert table.path == str(table_csv)
    assert table.warnings == []


@pytest.mark.parametrize("kind", SCALERS)
def test_scaling_is_scikit_learns(kind):
    values, rows = mixed_values(), np.arange(0, 50, 2)
    scaling = Scaling.fit(kind, values, rows)
    found = scaling.apply(values)
    expected = SCALERS[kind]().fit(values[rows]).transform(values)
    constant = [kind != "maxabs", True, kind != "maxabs"]  # of threes, zeros and minus twos
    assert scaling.left_out.tolist() == [False] * 5 + constant
    kept = ~scaling.left_out
    np.testing.assert_array_equal(np.isnan(found[:, kept]), np.isnan(values[:, kept]))
    np.testing.assert_allclose(found[:, kept], expected[:, kept], rtol=1e-6, atol=1e-6)
    assert found.dtype == np.float32


def test_no_scaling_changes_nothing():
    values = mixed_values()
    np.testing.assert_array_equal(Scaling.fit("none", values, np.arange(50)).apply(values), values)


@given(
    st.sampled_from(KINDS),
    hnp.arrays(
        np.float32,
        (9, 2),
        elements=st.one_of(st.just(0.0), st.just(np.nan), st.floats(-(2.0**99), 2.0**99, width=32)),
    ),
)
def test_scaling_makes_no_cell_missing_or_infinite(kind, values):
    scaling = Scaling.fit(kind, values, np.arange(9))
    scaled = scaling.apply(values)
    assert np.isnan(scaled[:, scaling.left_out]).all()
    np.testing.assert_array_equal(np.isfinite(scaled), np.isfinite(values) & ~scaling.left_out)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cells", [[-3e38, 3e38, 0, 1], [0, 1e-45, 0, 1e-45]], ids=["huge", "tiny"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_cells_at_the_limits_of_single_precision_stay_finite(kind, cells):
    values = np.array(cells, np.float32)[:, None]
    assert np.isfinite(Scaling.fit(kind, values, np.arange(4)).apply(values)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_undo_gives_the_values_back(kind):
    values = mixed_values()
    scaling = Scaling.fit(kind, values, np.arange(50))
    before = values.copy()
    found, kept = scaling.undo(scaling.apply(values)), ~scaling.left_out
    np.testing.assert_allclose(found[:, kept], values[:, kept], rtol=1e-6, atol=1e-3)
    assert not np.isnan(found[:, ~kept]).any()
    assert found.dtype == np.float64
    np.testing.assert_array_equal(values, before)


@given(
    hnp.arrays(
        np.float32, (12, 3), elements=st.one_of(st.just(0.0), st.just(np.nan), st.floats(-1e6, 1e6, width=32))
    )
)
def test_maxabs_keeps_zeros_and_reaches_one_among_the_training_rows(values):
    train = np.arange(8)
    scaling = Scaling.fit("maxabs", values, train)
    scaled = scaling.apply(values)
    for j in np.flatnonzero(~scaling.left_out):
        np.testing.assert_array_equal(scaled[:, j] == 0, values[:, j] == 0)
        assert np.nanmax(np.abs(scaled[train, j])) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_test_rows_have_no_say_in_the_scaling(kind):
    values = mixed_values()
    split, scaling = split_table(table_of(values), kind, 42)
    changed = values.copy()
    changed[split.test] = changed[split.test] * 1000 + 7
    changed_split, changed_scaling = split_table(table_of(changed), kind, 42)
    np.testing.assert_array_equal(scaling.center, changed_scaling.center)
    np.testing.assert_array_equal(scaling.scale, changed_scaling.scale)
    np.testing.assert_array_equal(split.values[split.train], changed_split.values[split.train])


@pytest.mark.parametrize(("n_rows", "n_test"), [(2, 1), (3, 1), (5, 1), (6, 2), (100, 20), (2008, 402)])
def test_every_row_is_on_one_side_of_an_80_20_split(n_rows, n_test):
    split, _ = split_table(table_of(np.ones((n_rows, 1))), "none", 42)
    assert split.test.size == n_test
    assert sorted([*split.train, *split.test]) == list(range(n_rows))
    assert split.train.dtype == split.test.dtype == np.int64


def test_the_split_depends_on_the_seed_alone():
    values = mixed_values()
    split, _ = split_table(table_of(values), "maxabs", 1)
    same, _ = split_table(table_of(values + 1), "none", 1)
    other, _ = split_table(table_of(values), "maxabs", 2)
    np.testing.assert_array_equal(split.test, same.test)
    assert not np.array_equal(split.test, other.test)


def test_one_row_is_too_few():
    with pytest.raises(InputError, match="has 1 row, but a train/test split needs at least 2"):
        split_table(table_of([[1, 2]]), "maxabs", 42)


@pytest.mark.parametrize("side", ["train", "test"])
def test_a_side_without_an_observed_cell_is_refused(side):
    values = mixed_values()
    split, _ = split_table(table_of(values), "none", 42)
    values[getattr(split, side)] = np.nan
    with pytest.raises(InputError, match=f"all cells of the .* {side}.* rows are missing"):
        split_table(table_of(values), "maxabs", 42)


def test_the_fingerprint_changes_with_any_cell():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    before = table_of(values).fingerprint
    for i in np.ndindex(*values.shape):
        changed = values.copy()
        changed[i] = np.nextafter(changed[i], np.float32(np.inf))
        assert table_of(changed).fingerprint != before
        changed[i] = np.nan
        assert table_of(changed).fingerprint != before


def test_training_rows_without_a_column_that_varies_are_refused():
    values = mixed_values()
    split, _ = split_table(table_of(values), "none", 42)
    values[split.train] = 3
    with pytest.raises(InputError, match="no column with a cell in the 40 training rows varies"):
        split_table(table_of(values), "standard", 42)


def test_a_cell_that_no_single_number_holds_after_scaling_is_named():
    values = mixed_values()
    row = split_table(table_of(values), "none", 42)[0].test[3]
    values[row, 1] = 1e60
    with pytest.raises(
        InputError, match=rf"row {row + 1}, column 'c1': 1e\+60 is infinite in single precision"
    ):
        split_table(table_of(values), "standard", 42)


def test_a_column_without_a_scale_leaves_the_loss_of_both_sides():
    values = mixed_values()
    split, _ = split_table(table_of(values), "none", 42)
    values[split.train, 0], values[split.test, 0] = 0, 66308.0
    found, scaling = split_table(table_of(values), "maxabs", 42)
    assert scaling.left_out[0]
    assert np.isnan(found.values[:, 0]).all()
    assert np.nanmax(np.abs(found.values)) < 2


def test_the_fingerprint_of_single_numbers_is_what_it_was_when_tables_held_no_others():
    values = np.array([[0.5, np.nan], [-0.0, 3.0]], np.float32)
    expected = "5ba92058f9ec84f0b3b1c827f8e8e655"
    for dtype in (np.float32, np.float64):
        assert Table(values.astype(dtype), ["a", "b"], "memory").fingerprint.startswith(expected)


@pytest.mark.parametrize("row", [0, 65536])
def test_the_fingerprint_sees_what_single_precision_does_not(row):
    values = np.full((65537, 1), 0.1)
    values[row] = np.nextafter(0.1, 1)
    other = values.copy()
    other[row] = np.nextafter(values[row], 1)
    assert np.float32(values[row]) == np.float32(other[row])
    prints = {table_of(cells).fingerprint for cells in (values, other, values.astype(np.float32))}
    assert len(prints) == 3


def test_the_fingerprint_changes_with_names_shape_and_order():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    tables = [
        table_of(values, ["a", "b", "c"]),
        table_of(values, ["a", "b", "d"]),
        table_of(values, ["b", "a", "c"]),
        table_of(values.reshape(3, 4), ["a", "b", "c", "d"]),
        table_of(values[:, ::-1], ["a", "b", "c"]),
        table_of(values[::-1], ["a", "b", "c"]),
        table_of(values[:3], ["a", "b", "c"]),
        table_of(values[:, :2], ["a,b", "c"]),
        table_of(values[:, :2], ["a", "b,c"]),
    ]
    assert len({table.fingerprint for table in tables}) == len(tables)


def test_the_fingerprint_does_not_see_the_bits_of_nan_the_sign_of_zero_or_the_path():
    values = np.array([[np.nan, 0.0], [1.0, 2.0]], np.float32)
    other = values.copy()
    other.view(np.uint32)[0, 0] = 0xFFC0_1234
    other[0, 1] = -0.0
    assert np.isnan(other[0, 0])
    elsewhere = Table(other, ["c0", "c1"], "elsewhere", ["a warning"])
    assert elsewhere.fingerprint == table_of(values).fingerprint


def test_the_fingerprint_of_a_long_table_sees_its_last_row():
    values = np.zeros((65537, 1), np.float32)
    before = table_of(values).fingerprint
    values[-1] = 1
    assert table_of(values).fingerprint != before


def test_csv_and_parquet_give_the_same_table(frame, tmp_path):
    with_words = frame.assign(word="x", count=range(len(frame)), yes=[True, False] * 30)
    with_words.to_csv(tmp_path / "t.csv", index=False)
    with_words.to_parquet(tmp_path / "t.parquet")
    one, other = load_table(tmp_path / "t.csv"), load_table(tmp_path / "t.parquet")
    assert one.columns == other.columns == [*frame.columns, "count", "yes"]
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.values, other.values)
    assert one.warnings == other.warnings
    assert one.warnings[0] == "left out, not numeric: 'word'"
    assert "'count'" in one.warnings[1]


def test_parquet_of_a_frame_with_numbers_for_names(tmp_path):
    pd.DataFrame(np.arange(12.0).reshape(4, 3)).to_parquet(tmp_path / "t.parquet")
    table = load_table(tmp_path / "t.parquet")
    assert table.columns == ["0", "1", "2"]
    np.testing.assert_array_equal(table.values, np.arange(12.0).reshape(4, 3))


def test_parquet_with_nullable_and_small_types(tmp_path):
    table = pd.DataFrame(
        {
            "integer": pd.array([1, None, 3], "Int16"),
            "boolean": pd.array([True, False, None], "boolean"),
            "float": pd.array([0.5, None, 0.0], "Float32"),
            "byte": np.array([1, 0, 255], np.uint8),
        }
    )
    table.to_parquet(tmp_path / "t.parquet")
    expected = [[1, 1, 0.5, 1], [np.nan, 0, np.nan, 0], [3, np.nan, 0, 255]]
    np.testing.assert_array_equal(load_table(tmp_path / "t.parquet").values, np.array(expected, np.float32))


def test_the_shipped_table(root):
    table = load_table(root / "data" / "stains.csv")
    assert table.values.shape == (2008, 24)
    assert " ".join(table.columns) == (
        "L Ind CG WG OG S_Anq SQ WC PRD SP TQ S_W S_O Lec RTW FUP T_PQ CQ T_ANQ MG ONE_O_ONE DV ADMIN T_W"
    )
    assert np.isnan(table.values).sum() == 238
    assert table.warnings == []
