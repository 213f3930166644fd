"""Units on a cluster that are watched as they train: each epoch is told here, and may end the unit there."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from distributed import get_worker

from autoenc.engines import StopFlag, Stopped
from autoenc.searching.loop import Watch

__all__ = ["Epochs", "Watching", "epochs_told"]

Epochs = list[tuple[int, float]]
"""Epochs with their losses, in order."""


@dataclass
class _Watched:
    watch: Watch
    answer: Future[Any]
    told: set[int] = field(default_factory=set)


class Watching:
    """The units that a client watches.

    What a worker tells travels beside the results and may be late, so the epochs come with the result, too:
    none is missed, and a unit ends by the epoch that ends it on one machine.

    Args:
        client: A Dask client.
    """

    def __init__(self, client: Any) -> None:
        self._client, self._watched, self._numbers = client, dict[str, _Watched](), itertools.count()
        # One after the other and in a thread of its own: a watcher may write to a record.
        self._pool = ThreadPoolExecutor(1)
        self._topic = f"autoenc-{client.id}-epochs"
        client.subscribe_topic(self._topic, self._heard)

    def begin(self, watch: Watch, answer: Future[Any]) -> tuple[str, str]:
        """Watch a unit.

        Args:
            watch: Called after each epoch; what it raises ends the unit.
            answer: Then fails with it.

        Returns:
            What :func:`epochs_told` needs on the worker.
        """
        key = f"{self._topic}-{next(self._numbers)}"
        self._watched[key] = _Watched(watch, answer)
        return self._topic, key

    def end(self, key: str, epochs: Epochs, finish: Callable[[], object]) -> None:
        """Tell the epochs that were not told yet, and finish the unit unless one of them ended it."""
        self._later(self._ended, key, epochs, finish)

    def close(self) -> None:
        """Tell nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _heard(self, event: tuple[Any, tuple[str, int, float]]) -> None:
        self._later(self._told, *event[1])

    def _later(self, function: Callable[..., object], *arguments: Any) -> None:
        with suppress(RuntimeError):  # closed: nobody waits any more
            self._pool.submit(function, *arguments)

    def _told(self, key: str, epoch: int, loss: float) -> None:
        watched = self._watched.get(key)
        if watched is None or epoch in watched.told:
            return
        watched.told.add(epoch)
        try:
            watched.watch(epoch, loss)
        except Exception as error:
            del self._watched[key]
            if watched.answer.set_running_or_notify_cancel():
                watched.answer.set_exception(error)
            self._client.run(_give_up, key, wait=False, on_error="ignore")

    def _ended(self, key: str, epochs: Epochs, finish: Callable[[], object]) -> None:
        for epoch, loss in epochs:
            self._told(key, epoch, loss)
        if self._watched.pop(key, None) is not None:
            finish()


_RUNNING: dict[str, StopFlag] = {}
"""On a worker: what ends the units that are watched."""


def _give_up(key: str) -> None:
    if key in _RUNNING:
        _RUNNING[key].set()


class epochs_told:  # noqa: N801  (used as a function)
    """Tells each epoch of a unit, on its worker; as a context it is what watches there.

    Args:
        topic: Of the client.
        key: Of the unit.

    Attributes:
        epochs: What was told.
    """

    def __init__(self, topic: str, key: str) -> None:
        self._topic, self._key, self._worker = topic, key, get_worker()
        self.epochs: Epochs = []

    def __enter__(self) -> epochs_told:
        _RUNNING[self._key] = StopFlag()
        return self

    def __exit__(self, *_: object) -> None:
        del _RUNNING[self._key]

    def __call__(self, epoch: int, loss: float) -> None:
        """Tell an epoch, and end the unit where its watcher has ended it meanwhile."""
        self.epochs.append((epoch, loss))
        self._worker.log_event(self._topic, (self._key, epoch, loss))
        if _RUNNING[self._key].is_set():
            raise Stopped
