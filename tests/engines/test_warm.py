"""Warm starts: where they begin, and that neither memory, threads nor order show in the outcome."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from autoenc.engines import Fit, Outcome, Recipe, Split, StopFlag, Stopped, make_engine
from autoenc.engines.native import NativeEngine
from autoenc.engines.randomness import initial_state
from autoenc.engines.warm import WarmStarting, extended_state
from autoenc.searching import run_fits

WARM = Recipe(epochs=3, warm_start=True)
COLD = replace(WARM, warm_start=False)


class Counting:
    """An engine that says what it trains, and takes its time over it."""

    name = device = "counting"
    n_at_once = 0

    def __init__(self, pause_s: float = 0.0) -> None:
        self.trained: list[Fit] = []
        self.failing: list[Outcome | Exception] = []
        self.pause_s = pause_s
        self._base = NativeEngine()

    def prepare(self) -> None:
        self._base.prepare()

    def fit(self, split, fit, stop=None, *, watch=None, initial=None) -> Outcome:
        self.trained.append(fit)
        time.sleep(self.pause_s)
        if self.failing:
            failure = self.failing.pop()
            if isinstance(failure, Exception):
                raise failure
            return failure
        return self._base.fit(split, fit, stop, watch=watch, initial=initial)


def bits(outcome: Outcome) -> tuple:
    state = {name: value.tobytes() for name, value in outcome.state.items()}
    return outcome.train_losses, outcome.test_losses, outcome.final_train_loss, state


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("stack", [(5, 4), (5, 5, 2), (6, 2, 2)])
def test_a_warm_stack_begins_with_its_parents_layers_and_its_own_around_the_latent_space(norm, stack) -> None:
    fit = Fit(stack, 2, replace(WARM, norm=norm), 7)
    network, parent = fit.network(6), fit.parent.network(6)
    rng = np.random.default_rng(0)
    trained = {name: rng.random(value.shape) for name, value in initial_state(parent, 7).items()}
    own, begun = initial_state(network, 7), extended_state(network, 7, parent, trained)
    assert {name: value.shape for name, value in begun.items()} == {n: v.shape for n, v in own.items()}
    depth, block = len(stack) - 1, 4 if norm == "layer" else 3
    shift = {"encoder": 0, "decoder": block}  # the child's decoder has one block more in front
    taken = 0
    for name, value in begun.items():
        part, _, rest = name.partition(".")
        place = int(rest.split(".")[0]) // block if part in shift else 0
        inherited = {"encoder": place < depth, "decoder": place >= 2}.get(part, True)
        if inherited:
            at, _, word = rest.partition(".")
            its = name if part == "input_norm" else f"{part}.{int(at) - shift[part]}.{word}"
            np.testing.assert_array_equal(value, trained[its])
            taken += 1
        else:
            np.testing.assert_array_equal(value, own[name])
    assert taken == (2 if norm == "layer" else 0) + 2 * depth * 2 + (
        2 * (2 * depth - 1) if norm == "layer" else 0
    )


def test_a_parent_is_the_cold_fit_without_the_last_layer() -> None:
    fit = Fit((8, 4, 4), 2, WARM, 9, "2/3")
    assert fit.parent == Fit((8, 4), 2, COLD, 9, "2/3")
    with pytest.raises(ValueError, match="must have two hidden layers"):
        _ = Fit((8,), 2, WARM).parent


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_an_engine_refuses_a_warm_fit_without_its_beginning_and_a_cold_one_with_it(
    engine, make_split
) -> None:
    base, split = make_engine(engine, "cpu"), make_split()
    with pytest.raises(ValueError, match="initial must be given"):
        base.fit(split, Fit((4, 4), 2, WARM))
    start = initial_state(Fit((4, 4), 2, COLD).network(6), 42)
    with pytest.raises(ValueError, match="initial must be None"):
        base.fit(split, Fit((4, 4), 2, COLD), initial=start)
    # A warm fit that begins where the cold one does is the cold one.
    warm = base.fit(split, Fit((4, 4), 2, WARM), initial=start)
    assert bits(warm) == bits(base.fit(split, Fit((4, 4), 2, COLD)))


@pytest.mark.parametrize(
    ("stack", "changes"),
    [
        ((8, 4), {}),
        ((8, 8, 2), {"norm": "none", "activation": "tanh"}),
        ((6, 2, 2), {"dropout": 0.0, "activation": "gelu"}),
        ((8, 4), {"patience": 1, "min_epochs": 1, "epochs": 12, "initial_lr": 0.01}),
    ],
)
def test_the_engines_agree(stack, changes, make_split) -> None:
    split, fit = make_split(), Fit(stack, 2, replace(WARM, **changes))
    native, torch = (
        WarmStarting(make_engine(name, "cpu", "float64"), 3).fit(split, fit) for name in ("native", "torch")
    )
    np.testing.assert_allclose(native.test_losses, torch.test_losses, rtol=1e-10)
    np.testing.assert_allclose(native.train_losses, torch.train_losses, rtol=1e-10)
    cold = make_engine("native", "cpu", "float64").fit(
        split, replace(fit, recipe=replace(fit.recipe, warm_start=False))
    )
    assert native.test_losses[0] != cold.test_losses[0]


FITS = [
    Fit(stack, 2, recipe, seed)
    for stack in [(8,), (4,), (8, 8), (8, 4), (4, 4), (8, 8, 4), (8, 4, 4)]
    for recipe in (COLD, WARM)
    for seed in (1, 2)
    if len(stack) > 1 or not recipe.warm_start
]


@pytest.fixture(scope="module")
def alone(make_split) -> tuple[Split, dict[Fit, tuple]]:
    """The fits' outcomes, each from an engine that has trained nothing else."""
    split = make_split()
    return split, {fit: bits(WarmStarting(NativeEngine(), 3).fit(split, fit)) for fit in FITS}


