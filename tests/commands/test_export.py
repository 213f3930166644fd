"""The command that writes a model for other programs and a card for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoenc

SMALL = ["--latent_dim", "2", "--hidden_dims_search", "4,8", "--max_layers", "1", "--epochs", "2", "--quiet"]


@pytest.fixture(scope="module")
def folder(call: Any, table_csv: Path, tmp_path_factory: Any) -> Path:
    out = tmp_path_factory.mktemp("search")
    saved = ["--save_models", "--ensemble", "2", "--output_dir", out]
    assert call("search", "--data_path", table_csv, *SMALL, *saved).code == 0
    return out


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2", "model.safetensors"])
def test_the_suffix_says_the_format(call: Any, folder: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip({"onnx": "onnx", "safetensors": "safetensors"}.get(name.split(".")[1], "torch"))
    for model in ("best_model_latent2.pth", "best_ensemble_latent2.pth"):
        answer = call("export", "--model", folder / model, "--output", tmp_path / name)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.endswith(f": {tmp_path / name}\n")
        assert (tmp_path / name).stat().st_size > 1000


def test_a_format_by_its_name_and_a_card(
    call: Any, folder: Path, table_csv: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    model, card = folder / "best_model_latent2.pth", tmp_path / "card.md"
    answer = call(
        "export", "--model", model, "--format", "safetensors", "--output", tmp_path / "m.safetensors",
        "--card", card, "--data_path", table_csv,
    )  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    loaded = autoenc.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.encode(frame), autoenc.load_model(model).encode(frame))
    assert "Measured on 60 rows" in card.read_text()
    assert "Loss on the test rows" in card.read_text()
    said = call("export", "--model", model, "--card", "-")
    assert said.out.startswith("# Autoencoder")
    assert "model card: -" in said.err


def test_wrong_words_are_told(call: Any, folder: Path, table_csv: Path, tmp_path: Path) -> None:
    model = folder / "best_model_latent2.pth"
    for words, told in (
        ([], "--output or --card must say what is written"),
        (["--output", tmp_path / "m.bin"], "must end in .onnx, .pt2, .safetensors, or --format must say"),
        (["--output", tmp_path / "m.onnx", "--format", "pickle"], "--format must be one of"),
        (["--output", tmp_path / "m.pt2", "--data_path", table_csv], "--data_path is measured for --card"),
        (["--output", "-", "--card", "-", "--format", "onnx"], "cannot both be standard output"),
        (["--output", model, "--format", "onnx"], "is --model itself"),
        (["--card", table_csv, "--data_path", table_csv], "is --data_path itself"),
        (["--output", tmp_path / "m.onnx", "--card", tmp_path / "m.onnx"], "is --output itself"),
        (["--output", tmp_path / "no" / "m.pt2"], "cannot be written"),
        (["--card", "-", "--data_path", tmp_path / "no.csv"], "no.csv"),
    ):
        answer = call("export", "--model", model, *words)
        assert (answer.code, answer.out) == (2, ""), words
        assert told in answer.err
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    answer = call("export", "--model", model, "--card", "-", "--data_path", tmp_path / "other.csv")
    assert answer.code == 2
    assert "has no column" in answer.err
