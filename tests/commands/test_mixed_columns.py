"""``--encode`` on the command line, in YAML and in Python; its record, and commands that go on from it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc import load_model
from autoenc.data.division import divide_holdout

SMALL = [
    "--hidden_dims_search", "4", "--max_layers", "1", "--epochs", "3", "--latent_dim", "2",
    "--recipe", "plain", "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "a": rng.normal(size=60).round(3), "b": rng.normal(size=60).round(3),
        "word": rng.choice(["x", "y", "z"], 60),
        "on": rng.random(60) < 0.4, "c": rng.normal(size=60).round(3),
    })  # fmt: skip


@pytest.fixture
def table(mixed, tmp_path):
    mixed.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def studies(folder) -> set[str]:
    text = (folder / "study.journal").read_text()
    names = [json.loads(line).get("study_name") for line in text.splitlines()]
    return {name for name in names if name}


def test_mixed_columns_are_a_search_of_their_own_and_others_stay(call, table, tmp_path):
    common = ["search", "--data_path", table, "--output_dir", tmp_path / "out", *SMALL]
    plain = call(*common)
    assert plain.code == 0
    assert "left out, not numeric: 'word'" in plain.err
    before = studies(tmp_path / "out")
    assert call(*common, "--no_encode", "--max_categories", "7").code == 0
    assert studies(tmp_path / "out") == before
    assert call(*common, "--encode", "--save_models").code == 0
    assert len(studies(tmp_path / "out")) == len(before) + 1
    model = load_model(tmp_path / "out" / "best_model_latent2.pth")
    assert model.columns == ["a", "b", "word=x", "word=y", "word=z", "on", "c"]


def test_the_command_a_file_of_options_and_python_agree(call, table, mixed, tmp_path):
    (tmp_path / "options.yaml").write_text("encode: true\nmax_categories: 3\n")
    answer = call(
        "search", "--config", tmp_path / "options.yaml", "--data_path", table, "--save_models",
        "--output_dir", tmp_path / "yaml", *SMALL,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    model = load_model(tmp_path / "yaml" / "best_model_latent2.pth")
    options = {"hidden_dims_search": 4, "max_layers": 1, "epochs": 3, "latent_dim": 2, "recipe": "plain"}
    other = autoenc.search(mixed, encode=True, max_categories=3, quiet=True, **options).best_model()
    assert model.encoding == other.encoding
    pd.testing.assert_frame_equal(model.encode(mixed), other.encode(mixed))
    with pytest.warns(UserWarning, match="more categories than --max_categories 2"):
        fewer = autoenc.search(mixed, encode=True, max_categories=2, quiet=True, **options)
    assert fewer.best_model().encoding.names == ["a", "b", "on", "c"]


def test_train_best_and_load_results_encode_as_the_search_did(call, table, mixed, tmp_path):
    out = tmp_path / "out"
    assert call("search", "--data_path", table, "--output_dir", out, "--encode", *SMALL).code == 0
    model = autoenc.load_results(out).best_model()
    assert model.encoding.names == list(mixed.columns)
    answer = call("train-best", "--from", out, "--epochs", "4", "--quiet")
    assert answer.code == 0, answer.err
    again = load_model(out / "best_model_latent2.pth")
    assert again.encoding == model.encoding


def test_tune_takes_mixed_columns(mixed):
    options = {"n_trials": 2, "latent_dim": 2, "epochs": 2, "scaling": "standard", "quiet": True}
    model = autoenc.tune(mixed, encode=True, strategy="random", **options).best_model()
    assert list(model.reconstruct(mixed)) == list(mixed.columns)


def test_a_scaling_that_weighs_numbers_otherwise_is_told(call, table, tmp_path):
    common = ["search", "--data_path", table, "--output_dir", tmp_path / "out", "--encode", *SMALL]
    told = "numbers scaled by --scaling maxabs weigh otherwise than categories"
    assert told in call(*common, "--scaling", "maxabs").err
    assert told not in call(*common).err


def test_encode_keeps_words_of_a_table_beside_its_latents(call, table, mixed, tmp_path):
    out = tmp_path / "out"
    assert (
        call("search", "--data_path", table, "--output_dir", out, "--encode", "--save_models", *SMALL).code
        == 0
    )
    answer = call(
        "encode", "--model", out / "best_model_latent2.pth", "--data_path", table, "--keep", "word,a",
        "--output", tmp_path / "l.csv",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    found = pd.read_csv(tmp_path / "l.csv")
    assert found["word"].tolist() == mixed["word"].tolist()
    expected = load_model(out / "best_model_latent2.pth").encode(mixed)
    np.testing.assert_allclose(found[["latent_1", "latent_2"]], expected, rtol=1e-5)


def test_a_category_of_the_test_rows_alone_is_told(call, mixed, tmp_path):
    _, test = divide_holdout(np.arange(60), 42)
    table = mixed.astype({"word": object})
    table.iloc[test[0], 2] = "rare"
    table.to_csv(tmp_path / "t.csv", index=False)
    answer = call(
        "search", "--data_path", tmp_path / "t.csv", "--output_dir", tmp_path / "o", "--encode", *SMALL
    )
    assert answer.code == 0
    assert (
        "left out of the loss: 'word=rare' (a category without training rows; where a row has it"
        in answer.err
    )
