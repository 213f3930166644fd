"""Gathering: fits that threads ask for at the same time are trained together.

Whoever asks for fits need not know: each thread calls ``fit`` and waits, one of them has all trained.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import ManyAtOnce, Request, StopFlag, Stopped, check_initial
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.one_by_one import OneByOne
from autoenc.engines.split import Split
from autoenc.engines.wrapping import Wrapping

__all__ = ["Gathering"]

_SETTLE_S = 0.02  # without a further request, no more are on their way


class _Waiting:
    """A request whose thread waits."""

    def __init__(self, request: Request, stop: StopFlag | None) -> None:
        self.request, self.stop = request, stop
        self.woken = threading.Event()
        self.answer: Outcome | BaseException | None = None

    def give(self, answer: Outcome | BaseException) -> None:
        """Answer, and let the thread go on."""
        self.answer = answer
        self.woken.set()


class Gathering(Wrapping[ManyAtOnce]):
    """An engine that hands another one all fits that are asked for at the same time.

    What a fit comes to depends on what is trained beside it, by rounding alone.

    Args:
        base: What trains many fits at once.
    """

    def __init__(self, base: ManyAtOnce) -> None:
        super().__init__(base)
        device = "cuda:0" if base.device == "cuda" else base.device
        self._lock, self._one_by_one = threading.Lock(), OneByOne(device)
        self._waiting: list[_Waiting] = []
        self._is_led = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it gathers there what is asked for there."""
        return Gathering, (self._base,)

    def prepare(self) -> None:
        """Do what takes time once per process."""
        self._one_by_one.do(self._base.prepare)

    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Return what a trained network makes of rows, once what is in training is done."""
        made: NDArray[np.floating] = self._one_by_one.do(
            lambda: self._base.reconstruct(split, fit, state, rows)
        )
        return made

    def _train(self, request: Request, stop: StopFlag | None) -> Outcome:
        check_initial(request.fit, request.initial)
        own = _Waiting(request, stop)
        with self._lock:
            self._waiting.append(own)
            is_leader, self._is_led = not self._is_led, True
        if not is_leader:
            try:
                own.woken.wait()
            except BaseException:
                self._leave(own)
                raise
        if own.answer is None:  # nobody has trained it, so this thread leads
            self._lead(own)
        assert own.answer is not None
        if isinstance(own.answer, BaseException):
            raise own.answer
        return own.answer

    def _leave(self, own: _Waiting) -> None:
        """Take back a request; if its thread was to lead, another does."""
        with self._lock:
            was_to_lead = own.woken.is_set() and own in self._waiting
            self._waiting = [one for one in self._waiting if one is not own]
            if was_to_lead:
                self._hand_on()

    def _hand_on(self) -> None:
        """Make the thread whose request came first the next leader; called with the lock."""
        self._is_led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].woken.set()

    def _lead(self, own: _Waiting) -> None:
        """Train what waits, and make a thread whose request came later the next leader.

        Raises:
            BaseException: If this thread is interrupted; the others are told that all was stopped.
        """
        together: list[_Waiting] = []
        stop = own.stop or StopFlag()
        try:
            together = self._gathered(own)
            requests = [one.request for one in together]
            self._one_by_one.do(
                lambda: self._base.fit_many(requests, lambda i, answer: together[i].give(answer), stop),
                give_up=stop.set,
            )
        except BaseException as error:
            for one in together or [own]:
                if one.answer is None:
                    one.give(error if isinstance(error, Exception) else Stopped())
            if not isinstance(error, Exception):
                raise
        finally:
            with self._lock:
                self._waiting = [one for one in self._waiting if one.answer is None]
                self._hand_on()

    def _gathered(self, own: _Waiting) -> list[_Waiting]:
        """Requests with the same flag, once no more are on their way; they wait no longer."""
        n_before = 0
        while n_before < (n_now := len(self._waiting)) < self.n_at_once:
            n_before = n_now
            time.sleep(_SETTLE_S)
        with self._lock:
            same = [one for one in self._waiting if one.stop is own.stop and one is not own]
            together = [own, *same[: self.n_at_once - 1]]
            self._waiting = [one for one in self._waiting if one not in together]
        return together
