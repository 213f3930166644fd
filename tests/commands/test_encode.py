"""``encode`` and ``predict``: what is written, where, and what stands beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc import load_model

TABLE = """id,depth,"mass, kg",more,flow,time
007,-5,100,=A1,0.01,0.1
07,-4.5,,"a ""b"", c",0.0095,
NA,-6,120, x ,0.011,0.3
,-5.5,95,None,0.0099,-0.2
"""
PREDICTED = "id,a,b,c\n007,0.1,0.2,0.3\n7,0.9,0.8,\n"


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def model(root) -> Path:
    return root / "tests" / "assets" / "model-format1.pth"


@pytest.fixture
def latents(table, model) -> np.ndarray:
    return load_model(model).encode(pd.read_csv(table)).to_numpy()


@pytest.fixture
def encode(call, table, model):
    return lambda *more: call("encode", "--model", model, "--data_path", table, *more)


def test_kept_columns_stand_before_the_latents_as_in_the_file(encode, latents, tmp_path):
    answer = encode("--keep", 'id,more,"mass, kg"', "--output", tmp_path / "l.csv")
    assert (answer.code, answer.err) == (0, "")
    read = {"dtype": str, "keep_default_na": False}
    found, table = pd.read_csv(tmp_path / "l.csv", **read), pd.read_csv(tmp_path / "table.csv", **read)
    kept = ["id", "more", "mass, kg"]
    assert list(found.columns) == [*kept, "latent_1", "latent_2"]
    table["more"] = table["more"].replace("=A1", "'=A1")  # which a spreadsheet would compute
    pd.testing.assert_frame_equal(found[kept], table[kept])
    assert found["id"].tolist() == ["007", "07", "NA", ""]
    np.testing.assert_allclose(found[["latent_1", "latent_2"]].astype(float), latents, rtol=1e-5)


def test_kept_text_that_would_be_computed_is_made_harmless_in_csv_alone(encode, tmp_path):
    frame = pd.read_csv(tmp_path / "table.csv", dtype=str, keep_default_na=False)
    frame["=key"] = ["=1+1", "@x", "-1.5", "a=b"]
    frame.to_csv(tmp_path / "table.csv", index=False)
    for name in ("l.csv", "l.parquet"):
        assert encode("--keep", "=key", "--output", tmp_path / name).code == 0
    found = pd.read_csv(tmp_path / "l.csv", dtype=str)
    assert found["'=key"].tolist() == ["'=1+1", "'@x", "-1.5", "a=b"]
    assert pd.read_parquet(tmp_path / "l.parquet")["=key"].tolist() == ["=1+1", "@x", "-1.5", "a=b"]


def test_without_kept_columns_there_are_latents_alone(encode, latents, tmp_path):
    answer = encode("--output", tmp_path / "l.csv")
    assert answer.out == f"4 rows, latent size 2: {tmp_path / 'l.csv'}\n"
    np.testing.assert_allclose(pd.read_csv(tmp_path / "l.csv").to_numpy(), latents, rtol=1e-5)


@pytest.mark.parametrize("name", ["l.parquet", "L.PARQUET", "l.pq"])
def test_the_suffix_decides_on_parquet(encode, latents, tmp_path, name):
    assert encode("--keep", "id", "--output", tmp_path / name).code == 0
    assert (tmp_path / name).read_bytes().startswith(b"PAR1")
    found = pd.read_parquet(tmp_path / name)
    assert found.pop("id").tolist() == ["007", "07", "NA", ""]
    np.testing.assert_array_equal(found.to_numpy(), latents)


def test_keys_of_parquet_tables_stay_what_they_are(call, model, tmp_path):
    frame = pd.DataFrame(
        {
            "id": pd.array([9007199254740993, None], dtype="Int64"),
            "time": [0.1, 0.2], "mass, kg": [100, 90.0], "depth": [-5, -5.5], "flow": [0.01, 0.011],
        }
    )  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet")
    for output in ("l.csv", "l.parquet"):
        answer = call(
            "encode", "--model", model, "--data_path", tmp_path / "t.parquet", "--keep", "id",
            "--output", tmp_path / output,
        )  # fmt: skip
        assert (answer.code, answer.err) == (0, "")
    assert [line.split(",")[0] for line in (tmp_path / "l.csv").read_text().splitlines()] == [
        "id", "9007199254740993", "",
    ]  # fmt: skip
    assert pd.read_parquet(tmp_path / "l.parquet", dtype_backend="numpy_nullable")["id"].equals(frame["id"])


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["r1", "r2"], name="key"),
        pd.Index([5, 5], name="key"),
        pd.RangeIndex(3, 5),
        pd.Index([2.5, 1]),
    ],
    ids=["named", "repeated", "range", "nameless"],
)
def test_rows_of_parquet_stay_side_by_side_whatever_their_index(call, model, tmp_path, index):
    cells = {"id": ["x", "y"], "time": [0.1, 0.2], "mass, kg": [100, 90.0], "depth": [-5, -5.5]}
    frame = pd.DataFrame({**cells, "flow": [0.01, 0.011]}, index=index)
    frame.to_parquet(tmp_path / "t.parquet")
    keep = [name for name in ("key", "id") if name in ("id", index.name)]
    for output in ("l.csv", "l.parquet"):
        answer = call(
            "encode", "--model", model, "--data_path", tmp_path / "t.parquet", "--keep", ",".join(keep),
            "--output", tmp_path / output,
        )  # fmt: skip
        assert (answer.code, answer.err) == (0, "")
        read = pd.read_csv if output == "l.csv" else pd.read_parquet
        found = read(tmp_path / output)
        assert found[keep].to_numpy().tolist() == frame.reset_index()[keep].to_numpy().tolist()
        np.testing.assert_allclose(found.iloc[:, -2:], load_model(model).encode(frame), rtol=1e-5)


@pytest.mark.parametrize("name", ["l.xlsx", "l", "l.csv.gz", "l.json"])
def test_other_suffixes_are_refused(encode, tmp_path, name):
    answer = encode("--output", tmp_path / name)
    assert answer.code == 2
    assert answer.err.endswith(
        "must end in .csv or .parquet, which says what is written; - is standard output\n"
    )
    assert not (tmp_path / name).exists()


def test_parquet_without_its_package_is_refused(encode, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = encode("--output", tmp_path / "l.parquet")
    assert answer.code == 2
    assert "writing Parquet needs pyarrow: pip install 'autoenc[parquet]'" in answer.err


def test_a_dash_is_standard_output_and_makes_no_file(encode, latents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = encode("--output", "-", "--keep", "id")
    lines = answer.out.splitlines()
    assert lines[0] == "id,latent_1,latent_2"
    assert [line.split(",")[0] for line in lines[1:]] == ["007", "07", "NA", ""]
    assert answer.err == "4 rows, latent size 2: -\n"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_table_goes_through_pipes(root, model, latents):
    command = [sys.executable, "-m", "autoenc", "encode", "--model", str(model), "--output", "-"]
    done = subprocess.run(
        [*command, "--data_path", "-"], input=TABLE.encode(), capture_output=True, cwd=root, check=True
    )
    assert len(done.stdout.splitlines()) == 5
    assert b"4 rows, latent size 2: -" in done.stderr


@pytest.mark.parametrize(
    ("keep", "problem"),
    [
        ("nothing", "--keep: {table} has no column 'nothing'"),
        ("id,id", "--keep must not repeat"),
        ("latent_1", "--keep: 'latent_1' is the name of a column of the output, too"),
    ],
)
def test_what_cannot_be_kept_is_refused(encode, table, tmp_path, keep, problem):
    lines = TABLE.splitlines()
    table.write_text("\n".join([f"{lines[0]},latent_1", *(f"{line},1" for line in lines[1:])]))
    answer = encode("--keep", keep, "--output", tmp_path / "l.csv")
    assert answer.code == 2
    assert problem.format(table=table) in answer.err
    assert not (tmp_path / "l.csv").exists()


def test_a_fill_value_is_told_with_the_table_row_and_column(encode, table, tmp_path):
    table.write_text(TABLE.replace("-4.5", "1e20"))
    answer = encode("--output", tmp_path / "l.csv")
    told = f"{table}: row 2, column 'depth': 1e+20 is far outside of what the model learned from"
    assert f"warning: {told}\n" in answer.err
    table.write_text(TABLE.replace("-4.5", "1e39"))
    (tmp_path / "l.csv").unlink(missing_ok=True)
    answer = encode("--output", tmp_path / "l.csv")
    assert answer.code == 2
    assert f"error: {table}: row 2" in answer.err
    assert not (tmp_path / "l.csv").exists()


def test_predict_keeps_columns_too(call, root, tmp_path):
    (tmp_path / "t.csv").write_text(PREDICTED)
    answer = call(
        "predict", "--model", root / "tests" / "assets" / "transfer-format1.pth",
        "--data_path", tmp_path / "t.csv", "--keep", "id", "--output", tmp_path / "p.csv",
    )  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    found = pd.read_csv(tmp_path / "p.csv", dtype={"id": str})
    assert list(found.columns) == ["id", "score", "kind_probability", "kind"]
    assert found["id"].tolist() == ["007", "7"]


def test_what_is_odd_about_the_table_is_told(encode, table, tmp_path):
    table.write_text(TABLE.replace("NA,-6", "\nNA,-6"))
    answer = encode("--output", tmp_path / "l.csv")
    assert answer.code == 0
    assert f"warning: {table}: blank, and kept as rows without an observed cell: line 4\n" in answer.err
    assert len((tmp_path / "l.csv").read_text().splitlines()) == 6


@pytest.mark.parametrize("command", ["search", "train-best"])
def test_a_model_knows_what_stood_for_a_missing_cell(call, tmp_path, command):
    frame = pd.DataFrame(np.random.default_rng(0).random((40, 4)).round(3), columns=list("abcd"))
    frame.iloc[::7, 1], frame.iloc[1, 2] = -999, np.nan
    frame.to_csv(tmp_path / "t.csv", index=False, na_rep="unseen")
    place = ("--data_path", tmp_path / "t.csv", "--output_dir", tmp_path)
    grid = ("--hidden_dims_search", 4, "--max_layers", 1, "--epochs", 1, "--latent_dim", 2, "--save_models")
    assert call("search", *place, "--na_values", "-999,unseen", *grid).code == 0
    if command == "train-best":
        (tmp_path / "best_model_latent2.pth").unlink()
        assert call("train-best", "--from", tmp_path).code == 0
    model = tmp_path / "best_model_latent2.pth"
    assert load_model(model).info["na_values"] == ["-999", "unseen"]
    encode = ("encode", "--model", model, "--data_path", tmp_path / "t.csv", "--output", tmp_path / "l.csv")
    answer = call(*encode)
    assert (answer.code, answer.err) == (0, "")
    cells = frame.mask(frame == -999)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "l.csv"), load_model(model).encode(cells), rtol=1e-5)
    assert "'unseen' is not a number" in call(*encode, "--na_values", "?").err  # what is given counts


def test_with_error_a_file_without_a_range_gives_each_rows_own_loss(encode, latents, model, tmp_path):
    answer = encode("--keep", "id", "--error", "--output", tmp_path / "l.csv")
    assert answer.out == f"4 rows, latent size 2: {tmp_path / 'l.csv'}\n"
    found = pd.read_csv(tmp_path / "l.csv")
    assert list(found.columns) == ["id", "latent_1", "latent_2", "error"]
    assert "the column `outside` is left out" in answer.err
    expected = load_model(model).row_errors(pd.read_csv(tmp_path / "table.csv"))
    np.testing.assert_allclose(found["error"], expected, rtol=1e-5)


def test_with_error_rows_far_outside_are_flagged_and_said(call, tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
    options = {"hidden_dims_search": 8, "max_layers": 1, "epochs": 3, "recipe": "plain", "quiet": True}
    model = autoenc.search(frame, latent_dim=2, **options).best_model()
    model.save(tmp_path / "m.pth")
    frame.iloc[[7, 30]] *= 1e4
    frame.to_csv(tmp_path / "t.csv", index=False)
    place = ("--data_path", tmp_path / "t.csv", "--output", tmp_path / "l.csv")
    answer = call("encode", "--model", tmp_path / "m.pth", *place, "--error")
    assert answer.code == 0
    found = pd.read_csv(tmp_path / "l.csv")
    assert list(found.columns) == ["latent_1", "latent_2", "error", "outside"]
    assert np.flatnonzero(found["outside"]).tolist() == [7, 30]
    assert "2 of 60 rows, row 8 the first, are given back far outside of the range" in answer.err
