"""``impute``: missing cells are filled, everything else stands in the output as in the table."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from autoenc import load_model

N = 60


def text_table() -> str:
    rng = np.random.default_rng(0)
    lines = [',name,kind,"mass, kg",alive,seen,code,note']
    for i in range(N):
        kind = "ab"[i % 2]
        mass = f"{10 * (i % 2) + rng.random():.3f}0"
        cells = [i, f'"=bird ""{i}"""', kind, mass, ["TRUE", "FALSE"][i % 3 > 0], f"2007-11-{1 + i % 28:02d}"]
        cells += [["01", "1", "x"][i % 3 if i % 5 else 2], f"n{i}" if i % 4 else "NA"]
        for j in (2, 3, 4, 5, 6):
            if rng.random() < 0.1:
                cells[j] = ["", "NA", " "][i % 3]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def as_text(path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def folder(call, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "table.csv").write_text(text_table())
    answer = call(
        "search", "--data_path", folder / "table.csv", "--encode", "--recipe", "plain", "--epochs", "30",
        "--hidden_dims_search", "8", "--max_layers", "1", "--latent_dim", "3", "--seeds", "2",
        "--ensemble", "2", "--save_models", "--output_dir", folder, "--quiet",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.err.splitlines() == [
        f"warning: {folder / 'table.csv'}: left out, a row index, 0 to {N - 1}: 'Unnamed: 0'",
        f"warning: {folder / 'table.csv'}: left out, text that differs in every row, like an identifier: "
        "'name', 'note'",
    ]
    return folder


@pytest.fixture(scope="module")
def impute(call, folder):
    def run(output, *more, model="best_model_latent3.pth", table=folder / "table.csv"):
        return call("impute", "--model", folder / model, "--data_path", table, "--output", output, *more)

    return run


@pytest.mark.parametrize("model", ["best_model_latent3.pth", "best_ensemble_latent3.pth"])
def test_missing_cells_alone_differ(impute, folder, tmp_path, model):
    answer = impute(tmp_path / "out.csv", model=model)
    before, after = as_text(folder / "table.csv"), as_text(tmp_path / "out.csv")
    known = ["kind", "mass, kg", "alive", "seen", "code"]
    missing = before[known].apply(lambda column: column.str.strip().isin(["", "NA"]))
    assert answer.out.splitlines() == [
        f"{N} rows, {missing.sum().sum()} cells of 5 columns filled: {tmp_path / 'out.csv'}",
        "still missing cells in columns that the model does not know: 'note'",
    ]
    assert list(after.columns) == list(before.columns)
    changed = before != after
    pd.testing.assert_frame_equal(changed[known], missing)
    assert not changed.drop(columns=known).any(axis=None)
    assert set(after["kind"]) == {"a", "b"}
    assert set(after["alive"]) == {"TRUE", "FALSE"}
    assert set(after["code"]) == {"01", "1", "x"}
    assert after["seen"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert after["mass, kg"].astype(float).notna().all()


def test_what_is_filled_is_the_reconstruction(impute, folder, tmp_path):
    impute(tmp_path / "out.csv")
    model = load_model(folder / "best_model_latent3.pth")
    text = as_text(folder / "table.csv").map(lambda cell: None if cell.strip() in ("", "NA") else cell)
    frame = text.astype({"mass, kg": float})
    expected = model.impute(frame)
    after = as_text(tmp_path / "out.csv")
    for name in ("kind", "alive", "seen", "code"):
        assert after[name].tolist() == expected[name].tolist()
    np.testing.assert_allclose(after["mass, kg"].astype(float), expected["mass, kg"], rtol=1e-8)


def test_a_pipe_goes_in_and_out(impute, folder, tmp_path, monkeypatch):
    impute(tmp_path / "out.csv")
    stream = io.TextIOWrapper(io.BytesIO((folder / "table.csv").read_bytes()))
    monkeypatch.setattr("sys.stdin", stream)
    answer = impute("-", table="-")
    assert answer.out == (tmp_path / "out.csv").read_text()
    assert "cells of 5 columns filled: -" in answer.err


def test_a_category_of_no_training_row_stays_and_is_told(impute, folder, tmp_path):
    table = as_text(folder / "table.csv")
    table.loc[0, "kind"] = "new"
    table.to_csv(tmp_path / "new.csv", index=False)
    answer = impute(tmp_path / "out.csv", table=tmp_path / "new.csv")
    assert "column 'kind': 'new' is no category that was learned from" in answer.err
    assert as_text(tmp_path / "out.csv").loc[0, "kind"] == "new"


def test_a_column_that_is_all_missing_and_blank_lines_are_filled(impute, folder, tmp_path):
    table = as_text(folder / "table.csv")
    table["kind"] = ""
    (tmp_path / "holes.csv").write_text(table.to_csv(index=False) + "\n")
    answer = impute(tmp_path / "out.csv", table=tmp_path / "holes.csv")
    assert answer.code == 0
    after = as_text(tmp_path / "out.csv")
    assert len(after) == N + 1
    assert set(after["kind"]) <= {"a", "b"}
    assert after.loc[N, "alive"] in {"TRUE", "FALSE"}


def test_a_complete_table_comes_back_as_it_is(impute, folder, tmp_path):
    impute(tmp_path / "out.csv")
    answer = impute(tmp_path / "again.csv", table=tmp_path / "out.csv")
    assert "0 cells of 0 columns filled" in answer.out
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_marked_cells_are_filled_in_known_columns_alone(impute, folder, tmp_path):
    table = as_text(folder / "table.csv").assign(extra="-999")
    table.loc[[1, 2], ["mass, kg", "code"]] = "-999"
    table.to_csv(tmp_path / "marked.csv", index=False)
    assert impute(tmp_path / "out.csv", "--na_values", "-999", table=tmp_path / "marked.csv").code == 0
    after = as_text(tmp_path / "out.csv")
    assert (after["extra"] == "-999").all()
    assert "-999" not in set(after["mass, kg"]) | set(after["code"])


def typed_table(folder: Path) -> pyarrow.Table:
    frame = as_text(folder / "table.csv")
    text = {
        name: [None if cell.strip() in ("", "NA") else cell for cell in frame[name]] for name in frame.columns
    }
    kinds = pyarrow.dictionary(pyarrow.int8(), pyarrow.string())
    columns = {
        "key": pyarrow.array([None, *range(2**60, 2**60 + N - 1)], pyarrow.int64()),
        "kind": pyarrow.array(text["kind"]).dictionary_encode().cast(kinds),
        "mass, kg": pyarrow.array(text["mass, kg"]).cast(pyarrow.float32()),
        "alive": pyarrow.array([None if cell is None else cell == "TRUE" for cell in text["alive"]]),
        "seen": pyarrow.array(text["seen"]).cast(pyarrow.date32()),
        "code": pyarrow.array(text["code"], pyarrow.large_string()),
        "list": pyarrow.array([[1, None]] * N),
    }
    return pyarrow.table(columns).replace_schema_metadata({"made by": "a test"})


def test_parquet_keeps_its_types(impute, folder, tmp_path):
    table = typed_table(folder)
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    answer = impute(tmp_path / "out.parquet", table=tmp_path / "t.parquet")
    assert answer.code == 0, answer.err
    after = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    read = pyarrow.parquet.read_table(tmp_path / "t.parquet")  # Parquet calls the items of lists otherwise
    assert after.schema.equals(read.schema, check_metadata=True)
    for name in table.column_names:
        before, filled = table[name].to_pylist(), after[name].to_pylist()
        if name in ("key", "list"):
            assert before == filled
            continue
        assert None not in filled
        assert [cell for cell, old in zip(filled, before, strict=True) if old is not None] == [
            old for old in before if old is not None
        ]
    impute(tmp_path / "out.csv", table=tmp_path / "t.parquet")
    text, filled = as_text(tmp_path / "out.csv"), as_text_of(impute, tmp_path)
    assert text["kind"].tolist() == filled["kind"].tolist() == after["kind"].to_pylist()
    assert text["key"].tolist()[:2] == ["", str(2**60)]


def as_text_of(impute, tmp_path) -> pd.DataFrame:
    """The text table filled as Parquet."""
    assert impute(tmp_path / "text.parquet").code == 0
    frame = pd.read_parquet(tmp_path / "text.parquet")
    assert pd.api.types.is_bool_dtype(frame["alive"].dtype)
    assert frame["mass, kg"].dtype == float
    assert set(frame["code"]) == {"01", "1", "x"}
    return frame


def test_a_model_of_numbers_fills_them(call, root, tmp_path):
    (tmp_path / "t.csv").write_text('id,depth,"mass, kg",flow,time\n007,-5,100,0.010,0.1\nNA,,120,,0.3\n')
    model = root / "tests" / "assets" / "model-format1.pth"
    answer = call(
        "impute", "--model", model, "--data_path", tmp_path / "t.csv", "--output", tmp_path / "o.csv"
    )
    assert (answer.code, answer.err) == (0, "")
    before, after = as_text(tmp_path / "t.csv"), as_text(tmp_path / "o.csv")
    expected = load_model(model).impute(pd.read_csv(tmp_path / "t.csv"))
    np.testing.assert_allclose(after[["depth", "flow"]].astype(float), expected[["depth", "flow"]], rtol=1e-8)
    assert (after != before).sum().sum() == 2


@pytest.mark.parametrize(("change", "message"), [
    ({"mass, kg": "heavy"}, "row 1, column 'mass, kg': 'heavy' is not a number"),
    ({"seen": "1.11.2007"}, "column 'seen' has '1.11.2007' in row 1, where a date like 2020-01-31 is needed"),
    ({"alive": "perhaps"}, "column 'alive' has 'perhaps' in row 1, where true or false is needed"),
])  # fmt: skip
def test_cells_of_another_kind_are_named(impute, folder, tmp_path, change, message):
    table = as_text(folder / "table.csv")
    for name, cell in change.items():
        table.loc[0, name] = cell
    table.to_csv(tmp_path / "t.csv", index=False)
    answer = impute(tmp_path / "out.csv", table=tmp_path / "t.csv")
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "out.csv").exists()


def test_wrong_files_are_named(impute, folder, tmp_path):
    as_text(folder / "table.csv").drop(columns=["kind"]).to_csv(tmp_path / "t.csv", index=False)
    answer = impute(tmp_path / "out.csv", table=tmp_path / "t.csv")
    assert (answer.code, "has no column kind, which the model needs" in answer.err) == (2, True)
    assert impute(folder / "table.csv").code == 2
    assert impute(tmp_path / "out.txt").code == 2
    assert impute(tmp_path / "no" / "out.csv").code == 2
