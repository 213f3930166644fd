"""Denoising and variational autoencoders: both engines train the same, and it is what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from test_native import assert_same_bits, assert_same_trajectory

from autoenc.data.table import Scaling
from autoenc.engines import Fit, Recipe, StopFlag
from autoenc.engines.native import NativeEngine
from autoenc.engines.randomness import CORRUPTION, NOISE, latent_noise, layer_key
from autoenc.engines.torch_loop import TorchEngine
from autoenc.fitted.autoencoder import fitted_model, save_model
from autoenc.models.loss import sparse_aware_loss
from autoenc.models.network import DynamicAutoencoder, shape_of_state_dict
from autoenc.workflows.models import load_model

ENGINES = ("native", "torch")
FAMILIES = {
    "dae": {"family": "dae", "corruption": 0.3},
    "vae": {"family": "vae", "kl_weight": 0.01, "kl_warmup": 3},
}


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("family", FAMILIES)
def test_both_engines_train_a_family_alike(make_split, family, activation, norm):
    recipe = Recipe(epochs=4, batch_size=5, activation=activation, norm=norm, dropout=0.2, **FAMILIES[family])
    assert_same_trajectory(make_split(), Fit((7, 5), 2, recipe))


@pytest.mark.parametrize("latent_dim", [1, 3, 5])
@pytest.mark.parametrize("architecture", [(1,), (4,), (9, 6, 4)])
def test_variational_trajectories_agree_at_any_size(make_split, architecture, latent_dim):
    recipe = Recipe(epochs=3, batch_size=7, patience=2, min_epochs=1, **FAMILIES["vae"])
    assert_same_trajectory(make_split(), Fit(architecture, latent_dim, recipe))


def test_a_denoising_autoencoder_that_sees_everything_is_a_plain_one(make_split):
    plain = Fit((6,), 2, Recipe(epochs=3))
    seeing = Fit((6,), 2, Recipe(epochs=3, family="dae", corruption=0.0))
    assert_same_bits(NativeEngine().fit(make_split(), plain), NativeEngine().fit(make_split(), seeing))


def test_the_weight_of_the_divergence_rises_and_shrinks_the_latent_space(make_split):
    recipe = Recipe(kl_weight=0.4, kl_warmup=4)
    assert [recipe.kl_weight_in(epoch) for epoch in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    split = make_split()
    spread = []
    for weight in (0.0, 10.0):
        fit = Fit((8,), 2, Recipe(epochs=60, dropout=0.0, family="vae", kl_weight=weight, initial_lr=0.01))
        state = NativeEngine(np.float64).fit(split, fit).state
        model = DynamicAutoencoder(6, 2, (8,), 0.0, variational=True).double()
        model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
        rows = torch.nan_to_num(torch.from_numpy(split.values[split.train])).double()
        spread.append(model.eval().encode(rows).std().item())
    assert spread[1] < 0.2 * spread[0]


@pytest.mark.parametrize(
    "engine", [NativeEngine(np.float64), TorchEngine(np.float64)], ids=["native", "torch"]
)
def test_test_losses_are_those_of_the_means(make_split, engine):
    split = make_split()
    outcome = engine.fit(split, Fit((6,), 2, Recipe(epochs=3, **FAMILIES["vae"])))
    state = {name: torch.from_numpy(np.asarray(value)) for name, value in outcome.state.items()}
    shape = shape_of_state_dict(state)
    assert (shape.variational, shape.latent_dim, shape.hidden_dims) == (True, 2, (6,))
    model = DynamicAutoencoder(6, 2, (6,), 0.0, variational=True).double().eval()
    model.load_state_dict(state)
    target = torch.from_numpy(split.values[split.test]).double()
    reconstruction, latent = model(torch.nan_to_num(target))
    assert torch.equal(latent, model.encode(torch.nan_to_num(target)))

    assert outcome.final_test_loss == pytest.approx(
        sparse_aware_loss(reconstruction, target).item(), rel=1e-9
    )


def test_the_noise_is_standard_normal_and_independent():
    noise = latent_noise(7, 3, 11, 4000, 5)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(noise.T) - np.eye(5)).max() < 0.06
    assert layer_key(7, 3, 11, NOISE) != layer_key(7, 3, 11, CORRUPTION) != layer_key(7, 3, 11, 0)


@pytest.mark.parametrize("engine", [NativeEngine(), TorchEngine()], ids=ENGINES)
def test_a_watcher_sees_every_epoch_and_may_end_the_fit(make_split, engine):
    seen = []
    fit = Fit((4,), 2, Recipe(epochs=5))
    outcome = engine.fit(make_split(), fit, StopFlag(), watch=lambda *each: seen.append(each))
    assert seen == list(enumerate(outcome.test_losses))

    def enough(epoch: int, loss: float) -> None:
        if epoch == 2:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        engine.fit(make_split(), fit, watch=enough)


def test_a_variational_model_is_saved_and_loaded(make_split, tmp_path):
    split = make_split()
    fit = Fit((6,), 2, Recipe(epochs=2, **FAMILIES["vae"]))
    outcome = NativeEngine().fit(split, fit)
    scaling = Scaling("none", np.zeros(6), np.ones(6))
    model = fitted_model(outcome.state, fit.recipe, list("abcdef"), scaling, {})
    save_model(tmp_path / "model.pth", model)
    loaded = load_model(tmp_path / "model.pth")
    assert loaded.info["recipe"]["family"] == "vae"
    assert loaded.info["total_params"] == fit.network(6).count_parameters()
    np.testing.assert_array_equal(loaded.encode(split.values), model.encode(split.values))
    assert loaded.encode(split.values).shape == (len(split.values), 2)
