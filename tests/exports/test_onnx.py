"""ONNX Runtime gives the latents and reconstructions of the library, from raw units to raw units."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import ndtr, ndtri

import autoenc

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # rows far outside, on purpose


def session_of(content: Any) -> Any:
    return runtime.InferenceSession(content, providers=["CPUExecutionProvider"])


def answers(path: Path, rows: np.ndarray) -> dict[str, np.ndarray]:
    session = session_of(str(path))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"rows": rows}), strict=True))


def assert_same_rows(found: np.ndarray, expected: np.ndarray, scaling: Any) -> None:
    """To 1e-5, in the units of each column: its scale, and the unbent cells where it has a curve."""
    unit = np.maximum(np.abs(expected), np.where(scaling.left_out, 1.0, scaling.scale))
    assert_allclose(found / unit, expected / unit, atol=1e-5, rtol=0)


def test_every_kind_of_model_gives_the_same(model: Any, rows: np.ndarray, tmp_path: Path) -> None:
    model.export(tmp_path / "model.onnx")
    found = answers(tmp_path / "model.onnx", rows)
    assert_allclose(found["latent"], model.encode(rows), atol=1e-5, rtol=1e-5)
    assert_same_rows(found["reconstruction"], model.reconstruct(rows), model.scaling)
    for n in (0, 1):
        assert answers(tmp_path / "model.onnx", rows[:n])["latent"].shape == (n, 2)


def test_the_shipped_table_is_the_same_to_a_hundred_thousandth(root: Path, tmp_path: Path) -> None:
    import pandas as pd

    table = pd.read_csv(root / "data/stains.csv").iloc[:, :24]
    found = autoenc.search(table, hidden_dims_search=(64,), max_layers=2, epochs=3, quiet=True)
    model = found.best_model()
    model.export(tmp_path / "model.onnx")
    exported = answers(tmp_path / "model.onnx", table.to_numpy())
    assert table.isna().to_numpy().any()
    assert np.abs(exported["latent"] - model.encode(table)).to_numpy().max() < 1e-5
    assert np.abs(exported["reconstruction"] - model.reconstruct(table)).to_numpy().max() < 1e-5


def test_ensembles_average_and_have_no_latent_points(ensemble: Any, rows: np.ndarray, tmp_path: Path) -> None:
    ensemble.export(tmp_path / "model.onnx")
    found = answers(tmp_path / "model.onnx", rows)
    assert list(found) == ["reconstruction"]
    assert_same_rows(found["reconstruction"], ensemble.reconstruct(rows), ensemble.scaling)


def test_categories_stand_as_indicators(mixed: Any, tmp_path: Path) -> None:
    model, cells = mixed
    model.export(tmp_path / "model.onnx")
    found = answers(tmp_path / "model.onnx", cells)
    assert_allclose(found["latent"], model.encode(cells), atol=1e-5)
    assert_same_rows(found["reconstruction"], model.reconstruct(cells), model.scaling)
    note = description(tmp_path / "model.onnx")
    assert note["columns"] == model.columns
    assert [feature["name"] for feature in note["encoding"]] == ["size", "site", "new"]


def description(path: Path) -> dict[str, Any]:
    return json.loads(session_of(str(path)).get_modelmeta().custom_metadata_map["autoenc"])


def test_it_says_what_it_is(model: Any, tmp_path: Path) -> None:
    model.export(tmp_path / "model.onnx")
    note = description(tmp_path / "model.onnx")
    assert note["columns"] == model.columns
    assert note["hidden_dims"] == [16, 8]
    assert note["recipe"]["epochs"] == 4
    proto = onnx.load(tmp_path / "model.onnx")
    (rows,) = proto.graph.input
    assert rows.type.tensor_type.shape.dim[0].dim_param == "n_rows"
    assert {tensor.name for tensor in proto.graph.initializer} >= {"encoder.0.weight", "decoder.0.bias"}


def test_the_normal_distribution_is_that_of_scipy() -> None:
    from autoenc.exports.onnx_build import Graph
    from autoenc.exports.onnx_normal import normal_quantile, normal_share

    share = np.concatenate([np.geomspace(1e-7, 0.5, 500), 1 - np.geomspace(1e-7, 0.5, 500)])
    value = np.linspace(-6, 6, 2001)
    for function, exact, x, tolerance in (
        (normal_quantile, ndtri, share, 1e-12), (normal_share, ndtr, value, 1e-14)
    ):  # fmt: skip
        graph = Graph("normal")
        graph.named("Identity", "y", function(graph, "x"))
        proto = graph.model({"x": (np.float64, ["n"])}, {"y": (np.float64, ["n"])}, {})
        found = session_of(proto.SerializeToString()).run(None, {"x": x})[0]
        assert_allclose(found, exact(x), atol=tolerance, rtol=tolerance)


def test_a_package_that_is_not_there_is_told(model: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(autoenc.InputError, match=r"pip install 'autoenc\[onnx\]'"):
        model.export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
