"""Rows of frames of any library are matched by name; those of arrays by position."""

from __future__ import annotations

import collections
import datetime
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from typing import Any

import narwhals
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from autoenc import FittedAutoencoder, FittedEnsemble, InputError, load_model
from autoenc.data.frames import frame_of, rows_of
from autoenc.two_stage.checkpoint import FittedTransfer

COLUMNS = ["a", "b", "c"]
FRAME = pd.DataFrame({"c": [0.7, 0.9], "more": ["x", "y"], "a": [0.1, 0.4], "b": [0.2, None]}, index=[7, 3])
CELLS = np.array([[0.1, 0.2, 0.7], [0.4, np.nan, 0.9]])
Row = collections.namedtuple("Row", FRAME.columns)


class _Interchange:
    """A frame that only has the interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return FRAME.__dataframe__(nan_as_null, allow_copy)


class _Capsule:
    """A frame that only has Arrow's protocol."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return arrow().__arrow_c_stream__(requested_schema)


def arrow() -> pa.Table:
    return pa.Table.from_pandas(FRAME, preserve_index=False)


def polars_of(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


def polars_frame() -> Any:
    return pytest.importorskip("polars").from_arrow(arrow())


def sqlite_rows() -> list[sqlite3.Row]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("CREATE TABLE t (c, more, a, b)")
        cells = FRAME.astype(object).where(FRAME.notna(), None)
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", cells.to_numpy().tolist())
        return connection.execute("SELECT * FROM t").fetchall()


def dask_frame() -> Any:
    return pytest.importorskip("dask.dataframe").from_pandas(FRAME.reset_index(drop=True), npartitions=2)


NAMED: dict[str, Callable[[], Any]] = {
    "pandas": lambda: FRAME,
    "Arrow table": arrow,
    "Arrow record batch": lambda: arrow().to_batches()[0],
    "Arrow reader": lambda: arrow().to_reader(),
    "Arrow protocol": _Capsule,
    "interchange protocol": _Interchange,
    "narwhals": lambda: narwhals.from_native(arrow()),
    "polars": polars_frame,
    "lazy polars": lambda: polars_frame().lazy(),
    "narwhals of polars": lambda: narwhals.from_native(polars_frame()),
    "dask": dask_frame,
    "mapping": lambda: FRAME.to_dict("list"),
    "mapping of arrays": lambda: {name: FRAME[name].to_numpy() for name in FRAME},
    "mappings": lambda: FRAME.to_dict("records"),
    "named tuples": lambda: [Row(*row) for row in FRAME.itertuples(index=False)],
    "rows of a database": sqlite_rows,
    "record array": lambda: FRAME.drop(columns="more").to_records(index=False),
}


@pytest.fixture(scope="module")
def model(root) -> FittedTransfer:
    """Of the columns a, b and c."""
    return load_model(root / "tests" / "assets" / "transfer-format1.pth")


@pytest.fixture(scope="module")
def ensemble(model) -> FittedEnsemble:
    return FittedEnsemble([model, model], {})


@pytest.mark.parametrize("kind", NAMED)
def test_what_has_names_is_matched_by_name(kind):
    rows = rows_of(NAMED[kind](), COLUMNS, 3)
    np.testing.assert_array_equal(rows.cells, CELLS)
    assert rows.named


@pytest.mark.parametrize("kind", NAMED)
def test_models_give_the_same_for_any_frame(model, ensemble, kind):
    expected = model.encode(CELLS)
    library = "polars" if "polars" in kind else "pandas"
    for method, names in (
        (model.encode, ["latent_1", "latent_2"]),
        (model.reconstruct, COLUMNS),
        (ensemble.reconstruct, COLUMNS),
        (model.predict, ["score", "kind_probability", "kind"]),
    ):
        expected = method(CELLS)
        found = method(NAMED[kind]())
        assert type(found).__module__.split(".")[0] == library
        assert list(found.columns) == names
        np.testing.assert_array_equal(found.to_numpy(), np.asarray(expected))
    if kind == "pandas":
        assert model.predict(FRAME).index.tolist() == [7, 3]


@pytest.mark.parametrize(
    "data",
    [
        CELLS,
        CELLS.tolist(),
        torch.from_numpy(CELLS),
        np.ma.masked_invalid(CELLS),
        np.ma.array(np.nan_to_num(CELLS, nan=-999), mask=np.isnan(CELLS)),
        CELLS.astype(object),
    ],
)
def test_arrays_are_taken_by_position_and_give_arrays(model, data):
    np.testing.assert_array_equal(rows_of(data, COLUMNS, 3).cells, CELLS)
    found = model.encode(data)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, model.encode(CELLS))


