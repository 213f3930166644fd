from __future__ import annotations

import numpy as np
import pytest
import torch

from autoenc.engines import StopFlag, Stopped
from autoenc.two_stage.frozen import train_heads
from autoenc.two_stage.heads import Heads
from autoenc.two_stage.thawed import HeadRecipe, train_thawed


@pytest.mark.parametrize("kinds", [["regression"], ["classification"], ["regression", "classification"]])
@pytest.mark.parametrize(("dropout", "latent_dim", "n_rows"), [(0.0, 1, 40), (0.3, 7, 93)])
def test_heads_on_a_frozen_encoder_equal_those_by_autograd(make_settings, kinds, dropout, latent_dim, n_rows):
    rng = np.random.default_rng(1)
    latent = rng.normal(3, 2, (n_rows, latent_dim)).astype(np.float32)
    targets = {
        "regression": rng.normal(0, 2, n_rows),
        "classification": (rng.random(n_rows) < 0.3).astype(float),
    }
    targets = {kind: targets[kind] for kind in kinds}
    for values in targets.values():
        values[rng.random(n_rows) < 0.2] = np.nan
    settings = make_settings(
        stage2_epochs=10, head_hidden=5, regression_loss_weight=2.0, classification_loss_weight=0.5
    )
    recipe = HeadRecipe(dropout, 1e-2, 0.1)
    frozen, autograd = Heads(latent_dim, 5, kinds), Heads(latent_dim, 5, kinds)
    train_heads(frozen, latent, targets, recipe, settings, StopFlag())
    given = {kind: torch.from_numpy(values.astype(np.float32)) for kind, values in targets.items()}
    # A parameter that nothing depends on: the encoder is trained on, and yet stays as it is.
    idle = torch.nn.Parameter(torch.zeros(1))
    train_thawed(
        autograd, lambda rows: rows + 0 * idle, [idle], torch.from_numpy(latent), given, recipe, settings,
        StopFlag(),
    )  # fmt: skip
    found, expected = frozen.state_dict(), autograd.state_dict()
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-4, msg=name)


def test_a_stop_ends_the_training(make_settings):
    stop = StopFlag()
    stop.set()
    latent = np.zeros((20, 2), np.float32)
    with pytest.raises(Stopped):
        train_heads(
            Heads(2, 4, ["regression"]), latent, {"regression": np.arange(20.0)}, HeadRecipe(0, 1e-2, 0),
            make_settings(), stop,
        )  # fmt: skip
