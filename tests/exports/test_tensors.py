"""Safetensors hold all that a model file holds, and a description."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoenc

safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # rows far outside, on purpose


def test_every_kind_of_model_comes_back(model: Any, rows: np.ndarray, tmp_path: Path) -> None:
    model.export(tmp_path / "model.safetensors")
    loaded = autoenc.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.encode(rows), model.encode(rows))
    np.testing.assert_array_equal(loaded.reconstruct(rows), model.reconstruct(rows))
    assert loaded.info == model.info
    with safetensors.safe_open(tmp_path / "model.safetensors", "np") as file:
        notes = file.metadata()
        assert "state_dict.encoder.0.weight" in file.keys()  # noqa: SIM118
        assert json.loads(notes["description"])["hidden_dims"] == [16, 8]


def test_ensembles_and_categories_come_back(
    ensemble: Any, mixed: Any, rows: np.ndarray, tmp_path: Path
) -> None:
    for kept, cells in ((ensemble, rows), mixed):
        kept.export(tmp_path / "model.safetensors")
        loaded = autoenc.load_model(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(loaded.reconstruct(cells), kept.reconstruct(cells))


def test_heads_come_back(tmp_path: Path) -> None:
    table = pd.DataFrame(np.random.default_rng(0).random((80, 4)), columns=list("abcy"))
    options: dict[str, Any] = {
        "n_trials": 1, "n_cv_folds": 2, "finalists": 1, "latent_dim_options": 2, "hidden_dims_options": "4",
        "epochs": 1, "stage2_epochs": 1, "quiet": True,
    }  # fmt: skip
    model = autoenc.transfer(table, regression_target="y", **options).best_model()
    model.export(tmp_path / "model.safetensors")
    loaded = autoenc.load_model(tmp_path / "model.safetensors")
    pd.testing.assert_frame_equal(loaded.predict(table), model.predict(table))


def test_damaged_and_foreign_files_are_refused(model: Any, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "model.safetensors"
    with pytest.raises(autoenc.InputError, match="there is no such file"):
        autoenc.load_model(path)
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(autoenc.InputError, match="not a model file of this program"):
        autoenc.load_model(path)
    model.export(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(autoenc.InputError, match="damaged"):
        autoenc.load_model(path)
    changed = bytearray(whole)
    changed[-3] ^= 4  # a bit of a parameter
    path.write_bytes(bytes(changed))
    with pytest.raises(autoenc.InputError, match="damaged"):
        autoenc.load_model(path)
    nowhere = '{"format": {"__tensor__": "nowhere"}}'
    for note in ("[]", "{}", nowhere, "no json", '{"format": "autoenc-model"}'):
        save_file({"weight": np.zeros(3)}, path, metadata={"autoenc": note})
        with pytest.raises(autoenc.InputError, match=r"damaged|not a model file|format"):
            autoenc.load_model(path)


def test_what_it_needs_is_told(model: Any, tmp_path: Path, monkeypatch: Any) -> None:
    import torch

    torch.save(model.model.state_dict(), tmp_path / "bare.pth")
    bare = autoenc.load_model(tmp_path / "bare.pth")
    with pytest.raises(autoenc.InputError, match="must know its columns"):
        bare.export(tmp_path / "bare.safetensors")
    for path, format, told in (
        ("model.bin", None, "must end in .onnx, .pt2, .safetensors, or format must say"),
        ("model.bin", "pickle", "format must be one of onnx, torch, safetensors, got 'pickle'"),
    ):
        with pytest.raises(autoenc.InputError, match=told):
            model.export(tmp_path / path, format)
    model.export(tmp_path / "model.bin", "safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(autoenc.InputError, match=r"pip install 'autoenc\[safetensors\]'"):
        model.export(tmp_path / "model.safetensors")
