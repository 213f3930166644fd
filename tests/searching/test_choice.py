"""Which engine is taken, by what a calibration says."""

from __future__ import annotations

import threading
import time

import pytest

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.searching import choice
from autoenc.searching.choice import choose, estimates, is_open, taken
from autoenc.searching.estimate import estimate_seconds

FITS = [Fit((width, 4), 2, Recipe(epochs=4), seed) for width in (4, 8) for seed in range(3)]


class Timed:
    """An engine that takes so long for an epoch of a fit, or of as many as it takes at once."""

    def __init__(self, name: str, epoch_s: float, n_at_once: int = 0) -> None:
        self.name, self.device, self.n_at_once = name, "here", n_at_once
        self.epoch_s, self.trained = epoch_s, list[Fit]()
        self._turn = threading.Lock()

    def prepare(self) -> None:
        """Nothing."""

    def fit(self, split, fit, stop=None, *, watch=None, initial=None) -> Outcome:
        self.trained.append(fit)
        share = 1 / len(FITS) if self.n_at_once else 1.0
        with self._turn:
            time.sleep(self.epoch_s * fit.recipe.last_epoch * share)
        return Outcome([], [], 0.0, 0.0, {})


@pytest.fixture
def split(make_split):
    return make_split()


def test_many_at_once_are_timed_together(split):
    engine = Timed("stacked", 0.12, n_at_once=100)
    ((_, seconds, _),) = estimates([engine], FITS, lambda fit: split, 1)
    assert seconds == pytest.approx(4 * 0.12, rel=0.5)
    assert len(engine.trained) == 2 * len(FITS)


def test_a_part_of_them_stands_for_all(split):
    engine = Timed("stacked", 0.12, n_at_once=2)
    ((_, seconds, _),) = estimates([engine], FITS, lambda fit: split, 1)
    assert len(engine.trained) == 4
    assert seconds == pytest.approx(4 * 0.12, rel=0.5)


class Beginning(Timed):
    """An engine that takes so long to begin, too, however many fits it takes at once."""

    def __init__(self, begin_s: float, epoch_s: float, n_at_once: int) -> None:
        super().__init__("stacked", epoch_s, n_at_once)
        self.begin_s, self._n_begun = begin_s, 0

    def fit(self, split, fit, stop=None, *, watch=None, initial=None) -> Outcome:
        self._n_begun += 1
        if self._n_begun % self.n_at_once == 1:
            time.sleep(self.begin_s)
        return super().fit(split, fit, stop)


def test_an_engine_is_timed_with_as_many_as_it_is_given(split):
    engine = Steps("stacked", 0.01, n_at_once=100)
    seconds = estimate_seconds(FITS, lambda fit: split, engine, 1, n_together=2)
    assert len(engine.trained) == 2 * 2
    assert seconds > 0


def test_what_it_takes_to_begin_counts_for_all_fits(split):
    engine = Beginning(0.1, 0.01, n_at_once=2)
    ((_, seconds, _),) = estimates([engine], FITS, lambda fit: split, 1)
    assert seconds == pytest.approx(len(FITS) / 2 * 0.1 + 4 * 0.01, rel=0.5)


class Steps(Timed):
    """An engine that takes so long for a step, whatever is in it."""

    def fit(self, split, fit, stop=None, *, watch=None, initial=None) -> Outcome:
        self.trained.append(fit)
        time.sleep(self.epoch_s * -(-split.train.size // fit.recipe.batch_size) * fit.recipe.last_epoch)
        return Outcome([], [], 0.0, 0.0, {})


def test_large_batches_of_a_long_table_are_timed_as_they_are(make_split):
    long, fit = make_split(10_000), Fit((4,), 2, Recipe(epochs=5, batch_size=2000))
    n_steps = 5 * -(-long.train.size // 2000)
    ((_, seconds, _),) = estimates([Steps("stacked", 0.02, 10)], [fit], lambda fit: long, 1)
    assert seconds == pytest.approx(n_steps * 0.02, rel=0.5)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU whose engine is so fast, where a second on the CPU is more than soon."""

    def make(engine: Timed) -> Timed:
        monkeypatch.setattr(choice, "may_have_gpu", lambda: True)
        monkeypatch.setattr(choice, "has_gpu", lambda: True)
        monkeypatch.setattr(choice, "make_engine", lambda name, device: engine)
        return engine

    monkeypatch.setattr(choice, "_SOON_S", 1.0)
    return make


@pytest.mark.parametrize(("native_s", "stacked_s", "name"), [(0.3, 0.01, "stacked"), (0.3, 2.0, "native")])
def test_the_faster_engine_is_taken(split, gpu, native_s, stacked_s, name):
    native, stacked = Timed("native", native_s), gpu(Timed("stacked", stacked_s, n_at_once=10))
    measured = choose(native, FITS, lambda fit: split, 1)
    assert [one.engine for one in measured] == [native, stacked]
    assert taken(measured).engine.name == name


def test_what_is_done_soon_needs_no_gpu(split, gpu, monkeypatch):
    native, stacked = Timed("native", 0.01), gpu(Timed("stacked", 0.0001, n_at_once=10))
    monkeypatch.setattr(choice, "has_gpu", lambda: pytest.fail("which imports torch"))
    measured = choose(native, FITS, lambda fit: split, 1)
    assert [one.engine for one in measured] == [native]
    assert taken(measured).engine is native
    assert not stacked.trained


def test_a_gpu_that_cannot_train_is_not_taken_and_ends_nothing(split, gpu):
    class Full(Timed):
        def fit(self, split, fit, stop=None, *, watch=None, initial=None) -> Outcome:
            raise InputError("--device cuda: stack 4-4 needs about 9 GiB")

    native, full = Timed("native", 0.3), gpu(Full("stacked", 0.0, n_at_once=10))
    usual, other = choose(native, FITS, lambda fit: split, 1)
    assert taken([usual, other]).engine is native
    assert (other.engine, other.problem) == (full, "--device cuda: stack 4-4 needs about 9 GiB")


def test_without_anything_to_train_nothing_is_measured(split, gpu):
    native = Timed("native", 9.0)
    gpu(Timed("stacked", 9.0, 10))
    assert choose(native, [], lambda fit: split, 1) == []
    assert not native.trained


def test_a_driver_without_a_gpu_is_no_choice(split, gpu, monkeypatch):
    gpu(Timed("stacked", 0.01, 10))
    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    assert choose(Timed("native", 0.3), FITS, lambda fit: split, 1) == []


def test_there_is_a_choice_where_there_may_be_a_gpu_and_nobody_has_chosen(monkeypatch):
    native, stacked = Timed("native", 0.0), Timed("stacked", 0.0, 10)
    monkeypatch.setattr(choice, "may_have_gpu", lambda: True)
    assert is_open(native, "auto", "auto")
    assert not is_open(native, "native", "auto")
    assert not is_open(native, "auto", "cpu")
    assert not is_open(stacked, "stacked", "auto")
    monkeypatch.setattr(choice, "may_have_gpu", lambda: False)
    assert not is_open(native, "auto", "auto")


def test_torch_is_not_asked_for_a_gpu_without_a_driver(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(choice, "_DRIVERS", ())
    monkeypatch.setattr(choice.shutil, "which", lambda name: None)
    assert not choice.has_gpu()
    monkeypatch.setattr(choice.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert choice.has_gpu()
