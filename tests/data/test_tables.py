"""Reading files, choosing columns, and the complaints about what cannot be used."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pandas as pd
import pytest

from autoenc import InputError
from autoenc.data.read import COPUS_COLUMNS, choose_columns, numeric_column, read_table
from autoenc.data.table import load_table, table_of
from autoenc.settings.base import name_list


@pytest.fixture
def write(tmp_path):
    """Writes a file and returns its path."""

    def written(content: str | bytes, name: str = "t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def assert_one_line(error: InputError, path, message: str) -> None:
    (problem,) = error.problems
    assert problem.startswith(f"{path}: ")
    assert re.search(message, problem.removeprefix(f"{path}: "))
    assert "\n" not in problem


def copus_frame(n_rows: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: rng.random(n_rows) for name in reversed(COPUS_COLUMNS)})


def test_there_are_24_copus_columns():
    assert len(set(COPUS_COLUMNS)) == 24


def test_the_copus_columns_are_chosen_in_their_order_when_all_are_there():
    frame = copus_frame().assign(profile=1, rtop=30.0, teacher="x")
    assert choose_columns(frame, "t.csv", None) == (list(COPUS_COLUMNS), [])


def test_all_numeric_columns_are_chosen_when_a_copus_column_is_missing():
    frame = copus_frame().drop(columns="MG").assign(profile=1, teacher="x")
    names, warnings = choose_columns(frame, "t.csv", None)
    assert names == [name for name in reversed(COPUS_COLUMNS) if name != "MG"] + ["profile"]
    assert warnings == ["left out, not numeric: 'teacher'"]


def test_wanted_columns_are_taken_in_the_order_wanted():
    frame = copus_frame().assign(profile=1)
    assert choose_columns(frame, "t.csv", ["profile", "L"]) == (["profile", "L"], [])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["L", "lecturing"], r"t.csv: has no column 'lecturing'.*it has 'T_W', "),
        (["ADMN"], r"has no column 'ADMN'; did you mean 'ADMIN'\?"),
        (["x", "L", "y"], "has no column 'x', 'y'"),
        (["L", "MG", "L"], "--columns must not repeat a name, got 'L' twice"),
        ([""], "has no column ''"),
    ],
)
def test_wanted_columns_that_are_wrong_are_named(wanted, message):
    with pytest.raises(InputError, match=message):
        choose_columns(copus_frame(), "t.csv", wanted)


def test_left_out_columns_are_named_in_warnings(write):
    path = write(",word,a,when,b\n0,x,1,2020-01-01,4\n1,y,2,2021-01-01,5\n2,z,4,2022-02-02,7\n")
    table = load_table(path)
    assert table.columns == ["a", "b"]
    assert table.warnings == [
        "left out, not numeric: 'word', 'when'",
        "left out, without a name: 1 column, probably a row index",
    ]


def test_constant_and_empty_columns_are_named_in_warnings(write):
    table = load_table(write("a,one,none,zero\n1,1,,0\n2,,NA,0\n3,1,,0\n"))
    assert table.columns == ["a", "one", "zero"]
    assert table.values.shape == (3, 3)
    assert table.warnings == [
        "left out, no observed cell: none",
        "constant, kept but without information: one, zero",
    ]


def test_wanted_columns_may_be_nameless_or_constant(write):
    table = load_table(write(",a\n5,1\n6,1\n"), ["Unnamed: 0", "a"])
    np.testing.assert_array_equal(table.values, [[5, 1], [6, 1]])
    assert table.warnings == ["constant, kept but without information: a"]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\n1,2\n3,4",
        "\ufeffa,b\n1,2\n3,4\n",
        '"a","b"\n"1","2"\n"3","4"\n',
        "\n  \na,b\n1,2\n3,4\n",
        "a,b\n 1, 2\n 3, 4\n",
        "a,b\n1e0,+2\n3.000,.4e1\n",
    ],
)
def test_ways_to_write_the_same_table(write, content):
    table = load_table(write(content))
    assert table.columns == ["a", "b"]
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


def test_the_name_of_a_file_does_not_say_its_format(write, frame, tmp_path):
    frame.to_parquet(tmp_path / "table.data")
    np.testing.assert_array_equal(load_table(tmp_path / "table.data").values, frame.to_numpy(np.float64))
    np.testing.assert_array_equal(load_table(write("a\n1\n2\n", "t.csv.gz")).values, [[1], [2]])


BAD_FILES = {
    "empty": ("", "is empty"),
    "white space": (" \n\t\n", "is empty"),
    "binary": (bytes(range(256)) * 40, "is a binary file"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a binary file"),
    "Latin-1": (b"a,b\n1,2\n\xe9,3\n", r"not UTF-8 text \(byte 8 is 0xe9\)"),
    "Latin-1 far behind": (b"a,b\n" + b"1,2\n" * 5000 + b"\xe9,3\n", "not UTF-8 text"),
    "prose": ("This is no table.\nHello, world, and more.\nBye.\n", "is not a CSV table"),
    "web page": ("<html>\n<body>a, b\n</body></html>\n", "is not a CSV table"),
    "too long a row": ("a,b\n1,2\n1,2,3\n4,5\n", "is not a CSV table: .*line 3"),
    "too short a row": ("a,b,c\n1,2,3\n\n4,5\n6,,\n", "line 4 has 2 cells, but the header has 3"),
    "only too long rows": ("a,b\n1,2,3\n4,5,6\n", "is not a CSV table"),
    "open quote": ('a,b\n1,2\n"3,4\n', "is not a CSV table"),
    "header only": ("a,b,c\n", "has a header but no rows"),
    "header without a line end": ("a,b,c", "has a header but no rows"),
    "duplicate names": ("a,b,a\n1,2,3\n4,5,6\n", "column names must differ, .*: a$"),
    "quoted duplicate names": ('"a",a\n1,2\n4,5\n', "column names must differ, .*: a$"),
    "duplicate names behind an empty line": ("\na,a\n1,2\n4,5\n", "column names must differ, .*: a$"),
    "duplicate names behind a line of spaces": ("  \na,a\n1,2\n4,5\n", "column names must differ, .*: a$"),
    "broken Parquet": (b"PAR1" + bytes(100), "is not a readable Parquet file"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_table_is_refused(write, content, message):
    path = write(content)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert_one_line(caught.value, path, message)


def test_parquet_with_duplicate_names_is_refused(tmp_path):
    import pyarrow
    import pyarrow.parquet

    column = pyarrow.array([1.0, 2.0])
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays([column, column], names=["a", "a"]), path)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert_one_line(caught.value, path, "column names must differ, .*: a$")


def test_parquet_without_rows_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": np.zeros(0)}).to_parquet(path)
    with pytest.raises(InputError, match="no rows"):
        read_table(path)


def test_a_missing_file_is_told_with_what_is_there_instead(write, tmp_path):
    write("a\n1\n", "stains.csv")
    with pytest.raises(InputError, match=r"stain.csv: there is no such file; did you mean .*stains.csv\?"):
        read_table(tmp_path / "stain.csv")
    with pytest.raises(InputError, match=r"there is no such file$"):
        read_table(tmp_path / "nothing" / "like.it")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder; name a CSV or Parquet file"):
        read_table(tmp_path)


BAD_TABLES = {
    "no number": ("a,b\nx,y\nz,w\n", None, "has no numeric column; its columns are 'a', 'b'"),
    "all missing": ("a,b\n,\nNA,\n", None, "all cells are missing in a, b"),
    "text among numbers": (
        "a,b\n1,2\n3,x\n5,6\n7,8\n",
        None,
        r"row 2, column 'b': 'x' is not a number.* --na_values x, or leave the column out with --exclude b$",
    ),
    "several texts": (
        "a,b\n1,2\n3,x\n5,y\n7,8\n9,1\n",
        None,
        r"row 2, column 'b': 'x' is not a number \(and 1 more cell of this column\);.* --na_values x,y, or",
    ),
    "text in a wanted column": (
        "a,b\nx,2\ny,3\n",
        ["a", "b"],
        r"row 1, column 'a': 'x' is not a number.* --na_values x,y$",
    ),
    "infinity": ("a,b\n1,2\n3,4\ninf,6\n", None, "row 3, column 'a': inf is infinite"),
    "negative infinity": ("a,b\n1,-Infinity\n3,4\n", None, "row 1, column 'b': -inf is infinite"),
    "too large": ("a,b\n1,2\n1e308,4\n", None, r"row 2, column 'a': 1e\+308 is infinite or too large"),
}


@pytest.mark.parametrize(("content", "columns", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_cell_that_cannot_be_used_is_named(write, content, columns, message):
    path = write(content)
    with pytest.raises(InputError) as caught:
        load_table(path, columns)
    assert_one_line(caught.value, path, message)


def test_what_is_said_to_stand_for_a_missing_cell_can_be_pasted_until_a_table_is_read(write):
    path, said = write("a,b\n1,.\n3,2\n-,5\n--,8\n9,?\n1,1\n2,2\n4,4\n"), list[str]()
    for _ in range(2):
        with pytest.raises(InputError, match=r" --na_values ") as caught:
            table_of(read_table(path, missing=said))
        pasted = shlex.split(str(caught.value).split("--na_values ")[1])[0].rstrip(",")
        said = name_list(pasted)
    assert said == ["-", "--", ".", "?"]
    assert np.isnan(table_of(read_table(path, missing=said)).values).sum() == 4


def test_text_in_a_copus_column_is_refused_however_much_of_it_there_is(write):
    frame = copus_frame().astype({"MG": object})
    frame["MG"] = ["often", "never", "often", "rarely"]
    with pytest.raises(InputError, match="row 1, column 'MG': 'often' is not a number"):
        load_table(write(frame.to_csv(index=False)))


def test_a_numeric_column_keeps_what_double_precision_holds():
    frame = pd.DataFrame({"a": [1, 2**53, -3], "b": [0.1, np.nan, -0.0], "c": ["1", None, "2.5"]})
    np.testing.assert_array_equal(numeric_column(frame, "a", "t"), [1, 2.0**53, -3])
    np.testing.assert_array_equal(numeric_column(frame, "b", "t"), [0.1, np.nan, 0])
    np.testing.assert_array_equal(numeric_column(frame, "c", "t"), [1, np.nan, 2.5])


def test_complex_numbers_are_refused():
    with pytest.raises(InputError, match="column 'a' holds complex numbers"):
        numeric_column(pd.DataFrame({"a": [1j, 2.0]}), "a", "t")