@pytest.mark.parametrize(
    "made",
    [
        lambda cells: pa.table({"g": pa.array(cells), "h": pa.array(cells).dictionary_encode()}),
        lambda cells: polars_of({"g": cells, "h": cells}),
        lambda cells: {"g": cells, "h": tuple(cells)},
        lambda cells: [{"g": cell, "h": cell} if cell is not None else {"g": cell} for cell in cells],
    ],
    ids=["arrow", "polars", "mapping", "records"],
)
@pytest.mark.parametrize("cells", [[2**53, None, 2**53 + 1], [1, 2, None], [7, 8, 9]])
def test_whole_numbers_beside_missing_ones_are_not_rounded(made, cells):
    frame, _ = frame_of(made(cells), None)
    for name in ("g", "h"):
        assert [None if pd.isna(cell) else int(cell) for cell in frame[name]] == cells


def test_whole_numbers_below_a_mask_are_not_rounded():
    cells = np.ma.array([2**53 + 1, 5, 2**53], mask=[False, True, False])
    frame, _ = frame_of({"g": cells}, None)
    assert frame["g"].tolist() == [2**53 + 1, pd.NA, 2**53]
    cells[1] = 9
    assert frame["g"].isna()[1]


@pytest.mark.parametrize("cells", [["x", None, "y", "x"], [None, 0.5, 0.25]])
def test_a_null_category_is_missing_and_no_other(cells):
    frame, _ = frame_of(pa.table({"g": pa.array(cells).dictionary_encode()}), None)
    assert [None if pd.isna(cell) else cell for cell in frame["g"]] == cells


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([{"x": 1}, None], None),
        ([[1, 2], [3, 4]], None),
        ([[1, 2], None], "array"),
        ([2**70, None], "wide"),
        ([1, 2], "wide"),
    ],
)
def test_what_has_no_type_of_numpy_comes_as_objects(cells, dtype):
    polars = pytest.importorskip("polars")
    of_name = {"array": polars.Array(polars.Int64, 2), "wide": polars.Int128}
    made = polars.Series("g", cells, dtype=of_name.get(dtype))
    frame, _ = frame_of(polars.DataFrame({"g": made}), None)
    assert frame["g"].tolist() == made.to_list()


