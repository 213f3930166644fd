"""A changed body of a class or a loss is another search; what goes unseen shows in the loss."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from autoenc import HyperparameterOptimizer, InputError
from autoenc.tuning.code import code_hash
from autoenc.tuning.module_study import MODULES

X = torch.linspace(-1, 1, 40).reshape(-1, 2)
Y = X[:, :1] * X[:, 1:]
MODULE = """
import torch
from torch import nn

SLOPE = {slope}  # which no hash of a class sees

class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.last = nn.Linear(2, width), nn.Linear(width, 1)

    def forward(self, x):
        return self.last({first}(self.first(x))) * SLOPE

class Net(Base):
    share = {share}

def loss(output, target):
    return ((output - target) ** 2).mean() * {weight}
"""
USUAL: dict[str, Any] = {"first": "torch.tanh", "share": 1, "weight": 1, "slope": 1}


@pytest.fixture
def load(tmp_path: Path, monkeypatch):
    """Loads a module of that text, as another process would after an edit."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def loaded(**changed: Any):
        text = MODULE.format(**USUAL | changed)
        path = tmp_path / "nets_of_a_test.py"
        path.write_text(text)
        sys.modules.pop(path.stem, None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            return importlib.import_module(path.stem)
        finally:
            sys.dont_write_bytecode = before

    yield loaded
    sys.modules.pop("nets_of_a_test", None)


def search(nets, storage: Path) -> HyperparameterOptimizer:
    return HyperparameterOptimizer(
        nets.Net, {"width": (2, 8), "num_epochs": [2]}, loss=nets.loss, storage=storage
    )


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"first": "torch.relu"}, "model_class"), ({"share": 2}, "model_class"), ({"weight": 2}, "loss")],
)
def test_a_changed_body_is_another_search(load, tmp_path: Path, changed: dict, name: str) -> None:
    storage = tmp_path / "study.journal"
    search(load(), storage).optimize((X, Y), (X, Y), n_trials=2)
    assert search(load(), storage).optimize((X, Y), (X, Y), n_trials=3).n_trials == 3
    with pytest.raises(InputError, match=f"another search; it differs in the code of {name};"):
        search(load(**changed), storage).optimize((X, Y), (X, Y), n_trials=4)


def test_what_no_hash_sees_shows_in_the_loss(load, tmp_path: Path) -> None:
    storage = tmp_path / "study.journal"
    search(load(), storage).optimize((X, Y), (X, Y), n_trials=2).best_model()
    result = search(load(slope=2), storage).optimize((X, Y), (X, Y), n_trials=2)
    with pytest.warns(RuntimeWarning, match=r"is recorded with a loss of .* but now comes to"):
        result.best_model()


def test_records_without_hashes_are_gone_on_with(load, tmp_path: Path) -> None:
    storage = tmp_path / "study.journal"
    study = search(load(), storage).optimize((X, Y), (X, Y), n_trials=2).study
    about = dict(study.user_attrs[MODULES])
    assert set(about.pop("code")) == {"model_class", "loss"}
    study.set_user_attr(MODULES, about)
    assert search(load(weight=2), storage).optimize((X, Y), (X, Y), n_trials=3).n_trials == 3


def test_hashes_follow_the_code_where_there_is_no_source() -> None:
    def made(text: str) -> Any:
        names: dict[str, Any] = {"nn": nn}
        exec(text, names)
        return names["made"]

    ends = ("1", "1  # one", "2")
    one, same, other = (made(f"def made(x):\n    return x + {end}") for end in ends)
    assert code_hash(one) == code_hash(same) != code_hash(other)
    forward = "class made(nn.Linear):\n    def forward(self, x):\n        return x * "
    nets = [made(forward + end) for end in ends]
    assert code_hash(nets[0]) == code_hash(nets[1]) != code_hash(nets[2])
    partials = [functools.partial(one, y) for y in (1, 1, 2)]
    assert code_hash(partials[0]) == code_hash(partials[1]) != code_hash(partials[2])
    for of_torch in (nn.Linear, nn.functional.mse_loss, nn.MSELoss(), torch.tanh, 3, "words", None):
        assert code_hash(of_torch) is None