@pytest.mark.parametrize("memory_bytes", [0, 2000, 2**20])
@pytest.mark.parametrize("n_threads", [1, 5])
def test_bits_do_not_depend_on_memory_threads_or_order(alone, memory_bytes, n_threads) -> None:
    split, expected = alone
    engine = WarmStarting(NativeEngine(), 3, memory_bytes)
    order = list(np.random.default_rng(n_threads).permutation(len(FITS))) * 2
    with ThreadPoolExecutor(n_threads) as pool:
        found = list(pool.map(lambda i: bits(engine.fit(split, FITS[i])), order))
    assert all(outcome == expected[FITS[i]] for i, outcome in zip(order, found, strict=True))


def test_threads_train_a_parent_once_and_a_cold_fit_is_reused(make_split) -> None:
    split, base = make_split(), Counting(pause_s=0.05)
    engine = WarmStarting(base, 2)
    children = [Fit((8, width), 2, WARM) for width in (8, 7, 6, 5, 4, 3)]
    wanted = [*children, Fit((8,), 2, COLD)]
    with ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(lambda fit: engine.fit(split, fit), wanted))
    assert sorted(fit.architecture for fit in base.trained) == sorted(fit.architecture for fit in wanted)


def test_what_is_kept_stays_within_its_memory(make_split) -> None:
    split, base = make_split(), Counting()
    one = sum(value.nbytes for value in NativeEngine().fit(split, Fit((8,), 2, COLD)).state.values())
    engine = WarmStarting(base, 2, memory_bytes=3 * one)
    for seed in range(5):
        engine.fit(split, Fit((8,), 2, COLD, seed))
    base.trained.clear()
    for seed in (4, 3, 2):  # kept
        engine.fit(split, Fit((8, 4), 2, WARM, seed))
    assert [fit.architecture for fit in base.trained] == [(8, 4)] * 3
    engine.fit(split, Fit((8, 4), 2, WARM, 0))  # forgotten
    assert [fit.architecture for fit in base.trained[3:]] == [(8,), (8, 4)]


def test_other_rows_are_another_parent(make_split) -> None:
    engine, fit = WarmStarting(NativeEngine(), 2), Fit((8, 4), 2, WARM)
    for seed in (0, 1, 0):
        split = make_split(seed=seed)
        assert bits(engine.fit(split, fit)) == bits(WarmStarting(NativeEngine(), 2).fit(split, fit))


def test_a_fit_whose_parent_fails_has_failed(make_split) -> None:
    split = make_split()
    outcome = WarmStarting(NativeEngine(), 2).fit(
        split, Fit((8, 4), 2, replace(WARM, norm="none", initial_lr=1e30))
    )
    assert outcome.failure == "8, its parent: the loss stopped being finite in epoch 1"
    assert np.isnan(outcome.final_test_loss)


@pytest.mark.parametrize("error", [MemoryError("no room"), Stopped()])
def test_a_parent_that_was_given_up_is_trained_by_the_next(make_split, error) -> None:
    split, base, fit = make_split(), Counting(), Fit((8, 4), 2, WARM)
    engine = WarmStarting(base, 2)
    base.failing.append(error)
    with pytest.raises(type(error)):
        engine.fit(split, fit)
    assert engine.fit(split, fit).failure is None
    assert [f.architecture for f in base.trained] == [(8,), (8,), (8, 4)]


def test_threads_that_wait_for_a_parent_are_stopped_with_it(make_split) -> None:
    split, engine, stop = make_split(), WarmStarting(NativeEngine(), 2), StopFlag()
    long = replace(WARM, epochs=10**6)
    done: list[Fit] = []
    fits = [Fit((8, width), 2, long) for width in (8, 4, 2)]
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    started = time.monotonic()
    run_fits(fits, lambda fold: split, engine, 3, lambda fit, outcome: done.append(fit), stop)
    timer.join()
    assert done == []
    assert time.monotonic() - started < 10
