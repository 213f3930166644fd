"""What differs between devices, with stand-ins for what only a GPU has."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoenc.engines import Fit, Recipe, Request, make_engine, stacked
from autoenc.engines.stacked import StackedEngine
from autoenc.engines.stacks.places import CPU, CUDA, place_of
from autoenc.engines.stacks.stack import Stack
from autoenc.engines.stacks.step import Steps
from autoenc.engines.stacks.tables import DeviceTables
from autoenc.errors import InputError
from autoenc.system.trouble import MachineError

FITS = [Fit((width, 4), 2, Recipe(epochs=3, batch_size=8), seed) for width in (4, 7) for seed in range(3)]


class Captured(CPU):
    """Does with a step what a graph does: warms up, records where its tensors are, and undoes all that."""

    shrinks_below = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.n_captured = 0

    def repeatable(self, step, state):
        self.n_captured += 1
        before = [tensor.clone() for tensor in state]
        for _ in range(3):
            step()
        for tensor, value in zip(state, before, strict=True):
            tensor.copy_(value)
        places = [tensor.data_ptr() for tensor in state]

        def repeat() -> None:
            assert [tensor.data_ptr() for tensor in state] == places
            step()

        return repeat


class FullError(Exception):
    """Memory ran out."""


class Small(CPU):
    """Has memory for so many models at once, which it cannot say beforehand."""

    def __init__(self, n_models: int) -> None:
        super().__init__()
        self.n_models, self.tried = n_models, list[int]()
        self.is_released = True

    def repeatable(self, step, state):
        assert self.is_released
        self.tried.append(len(state[0]))
        if len(state[0]) > self.n_models:
            self.is_released = False
            raise FullError
        return step

    def is_out_of_memory(self, error):
        return isinstance(error, FullError)

    def release(self) -> None:
        self.is_released = True


@pytest.fixture
def split(make_split):
    return make_split()


def trained(engine, split, fits=FITS, watches=None):
    answers = {}
    requests = [Request(split, fit, watches[i] if watches else None) for i, fit in enumerate(fits)]
    engine.fit_many(requests, answers.__setitem__)
    return [answers[i] for i in range(len(fits))]


def losses(outcomes):
    return [outcome.test_losses for outcome in outcomes]


def test_warming_up_and_staying_in_place_changes_nothing(split):
    place = Captured()
    patient = Recipe(epochs=12, batch_size=8, initial_lr=0.05, patience=1, min_epochs=1)
    fits = [*FITS, *(replace(fit, recipe=patient) for fit in FITS)]
    found = trained(StackedEngine(np.float64, place=place), split, fits)
    expected = trained(StackedEngine(np.float64), split, fits)
    assert [len(own) for own in losses(found)] == [len(own) for own in losses(expected)]
    for own, other in zip(losses(found), losses(expected), strict=True):
        assert own == pytest.approx(other, rel=1e-9)
    assert place.n_captured < 6, "a stack is captured anew once half of it is gone, not with each that leaves"


def test_a_stack_that_memory_is_too_small_for_is_halved(split):
    place = Small(2)
    found = trained(StackedEngine(np.float64, place=place), split)
    assert place.tried[0] == 1, "preparing trains one"
    assert place.tried[1:] == [6, 3, 3, 1, 2, 1, 2]
    expected = trained(StackedEngine(np.float64), split)
    for own, other in zip(losses(found), losses(expected), strict=True):
        assert own == pytest.approx(other, rel=1e-10)


def test_what_does_not_fit_alone_is_refused_with_what_would(split):
    engine = StackedEngine(place=Small(1))
    engine.prepare()
    engine._place.n_models = 0
    with pytest.raises(InputError, match=r"stack 4-4 with batches of 8 rows .* --batch_size 4 would fit"):
        trained(engine, split, FITS[:1])


@pytest.mark.parametrize(
    ("widths", "batch_size", "mebibytes", "advice"),
    [
        ((4096, 4096), 32, 500, "a stack of widths up to 2048 would fit"),
        ((512,), 10**6, 60, r"--batch_size \d+ would fit"),
        ((64,), 32, 0, "use --engine native"),
    ],
)
def test_what_cannot_fit_is_refused_before_it_is_trained(make_split, widths, batch_size, mebibytes, advice):
    place = CPU()
    engine = StackedEngine(place=place)
    engine.prepare()
    place.room_bytes = lambda: mebibytes * 2**20
    place.repeatable = None
    fit = Fit(widths, 2, Recipe(epochs=1, batch_size=batch_size))
    with pytest.raises(InputError, match=advice):
        engine.fit(make_split(n_rows=3000), fit)


def test_tables_that_have_no_room_at_once_come_one_after_the_other(make_split, monkeypatch):
    splits = [make_split(n_rows=400 + i, seed=i) for i in range(4)]
    fits = [Fit((4,), 2, Recipe(epochs=2, batch_size=8), seed) for seed in range(2) for _ in splits]
    requests = [Request(split, fit) for split, fit in zip(splits * 2, fits, strict=True)]

    def outcomes(place):
        answers = {}
        StackedEngine(np.float64, place=place).fit_many(requests, answers.__setitem__)
        return losses(answers[i] for i in range(len(requests)))

    expected, n_tables = outcomes(CPU()), list[int]()
    place, real = CPU(), stacked.DeviceTables
    alone = stacked.stack_bytes(stacked.Candidate.of(fits[0], splits[0]), 1, 8)
    place.room_bytes = lambda: 2 * 8 * splits[3].values.size + alone

    def counted(splits, *given):
        n_tables.append(len({id(split.values) for split in splits}))
        return real(splits, *given)

    monkeypatch.setattr(stacked, "DeviceTables", counted)
    np.testing.assert_allclose(outcomes(place), expected, rtol=1e-10)
    assert n_tables[-2:] == [2, 2]


def test_a_device_that_gives_nothing_back_is_a_failure_of_the_machine(split):
    place = Small(0)

    def release():
        raise RuntimeError("a capture is going on")

    engine = StackedEngine(place=place)
    place.n_models = 6
    engine.prepare()
    place.n_models, place.release = 0, release
    with pytest.raises(MachineError, match="the device cannot be used any more"):
        trained(engine, split)


def test_an_error_of_one_fit_is_no_other_fits(split, monkeypatch):
    real = stacked.start_of

    def start_of(split, fit):
        if fit is FITS[2]:
            raise ArithmeticError("this one")
        return real(split, fit)

    monkeypatch.setattr(stacked, "start_of", start_of)
    found = trained(StackedEngine(), split)
    assert str(found.pop(2)) == "this one"
    assert all(outcome.failure is None for outcome in found)


def test_nothing_of_a_stack_stays_in_memory(split):
    engine = StackedEngine()
    trained(engine, split)
    gc.collect()
    gc.disable()
    try:
        trained(engine, split)
        assert not [one for one in gc.get_objects() if type(one) in (Steps, Stack, DeviceTables)]
    finally:
        gc.enable()


def test_watchers_see_each_epoch_once_and_end_their_own_fit(split):
    seen = [[] for _ in FITS]

    def watch(i):
        def watching(epoch, loss):
            seen[i].append(epoch)
            if i == 1 and epoch == 1:
                raise LookupError

        return watching

    place = Small(2)  # where halves begin anew
    found = trained(StackedEngine(place=place), split, watches=[watch(i) for i in range(len(FITS))])
    assert isinstance(found.pop(1), LookupError)
    assert seen.pop(1) == [0, 1]
    assert seen == [[0, 1, 2]] * 5
    assert all(len(outcome.test_losses) == 3 for outcome in found)


def test_devices_that_are_not_there_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", "cuda:1"):
        with pytest.raises(InputError, match=f"--device {device}: no CUDA device is available here"):
            make_engine("stacked", device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="no such CUDA device here, only cuda:0, cuda:1"):
        place_of("cuda:2")
    assert place_of("cuda:1").device == torch.device("cuda", 1)
    assert isinstance(place_of("cuda"), CUDA)
    with pytest.raises(InputError, match="use --engine stacked"):
        make_engine("native", "cuda")


def test_memory_that_ran_out_is_known_by_whatever_stands_behind_an_error():
    place = CUDA()
    full = torch.cuda.OutOfMemoryError("no room")
    behind = RuntimeError("operation failed due to a previous error during capture")
    behind.__context__ = full
    driver = RuntimeError("CUDA error: out of memory")
    blas = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
    assert all(place.is_out_of_memory(error) for error in (full, behind, driver, blas))
    other = RuntimeError("CUDA error: an illegal memory access was encountered")
    machine = MemoryError("out of memory")
    assert not any(place.is_out_of_memory(error) for error in (other, machine))


class Driver:
    """Plays what :class:`CUDA` asks of torch, and watches over it: work is done at once, by the processor."""

    def __init__(self, monkeypatch) -> None:
        self.streams: list[object] = [object()]  # the default one
        self.n_replays = 0
        driver = self

        class Stream:
            def __init__(self, device) -> None:
                self.waits_for: list[object] = []

            def wait_stream(self, other) -> None:
                self.waits_for.append(other)

        class Graph:
            def replay(self) -> None:
                assert driver.streams[-1] is self.stream, "a graph is replayed where it was captured"
                driver.n_replays += 1
                driver.step()

        @contextmanager
        def stream(new):
            driver.streams.append(new)
            yield
            driver.streams.pop()

        @contextmanager
        def graph(own, stream, capture_error_mode):
            assert stream is driver.streams[-1]
            assert stream is not driver.streams[0], "the default stream captures nothing"
            assert capture_error_mode == "thread_local"
            own.stream = stream
            yield

        for name, value in {
            "Stream": Stream, "CUDAGraph": Graph, "stream": stream, "graph": graph,
            "current_stream": lambda device: driver.streams[-1],
        }.items():  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, value)


def test_a_step_is_captured_and_replayed_on_the_stream_of_its_lane(monkeypatch):
    driver, place = Driver(monkeypatch), CUDA()
    state, streams, replays = torch.zeros(2), [], {}

    def step() -> None:
        streams.append(driver.streams[-1])
        state.add_(1)

    driver.step = step
    for lane in (0, 1):
        with place.lane(lane):
            replays[lane] = place.repeatable(step, [state])
        assert len(set(streams)) == lane + 1, "a lane warms up and captures on a stream of its own"
        assert state.tolist() == [0, 0], "warming up is undone"
    for lane in (1, 0):
        with place.lane(lane):
            replays[lane]()
            assert driver.streams[-1].waits_for == 2 * driver.streams[:1], "tables are made before lanes"
    assert driver.n_replays == 2
    assert state.tolist() == [2, 2]


def test_a_processor_cannot_round_as_a_gpu_does():
    with pytest.raises(InputError, match="--engine stacked_tf32 rounds as only a GPU can"):
        make_engine("stacked_tf32", "cpu")
