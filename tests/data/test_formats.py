"""Files that say what their cells are: Feather, workbooks, arrays, annotated matrices."""

from __future__ import annotations

import gzip
import io
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoenc.data.read import label_column, read_table
from autoenc.data.table import load_table
from autoenc.errors import InputError
from autoenc.settings.dialects import Dialect

NUMBERS = np.array([[1.5, 2], [-2500, 4], [np.nan, 5]])


def test_feather_is_read_as_parquet_is(tmp_path: Any, frame: pd.DataFrame) -> None:
    frame.to_feather(tmp_path / "t.data")
    frame.to_parquet(tmp_path / "t.parquet")
    feather, parquet = load_table(tmp_path / "t.data"), load_table(tmp_path / "t.parquet")
    assert feather.fingerprint == parquet.fingerprint
    (tmp_path / "t.feather.gz").write_bytes(gzip.compress((tmp_path / "t.data").read_bytes()))
    assert load_table(tmp_path / "t.feather.gz").fingerprint == parquet.fingerprint
    (tmp_path / "broken").write_bytes(b"ARROW1\0\0" + bytes(50))
    with pytest.raises(InputError, match="is not a readable Feather file"):
        read_table(tmp_path / "broken")


def test_arrays_are_tables_of_x1_and_so_on(tmp_path: Any) -> None:
    np.save(tmp_path / "a.npy", NUMBERS)
    np.savez_compressed(tmp_path / "one.npz", whatever=NUMBERS)
    np.savez(tmp_path / "several.npz", y=np.zeros(3), X=NUMBERS)
    for name in ("a.npy", "one.npz", "several.npz"):
        table = read_table(tmp_path / name).frame
        assert list(table.columns) == ["x1", "x2"]
        np.testing.assert_array_equal(table.to_numpy(), NUMBERS)
    np.save(tmp_path / "s.npy", np.array([(1, 2.5), (3, np.nan)], [("id", "i4"), ("size", "f8")]))
    assert read_table(tmp_path / "s.npy").frame["size"].tolist()[0] == 2.5


BAD_ARRAYS = {
    "a vector": (np.zeros(3), "must be an array .*got shape"),
    "words": (np.array([["a"]]), "must be an array of numbers"),
    "complex": (np.ones((2, 2), complex), "must be an array of numbers"),
    "pickled": (np.array([[{}]], object), "not a readable NPY file"),
}


@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_other_arrays_are_refused(tmp_path: Any, array: Any, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "a.npy")


def test_several_arrays_need_one_of_a_known_name(tmp_path: Any) -> None:
    np.savez(tmp_path / "a.npz", one=NUMBERS, two=NUMBERS)
    with pytest.raises(InputError, match=r"^[^:]*a\.npz: holds the arrays 'one', 'two'; call the one"):
        read_table(tmp_path / "a.npz")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\1\0")
    with pytest.raises(InputError, match="is not a readable NPY file"):
        read_table(tmp_path / "cut.npy")


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


ROWS = [["a", "b", "kind"], [1.5, 2, "x"], [-2500, 4, "01"], [None, 5, None]]


def test_the_first_sheet_of_a_workbook_is_read(tmp_path: Any) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(workbook({"measured": ROWS, "notes": [["read me"]]}))
    read = read_table(path, as_text=["kind"])
    np.testing.assert_array_equal(read.frame[["a", "b"]].to_numpy(np.float64), NUMBERS)
    assert label_column(read.frame, "kind", "t").tolist() == ["x", "01", ""]
    assert read.warnings == [
        "only its first sheet is read, 'measured', and not 'notes'; --sheet names another"
    ]
    path.write_bytes(workbook({"only": ROWS}))
    assert read_table(path).warnings == []
    np.testing.assert_array_equal(load_table(path, na_values=["-2500"]).values[1], [np.nan, 4])


@pytest.mark.parametrize("sheet", ["measured", "2", "2024"])
def test_a_sheet_is_chosen_by_name_or_number(tmp_path: Any, sheet: str) -> None:
    path = tmp_path / "t.xlsx"
    name = "2024" if sheet == "2024" else "measured"  # a name that is a number goes before a number
    path.write_bytes(workbook({"notes": [["read me"], ["now"]], name: ROWS, "more": ROWS}))
    read = read_table(path, dialect=Dialect(sheet=sheet))
    np.testing.assert_array_equal(read.frame[["a", "b"]].to_numpy(np.float64), NUMBERS)
    assert read.warnings == []


def test_a_sheet_that_is_not_there_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(workbook({"one": ROWS, "two": [], "three": ROWS}))
    for sheet, message in (
        ("four", "has no sheet 'four'; it has 'one', 'two', 'three'"),
        ("4", "has no sheet '4'; it has"),
        ("0", "has no sheet '0'; it has"),
        ("two", "its sheet, 'two', is empty"),
    ):
        with pytest.raises(InputError, match=message):
            read_table(path, dialect=Dialect(sheet=sheet))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    np.save(tmp_path / "t.npy", NUMBERS)
    np.savez(tmp_path / "t.npz", data=NUMBERS)
    for name in ("t.csv", "t.npy", "t.npz"):
        with pytest.raises(InputError, match=r"no workbook or \.h5ad, so there is no sheet 'one' to choose"):
            read_table(tmp_path / name, dialect=Dialect(sheet="one"))


