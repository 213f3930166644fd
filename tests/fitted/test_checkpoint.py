"""Model files: what goes in comes out, and nothing in a foreign file is run."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from autoenc import DynamicAutoencoder, FittedAutoencoder, InputError, load_model
from autoenc.data.table import Scaling
from autoenc.engines import Fit, Recipe, Split
from autoenc.engines.native import NativeEngine
from autoenc.fitted.autoencoder import fitted_model, save_model

COLUMNS = ["a", "b", "c", "d"]


def rows(n_rows: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    values = rng.normal([0, 100, -5, 0.01], [1, 30, 2, 0.001], (n_rows, 4))
    values[rng.random(values.shape) < 0.1] = np.nan
    return pd.DataFrame(values.astype(np.float32), columns=COLUMNS, index=range(100, 100 + n_rows))


def fit_model(kind: str) -> FittedAutoencoder:
    values = rows().to_numpy()
    scaling = Scaling.fit(kind, values, np.arange(24))
    recipe = Recipe(epochs=3, activation="gelu", dropout=0.2)
    outcome = NativeEngine().fit(
        Split(scaling.apply(values), np.arange(24), np.arange(24, 30)), Fit((7, 5), 2, recipe, seed=9)
    )
    return fitted_model(outcome.state, recipe, COLUMNS, scaling, {"seed": 9, "note": "made by a test"})


@pytest.fixture(scope="module")
def fitted() -> FittedAutoencoder:
    return fit_model("standard")


@pytest.fixture
def saved(fitted, tmp_path) -> Path:
    path = tmp_path / "model.pth"
    save_model(path, fitted)
    return path


def by_hand(fitted: FittedAutoencoder, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latent points and reconstructions, the scaling and the network applied step by step."""
    scaled = ((values - fitted.scaling.center) / fitted.scaling.scale).astype(np.float32)
    with torch.no_grad():
        reconstruction, latent = fitted.model(torch.from_numpy(np.nan_to_num(scaled)))
    return latent.numpy(), reconstruction.numpy() * fitted.scaling.scale + fitted.scaling.center


def test_a_saved_model_comes_back_whole(fitted, saved):
    loaded = load_model(saved)
    assert loaded.info == fitted.info
    assert loaded.columns == COLUMNS
    assert loaded.scaling.kind == fitted.scaling.kind
    np.testing.assert_array_equal(loaded.scaling.center, fitted.scaling.center)
    np.testing.assert_array_equal(loaded.scaling.scale, fitted.scaling.scale)
    for name, value in fitted.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)
    np.testing.assert_array_equal(loaded.encode(rows().to_numpy()), fitted.encode(rows().to_numpy()))


def test_saving_what_was_loaded_changes_nothing(saved, tmp_path):
    again = tmp_path / "again.pth"
    save_model(again, load_model(saved))
    assert load_model(again).info == load_model(saved).info


def test_info_says_what_the_model_is(fitted, saved):
    info = load_model(saved).info
    assert info["hidden_dims"] == [7, 5]
    assert (info["input_dim"], info["latent_dim"], info["dropout"]) == (4, 2, 0.2)
    assert info["total_params"] == sum(parameter.numel() for parameter in fitted.model.parameters())
    assert (info["activation"], info["norm"], info["scaling"]) == ("gelu", "layer", fitted.scaling.kind)
    assert info["columns"] == COLUMNS
    assert info["recipe"]["epochs"] == 3
    assert (info["seed"], info["note"]) == (9, "made by a test")


def test_a_model_file_is_read_by_torchs_safe_loader(saved):
    content = torch.load(saved, weights_only=True)
    assert set(content["state_dict"]) == set(DynamicAutoencoder(4, 2, (7, 5)).state_dict())


@pytest.mark.parametrize("kind", ["maxabs", "none", "minmax", "standard", "robust"])
def test_arrays_are_encoded_and_reconstructed_in_original_units(tmp_path, kind):
    values = rows().to_numpy()
    fitted = fit_model(kind)
    save_model(tmp_path / "m.pth", fitted)
    fitted = load_model(tmp_path / "m.pth")
    latent, reconstruction = by_hand(fitted, values)
    np.testing.assert_allclose(fitted.encode(values), latent, rtol=1e-5, atol=1e-6)
    found = fitted.reconstruct(values)
    np.testing.assert_allclose(found, reconstruction, rtol=1e-5, atol=1e-6)
    assert found.shape == values.shape
    assert isinstance(found, np.ndarray)


def test_missing_cells_are_filled_in(fitted):
    assert np.isnan(rows().to_numpy()).any()
    assert np.isfinite(fitted.reconstruct(rows().to_numpy())).all()
    assert np.isfinite(fitted.encode(np.full((1, 4), np.nan))).all()


