"""Which engine is taken, by what a calibration says."""

from __future__ import annotations

import threading
import time

import pytest

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.searching import choice
from autoenc.searching.choice import candidates, estimates, fastest

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
    ((_, seconds),) = estimates([engine], FITS, lambda fit: split, 1)
    assert seconds == pytest.approx(4 * 0.12, rel=0.5)
    assert len(engine.trained) == 2 * len(FITS)


def test_a_part_of_them_stands_for_all(split):
    engine = Timed("stacked", 0.12, n_at_once=2)
    ((_, seconds),) = estimates([engine], FITS, lambda fit: split, 1)
    assert len(engine.trained) == 4
    assert seconds == pytest.approx(4 * 0.12, rel=0.5)


def test_the_faster_engine_is_taken(split):
    slow, fast = Timed("native", 0.2), Timed("stacked", 0.01, n_at_once=10)
    for engines in ([slow, fast], [fast, slow]):
        engine, measured = fastest(engines, FITS, lambda fit: split, 1)
        assert engine is fast
        assert [one.engine for one in measured] == engines


@pytest.mark.parametrize(("n_engines", "fits"), [(1, FITS), (2, [])])
def test_without_a_choice_nothing_is_measured(split, n_engines, fits):
    engines = [Timed("native", 9.0), Timed("stacked", 9.0)][:n_engines]
    assert fastest(engines, fits, lambda fit: split, 1) == (engines[0], [])
    assert not any(engine.trained for engine in engines)


def test_there_is_a_choice_where_there_is_a_gpu_and_nobody_has_chosen(monkeypatch):
    native, stacked = Timed("native", 0.0), Timed("stacked", 0.0, 10)
    monkeypatch.setattr(choice, "make_engine", lambda name, device: stacked)
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    assert candidates(native, "auto", "auto") == [native, stacked]
    assert candidates(native, "native", "auto") == candidates(native, "auto", "cpu") == [native]
    assert candidates(stacked, "stacked", "auto") == [stacked]
    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    assert candidates(native, "auto", "auto") == [native]


def test_torch_is_not_asked_for_a_gpu_without_a_driver(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(choice, "_DRIVERS", ())
    monkeypatch.setattr(choice.shutil, "which", lambda name: None)
    assert not choice.has_gpu()
    monkeypatch.setattr(choice.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert choice.has_gpu()
