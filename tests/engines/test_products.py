"""Products of float32 are exact whatever the caller has set, which comes back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from autoenc.engines import Fit, Recipe
from autoenc.engines import products as module
from autoenc.engines.products import products
from autoenc.engines.stacked import StackedEngine
from autoenc.engines.stacks.places import CPU
from autoenc.engines.torch_loop import TorchEngine

NEW = hasattr(torch.backends.cuda.matmul, "fp32_precision")


def as_new(kind: str) -> None:
    torch.backends.cuda.matmul.fp32_precision = kind
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"


def in_general(kind: str) -> None:
    torch.backends.fp32_precision = kind


def as_old(value: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = value


CALLERS = {
    "nothing": lambda: None,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "allowed": lambda: as_old(True),
    "not allowed": lambda: as_old(False),
}
if NEW:
    CALLERS |= {"new": lambda: as_new("tf32"), "in general": lambda: in_general("tf32")}


@pytest.fixture(params=CALLERS)
def caller(request) -> Iterator[None]:
    CALLERS[request.param]()
    yield
    if NEW:
        in_general("none")
        for backend in (torch.backends.cuda, torch.backends.mkldnn):
            backend.matmul.fp32_precision = "ieee"
    torch.set_float32_matmul_precision("highest")
    if NEW:
        for backend in (torch.backends.cuda, torch.backends.mkldnn):
            backend.matmul.fp32_precision = "none"


def is_exact() -> bool:
    common, each = module._settings()
    return common in (None, "highest") and set(each) <= {"none", "ieee"}


def is_tf32() -> bool:
    common, each = module._settings()
    return common in (None, "high") and each[:1] in ((), ("tf32",)) and "bf16" not in each


def test_products_are_exact_and_the_setting_is_given_back(caller):
    before = module._settings()
    with products():
        assert is_exact()
        with products("any"):
            assert is_exact()
        assert is_exact()
    assert module._settings() == before


def test_they_are_rounded_only_if_all_that_use_a_gpu_ask_for_that(caller):
    before = module._settings()
    with products("tf32"):
        assert is_tf32()
        with products("any"):
            assert is_tf32()
            with products("exact"):
                assert is_exact()
        assert is_tf32()
    assert module._settings() == before


@pytest.mark.parametrize("name", ["nothing", "high", "medium", "allowed", "not allowed"])
@pytest.mark.parametrize("gpu", ["exact", "tf32", "any"])
def test_who_uses_the_setting_for_all_devices_can_read_it_meanwhile(name, gpu):
    CALLERS[name]()
    try:
        with products(gpu):
            wanted = "high" if gpu == "tf32" else "highest"
            assert torch.get_float32_matmul_precision() == wanted
            assert torch.backends.cuda.matmul.allow_tf32 is (gpu == "tf32")
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.skipif(not NEW, reason="this torch has one setting for all devices")
def test_what_follows_the_general_setting_goes_on_to_follow_it():
    in_general("tf32")
    try:
        with products():
            assert is_exact()
        in_general("none")
        assert is_exact()
    finally:
        in_general("none")


@pytest.mark.parametrize("value", ["highest", "high", "medium"])
def test_a_torch_that_has_one_setting_is_asked_by_it(value, monkeypatch):
    monkeypatch.setattr(module, "_IS_NEW", False)
    torch.set_float32_matmul_precision(value)
    try:
        with products():
            assert module._settings() == ("highest", ())
            with products("tf32"):
                assert module._settings() == ("highest", ())
        with products("tf32"):
            assert module._settings() == ("high", ())
        assert torch.get_float32_matmul_precision() == value
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("make", [TorchEngine, StackedEngine])
def test_engines_multiply_exactly(make, make_split, caller):
    found = []
    split, engine = make_split(), make()
    engine.fit(split, Fit((4,), 2, Recipe(epochs=1)), watch=lambda *_: found.append(is_exact()))
    assert found == [True]


def test_the_stacked_engine_rounds_where_it_is_asked_to(make_split):
    found, split = [], make_split()
    engine = StackedEngine(np.float32, "cuda", CPU(), tf32=True)
    assert engine.name == "stacked_tf32"
    fit = Fit((4,), 2, Recipe(epochs=1))
    outcome = engine.fit(split, fit, watch=lambda *_: found.append(is_tf32()))
    assert found == [True]
    assert is_exact()
    rows = engine.reconstruct(split, fit, outcome.state, split.test)
    assert np.isfinite(rows).all()