def test_frames_keep_their_index_and_get_names(fitted):
    frame = rows()
    latent, reconstruction = fitted.encode(frame), fitted.reconstruct(frame)
    assert list(latent.columns) == ["latent_1", "latent_2"]
    assert list(reconstruction.columns) == COLUMNS
    pd.testing.assert_index_equal(latent.index, frame.index)
    pd.testing.assert_index_equal(reconstruction.index, frame.index)
    np.testing.assert_array_equal(latent.to_numpy(), fitted.encode(frame.to_numpy()))
    np.testing.assert_array_equal(reconstruction.to_numpy(), fitted.reconstruct(frame.to_numpy()))


def test_columns_are_matched_by_name(fitted):
    frame = rows()
    shuffled = frame[["c", "a", "d", "b"]].assign(extra="text", more=1.0)
    pd.testing.assert_frame_equal(fitted.encode(shuffled), fitted.encode(frame))
    pd.testing.assert_frame_equal(fitted.reconstruct(shuffled), fitted.reconstruct(frame))


def test_a_row_is_encoded_alone_as_among_others(fitted):
    values = rows().to_numpy()
    together = fitted.encode(values)
    for i in (0, 29):
        np.testing.assert_allclose(fitted.encode(values[i : i + 1])[0], together[i], rtol=1e-5, atol=1e-6)


def test_no_rows_give_no_points(fitted):
    assert fitted.encode(np.zeros((0, 4))).shape == (0, 2)
    assert fitted.reconstruct(rows().iloc[:0]).shape == (0, 4)


def test_more_rows_than_are_taken_at_once(fitted):
    values = np.tile(rows().to_numpy(), (2200, 1))
    found = fitted.encode(values)
    assert found.shape == (66000, 2)
    np.testing.assert_allclose(found[-30:], found[:30], rtol=1e-5, atol=1e-6)


def test_frames_of_nullable_columns_are_encoded(fitted):
    frame = rows()
    nullable = frame.astype("Float32").where(frame.notna(), pd.NA)
    np.testing.assert_array_equal(fitted.encode(nullable).to_numpy(), fitted.encode(frame).to_numpy())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (rows().drop(columns=["b", "d"]), "needs columns that are not there: b, d"),
        (rows().to_numpy()[:, :3], r"must be of shape \[rows, 4\], got \[30, 3\]"),
        (np.zeros(4), r"must be of shape \[rows, 4\], got \[4\]"),
        (rows().assign(a="text"), "data must be numbers"),
        (np.full((3, 4), "x"), "data must be numbers"),
        (np.array([[0, 0, 0, 0], [0, np.inf, 0, 0]]), "must be finite or NaN, got inf in row 2"),
        (rows().assign(c=-np.inf), "must be finite or NaN, got -inf in row 1"),
    ],
)
def test_rows_that_do_not_fit_are_refused(fitted, data, message):
    for method in (fitted.encode, fitted.reconstruct):
        with pytest.raises(ValueError, match=message):
            method(data)


def plain_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return DynamicAutoencoder(4, 3, (6, 5)).state_dict()


@pytest.mark.parametrize("wrapper", [None, "model_state_dict", "state_dict"])
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_a_bare_state_dict_loads_with_its_sizes_read_off_its_shapes(tmp_path, wrapper, norm):
    torch.manual_seed(0)
    model = DynamicAutoencoder(4, 3, (6, 5), norm=norm).eval()
    state = model.state_dict()
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "m.pth")
    loaded = load_model(tmp_path / "m.pth")
    assert (loaded.info["input_dim"], loaded.info["hidden_dims"], loaded.info["latent_dim"]) == (4, [6, 5], 3)
    assert loaded.info["norm"] == norm
    assert loaded.columns is None
    values = np.nan_to_num(rows().to_numpy())
    with torch.no_grad():
        reconstruction, latent = model(torch.from_numpy(values))
    np.testing.assert_allclose(loaded.encode(values), latent.numpy(), rtol=1e-6)
    np.testing.assert_allclose(loaded.reconstruct(values), reconstruction.numpy(), rtol=1e-6)


def test_a_bare_state_dict_in_double_precision_loads(tmp_path):
    torch.save({name: value.double() for name, value in plain_state().items()}, tmp_path / "m.pth")
    assert load_model(tmp_path / "m.pth").info["hidden_dims"] == [6, 5]


def test_a_bare_state_dict_takes_arrays_only_and_is_not_saved_as_a_model(tmp_path):
    torch.save(plain_state(), tmp_path / "m.pth")
    loaded = load_model(tmp_path / "m.pth")
    with pytest.raises(ValueError, match=r"does not name its columns; pass an array \[rows, 4\]"):
        loaded.encode(rows())
    with pytest.raises(ValueError, match="must know its columns and its recipe"):
        save_model(tmp_path / "again.pth", loaded)