ONE_COLUMN = "data must be rows and columns, got a single column or row"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (FRAME[["a"]], "data needs columns that are not there: b, c"),
        (arrow().select(["a"]), "data needs columns that are not there: b, c"),
        ({"a": [1], "c": [1]}, "data needs columns that are not there: b"),
        (FRAME.rename(columns={"more": "a"}), "data must have each column once, but has several of: a"),
        (arrow().rename_columns(["a", "a", "b", "c"]), "Expected unique column names"),
        (CELLS[:, :2], r"data must be of shape \[rows, 3\], got \[2, 2\]"),
        (CELLS[0], r"data must be of shape \[rows, 3\], got \[3\]"),
        (CELLS[None], r"data must be of shape \[rows, 3\], got \[1, 2, 3\]"),
        (FRAME["a"], ONE_COLUMN),
        (FRAME.loc[7], ONE_COLUMN),
        (arrow()["a"], ONE_COLUMN),
        (pa.array([1.0, 2.0, 3.0]), r"data must be of shape \[rows, 3\], got \[3\]"),
        (arrow().schema, "data is a Schema, whose columns have names that cannot be read"),
        ("text", "data must be rows and columns, got a str"),
        (3.0, "data must be rows and columns, got a float"),
        (None, "data must be rows and columns, got a NoneType"),
        (iter([1]), "data must be rows and columns, got a list_iterator"),
        (np.array("x", object), "data must be"),
        ({"a": [1], "b": [1, 2], "c": [3]}, "data must hold columns of one length"),
        ({"a": FRAME.a, "b": FRAME.b.reset_index(drop=True), "c": FRAME.c}, "but their indexes differ"),
        ([{"a": 1, "b": 2, "c": 3}, [1, 2, 3]], "either all have names, or none has"),
        (FRAME.assign(a=np.inf), "data must be finite or NaN, got inf in row 1, column 'a'"),
        (FRAME.assign(b="much"), "data must be numbers: column 'b' has 'much' in row 1"),
        (FRAME.assign(b=pd.Timestamp("2020-01-01")), "column 'b' holds dates or durations"),
        (FRAME.assign(b=pd.Timedelta("1s")), "column 'b' holds dates or durations"),
        (FRAME.assign(b=1j), "column 'b' holds complex numbers"),
        (CELLS.astype(complex), "holds complex numbers"),
        (np.full((2, 3), np.datetime64("2020")), "holds dates or durations"),
        (
            pa.table({"a": [datetime.date(2020, 1, 1)], "b": [1], "c": [1]}),
            "column 'a' holds dates or durations",
        ),
    ],
)
def test_what_cannot_be_rows_is_refused(model, ensemble, data, message):
    for method in (model.encode, model.reconstruct, model.predict, ensemble.reconstruct):
        with pytest.raises(InputError, match=message):
            method(data)


def test_a_polars_series_is_refused(model):
    with pytest.raises(InputError, match=ONE_COLUMN):
        model.encode(polars_frame()["a"])


def test_a_model_without_names_takes_no_frame(root, tmp_path):
    content = torch.load(root / "tests" / "assets" / "model-format1.pth", weights_only=True)
    torch.save(content["state_dict"], tmp_path / "m.pth")
    model = load_model(tmp_path / "m.pth")
    for data in (FRAME, arrow(), {"a": [1]}):
        with pytest.raises(InputError, match=r"does not name its columns; pass an array \[rows, 4\]"):
            model.encode(data)


@pytest.fixture
def other_settings(model):
    """A caller's own settings of torch, and the network as it would be trained on."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    model.model.train()
    model.fitted.heads.train()
    yield
    model.model.eval()
    model.fitted.heads.eval()
    torch.set_default_dtype(before)


def test_the_callers_settings_of_torch_change_nothing(root, model, request):
    expected = model.encode(CELLS), model.reconstruct(CELLS), model.predict(CELLS)
    request.getfixturevalue("other_settings")
    loaded = load_model(root / "tests" / "assets" / "transfer-format1.pth")
    loaded.model.train()
    for context in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with context:
            for one in (model, loaded):
                found = one.encode(CELLS), one.reconstruct(CELLS), one.predict(CELLS)
                for was, now in zip(expected, found, strict=True):
                    np.testing.assert_array_equal(np.asarray(now), np.asarray(was))
    assert model.model.training
    assert {value.dtype for value in loaded.model.parameters()} == {torch.float32}


def test_loading_takes_no_random_numbers(root):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_model(root / "tests" / "assets" / "model-format1.pth")
    assert torch.rand(1) == expected


def test_a_network_that_was_moved_is_used_in_single_precision(root):
    model: FittedAutoencoder = load_model(root / "tests" / "assets" / "model-format1.pth")
    rows = model.scaling.center + np.zeros((2, 4))
    expected = model.encode(rows)
    model.model.double()
    np.testing.assert_array_equal(model.encode(rows), expected)
