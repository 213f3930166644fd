"""Reading CSV as people have it: pipes, other separators, blank lines, pieces, labels and markers."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from autoenc import InputError
from autoenc.data import csv_rows, csv_table, csv_wide, sources
from autoenc.data.read import label_column, read_table
from autoenc.data.sources import open_table, pipes_kept
from autoenc.data.table import load_table


def read_frame(path, as_text=(), missing=()):
    return read_table(path, as_text, missing).frame


@pytest.fixture
def write(tmp_path):
    """Writes a file and returns its path."""

    def written(content: str, name: str = "t.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return written


@pytest.fixture
def fifo(tmp_path):
    """Makes a named pipe that is written to once, slowly and in parts."""

    def made(content: bytes, delay_s: float = 0.0):
        path = tmp_path / "pipe"
        os.mkfifo(path)

        def feed():
            time.sleep(delay_s)
            with path.open("wb", buffering=0) as file:
                for start in range(0, len(content), 7001):
                    file.write(content[start : start + 7001])

        threading.Thread(target=feed, daemon=True).start()
        return path

    return made


@pytest.fixture(params=[23, 1000, None], ids=["tiny pieces", "small pieces", "one piece"])
def pieces(request, monkeypatch):
    """Reads in pieces of so many bytes."""
    if request.param:
        monkeypatch.setattr(csv_rows, "_PIECE_BYTES", request.param)
        monkeypatch.setattr(csv_rows, "_PIECE_ROWS", 1)
        monkeypatch.setattr("autoenc.data.sources._START_BYTES", request.param)


def test_pieces_hold_each_row_once_and_each_number_in_full(pieces, write):
    numbers = np.random.default_rng(0).normal(size=(300, 3)) * 10.0 ** np.arange(-9, 18, 9)
    path = write(pd.DataFrame(numbers, columns=list("abc")).to_csv(index=False))
    np.testing.assert_array_equal(read_frame(path).to_numpy(), numbers)


def test_what_a_cell_is_does_not_depend_on_where_a_piece_ends(pieces, write):
    rows = ["1,x,True,", "2,3,False,1", "NA,4,True,True", "4, 5 ,TRUE,2"] * 20
    frame = read_frame(write("a,b,c,d\n" + "\n".join(rows)))
    np.testing.assert_array_equal(frame.a, [1, 2, np.nan, 4] * 20)
    assert frame.b.tolist() == ["x", 3.0, 4.0, 5.0] * 20
    np.testing.assert_array_equal(frame.c, [1, 0, 1, 1] * 20)
    assert frame.d.dropna().tolist() == [1.0, "True", 2.0] * 20


@pytest.mark.parametrize(
    "odd",
    [[], ["", "NA", " 1", "-999.0", "?", "inf", "-0", "1e400", "  ", "+3"], ["9007199254740993", "1" * 25],
     ["TRUE"], ["text", "2026-11-25", "1-2"], ["1_000", "0x1F", "1\u0661"], ['"1"', '"x"', '" "', '""'],
     ['"1,5"', '"a\nb"', '"say ""no"""', "x y", "1\u2028"], ["007", "x"]],
    ids=["plain", "missing", "large", "truth", "text", "other digits", "quoted", "marks", "label"],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 7], ids=["first row", "later"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_wide_table_is_read_as_any_other(write, monkeypatch, odd, place, end):
    rng = np.random.default_rng(1)
    cells = [
        list(map(repr, row)) for row in (rng.normal(size=(9, 50)) * 10.0 ** rng.integers(-9, 9)).tolist()
    ]
    cells[place][: len(odd)] = odd
    path = write(",".join(f"c{j}" for j in range(50)) + end + end.join(map(",".join, cells)) + end)
    kinds = {"missing": ["-999", "?"], "as_text": ["c0"] if "007" in odd else []}
    pieces = []

    def recording(*given):
        pieces.append(csv_wide.read_wide(*given))
        return pieces[-1]

    monkeypatch.setattr(csv_table, "read_wide", recording)
    found = read_frame(path, **kinds)
    assert pieces
    assert None not in pieces or "1" * 25 in odd
    monkeypatch.setattr(csv_table, "read_wide", lambda *_: None)  # column by column
    pd.testing.assert_frame_equal(found, read_frame(path, **kinds), check_exact=True)


def test_text_costs_a_wide_table_little(write):
    numbers = ",".join(["0.25"] * 20_000)
    header = ",".join(f"c{j}" for j in range(20_000))
    seconds = {}
    for name, cell in {"number": "1", "text": "x"}.items():
        path = write(f"{header},d\n" + f"{numbers},{cell}\n" * 30)
        start = time.perf_counter()
        table = load_table(path)
        seconds[name] = time.perf_counter() - start
        assert table.columns[-1] == ("c19999" if name == "text" else "d")
        assert (table.values[:, :20_000] == 0.25).all()
    assert seconds["text"] < 2 * seconds["number"] + 0.5


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quoted_cells_may_hold_lines_commas_and_quotes(pieces, write, end):
    rows = [f'{i},"a{end}b, ""{i}"""' for i in range(40)]
    frame = read_frame(write(f'n,"w,{end}x"{end}' + end.join(rows) + end), as_text=[f"w,{end}x"])
    np.testing.assert_array_equal(frame.n, np.arange(40))
    assert frame.iloc[:, 1].str.replace("\r\n", "\n").str.replace("\r", "\n").tolist() == [
        f'a\nb, "{i}"' for i in range(40)
    ]


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_blank_line_is_a_row_without_an_observed_cell(pieces, write, blank):
    table = load_table(write(f"a,b\n1,2\n{blank}\n3,4\n{blank}\n"))
    np.testing.assert_array_equal(table.values, [[1, 2], [np.nan] * 2, [3, 4], [np.nan] * 2])
    assert table.warnings == ["blank, and kept as rows without an observed cell: line 3, 5"]
    np.testing.assert_array_equal(load_table(write("a\n1\n\n3\n\n")).values[:, 0], [1, np.nan, 3, np.nan])


def test_many_blank_lines_are_told_shortly(write):
    (warning,) = load_table(write("a,b\n1,2\n3,4\n" + "\n" * 5000)).warnings
    assert warning.endswith("line 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 4,990 more")


def test_encode_writes_a_line_for_every_row(call, table_csv, tmp_path):
    output = tmp_path / "out"
    small = ["--hidden_dims_search", 4, "--max_layers", 1, "--epochs", 1, "--latent_dim", 2, "--save_models"]
    assert call("search", "--data_path", table_csv, *small, "--output_dir", output).code == 0
    lines = table_csv.read_text().splitlines()
    path = tmp_path / "gaps.csv"
    path.write_text("\n".join([*lines[:5], "", *lines[5:9], "  ", ""]) + "\n")
    model = output / "best_model_latent2.pth"
    answer = call("encode", "--model", model, "--data_path", path, "--output", tmp_path / "z.csv")
    assert (answer.code, len((tmp_path / "z.csv").read_text().splitlines())) == (0, 12)


REFUSED = {
    "one trailing semicolon": ("a, cm;b;\n1,5;2\n2,5;3\n", "line 2 has 2 cells, but the header has 3"),
    "a semicolon too many": ("a, cm;b\n1,5;2\n2,5;3;\n", "line 3 has 3 cells, but the header has 2"),
    "words between semicolons": (
        "a, cm;b;t\n1,5;2;x\n-2,5e3;;y;\n",
        "line 3 has 4 cells, but the header has",
    ),
    "a quote that stays open in the header": ('a,"b\n1,2\n3,4\n', "opened in the header, line 1, is not"),
    "separators only": (",,,\n,,,\n", "has no header; its lines hold nothing but"),
    "other separators only": (";;;\n;;;\n", "has no header; its lines hold nothing but"),
    "quotes only": ('"",""\n"",""\n', "has no header; its lines hold nothing but"),
    "trailing commas": ("a,b\n1,2,\n3,4,\n", "line 2 has 3 cells, but the header has 2"),
    "short behind a long cell": ('a,b\n1,"x\n\ny"\n3\n', "line 5 has 1 cells, but the header has 2"),
    "a quote that stays open": ('a,b\n1,2\n3,"4\n5,6\n', "row of line 3 is not closed"),
    "text behind a quote": ('a,b\n1,2\n3,"4"x\n', "line 3"),
    "a zero byte far behind": ("a,b\n" + "1,2\n" * 9000 + "\0,1\n", "is a binary file"),
    "headerless and repeated": ("1,1\n2,3\n", "twice: 1; a file without a header needs one"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_for_sure_is_refused(write, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_frame(write(content))
    assert len(str(caught.value)) < 400


RECOGNIZED = {
    "comma in a semicolon header": ("length, cm;width\n1,5;2\n2,5;3\n", ["length, cm", "width"]),
    "quoted comma": ('"length, cm";"width"\n1,5;2\n2,5;3\n', ["length, cm", "width"]),
    "tabs and decimal commas": ("a\tb,c\n1,5\t2\n2,5\t3\n", ["a", "b,c"]),
    "bars": ("a, b|c\n1,5|2\n2,5|3\n", ["a, b", "c"]),
    "spaces and decimal commas": ("len wid,\n1,5   2\n 2,5 3\n", ["len", "wid,"]),
    "colons and decimal commas": ("a, cm:b\n1,5:2\n2,5:3\n", ["a, cm", "b"]),
}


@pytest.mark.parametrize(("content", "names"), RECOGNIZED.values(), ids=RECOGNIZED)
def test_commas_in_names_and_numbers_do_not_separate(write, content, names):
    frame = read_frame(write(content))
    assert list(frame.columns) == names
    np.testing.assert_array_equal(frame.to_numpy(), [[1.5, 2], [2.5, 3]])


def test_other_marks_in_names_and_cells_do_no_harm(write):
    table = load_table(write('"a;b","c|d",note\n1,2,x;y\n3,4,z\n5,7,|\n'))
    assert table.columns == ["a;b", "c|d"]
    assert load_table(write("id no,place,a;b\n1,2 3,x;y\n2,4 5,z;w;v\n3,5 6,;\n")).columns == ["id no"]
    assert load_table(write("a, b\n1, 2:30\n2, 3:30\n")).columns == ["a"]


def test_names_that_are_numbers_are_warned_of(write, call, tmp_path):
    path = write("0.5,1.5,2\n" + "0.1,0.2,0.3\n0.3,0.1,0.9\n" * 10)
    assert "if the file has no header" in load_table(path).warnings[0]
    assert "if the file has no header" in call("search", "--data_path", path, "--dry_run").err


@pytest.mark.parametrize(
    ("content", "is_warned"),
    [("5.1,3.5,setosa\n4.9,3,setosa\n", True), ("s1,5.1,3\ns2,4.9,1\n", True), ("5.1,NA,3\n4.9,3,1\n", True),
     ("land,2019,2020\nfr,1,2\nde,3,4\n", False), ("a,1\n1,2\n3,4\n", False)],
)  # fmt: skip
def test_a_lost_first_row_is_seen_beside_text_and_missing_cells(write, content, is_warned):
    told = load_table(write(content)).warnings
    assert any("if the file has no header" in warning for warning in told) == is_warned


def test_long_cells_and_names_are_shortened_in_messages(write):
    with pytest.raises(InputError) as caught:
        load_table(write(f"a,{'n' * 5000}\n1,2\n2,{'x' * 10000}\n3,4\n4,5\n"))
    assert len(str(caught.value)) < 400


def test_decimal_commas_in_quotes_are_told(write):
    with pytest.raises(InputError, match=r"'1,5' is not a number.*decimal point.*--decimal comma"):
        load_table(write('a,b\n"1,5",1\n2,2\n3,5\n'))


def test_separators_of_thousands_are_told_from_decimal_commas(write):
    message = (
        "'1,234' is not a number.*without separators of thousands, or, of decimal commas, say --decimal comma"
    )
    with pytest.raises(InputError, match=message):
        load_table(write('a,b\n"1,234",1\n950,2\n870,5\n'))


def test_lists_of_columns_are_shortened(write):
    names = [f"word{j}" for j in range(3000)]
    path = write(
        ",".join(["a", "b", *names]) + "\n" + ",".join(["1", "2", *["x"] * 3000]) + "\n3,4" + ",x" * 3000
    )
    warning = load_table(path).warnings[0]
    assert warning.endswith("'word9' and 2,990 more")
    with pytest.raises(InputError, match=r"'word\d' and 2,992 more") as caught:
        load_table(path, ["zzz"])
    assert len(str(caught.value)) < 500


def test_repeated_names_among_many_are_found_in_linear_time(write):
    names = [f"c{j}" for j in range(40_000)]
    path = write(",".join([*names, "c7"]) + "\n")
    start = time.perf_counter()
    with pytest.raises(InputError, match="c7"):
        read_frame(path)
    assert time.perf_counter() - start < 3


def test_a_pipe_is_read_once_and_whole(fifo, capsys):
    numbers = np.random.default_rng(1).random((5000, 3))
    content = pd.DataFrame(numbers, columns=["a", "b", "c"]).to_csv(index=False).encode()
    path = fifo(content, delay_s=0.7)
    np.testing.assert_array_equal(read_frame(path).to_numpy(), numbers)
    assert capsys.readouterr().err == f"waiting for a table from {path}\n"


def test_parquet_comes_through_a_pipe(fifo, frame):
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    assert load_table(fifo(buffer.getvalue())).columns == list(frame.columns)


def test_a_command_may_need_a_pipe_twice(fifo, frame):
    path = fifo(frame.to_csv(index=False).encode())
    with pipes_kept():
        one, other = load_table(path), load_table(path)
    assert one.fingerprint == other.fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_search_of_several_latent_sizes_reads_standard_input(table_csv, tmp_path, name):
    words = [
        sys.executable, "-m", "autoenc", "search", "--data_path", name, "--output_dir", str(tmp_path),
        "--hidden_dims_search", "4", "--max_layers", "1", "--epochs", "1", "--latent_dim", "1,2",
    ]  # fmt: skip
    run = subprocess.run(words, input=table_csv.read_bytes(), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    assert b"standard input: 60 rows x 6 columns" in run.stdout
    again = subprocess.run([*words[:3], "train-best", "--from", str(tmp_path)], capture_output=True)
    assert again.returncode == 2
    assert b"came through standard input and cannot be read from there again" in again.stderr


LABELS = {
    "leading zeros": (["01", "1"], 2),
    "points": (["1", "1.0"], 2),
    "past 2**53": (["9007199254740992", "9007199254740993"], 2),
    "words for missing": (["NA", "None"], 2),
    "truth values": (["True", "TRUE"], 2),
    "quotes": (["1", '"1"'], 1),
}


@pytest.mark.parametrize(("cells", "n_labels"), LABELS.values(), ids=LABELS)
def test_labels_are_what_is_written(pieces, write, cells, n_labels):
    path = write("g,a\n" + "".join(f"{cells[i % 2]},{i}\n" for i in range(60)))
    labels = load_table(path, labels=["g"]).labels["g"]
    assert set(labels) == {cell.strip('"') for cell in cells}
    assert len(set(labels)) == n_labels


def test_labels_of_parquet_are_not_rounded(tmp_path):
    groups = pd.array([2**53, 2**53 + 1, None], "Int64")
    pd.DataFrame({"g": groups, "a": [1.0, 2, 4]}).to_parquet(tmp_path / "t.parquet")
    frame = read_frame(tmp_path / "t.parquet", as_text=["g"])
    assert label_column(frame, "g", "t").tolist() == [str(2**53), str(2**53 + 1), ""]


def test_text_is_another_label_than_what_is_written_like_it():
    cells = [True, "True", 1, "1", 1.0, None, "x"]
    labels = label_column(pd.DataFrame({"g": pd.Series(cells, dtype=object)}), "g", "t").tolist()
    assert labels == ["True (bool)", "True", "1 (int)", "1", "1.0", "", "x"]


def test_rows_without_a_group_are_groups_of_their_own_and_told(write, call, tmp_path):
    rows = [f"{i * 7 % 11},{i * 3 % 17},{f'g{i // 5}' if i >= 60 else ''}" for i in range(100)]
    path = write("a,b,g\n" + "\n".join(rows))
    answer = call(
        "search", "--data_path", path, "--group", "g", "--output_dir", tmp_path / "o",
        "--hidden_dims_search", 2, "--max_layers", 1, "--epochs", 1, "--latent_dim", 1, "--norm", "none",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "60 rows without a group in 'g': each is a group of its own" in answer.err
    n_test = int(answer.out.split(" to test on")[0].split()[-1])
    assert 15 <= n_test <= 25


def test_markers_are_missing_however_a_number_is_written(pieces, write, tmp_path):
    path = write("a,b,g\n1,?,x\n-999,2,-999.0\n-999.0,3,?\n-9.99e2,4,y\n5,-99,z\n")
    table = load_table(path, labels=["g"], na_values=["-999", "?"])
    np.testing.assert_array_equal(
        table.values, [[1, np.nan], [np.nan, 2], [np.nan, 3], [np.nan, 4], [5, -99]]
    )
    assert table.labels["g"].tolist() == ["x", "", "", "y", "z"]
    read_frame(path).drop(columns=["b", "g"]).astype({"a": int}).to_parquet(tmp_path / "t.parquet")
    stored = load_table(tmp_path / "t.parquet", na_values=["-999"])
    np.testing.assert_array_equal(stored.values[:, 0], [1, np.nan, np.nan, np.nan, 5])


def odd_frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((200, 3)), columns=["a", "b", "c, d"])
    frame.insert(0, "id", np.arange(5000, 5200))
    frame.loc[::9, "b"] = -999
    frame.loc[::50, "c, d"] = 1e20
    return frame


def test_identifiers_and_sentinels_are_warned_of_with_the_way_out(write, call):
    path = write(odd_frame().to_csv(index=False))
    answer = call("search", "--data_path", path, "--dry_run")
    for words in ["like an identifier: 'id'", "--exclude id", "-999 stands in 23 cells of 'b'",
                  "--na_values -999", "1e+20 stands in 4 cells", """--exclude '"c, d"'"""]:  # fmt: skip
        assert words in answer.err
    for way_out in (["--exclude", 'id,"c, d"', "--na_values", "-999"], ["--columns", "a"]):
        assert "like an identifier" not in call("search", "--data_path", path, "--dry_run", *way_out).err
    assert "stands in" not in call("search", "--data_path", path, "--dry_run", "--na_values", "-999,1e20").err


@pytest.mark.parametrize(
    "cells",
    [
        np.arange(100) % 50,
        np.arange(100) + 0.5,
        np.arange(9),
        np.linspace(-1200, 1200, 100),
        np.r_[np.arange(99) % 7, 99] * 10.0,
        np.full(20, 999),
    ],
    ids=["repeated", "no whole numbers", "few", "wide", "no marker", "constant"],
)
def test_other_columns_are_not_suspected(write, cells):
    path = write(
        pd.DataFrame({"a": cells, "b": np.random.default_rng(0).random(len(cells))}).to_csv(index=False)
    )
    assert not any("identifier" in warning or "stands in" in warning for warning in load_table(path).warnings)


def test_excluded_columns_are_not_learned_from(write, root):
    path = write("a,b,c\n1,2,3\n4,5,9\n")
    assert load_table(path, exclude=["b"]).columns == ["a", "c"]
    assert load_table(path, labels=["c"], exclude=["c", "a"]).columns == ["b"]
    assert load_table(root / "data" / "stains.csv", exclude=["L"]).columns[0] == "Ind"
    with pytest.raises(InputError, match=r"has no column 'x'.*--exclude names it"):
        load_table(path, exclude=["x"])
    with pytest.raises(InputError, match="has no numeric column left"):
        load_table(path, exclude=["a", "b", "c"])
    with pytest.raises(InputError, match="--columns and --exclude must not name the same columns, got 'a'"):
        load_table(path, ["a", "b"], exclude=["a"])


def test_yaml_names_columns_as_they_are(write, call, tmp_path):
    data = write(odd_frame().to_csv(index=False))
    config = write(f"data_path: {data}\nexclude: [id, 'c, d']\nna_values: [-999]\n", "c.yaml")
    answer = call("search", "--config", config, "--dry_run")
    assert "200 rows x 2 columns" in answer.out
    assert "stands in" not in answer.err
    one = write(f"data_path: {data}\ncolumns: ['c, d', a]\n", "d.yaml")
    assert "x 2 columns" in call("search", "--config", one, "--dry_run").out
    assert "x 2 columns" in call("search", "--data_path", data, "--columns", '"c, d", a', "--dry_run").out


def test_what_is_excluded_makes_another_search(write, call, tmp_path):
    data = write(odd_frame().to_csv(index=False))
    words = ["search", "--data_path", data, "--output_dir", tmp_path / "o", "--hidden_dims_search", 4,
             "--max_layers", 1, "--epochs", 1, "--latent_dim", 1]  # fmt: skip
    for options in ([], ["--exclude", "id"], ["--exclude", "id", "--na_values", "-999,1e20"]):
        answer = call(*words, *options)
        assert answer.code == 0
        assert "done before" not in answer.out
    trained = call("train-best", "--from", tmp_path / "o", "--epochs", 2)
    assert (trained.code, trained.err) == (0, "")


@pytest.mark.parametrize("n_columns", [1, 2, 3])
def test_a_norm_that_leaves_only_a_sign_is_warned_of(write, call, n_columns):
    values = np.random.default_rng(0).random((50, n_columns))
    path = write(pd.DataFrame(values, columns=list("abc")[:n_columns]).to_csv(index=False))
    words = ["search", "--data_path", path, "--latent_dim", 1, "--dry_run"]
    assert ("give --norm none" in call(*words).err) == (n_columns < 3)
    assert "give --norm" not in call(*words, "--norm", "none").err


def test_memory_that_runs_out_is_one_sentence(write, call, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("autoenc.data.read.read_csv", no_memory)
    answer = call("search", "--data_path", write("a,b\n1,2\n"), "--dry_run")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert "not enough memory to read this table" in answer.err


def test_peak_memory_grows_with_the_numbers_and_not_with_the_text(tmp_path):
    path = tmp_path / "long.csv"
    row = ",".join(["0.123456789012345"] * 20) + "\n"
    path.write_text(",".join(f"c{j}" for j in range(20)) + "\n" + row * 100_000)
    code = (
        "import resource, sys; from autoenc.data.read import read_table;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; frame = read_table(sys.argv[1]).frame;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, frame.shape[0])"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    grown_kb, n_rows = map(int, run.stdout.split())
    assert n_rows == 100_000
    assert grown_kb < 2.5 * n_rows * 20 * 8 / 1024 + 25_000


def test_a_warning_of_the_file_reaches_the_reader(write):
    assert read_table(write("1,2\n3,4\n")).warnings


def test_the_null_device_is_taken_where_devices_have_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    status = SimpleNamespace(st_mode=stat.S_IFCHR | 0o666)
    with open(os.devnull, "rb") as file, monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda number: status)
        patch.setattr(os, "stat", lambda path: status)
        sources._refuse_endless(os.devnull, file)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/full"])
def test_a_device_without_an_end_is_refused(device) -> None:
    with pytest.raises(InputError, match=f"{device}: is a device without an end"), open_table(device):
        pass


def test_the_null_device_is_an_empty_table() -> None:
    with open_table("/dev/null") as (start, _):
        assert start == b""