def test_a_save_that_fails_leaves_the_old_file(fitted, saved, monkeypatch):
    before = saved.read_bytes()

    def full(content, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(saved, fitted)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_model(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: ")
    assert re.search(message, problem.removeprefix(f"{path}: "))
    assert "\n" not in problem


@pytest.mark.parametrize("share", [0, 0.0005, 0.01, 0.3, 0.9, 0.99, 0.9999])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    assert_refused(saved, "truncated|not a model file")


@pytest.mark.parametrize(
    "content",
    [
        np.random.default_rng(0).bytes(5000),
        b"PK\x03\x04" + np.random.default_rng(1).bytes(3000),
        b"\x80\x02" + np.random.default_rng(2).bytes(3000),
        b"config,final_test_loss\n64-32,0.1\n",
        b"\n",
        b"{}",
    ],
    ids=["bytes", "zip", "pickle", "CSV", "newline", "JSON"],
)
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "m.pth"
    path.write_bytes(content)
    assert_refused(path, "not a model file")


class _Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch '{self.witness}'",)


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
@pytest.mark.parametrize("where", ["alone", "in a state dict", "in a model file"])
def test_a_file_that_would_run_code_is_refused_and_nothing_runs(tmp_path, saved, how, where):
    witness, path = tmp_path / "it-ran", tmp_path / "trap.pth"
    trap = _Trap(witness)
    content = {
        "alone": trap,
        "in a state dict": {**plain_state(), "extra": trap},
        "in a model file": {**torch.load(saved, weights_only=True), "info": {"note": trap}},
    }[where]
    if how == "pickle":
        path.write_bytes(pickle.dumps(trap, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    assert_refused(path, "was refused: .*more than tensors and plain values")
    assert not witness.exists()


def test_the_trap_would_have_run(tmp_path):
    pickle.loads(pickle.dumps(_Trap(tmp_path / "it-ran")))
    assert (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        torch.zeros(3),
        [plain_state()],
        {},
        {"a": 1},
        {"optimizer_state_dict": {"state": {}}},
        {"model_state_dict": {}},
        torch.nn.Linear(2, 2).state_dict(),
        {0: torch.zeros(2)},
        {**plain_state(), 7: torch.zeros(2)},
    ],
    ids=["tensor", "list", "nothing", "number", "optimizer", "empty wrapper", "other network", "number key",
         "number key among names"],
)  # fmt: skip
def test_content_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "m.pth"
    torch.save(content, path)
    assert_refused(path, "not a model file|not an autoencoder of this kind")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder.4.weight", torch.zeros(5, 7)),
        ("encoder.0.bias", torch.zeros(1)),
        ("decoder.8.weight", torch.zeros(3, 6)),
        ("input_norm.weight", torch.zeros(5)),
        ("classifier.weight", torch.zeros(2, 2)),
        ("encoder.0.weight", torch.zeros(0, 4)),
        ("encoder.0.weight", torch.tensor(1.0)),
    ],
)
def test_a_state_dict_with_a_wrong_shape_is_refused(tmp_path, saved, name, value):
    bare = tmp_path / "bare.pth"
    torch.save({**plain_state(), name: value}, bare)
    assert_refused(bare, "is not an autoencoder of this kind: .* must be ")
    content = torch.load(saved, weights_only=True)
    content["state_dict"] = {**content["state_dict"], name: torch.zeros(9, 9)}
    torch.save(content, saved)
    assert_refused(saved, "is a damaged model file: .* must be ")


@pytest.mark.parametrize("version", [2, 99, None, "1"])
def test_another_version_of_the_format_is_refused(saved, version):
    torch.save({**torch.load(saved, weights_only=True), "version": version}, saved)
    assert_refused(saved, f"is of model format {version}, but this version reads 1; update autoenc")


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": ["a"]},
        {"columns": None},
        {"scaling": None},
        {"scaling": torch.zeros(3)},
        {"scaling": {"kind": "maxabs", "center": torch.zeros(4), "scale": torch.ones(3)}},
        {"scaling": {"kind": "maxabs", "center": torch.zeros(3), "scale": torch.ones(3)}},
        {"scaling": {"kind": "maxabs"}},
        {"recipe": {"epochs": 1, "colour": "red"}},
        {"recipe": {"activation": "swish"}},
        {"recipe": {"dropout": "much"}},
        {"recipe": 3},
        {"state_dict": None},
        {"state_dict": {}},
        {"info": "text"},
    ],
)
def test_a_damaged_model_file_is_refused(saved, changes):
    torch.save({**torch.load(saved, weights_only=True), **changes}, saved)
    assert_refused(saved, "is a damaged model file: ")


@pytest.mark.parametrize("name", ["format", "version", "state_dict", "recipe", "columns", "scaling", "info"])
def test_a_model_file_without_a_part_is_refused_unless_it_is_a_state_dict_still(saved, name):
    content = torch.load(saved, weights_only=True)
    del content[name]
    torch.save(content, saved)
    if name == "format":
        assert load_model(saved).columns is None
    else:
        assert_refused(saved, "is a damaged model file|is of model format None")


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    assert_refused(tmp_path / "none.pth", "there is no such file")
    assert_refused(tmp_path, "is a folder, not a model file")
