"""Text tables of other separators, decimals, encodings and compression are read as the same table."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoenc.data import as_csv as as_csv_module
from autoenc.data.read import read_table
from autoenc.errors import InputError
from autoenc.settings.dialects import Dialect

CONTENT = "a,b\n1.5,2\n-2500,4\n,5\n"
VALUES = [[1.5, 2], [-2500, 4], [np.nan, 5]]

WAYS = {
    "semicolons and points": "a;b\n1.5;2\n-2500;4\n;5\n",
    "semicolons and commas": "a;b\n1,5;2\n-2,5e3;4\n;5\n",
    "tabs": "a\tb\n1.5\t2\n-2500\t4\n\t5\n",
    "tabs and commas": "a\tb\n1,5\t2\n-2500\t4\n\t5\n",
    "bars": "a|b\n1,5|2\n-2500|4\n|5\n",
    "Windows lines": "a;b\r\n1,5;2\r\n-2500;4\r\n;5\r\n",
    "old Macintosh lines": "a;b\r1,5;2\r-2500;4\r;5\r",
    "quotes": '"a";"b"\n"1,5";"2"\n-2500;4\n;5\n',
    "spaces and points": "a b\n1.5   2\n-2500 4\nNA 5\n",
    "spaces and commas": "a  b\n1,5 2\n -2500   4\nNA 5\n",
    "colons and commas": "a:b\n1,5:2\n-2500:4\nNA:5\n",
    "a mark of UTF-8": "\ufeffa;b\n1,5;2\n-2500;4\n;5\n",
    "blanks around numbers": "a;b\n 1,5 ; 2\n-2500;4\n ;5\n",
    "no last line end": "a;b\n1,5;2\n-2500;4\n;5",
}


@pytest.fixture
def write(tmp_path: Any) -> Any:
    def written(content: str | bytes) -> Any:
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@pytest.fixture(params=[1, 7, 2**20], ids=["byte by byte", "small chunks", "one chunk"])
def chunks(request: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("autoenc.data.streams._CHUNK_BYTES", request.param)


@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
def test_separators_are_recognized_and_said(chunks, write, content):
    read = read_table(write(content))
    assert list(read.frame.columns) == ["a", "b"]
    np.testing.assert_array_equal(read.frame.to_numpy(), VALUES)
    (note,) = read.warnings
    assert "its columns are separated by" in note
    assert "--delimiter" in note
    assert ("decimal commas" in note) == ("1,5" in content) == ("--decimal" in note)


SAID = {
    "an odd delimiter": ("a#b\n1.5#2\n-2500#4\n#5\n", Dialect("#")),
    "commas for both": ('a,b\n"1,5",2\n-2500,4\n,5\n', Dialect(",", ",")),
    "a decimal alone": ('a;b\n1,5;2\n-2500;4\n;5\n', Dialect(decimal=",")),
    "too few rows to tell": ("a b\n1.5 2\n-2500 4\n'' 5\n".replace("''", "NA"), Dialect("space")),
    "plain": (CONTENT, Dialect(",", ".", "utf-8")),
    "Latin-1": ("a;b\n1,5;2\n-2500;4\n;5\n", Dialect(";", ",", "cp1252")),
}  # fmt: skip


@pytest.mark.parametrize(("content", "dialect"), SAID.values(), ids=SAID)
def test_what_is_said_holds_without_a_word(chunks, write, content, dialect):
    read = read_table(write(content), dialect=dialect)
    np.testing.assert_array_equal(read.frame.to_numpy(), VALUES)
    assert any("--delimiter" in note for note in read.warnings) == (dialect.delimiter is None)
    assert len(read.warnings) == (dialect.delimiter is None)


def test_text_keeps_its_commas_and_quotes(chunks, write):
    path = write('name;size\n"Smith; John";1,5\n"he said ""no"", twice";2,5\n"two\nlines";3\n')
    frame = read_table(path, as_text=["name"]).frame
    assert frame["name"].tolist() == ["Smith; John", 'he said "no", twice', "two\nlines"]
    assert frame["size"].tolist() == [1.5, 2.5, 3.0]


def test_many_rows_are_read_as_pandas_reads_them(write):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(20_000, 6)).round(4) * 1000, columns=list("abcdef"))
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    path = write(frame.to_csv(index=False, sep=";", decimal=","))
    expected = pd.read_csv(path, sep=";", decimal=",")
    pd.testing.assert_frame_equal(read_table(path).frame, expected, check_dtype=False)


def test_the_quick_way_and_the_careful_one_agree(write, monkeypatch):
    content = "a;b;c\n" + "1,5; 2,25;x, y\n-3e-2;;4\n;7,;,5\n" * 50
    quick = read_table(write(content)).frame
    monkeypatch.setattr(as_csv_module._Rewriting, "_quick", lambda self, data: None)
    pd.testing.assert_frame_equal(read_table(write(content)).frame, quick)


BAD = {
    "a point among decimal commas": ("a;b\n" + "1,5;2\n" * 150 + "1.234;4\n", {}, "line 152: .1.234. has a"),
    "a point where commas are said": ("a;b\n1,5;2\n1.5;3\n", {"decimal": ","}, "line 3: '1.5' has a decimal"),
    "a quote that stays open": ('a;b\n1,5;2\n2,5;"3\n', {}, "line 3: the quote"),
    "text behind a quote": ('a;b\n1,5;2\n2,5;"3"x\n', {}, "separated by semicolons: line 3"),
    "a cell too few": ("a;b;c\n1,5;2;3\n2,5;1\n", {}, "line 3 has 2 cells, but the header has 3"),
    "a trailing semicolon": ("a;b;\n1,5;2\n2,5;3\n", {}, "line 2 has 2 cells, but the header has 3"),
    "another delimiter than is said": ("a;b\n1;2\n3;4\n", {"delimiter": "|"}, None),
    "bytes of no meaning": (b"a,b\n1,\xe9\n", {"encoding": "ascii"}, "is not ascii text .*--encoding"),
    "no UTF-8": (b"a;b\n1,5;\xe9\n", {}, "not UTF-8 text .*--encoding cp1252"),
    "half a character": ("a,b\n1,2\n".encode("utf-16") + b"\1", {}, "is not utf-16 text"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "dialect", "message"), BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused_with_its_line(chunks, write, content, dialect, message):
    path = write(content)
    if message is None:
        assert list(read_table(path, dialect=Dialect(**dialect)).frame.columns) == ["a;b"]
        return
    with pytest.raises(InputError, match=message) as caught:
        read_table(path, dialect=Dialect(**dialect))
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_characters_are_recognized(chunks, write, encoding):
    read = read_table(write("größe,b\n1.5,2\n-2500,4\n,5\n".encode(encoding)[:None]))
    assert list(read.frame.columns)[1] == "b"
    np.testing.assert_array_equal(read.frame.to_numpy(), VALUES)
    assert read.warnings == [f"it is {encoding.upper()} text; --encoding says otherwise"]


def test_other_encodings_are_given(write):
    path = write("größe;b\n1,5;2\n-2500;4\n;5\n".encode("cp1252"))
    read = read_table(path, dialect=Dialect(encoding="cp1252"))
    assert list(read.frame.columns) == ["größe", "b"]
    np.testing.assert_array_equal(read.frame.to_numpy(), VALUES)


def zipped(content: bytes, names: tuple[str, ...] = ("t.csv",)) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def zstd(content: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(content)


PACKED = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zstd": zstd, "zip": zipped}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_compressed_tables_are_unpacked(chunks, write, pack):
    np.testing.assert_array_equal(read_table(write(pack(CONTENT.encode()))).frame.to_numpy(), VALUES)
    rows = "".join(f"{i},{i}\n" for i in range(5000))
    assert len(read_table(write(pack(f"a,b\n{rows}".encode()))).frame) == 5000


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_damaged_archives_are_refused_in_words(write, pack):
    numbers = np.random.default_rng(0).normal(size=(500, 2))
    whole = pack(pd.DataFrame(numbers, columns=["a", "b"]).to_csv(index=False).encode())
    for damaged in (whole[: len(whole) // 2], whole[:200] + bytes(64) + whole[264:]):
        with pytest.raises(InputError, match="damaged"):
            read_table(write(damaged))


def test_an_archive_holds_one_table(write):
    assert len(read_table(write(zipped(CONTENT.encode(), ("t.csv", "__MACOSX/._t.csv")))).frame) == 3
    with pytest.raises(InputError, match=r"a zip archive of 2 files, 'a\.csv', 'b\.csv'"):
        read_table(write(zipped(CONTENT.encode(), ("a.csv", "b.csv"))))
    with pytest.raises(InputError, match="a zip archive of no file"):
        read_table(write(zipped(CONTENT.encode(), ())))


def test_a_package_that_is_missing_is_named(write, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(InputError, match=r"needs zstandard: pip install 'autoenc\[zstd\]'"):
        read_table(write(b"\x28\xb5\x2f\xfd" + bytes(20)))


def test_a_search_says_what_it_recognized_and_encode_reads_alike(call, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((60, 3)).round(3), columns=list("abc"))
    path, plain = tmp_path / "t.csv.gz", tmp_path / "plain.csv"
    path.write_bytes(gzip.compress(frame.to_csv(index=False, sep=";", decimal=",").encode("utf-16")))
    frame.to_csv(plain, index=False)
    small = ["--hidden_dims_search", 4, "--max_layers", 1, "--epochs", 1, "--latent_dim", 2, "--save_models"]
    answer = call("search", "--data_path", path, *small, "--output_dir", tmp_path / "o")
    assert answer.code == 0, answer.err
    assert "separated by semicolons and its numbers have decimal commas" in answer.err
    assert "UTF-16 text" in answer.err
    model = tmp_path / "o" / "best_model_latent2.pth"
    outputs = []
    for table in (path, plain):
        output = tmp_path / f"{table.stem}.out.csv"
        assert call("encode", "--model", model, "--data_path", table, "--output", output).code == 0
        outputs.append(output.read_bytes())
    assert outputs[0] == outputs[1]
    odd = call("encode", "--model", model, "--data_path", plain, "--delimiter", "xy", "--encoding", "klingon")
    assert odd.code == 2
    assert "--delimiter must be one mark such as ; or |" in odd.err
    assert "--encoding must be the name of a text encoding" in odd.err


def test_impute_writes_commas_and_points(call, tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).random((60, 3)).round(3), columns=list("abc"))
    frame.iloc[3, 1] = np.nan
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",")
    small = ["--hidden_dims_search", 4, "--max_layers", 1, "--epochs", 1, "--latent_dim", 2, "--save_models"]
    assert call("search", "--data_path", path, *small, "--output_dir", tmp_path / "o").code == 0
    model, output = tmp_path / "o" / "best_model_latent2.pth", tmp_path / "filled.csv"
    answer = call("impute", "--model", model, "--data_path", path, "--output", output)
    assert answer.code == 0, answer.err
    filled = pd.read_csv(output)
    assert filled.notna().all().all()
    pd.testing.assert_frame_equal(filled.mask(frame.isna()), frame)
