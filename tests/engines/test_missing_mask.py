"""The mask of missing cells: a further input of the first layer, alike in both engines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from autoenc.engines import Fit, Recipe
from autoenc.engines.native import NativeEngine
from autoenc.engines.torch_loop import TorchEngine
from autoenc.engines.warm import WarmStarting
from autoenc.models.network import DynamicAutoencoder, shape_of_state_dict

MASKED = Recipe(epochs=4, batch_size=9, initial_lr=3e-3, missing="mask")
FAMILIES = {"ae": {}, "dae": {"corruption": 0.3}, "vae": {"kl_weight": 0.01}}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("start", ["random", "pca"])
@pytest.mark.parametrize(
    ("norm", "input_norm", "activation", "stack"),
    [
        ("layer", "same", "relu", (8, 4)),
        ("none", "layer", "gelu", (7,)),
        ("layer", "none", "tanh", (9, 5, 5)),
    ],
)
def test_the_engines_agree(make_split, family, start, norm, input_norm, activation, stack) -> None:
    split = make_split(n_rows=61, missing=0.2)
    recipe = dataclasses.replace(
        MASKED, family=family, start=start, norm=norm, input_norm=input_norm, activation=activation,
        **FAMILIES[family],
    )  # fmt: skip
    native, torched = (
        engine(np.float64).fit(split, Fit(stack, 3, recipe)) for engine in (NativeEngine, TorchEngine)
    )
    for name in ("train_losses", "test_losses", "final_train_loss", "explained"):
        assert getattr(native, name) == pytest.approx(getattr(torched, name), rel=1e-10)
    assert native.state.keys() == torched.state.keys()
    for name, value in torched.state.items():
        np.testing.assert_allclose(native.state[name], value, rtol=0, atol=1e-10 * np.abs(value).max())
    assert np.abs(native.state["encoder_mask.weight"]).max() > 1e-4  # it is learned


def test_it_is_a_network_with_twice_the_inputs(make_split) -> None:
    """Compared with layers written out, which are given cells and mask side by side."""
    split, fit = make_split(n_rows=40, missing=0.3), Fit((8, 4), 2, dataclasses.replace(MASKED, norm="none"))
    state = NativeEngine(np.float64).fit(split, fit).state
    cells = split.values[split.test].astype(np.float64)
    both = np.hstack([np.nan_to_num(cells), np.isnan(cells)])
    hidden = np.hstack([state["encoder.0.weight"], state["encoder_mask.weight"]]) @ both.T
    hidden = np.maximum(hidden.T + state["encoder.0.bias"], 0)
    for name in ("encoder.3", "encoder.6", "decoder.0", "decoder.3", "decoder.6"):
        hidden = hidden @ state[f"{name}.weight"].T + state[f"{name}.bias"]
        if name in ("encoder.3", "decoder.0", "decoder.3"):
            hidden = np.maximum(hidden, 0)
    found = NativeEngine(np.float64).reconstruct(split, fit, state, split.test)
    np.testing.assert_allclose(found, hidden, atol=1e-12)


def test_without_missing_cells_it_changes_nothing(make_split) -> None:
    split = make_split(n_rows=50, missing=0.0)
    plain, masked = (
        NativeEngine().fit(split, Fit((8, 4), 2, dataclasses.replace(MASKED, missing=kind)))
        for kind in ("zero", "mask")
    )
    assert not masked.state["encoder_mask.weight"].any()
    assert masked.test_losses == pytest.approx(plain.test_losses, rel=1e-6)


def test_a_missing_cell_differs_from_a_zero(make_split) -> None:
    split, fit = make_split(n_rows=80, missing=0.4), Fit((8,), 2, MASKED)
    state = NativeEngine().fit(split, fit).state
    model = DynamicAutoencoder(6, 2, (8,), input_mask=True).eval()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    row = torch.full((2, 6), 0.5)
    row[0, 2], row[1, 2] = torch.nan, 0.0
    latent = model.encode(row)
    assert not torch.allclose(latent[0], latent[1])


def test_sizes_are_read_off_a_state_dict() -> None:
    model = DynamicAutoencoder(6, 2, (8, 4), norm="none", linear_path=True, input_mask=True)
    assert shape_of_state_dict(model.state_dict()) == model.shape
    parameters = sum(value.numel() for value in model.parameters())
    assert model.shape.count_parameters() == parameters
    encoder = sum(v.numel() for name, v in model.named_parameters() if name.startswith("encoder"))
    assert model.shape.count_parameters("encoder") == encoder


def test_a_warm_start_takes_the_mask_of_its_parent(make_split) -> None:
    split = make_split(n_rows=50, missing=0.3)
    fit = Fit((8, 4), 2, dataclasses.replace(MASKED, warm_start=True))
    native, torched = (
        WarmStarting(engine(np.float64), 3).fit(split, fit) for engine in (NativeEngine, TorchEngine)
    )
    assert native.test_losses == pytest.approx(torched.test_losses, rel=1e-10)
