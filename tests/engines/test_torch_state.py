"""What a caller has set of torch's global state neither breaks nor changes a training, and stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from autoenc import HyperparameterOptimizer, InputError
from autoenc.engines import Fit, Recipe
from autoenc.engines.torch_loop import TorchEngine

RNG = np.random.default_rng(0)
X = RNG.random((40, 3))
Y = X[:, :1] * X[:, 1:2]


@contextmanager
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


STATES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "float64": double,
    "device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu"),
}


@pytest.fixture(params=STATES)
def state(request) -> AbstractContextManager:
    return STATES[request.param]()


class Net(nn.Sequential):
    def __init__(self, hidden_size: int) -> None:
        super().__init__(nn.Linear(3, hidden_size), nn.Dropout(0.1), nn.Tanh(), nn.Linear(hidden_size, 1))


def searched(target: object = Y, space: dict | None = None):
    space = space or {"hidden_size": (2, 8), "num_epochs": [2]}
    return HyperparameterOptimizer(Net, space).optimize((X, target), (X, target), n_trials=2)


def test_a_search_of_modules_comes_to_the_same(state) -> None:
    expected = searched()
    with state:
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        result = searched()
        model = result.best_model()
        assert before == (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    assert result.best_value == expected.best_value
    assert all(parameter.requires_grad and not parameter.is_inference() for parameter in model.parameters())


def test_tensors_made_in_inference_mode_can_be_learned_from() -> None:
    with torch.inference_mode():
        target = torch.tensor(Y)
    assert searched(target).best_value == searched().best_value


def test_the_torch_engine_comes_to_the_same(state, make_split) -> None:
    fit = Fit((8, 4), 2, Recipe(epochs=2, family="vae"), 1)
    expected = TorchEngine().fit(make_split(), fit)
    with state:
        found = TorchEngine().fit(make_split(), fit)
    assert found.test_losses == expected.test_losses
    assert all(np.array_equal(value, found.state[name]) for name, value in expected.state.items())


def test_numpys_numbers_make_a_range() -> None:
    space = {"hidden_size": (np.int64(2), np.int64(8)), "learning_rate": (np.float64(1e-4), np.float32(0.1)),
             "batch_size": [np.int64(8), np.int32(16)], "num_epochs": [np.int64(2)]}  # fmt: skip
    result = searched(space=space)
    assert not result.failures
    assert isinstance(result.best_params["hidden_size"], int)
    assert result.best_params["batch_size"] in (8, 16)


@pytest.mark.parametrize("target", [Y[:, 0], torch.tensor(Y[:, 0])])
def test_a_target_that_torch_would_spread_over_the_batch_is_refused(target: object) -> None:
    with pytest.raises(InputError, match=r"got \[32\] and \[32, 1\] for a batch; .* as \[rows, 1\]"):
        searched(target)


def test_a_loss_of_ones_own_may_take_a_target_of_one_dimension() -> None:
    def loss(output, target):
        return nn.functional.mse_loss(output[:, 0], target)

    data = (X, Y[:, 0])
    space = {"hidden_size": (2, 8), "num_epochs": [2]}
    found = HyperparameterOptimizer(Net, space, loss=loss).optimize(data, data, n_trials=2)
    assert found.best_value == searched().best_value
