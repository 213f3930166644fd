"""Long tables take fewer bytes than short ones, and are the same tables in every other way."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoenc.data import compact
from autoenc.data.compact import Compact
from autoenc.data.division import ALL, HOLDOUT, Division
from autoenc.data.given import given_table
from autoenc.data.read import read_table
from autoenc.data.recognition import read_mixed
from autoenc.data.table import Table, table_of
from autoenc.engines import Split
from autoenc.errors import InputError

N_ROWS = 400
RNG = np.random.default_rng(3)
LATENT = RNG.normal(size=(N_ROWS, 2))
NUMBERS = pd.DataFrame({
    "count": RNG.poisson(2, N_ROWS), "tenth": np.round(LATENT[:, 0], 1), "full": LATENT[:, 1],
    "missing": np.where(RNG.random(N_ROWS) < 0.2, np.nan, np.round(LATENT.sum(axis=1), 3)),
    "empty": np.nan, "constant": 2.5, "large": 2**25 + 2 * np.arange(N_ROWS) + 1,
    "digits": [float(f"{cell:.6g}") for cell in np.exp(9 * LATENT[:, 0])], "huge": LATENT[:, 0] * 1e200,
    "rare": np.eye(1, N_ROWS, 7)[0],
    "code": np.where(np.arange(N_ROWS) == 9, 9999, RNG.integers(0, 5, N_ROWS)),
})  # fmt: skip
MIXED = NUMBERS.drop(columns=["empty", "huge"]).assign(
    kind=RNG.choice(["a", "b", "c"], N_ROWS), rare=np.where(np.arange(N_ROWS) < 3, "q", "p"),
    when=pd.Timestamp("2026-01-01") + pd.to_timedelta(RNG.integers(0, 90, N_ROWS), "D"), ok=LATENT[:, 0] > 0,
)  # fmt: skip


def as_frame(numbers: pd.DataFrame) -> Table:
    read = given_table(numbers)[1]
    assert read is not None
    return table_of(read)


def as_csv(numbers: pd.DataFrame, folder: Path, mixed: bool = False) -> Table:
    path = folder / "table.csv"
    numbers.to_csv(path, index=False)
    read = read_table(path)
    return table_of(read_mixed(read, path) if mixed else read, max_categories=20 if mixed else 0)


def as_parquet(frame: pd.DataFrame, folder: Path) -> Path:
    pytest.importorskip("pyarrow")
    path = folder / "table.parquet"
    frame.to_parquet(path, row_group_size=150)
    return path


MAKERS: dict[str, Callable[[Path], Table]] = {
    "CSV": lambda folder: as_csv(NUMBERS, folder),
    "CSV of numbers that all need eight bytes": lambda folder: as_csv(NUMBERS[["full", "huge"]], folder),
    "frame": lambda folder: as_frame(NUMBERS),
    "frame of other types": lambda folder: as_frame(NUMBERS.astype({"tenth": np.float32, "count": "Int8"})),
    "Parquet": lambda folder: table_of(read_table(as_parquet(NUMBERS.astype({"count": "Int16"}), folder))),
    "mixed columns": lambda folder: as_csv(MIXED, folder, mixed=True),
}
Both = tuple[Table, Table]


def make_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every table for a long one."""
    monkeypatch.setattr(compact, "_FEWEST_ROWS", 1)
    monkeypatch.setattr(compact, "_FEWEST_CELLS", 1)


