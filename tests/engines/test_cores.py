"""Several threads train what one does, bit for bit, and take no core that another fit has."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from autoenc.engines import Fit, Outcome, Recipe, native_training
from autoenc.engines import cores as cores_module
from autoenc.engines.cores import Cores, n_runnable
from autoenc.engines.meeting import ARRIVED, JOINED, MOST, STEP, WANTED
from autoenc.engines.native import NativeEngine


def idle() -> int:
    """Whatever else the machine that runs these tests does."""
    return 0


class AllTogether(Cores):
    """Cores whose fits begin no pass before all who help are there."""

    def __init__(self) -> None:
        super().__init__(idle)
        self.n_threads: list[int] = []

    def run(self, one_pass: Any, n_cores: int) -> float:
        def patient(meeting: np.ndarray, helping: bool) -> float:
            while not helping and meeting[JOINED] < meeting[WANTED] - 1:
                time.sleep(0.0005)
            if not helping:
                self.n_threads.append(int(meeting[WANTED]))
            return one_pass(meeting, helping)

        return super().run(patient, n_cores)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> AllTogether:
    """Any network is worth help, and gets it."""
    cores = AllTogether()
    monkeypatch.setattr(native_training, "CORES", cores)
    monkeypatch.setattr(native_training, "_WORTH_HELP", 0)
    return cores


def assert_same_bits(one: Outcome, other: Outcome) -> None:
    assert one.failure is other.failure is None
    assert one.train_losses == other.train_losses
    assert one.test_losses == other.test_losses
    assert one.final_train_loss == other.final_train_loss
    assert one.explained == other.explained
    for name, value in one.state.items():
        np.testing.assert_array_equal(value, other.state[name], strict=True)


CASES: dict[str, tuple[dict[str, int], tuple[int, ...], int, dict[str, Any]]] = {
    "narrow": ({}, (17, 5), 2, {}),
    "a unit": ({"n_columns": 1}, (1,), 1, {}),
    "many vectors": ({"n_columns": 130}, (70, 33), 20, {"batch_size": 40}),
    "blocks and bands": ({"n_columns": 130}, (600, 515), 3, {"epochs": 1, "batch_size": 20}),
    "large batches": ({"n_rows": 900}, (40, 20), 3, {"batch_size": 300}),
    "no norm": ({"n_columns": 40}, (70, 33), 3, {"norm": "none"}),
    "smooth": ({"n_columns": 40}, (70, 33), 3, {"activation": "gelu", "norm": "none", "input_norm": "layer"}),
    "no dropout": ({"n_columns": 40}, (70, 33), 3, {"dropout": 0.0}),
    "start from PCA": ({"n_columns": 40}, (70, 33), 3, {"start": "pca"}),
    "mask": ({"n_columns": 40}, (70, 33), 3, {"missing": "mask"}),
    "variational": ({"n_columns": 40}, (70, 33), 3, {"family": "vae", "kl_weight": 0.1}),
    "denoising, all at once": (
        {"n_columns": 200}, (350,), 3,
        {"family": "dae", "corruption": 0.3, "start": "pca", "missing": "mask", "activation": "silu"},
    ),
    "early stopping": ({}, (9,), 2, {"epochs": 30, "initial_lr": 0.05, "patience": 2, "min_epochs": 1}),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("table", "architecture", "latent_dim", "changes"), CASES.values(), ids=CASES)
def test_the_number_of_threads_changes_no_bit(
    make_split, together, table, architecture, latent_dim, changes, dtype
):
    split = make_split(**table)
    fit = Fit(architecture, latent_dim, Recipe(**{"epochs": 2, "batch_size": 8, "dropout": 0.2, **changes}))
    alone = NativeEngine(dtype).fit(split, fit)
    rows = NativeEngine(dtype).reconstruct(split, fit, alone.state, split.test)
    for n_cores in (2, 3, 4):
        together.n_threads.clear()
        engine = NativeEngine(dtype, n_cores)
        assert_same_bits(alone, engine.fit(split, fit))
        assert set(together.n_threads) == {n_cores}
        np.testing.assert_array_equal(engine.reconstruct(split, fit, alone.state, split.test), rows)


def test_a_small_network_trains_alone(make_split, monkeypatch):
    cores = AllTogether()
    monkeypatch.setattr(native_training, "CORES", cores)
    NativeEngine(n_cores=4).fit(make_split(), Fit((128, 64), 3, Recipe(epochs=2)))
    assert set(cores.n_threads) == {1}


def test_a_fit_gets_cores_back_when_another_begins(make_split, together):
    """In the middle of a pass: the thread that helps leaves, and the bits are the same."""
    split, fit = make_split(n_rows=4000, n_columns=60), Fit((300, 64), 3, Recipe(epochs=3))
    alone = NativeEngine().fit(split, fit)
    together.n_threads.clear()
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(NativeEngine(n_cores=2).fit, split, fit)
        while not together.n_threads:
            time.sleep(0.0005)
        with together.training():
            assert not together._lent or together._lent[0][0][WANTED] == 1
            assert_same_bits(alone, outcome.result())
    assert together.n_threads[0] == 2
    assert set(together.n_threads[1:]) <= {1, 2}
    assert together.n_threads[-1] == 1


def test_a_thread_that_never_comes_is_not_waited_for(make_split, together, monkeypatch):
    split, fit = make_split(), Fit((17, 5), 2, Recipe(epochs=2))
    alone = NativeEngine().fit(split, fit)
    cores = Cores(idle)
    monkeypatch.setattr(native_training, "CORES", cores)
    monkeypatch.setattr(cores, "_send", lambda *_: None)
    assert_same_bits(alone, NativeEngine(n_cores=3).fit(split, fit))
    monkeypatch.undo()


def test_a_thread_that_cannot_be_started_is_done_without(make_split, monkeypatch):
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    split, fit = make_split(), Fit((17, 5), 2, Recipe(epochs=2))
    alone = NativeEngine().fit(split, fit)
    monkeypatch.setattr(native_training, "CORES", Cores(idle))
    monkeypatch.setattr(native_training, "_WORTH_HELP", 0)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert_same_bits(alone, NativeEngine(n_cores=3).fit(split, fit))


def test_many_fits_at_once_share_the_cores(make_split, monkeypatch):
    monkeypatch.setattr(native_training, "CORES", Cores(idle))
    monkeypatch.setattr(native_training, "_WORTH_HELP", 0)
    split = make_split(n_rows=300, n_columns=30)
    fits = [Fit((40 + i, 20), 2, Recipe(epochs=3), seed=i) for i in range(12)]
    alone = [NativeEngine().fit(split, fit) for fit in fits]
    with ThreadPoolExecutor(3) as pool:
        for one, other in zip(alone, pool.map(NativeEngine(n_cores=4).fit, [split] * 12, fits), strict=True):
            assert_same_bits(one, other)


def leader(wanted: list[int]) -> Any:
    """A pass that notes how many threads were wanted for it."""

    def one_pass(meeting: np.ndarray, helping: bool) -> float:
        if not helping:
            wanted.append(int(meeting[WANTED]))
        return 0.0

    return one_pass


@pytest.mark.parametrize(
    ("n_training", "n_cores", "expected"), [(1, 1, 1), (1, 4, 4), (2, 4, 2), (3, 4, 2), (4, 4, 1), (5, 4, 1)]
)
def test_free_cores_are_those_that_no_fit_has(n_training, n_cores, expected):
    cores, wanted = Cores(idle), list[int]()
    contexts = [cores.training() for _ in range(n_training)]
    for context in contexts:
        context.__enter__()
    cores.run(leader(wanted), n_cores)
    assert wanted == [expected]
    for context in contexts:
        context.__exit__(None, None, None)
    assert cores._n_training == 0
    assert not cores._lent


@pytest.mark.parametrize(("n_others", "expected"), [(0, 64), (1, 63), (60, 4), (63, 1), (64, 1), (500, 1)])
def test_no_core_is_taken_that_another_program_has(monkeypatch, n_others, expected):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    cores, wanted = Cores(lambda: n_others + 1), list[int]()
    cores._send = lambda *_: None  # type: ignore[method-assign]
    with cores.training():
        cores.run(leader(wanted), 64)
    assert wanted == [expected]


def test_a_fit_may_have_its_part_of_a_busy_machine(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    cores, wanted = Cores(lambda: 50), list[int]()
    with cores.training():
        cores.run(leader(wanted), 4)  # as where a container has four cores of 64
    assert wanted == [4]


@pytest.mark.parametrize(("text", "expected"), [("0.10 0.20 0.30 7/512 99\n", 7), ("0.1", 0), ("a b c d", 0)])
def test_threads_that_could_run_are_those_that_the_system_counts(monkeypatch, tmp_path, text, expected):
    path = tmp_path / "loadavg"
    monkeypatch.setattr(cores_module, "_LOAD", path)
    assert n_runnable() == 0
    path.write_text(text)
    assert n_runnable() == expected


def test_what_is_lent_to_one_fit_is_not_lent_to_another():
    cores, wanted = Cores(idle), list[int]()

    def one_pass(meeting: np.ndarray, helping: bool) -> float:
        if not helping:
            wanted.append(int(meeting[WANTED]))
            with cores.training():  # one of three cores is taken back
                wanted.append(int(meeting[WANTED]))
                cores.run(leader(wanted), 4)
        return 0.0

    with cores.training():
        cores.run(one_pass, 4)
    assert wanted == [4, 3, 1]


def test_a_pass_that_fails_sends_everybody_home():
    meetings: list[np.ndarray] = []

    def one_pass(meeting: np.ndarray, helping: bool) -> float:
        meetings.append(meeting)
        if not helping:
            raise MemoryError
        return 0.0

    cores = Cores(idle)
    with cores.training(), pytest.raises(MemoryError):
        cores.run(one_pass, 2)
    assert not cores._lent
    assert meetings[0][STEP] < 0


def test_there_are_no_more_threads_than_a_step_can_name():
    cores, wanted = Cores(idle), list[int]()
    cores._send = lambda *_: None  # type: ignore[method-assign]
    with cores.training():
        cores.run(leader(wanted), 10 * MOST)
    assert wanted == [MOST - 1]
    assert ARRIVED != STEP
