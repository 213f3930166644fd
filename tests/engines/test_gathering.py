"""Fits that threads ask for at the same time are trained together."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain

import pytest

from autoenc.engines import Fit, Outcome, Recipe, StopFlag, Stopped, gathering
from autoenc.engines.gathering import Gathering

FITS = [Fit((width,), 2, Recipe(epochs=2)) for width in range(3, 11)]


class Together:
    """Notes which fits come together; the outcome of a fit has its width as its time."""

    name = device = "together"
    n_at_once = 6

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.error: BaseException | None = None
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.threads: list[threading.Thread] = []
        self.n_at_work = self.n_most = 0

    @contextmanager
    def at_work(self):
        self.threads.append(threading.current_thread())
        self.n_at_work += 1
        self.n_most = max(self.n_most, self.n_at_work)
        try:
            yield
        finally:
            self.n_at_work -= 1

    def prepare(self) -> None:
        with self.at_work():
            time.sleep(0.01)

    def reconstruct(self, split, fit, state, rows) -> str:
        with self.at_work():
            time.sleep(0.01)
            return f"made of {rows}"

    def fit_many(self, requests, answer, stop=None) -> None:
        with self.at_work():
            self._fit_many(requests, answer, stop)

    def _fit_many(self, requests, answer, stop) -> None:
        widths = [request.fit.architecture[0] for request in requests]
        self.batches.append(widths)
        self.begun.set()
        self.go_on.wait(10)
        for i, width in enumerate(widths):
            if self.error is not None and i == len(widths) - 1:
                raise self.error
            odd = LookupError(width) if width == 4 else None
            answer(i, odd or Outcome([], [], 0.0, float(width), {}))


@pytest.fixture
def base():
    return Together()


def asked(engine, fits, stop=None, n_threads=8):
    """What each of the fits came to, asked for at the same time."""
    with ThreadPoolExecutor(n_threads) as pool:
        futures = [pool.submit(engine.fit, None, fit, stop) for fit in fits]
        return [future.exception(10) or future.result().seconds for future in futures]


def test_all_that_is_asked_for_at_once_comes_together_up_to_a_bound(base):
    found = asked(Gathering(base), FITS)
    assert isinstance(found.pop(1), LookupError), "what ended a fit is raised for whoever asked for it"
    assert found == [3, 5, 6, 7, 8, 9, 10]
    assert sorted(map(len, base.batches), reverse=True)[0] > 1
    assert max(map(len, base.batches)) <= base.n_at_once
    assert sorted(chain(*base.batches)) == [*range(3, 11)], "each once"


def test_what_comes_while_others_train_is_trained_after_them(base):
    engine, fits = Gathering(base), [fit for fit in FITS if fit.architecture != (4,)]
    base.go_on.clear()
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(engine.fit, None, fits[0])]
        assert base.begun.wait(10)
        futures += [pool.submit(engine.fit, None, fit) for fit in fits[1:]]
        base.go_on.set()
        assert [future.result(10).seconds for future in futures] == [3, 5, 6, 7, 8, 9, 10]
    assert base.batches[0] == [3]


def test_fits_with_different_flags_are_not_mixed(base):
    engine, flags = Gathering(base), (StopFlag(), StopFlag())
    with ThreadPoolExecutor(8) as pool:
        for i, fit in enumerate(FITS):
            pool.submit(engine.fit, None, fit, flags[i % 2])
    assert sorted(chain(*base.batches)) == [*range(3, 11)]
    assert all(len({width % 2 for width in widths}) == 1 for widths in base.batches)


@pytest.mark.parametrize("error", [Stopped(), RuntimeError("x")])
def test_an_error_of_all_is_raised_for_all_that_have_no_answer(base, error):
    base.error = error
    found = asked(Gathering(base), [fit for fit in FITS if fit.architecture != (4,)])
    assert found.count(error) == len(base.batches)
    base.error = None
    assert asked(Gathering(base), FITS[:1]) == [3]


def test_who_is_interrupted_while_waiting_leaves_and_the_others_go_on(base):
    engine = Gathering(base)
    base.go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(engine.fit, None, FITS[0])
        assert base.begun.wait(10)

        class Interrupted(threading.Event):
            def wait(self, timeout=None):
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gathering.threading, "Event", Interrupted)
            with pytest.raises(KeyboardInterrupt):
                engine.fit(None, FITS[2])
        base.go_on.set()
        assert first.result(10).seconds == 3
    assert asked(engine, FITS[2:4]) == [5, 6]
    assert sum(width == 5 for width in chain(*base.batches)) == 1, "what was left is not trained"


def test_who_was_to_lead_and_leaves_has_another_lead(base):
    engine = Gathering(base)
    waiting = [gathering._Waiting(gathering.Request(None, fit, None), None) for fit in FITS[:2]]
    engine._waiting, engine._is_led = list(waiting), True
    waiting[0].woken.set()
    engine._leave(waiting[0])
    assert waiting[1].woken.is_set()
    engine._leave(waiting[1])
    assert asked(engine, FITS[:1]) == [3], "nobody is waited for"


def test_who_leads_is_interrupted_itself_and_the_others_are_stopped(base):
    engine, stop = Gathering(base), StopFlag()
    base.go_on.clear()
    with ThreadPoolExecutor(2) as pool:
        leading = pool.submit(engine.fit, None, FITS[0], stop)
        while not engine._waiting:
            time.sleep(0.001)
        other = pool.submit(engine.fit, None, FITS[2], stop)
        base.error = KeyboardInterrupt()
        base.go_on.set()
        found = {type(leading.exception(10)), type(other.exception(10))}
    assert KeyboardInterrupt in found
    assert found <= {KeyboardInterrupt, Stopped, type(None)}
    base.error = None
    assert asked(engine, FITS[:1]) == [3]


def test_engines_of_one_gpu_take_turns():
    engines = [Gathering(Together()) for _ in range(3)]
    for engine, device in zip(engines, ("cuda", "cuda:0", "cuda:1"), strict=True):
        engine._base.device = device
    locks = [Gathering(engine._base)._one_by_one._lock for engine in engines]
    assert locks[0] is locks[1] is not locks[2]


def test_it_can_be_sent_to_another_process():
    from autoenc.engines import make_engine

    engine = pickle.loads(pickle.dumps(make_engine("stacked", "cpu")))
    assert (engine.name, engine.device, engine.n_at_once) == ("stacked", "cpu", 64)


def test_a_warm_start_without_parameters_is_refused_at_once(base):
    with pytest.raises(ValueError, match="initial must be"):
        Gathering(base).fit(None, Fit((3, 2), 2, Recipe(warm_start=True)))
    assert not base.batches


def test_the_device_is_used_by_one_thread_at_a_time_which_ends_with_its_work(base):
    engine = Gathering(base)
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(engine.reconstruct, None, FITS[0], {}, i) for i in range(4)]
        done = [pool.submit(engine.prepare) for _ in range(4)]
        assert [future.result(10) for future in made] == [f"made of {i}" for i in range(4)]
        assert not any(future.exception(10) for future in done)
    asked(engine, FITS)
    assert base.n_most == 1
    assert len(base.threads) > 8
    assert not any(thread.is_alive() for thread in base.threads)
    assert threading.current_thread() not in base.threads


def test_work_of_a_thread_that_is_interrupted_ends_before_other_work_begins(base, monkeypatch):
    joined = threading.Thread.join
    flags = []

    def fit_many(requests, answer, stop):
        with base.at_work():
            flags.append(stop)
            while not stop.is_set():
                time.sleep(0.001)
            raise Stopped

    def join(thread, timeout=None):
        monkeypatch.setattr(threading.Thread, "join", joined)
        while not flags:
            time.sleep(0.001)
        raise KeyboardInterrupt

    base.fit_many, engine = fit_many, Gathering(base)
    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt):
        engine.fit(None, FITS[0])
    assert flags[0].is_set()
    assert base.n_at_work == 0