@pytest.fixture(params=MAKERS)
def both(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    """A table as a short and as a long one; from now on all are long."""
    short = MAKERS[request.param](tmp_path)
    make_long(monkeypatch)
    return short, MAKERS[request.param](tmp_path)


def test_a_long_table_is_the_same_table_in_fewer_bytes(both: Both) -> None:
    short, long = both
    assert not isinstance(short.values, Compact)
    np.testing.assert_array_equal(np.asarray(long.values), short.values)
    assert (long.columns, long.warnings) == (short.columns, short.warnings)
    assert (long.fingerprint, long.single_fingerprint) == (short.fingerprint, short.single_fingerprint)
    np.testing.assert_array_equal(long.varying, short.varying)
    single = long.in_single_precision()
    np.testing.assert_array_equal(np.asarray(single.values), short.in_single_precision().values)
    if long.columns != ["full", "huge"]:
        assert isinstance(long.values, Compact)
        assert long.values.nbytes < 0.7 * short.values.nbytes


def test_a_long_parquet_file_is_the_same_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = pd.array(RNG.integers(0, 2**40, N_ROWS), "Int64")
    counts[3] = None
    path = as_parquet(MIXED.assign(counts=counts, label=counts), tmp_path)
    short = read_table(path, ["label", "kind"], ["2.5"]).frame
    make_long(monkeypatch)
    pd.testing.assert_frame_equal(read_table(path, ["label", "kind"], ["2.5"]).frame, short, check_exact=True)


def assert_same_split(ours: Split, expected: Split) -> None:
    everything = np.arange(expected.values.shape[0])
    np.testing.assert_array_equal(ours.values[everything], expected.values)
    np.testing.assert_array_equal(ours.values[ours.test, slice(1, 3)], expected.values[expected.test, 1:3])
    np.testing.assert_array_equal(ours.target(ours.test), expected.target(expected.test))
    np.testing.assert_array_equal(ours.is_left_out, expected.is_left_out)
    for own, other in zip(ours.deviations, expected.deviations, strict=True):
        np.testing.assert_array_equal(own, other)
    assert (ours.is_fold, ours.groups is None) == (expected.is_fold, expected.groups is None)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("kind", ["maxabs", "minmax", "standard", "robust", "auto", "quantile", "floored"])
def test_a_long_table_is_scaled_to_the_same_bits(
    both: Both, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = both
    ours = Division(long, kind, 1)
    splits = {
        fold: (ours.split(fold), ours.passing(fold), ours.standardized(fold))
        for fold in (HOLDOUT, "2/3", ALL)
    }
    mark, warnings = ours.left_out_mark([HOLDOUT]), ours.warnings([HOLDOUT])
    monkeypatch.undo()
    plain = Division(short, kind, 1)
    assert (mark, warnings) == (plain.left_out_mark([HOLDOUT]), plain.warnings([HOLDOUT]))
    for fold, (kept, passing, standardized) in splits.items():
        assert isinstance(kept.values, np.ndarray)
        assert not isinstance(passing.values, np.ndarray)
        assert_same_split(kept, plain.split(fold))
        assert_same_split(passing, plain.split(fold))
        assert_same_split(standardized, plain.standardized(fold))


def test_a_cell_that_is_infinite_after_scaling_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = np.ones((30, 2))
    cells[[5, 17, 20], 1] = 1e60, -1e60, 1e60
    values = Table(cells, ["a", "b"], "t.csv")
    problems = set()
    for measure in (Division.split, Division.passing):
        with pytest.raises(InputError, match=r"t\.csv: row 6, column 'b': 1e\+60 is infinite") as short:
            measure(Division(values, "none", 1))
        problems.add(str(short.value))
    make_long(monkeypatch)
    with pytest.raises(InputError) as long:
        Division(values, "none", 1).passing()
    assert {str(long.value)} == problems


def test_scaled_rows_of_a_long_table_are_let_go_and_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(RNG.random((50, 3)), list("abc"), "t.csv")
    division = Division(table, "maxabs", 1)
    first = division.split()
    division.let_go()
    assert division.split() is first  # a short table is worth no second scaling
    make_long(monkeypatch)
    division.let_go()
    assert division.split() is first  # as it is in use here
    weak, origin, expected = weakref.ref(first), first.origin, first.values.copy()
    del first
    division.let_go()
    assert weak() is None
    again = division.split()
    assert again.origin is origin
    assert division.split("1/2").origin is not origin
    np.testing.assert_array_equal(again.values, expected)
