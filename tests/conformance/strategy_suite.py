"""What everything that chooses trials must do; a subclass provides the fixture ``make``.

It makes a :class:`Search` whose record is empty. Nothing is trained: a made-up executor hands out losses that
follow from the units alone.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np
import pytest
import torch

from autoenc.searching import loop


class Search(Protocol):
    """A search with its record, as the suite needs it."""

    def go(self, executor: MadeUp, n_parallel: int) -> None:
        """Run the search in a process of its own, that is: with nothing but the record to go by."""

    def outcome(self, unit: Any, loss: float, failure: str | None) -> Any:
        """An outcome of a unit."""

    def history(self) -> list[Any]:
        """All that the record holds of trials that ended, as plain values."""


class Killed(BaseException):
    """Ends a process while a unit is in training."""


class MadeUp:
    """An executor that trains nothing.

    Args:
        search: Says what an outcome is.
        n_most: Units after which the process is killed.
        failing: Share of the units that fail.
        n_slots: Units at once; the last ones that were begun end first.
    """

    def __init__(self, search: Search, n_most: int = 10**6, failing: float = 0, n_slots: int = 1) -> None:
        self._search, self._n_most, self._failing, self._n_slots = search, n_most, failing, n_slots
        self._waiting: list[tuple[Future, list[Any]]] = []
        self.units: list[str] = []

    def slots(self) -> int:
        for future, outcomes in self._waiting[::-1]:
            future.set_result(outcomes)
        self._waiting.clear()
        return self._n_slots

    def batch_s(self) -> float:
        return 0.0

    def submit(self, units: Sequence[Any], watch: Any = None) -> Future:
        self.units += map(repr, units)
        if len(self.units) > self._n_most:
            raise Killed
        answer: Future = Future()
        self._waiting.append((answer, [self._outcome(unit) for unit in units]))
        if self._n_slots == 1:
            self.slots()
        return answer

    def close(self) -> None:
        raise AssertionError("an executor that was handed in is left open")

    def _outcome(self, unit: Any) -> Any:
        number = int.from_bytes(hashlib.sha256(repr(unit).encode()).digest()[:4], "big") / 2**32
        failed = number < self._failing
        return self._search.outcome(unit, float("nan") if failed else number, "bad" if failed else None)


class StrategySuite:
    """Behaviour that the loop and whoever resumes a search rely on.

    Attributes:
        failing: Share of the units that fail where some should.
        may_repeat: Whether it may propose a trial that is like an earlier one.
    """

    failing = 0.3
    may_repeat = False

    @pytest.fixture(autouse=True)
    def _no_waiting(self, monkeypatch):
        monkeypatch.setattr(loop, "_POLL_S", 0.001)

    @pytest.fixture
    def whole(self, make):
        """A search that ran to its end in one go."""
        search = make()
        search.go(MadeUp(search), 1)
        return search

    def test_it_comes_to_an_end_with_every_unit_measured_once(self, make):
        search = make()
        before = _random_numbers()
        search.go(measured := MadeUp(search), 1)
        assert self.may_repeat or max(Counter(measured.units).values()) == 1
        assert len(search.history()) > 3
        search.go(again := MadeUp(search), 1)
        assert again.units == []
        assert _random_numbers() == before

    def test_it_is_the_same_search_again(self, make, whole):
        search = make()
        search.go(MadeUp(search), 1)
        assert search.history() == whole.history()

    def test_kills_change_nothing(self, make, whole):
        search, n_kills = make(), 0
        while True:
            try:
                search.go(MadeUp(search, n_most=4), 1)
                break
            except Killed:
                n_kills += 1
        assert n_kills > 1
        assert search.history() == whole.history()

    def test_what_fails_is_recorded_and_ends_nothing(self, make, whole):
        search = make()
        search.go(MadeUp(search, failing=self.failing), 1)
        text = str(search.history())
        assert "bad" in text, "this shows nothing"
        assert text.count("bad") < len(search.history())
        search.go(again := MadeUp(search), 1)
        assert again.units == [], "failures are measured again only where that is asked for"

    def test_several_at_once_come_to_as_many(self, make, whole):
        search = make()
        search.go(measured := MadeUp(search, n_slots=3), 3)
        assert len(search.history()) == len(whole.history())
        assert self.may_repeat or max(Counter(measured.units).values()) == 1


def _random_numbers() -> list[str]:
    """What Python, NumPy and torch would draw next."""
    keys, position = np.random.get_state()[1:3]  # noqa: NPY002
    return [str(random.getstate()), str([keys.tolist(), position]), str(torch.get_rng_state().tolist())]
