"""The reference engine, against the training written out once more with plain tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from autoenc.engines import Fit, Recipe, StopFlag, Stopped
from autoenc.engines.randomness import batch_order, dropout_mask, initial_state
from autoenc.engines.torch_loop import TorchEngine
from autoenc.models.loss import sparse_aware_loss


def written_out(split, fit):
    """The training of a network with ReLU and LayerNorm, from the definition, in float64."""
    recipe, values = fit.recipe, torch.from_numpy(split.values).double()
    network = fit.network(values.shape[1])
    p = {
        name: torch.tensor(value, requires_grad=True)
        for name, value in initial_state(network, fit.seed).items()
    }

    def norm(h, name):
        return functional.layer_norm(h, h.shape[1:], p[f"{name}.weight"], p[f"{name}.bias"], 1e-6)

    def forward(x, epoch=None, step=None):
        h, slot = norm(x, "input_norm"), 0
        for part in ("encoder", "decoder"):
            for i in range(len(fit.architecture)):
                h = functional.linear(h, p[f"{part}.{4 * i}.weight"], p[f"{part}.{4 * i}.bias"])
                h = torch.relu(norm(h, f"{part}.{4 * i + 1}"))
                if epoch is not None:
                    kept = dropout_mask(fit.seed, epoch, step, slot, len(h), h.shape[1], recipe.dropout)
                    h = h * torch.from_numpy(kept) / (1 - recipe.dropout)
                slot += 1
            last = 4 * len(fit.architecture)
            h = functional.linear(h, p[f"{part}.{last}.weight"], p[f"{part}.{last}.bias"])
        return h

    def loss_over(rows):
        with torch.no_grad():
            return sparse_aware_loss(forward(torch.nan_to_num(values[rows], nan=0.0)), values[rows]).item()

    optimizer = torch.optim.AdamW(p.values(), recipe.initial_lr, weight_decay=recipe.weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs, recipe.eta_min)
    train_losses, test_losses = [], []
    for epoch in range(recipe.epochs):
        order = split.train[batch_order(fit.seed, epoch, split.train.size)]
        met = []
        for step, start in enumerate(range(0, order.size, recipe.batch_size)):
            target = values[order[start : start + recipe.batch_size]]
            reconstruction = forward(torch.nan_to_num(target, nan=0.0), epoch, step)
            loss = sparse_aware_loss(reconstruction, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            met.append(reconstruction.detach())
        scheduler.step()
        train_losses.append(sparse_aware_loss(torch.cat(met), values[order]).item())
        test_losses.append(loss_over(split.test))
    return (
        train_losses,
        test_losses,
        loss_over(split.train),
        {name: value.detach().numpy() for name, value in p.items()},
    )


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("architecture", [(7,), (8, 5)])
def test_trains_as_the_definition_says(make_split, architecture, dropout):
    split = make_split(n_rows=43)
    recipe = Recipe(epochs=6, batch_size=9, initial_lr=0.01, eta_min=1e-4, weight_decay=0.05, dropout=dropout)
    fit = Fit(architecture, 2, recipe, seed=7)
    outcome = TorchEngine(np.float64).fit(split, fit)
    train_losses, test_losses, final_train_loss, state = written_out(split, fit)
    assert outcome.train_losses == pytest.approx(train_losses, rel=1e-12)
    assert outcome.test_losses == pytest.approx(test_losses, rel=1e-12)
    assert outcome.final_train_loss == pytest.approx(final_train_loss, rel=1e-12)
    for name, value in state.items():
        np.testing.assert_allclose(outcome.state[name], value, rtol=1e-10, atol=1e-13)
    assert outcome.failure is None


@pytest.mark.parametrize(
    ("epochs", "initial_lr", "eta_min"), [(1, 0.1, 0.01), (20, 1e-3, 1e-6), (7, 0.5, 0.0)]
)
def test_learning_rates_are_torchs_cosine_annealing(epochs, initial_lr, eta_min):
    recipe = Recipe(epochs=epochs, initial_lr=initial_lr, eta_min=eta_min)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], initial_lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs, eta_min)
    for epoch in range(epochs):
        assert recipe.learning_rate(epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        scheduler.step()


def test_best_and_final_losses_are_those_of_the_epochs(make_split):
    outcome = TorchEngine().fit(make_split(), Fit((4,), 1, Recipe(epochs=4)))
    assert len(outcome.train_losses) == len(outcome.test_losses) == 4
    assert outcome.final_test_loss == outcome.test_losses[-1]
    assert outcome.best_test_loss == min(outcome.test_losses)
    assert outcome.seconds > 0


def test_repeats_bit_for_bit_and_leaves_the_data_alone(make_split):
    split = make_split()
    before = split.values.copy()
    fit = Fit((5, 3), 2, Recipe(epochs=3))
    first, second = TorchEngine().fit(split, fit), TorchEngine().fit(split, fit)
    assert first.train_losses == second.train_losses
    assert first.test_losses == second.test_losses
    for name, value in first.state.items():
        np.testing.assert_array_equal(value, second.state[name])
    np.testing.assert_array_equal(split.values, before)


def test_the_state_of_torchs_generator_has_no_say(make_split):
    fit = Fit((5,), 2, Recipe(epochs=2))
    torch.manual_seed(1)
    first = TorchEngine().fit(make_split(), fit)
    torch.manual_seed(2)
    assert TorchEngine().fit(make_split(), fit).test_losses == first.test_losses


def test_divergence_ends_the_fit_with_a_reason(make_split):
    outcome = TorchEngine().fit(make_split(), Fit((4,), 1, Recipe(epochs=9, initial_lr=1e30)))
    assert outcome.failure is not None
    assert "finite" in outcome.failure
    assert len(outcome.test_losses) < 9


def test_a_fit_that_is_told_to_stop_raises(make_split):
    stop = StopFlag()
    stop.set()
    with pytest.raises(Stopped):
        TorchEngine().fit(make_split(), Fit((4,), 1, Recipe(epochs=9)), stop)