def test_a_layer_is_chosen_by_its_name(root: Any, tmp_path: Any) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "t.h5ad"
    path.write_bytes((root / "tests" / "assets" / "dense.h5ad").read_bytes())
    with h5py.File(path, "a") as file:
        file.require_group("layers").create_dataset("raw", data=np.asarray(file["X"][()]) * 10)
    read = read_table(path)
    assert read.warnings == ["X is read, and not 'raw'; --sheet names a layer"]
    np.testing.assert_array_equal(read.frame[GENES].to_numpy(), CELLS)
    read = read_table(path, dialect=Dialect(sheet="raw"))
    assert read.warnings == []
    np.testing.assert_array_equal(read.frame[GENES].to_numpy(), 10 * np.array(CELLS))
    with pytest.raises(InputError, match="has no layer 'x'; it has 'raw'"):
        read_table(path, dialect=Dialect(sheet="x"))


def test_a_file_without_its_matrix_is_read_by_a_layer(root: Any, tmp_path: Any) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "t.h5ad"
    path.write_bytes((root / "tests" / "assets" / "dense.h5ad").read_bytes())
    with h5py.File(path, "a") as file:
        file.move("X", "layers/counts")
    with pytest.raises(InputError, match="has no matrix X; --sheet names a layer: 'counts'"):
        read_table(path)
    read = read_table(path, dialect=Dialect(sheet="counts"))
    np.testing.assert_array_equal(read.frame[GENES].to_numpy(), CELLS)


def test_bad_workbooks_are_refused(tmp_path: Any, monkeypatch: Any) -> None:
    path = tmp_path / "t.xlsx"
    for rows, message in (
        ([["a", "a"], [1, 2]], "these stand there twice: a"),
        ([], "its first sheet, 'only', is empty"),
        ([["a", "b"]], "has a header but no rows"),
    ):
        path.write_bytes(workbook({"only": rows}))
        with pytest.raises(InputError, match=message):
            read_table(path)
    for content in (b"\xd0\xcf\x11\xe0" + bytes(600), workbook({"only": ROWS})[:2000]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is not a readable workbook|is a damaged zip archive"):
            read_table(path)
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    path.write_bytes(workbook({"only": ROWS}))
    with pytest.raises(InputError, match=r"pip install 'autoenc\[excel\]'"):
        read_table(path)


CELLS = [
    [0, 4, 8, 2, 0], [0, 0, 0, 0, 0], [0, 6, 0, 2, 0], [8, 0, 0, 6, 0], [5, 6, 0, 0, 0], [4, 0, 0, 0, 0],
    [0, 4, 8, 0, 0], [8, 0, 0, 0, 4], [0, 7, 0, 4, 4], [0, 2, 0, 1, 0], [0, 6, 0, 6, 8], [8, 0, 0, 2, 6],
]  # fmt: skip
GENES = [f"gene{j}" for j in range(5)]


@pytest.mark.parametrize("name", ["sparse", "columns", "dense", "strings"])
def test_annotated_matrices_are_read_with_their_annotations(root: Any, name: str) -> None:
    """These files were written by anndata 0.12.19, that with nullable strings by 0.13.4."""
    read = read_table(root / "tests" / "assets" / f"{name}.h5ad", as_text=["cell_type"])
    np.testing.assert_array_equal(read.frame[GENES].to_numpy(), CELLS)
    assert label_column(read.frame, "cell_type", "t").tolist() == ["T", "B", "", "NK"] * 3
    assert read.frame["n_genes"].tolist() == [3 * i for i in range(12)]
    np.testing.assert_array_equal(read.frame["batch"].to_numpy(np.float64), [1, np.nan, 2, 1] * 3)
    assert read.frame["control"].tolist() == [True, False] * 6
    assert read.frame["note"].tolist() == ["a", "b", "c", "d"] * 3


def test_annotations_are_learned_from_only_where_they_are_named(root: Any) -> None:
    path = root / "tests" / "assets" / "sparse.h5ad"
    assert load_table(path).columns == GENES
    assert load_table(path, ["gene1", "n_genes"]).columns == ["gene1", "n_genes"]
    assert load_table(path, exclude=["gene0", "depth"]).columns == GENES[1:]
    assert load_table(path, labels=["cell_type"]).labels["cell_type"].tolist() == ["T", "B", "", "NK"] * 3


def test_other_hdf5_is_refused(tmp_path: Any, monkeypatch: Any) -> None:
    import h5py

    with h5py.File(tmp_path / "t.h5ad", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(InputError, match="is HDF5 without obs and var"):
        read_table(tmp_path / "t.h5ad")
    (tmp_path / "cut.h5ad").write_bytes((tmp_path / "t.h5ad").read_bytes()[:500])
    with pytest.raises(InputError, match=r"is not a readable \.h5ad file"):
        read_table(tmp_path / "cut.h5ad")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'autoenc\[anndata\]'"):
        read_table(tmp_path / "t.h5ad")
