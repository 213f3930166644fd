"""Engines are prepared once, however many threads ask for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from autoenc.engines import Outcome, Recipe
from autoenc.engines.prepared import Prepared


class Slow(Prepared):
    """Takes a moment for its first fit."""

    _first_recipe = Recipe(epochs=1)

    def __init__(self) -> None:
        self.n_fits = self.n_most = self._n_now = 0

    def _fit(self, request, stop):
        self.n_fits += 1
        self._n_now += 1
        self.n_most = max(self.n_most, self._n_now)
        time.sleep(0.1)
        self._n_now -= 1
        return Outcome([], [], 0.0, 0.0, {})


def test_threads_that_come_meanwhile_wait_and_prepare_nothing_again():
    engine, together = Slow(), threading.Barrier(4)

    def prepare():
        together.wait()
        engine.prepare()
        return engine.n_fits

    with ThreadPoolExecutor(4) as pool:
        seen = [task.result() for task in [pool.submit(prepare) for _ in range(4)]]
    assert (engine.n_fits, engine.n_most) == (1, 1)
    assert seen == [1, 1, 1, 1], "nobody goes on before it is prepared"
