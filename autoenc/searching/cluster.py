"""Fits on a Dask cluster: workers may join, leave and die, and the results are those of one machine.

The scaled data of a fold reach every worker once, as a worker plugin: the scheduler keeps it and hands it to
each worker that joins, before that worker's first task. Fits themselves are a few hundred bytes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import lru_cache
from typing import Any, NamedTuple

from distributed import Client, KilledWorker, WorkerPlugin, get_worker, rpc

from autoenc import __version__
from autoenc.engines import Engine, Fit, Outcome, Split, make_engine
from autoenc.errors import InputError
from autoenc.record.identity import FORMAT_VERSION
from autoenc.searching.executors import train_one
from autoenc.searching.loop import BatchLost, Watch
from autoenc.system.text import warn
from autoenc.system.trouble import MachineError, trouble

__all__ = ["DaskCluster"]

CONNECT_S = 5.0
# A task costs client and scheduler about a millisecond or two. Batches are long enough that this is little of
# a worker's time, and the longer the more threads there are, since there is one scheduler for all of them.
BATCH_S, BATCH_S_PER_SLOT = 0.5, 0.005
WORKERS_S = 1.0  # how often the number of threads is asked for


class Version(NamedTuple):
    """What must be the same here and on every worker."""

    autoenc: str
    record_format: int


class DaskCluster:
    """The threads of all workers of a Dask cluster; see :class:`~autoenc.searching.loop.Executor`.

    A batch whose worker dies is given to another worker by the scheduler. Workers train with the kind of
    engine that is named here, in its usual precision, each thread one fit at a time.

    Args:
        address: The scheduler's, e.g. ``tcp://host:8786``.
        engine: Which kind of engine trains.
        split_of: The data of a fold, by its name.

    Raises:
        InputError: If nobody answers there, or a worker runs another version.
    """

    def __init__(self, address: str, engine: Engine, split_of: Callable[[str], Split]) -> None:
        self.address, self._split_of = address, split_of
        self._kind = (engine.name, engine.device)
        # What it would log about a lost connection is told as an error instead.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            asyncio.run(asyncio.wait_for(_ask(address), CONNECT_S))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else "no answer"
            raise InputError(
                f"--scheduler {address}: no Dask scheduler answers there within {CONNECT_S:g} s ({reason}); "
                "`dask scheduler` starts one and prints its address"
            ) from None
        self._client: Any = Client(address, timeout=CONNECT_S, set_as_default=False)
        self._sent: set[str] = set()
        self._slots, self._asked = 0, -WORKERS_S
        try:
            self._check_versions()
        except BaseException:
            self.close()
            raise

    def slots(self) -> int:
        """See :class:`~autoenc.searching.loop.Executor`; at least 1, so that something waits."""
        if time.monotonic() - self._asked > WORKERS_S:
            before = self._slots
            self._slots = self.n_threads()
            self._asked = time.monotonic()
            if not self._slots and before:
                warn(f"warning: {self.address} has lost all its workers; waiting for others")
        return max(self._slots, 1)

    def n_threads(self) -> int:
        """Threads of all workers there are now; as last known where the scheduler is too busy to say."""
        try:
            threads: dict[str, int] = self._client.sync(
                self._client.scheduler.ncores, callback_timeout=CONNECT_S
            )
        except (OSError, TimeoutError):  # where the connection is lost, the fits in flight say so
            return self._slots
        return sum(threads.values())

    def batch_s(self) -> float:
        """See :class:`~autoenc.searching.loop.Executor`."""
        return max(BATCH_S, BATCH_S_PER_SLOT * self._slots)

    def submit(self, units: Sequence[Fit], watch: Watch | None = None) -> Future[list[Outcome]]:
        """No worker is watched; see :class:`~autoenc.searching.loop.Executor`."""
        for fold in {fit.fold for fit in units} - self._sent:
            self._send(fold)
        answer: Future[list[Outcome]] = Future()
        task = self._client.submit(
            _train_batch, _here(), self._client.id, self._kind, list(units), pure=False
        )
        # Whoever gives up the answer gives up the task; one that is already running ends for nobody.
        answer.add_done_callback(lambda done: task.release() if done.cancelled() else None)
        task.add_done_callback(lambda done: self._hand_over(done, answer))
        return answer

    def close(self) -> None:
        """See :class:`~autoenc.searching.loop.Executor`."""
        try:
            for fold in sorted(self._sent):
                self._client.sync(
                    self._client.scheduler.unregister_worker_plugin,
                    name=_key(self._client.id, fold),
                    callback_timeout=CONNECT_S,
                )
        except (OSError, TimeoutError, ValueError):
            pass  # a scheduler that is gone holds no data any more
        self._client.close(timeout=CONNECT_S)

    def _send(self, fold: str) -> None:
        key = _key(self._client.id, fold)
        for attempt in range(3):
            try:
                self._client.register_plugin(_Data(key, self._split_of(fold)), name=key)
                break
            except OSError:  # a worker went away meanwhile; the others may not have it yet
                if attempt == 2:
                    raise self._lost() from None
        self._sent.add(fold)

    def _check_versions(self) -> None:
        # A function within a function travels whole, so it arrives where there is no autoenc, too.
        def version() -> tuple[str, int] | None:
            try:
                from autoenc import __version__
                from autoenc.record.identity import FORMAT_VERSION
            except ImportError:
                return None
            return __version__, FORMAT_VERSION

        found = self._client.run(version, on_error="return")
        wrong = [_mismatch(worker, said) for worker, said in found.items() if said is None or said != _here()]
        if wrong:
            raise InputError(wrong)

    def _lost(self) -> InputError:
        return InputError(
            f"--scheduler {self.address}: the connection to the scheduler is lost; what is recorded is safe, "
            "and the same command goes on from there"
        )

    def _hand_over(self, task: Any, answer: Future[list[Outcome]]) -> None:
        """Give what became of a task to who waits for it, in the words of this interface."""
        if not answer.set_running_or_notify_cancel():
            return
        if task.status == "finished":
            answer.set_result(task.result())
        elif task.status == "cancelled":
            answer.set_exception(self._lost())
        else:
            error = task.exception()
            if isinstance(error, KilledWorker):
                text = "the workers that were to train it died, again and again; nothing of it is recorded"
                answer.set_exception(BatchLost(text))
            elif isinstance(error, InputError):
                answer.set_exception(error)
            elif (reason := trouble(error)) is not None:
                answer.set_exception(MachineError(f"--scheduler {self.address}: a worker: {reason}"))
            else:  # the engine's errors are outcomes, so this is a worker that cannot work
                told = f"--scheduler {self.address}: a worker cannot train: {type(error).__name__}: {error}"
                answer.set_exception(InputError(told))


async def _ask(address: str) -> None:
    """See that a scheduler is there; a client by itself would wait for ever for one that is silent."""
    async with rpc(address) as server:
        said = await server.identity()
    if said.get("type") != "Scheduler":
        raise ValueError("what answers is no scheduler")


_SPLITS: dict[str, Split] = {}
"""On a worker: the data of each client's folds."""


class _Data(WorkerPlugin):
    """Data of a fold on their way to a worker."""

    def __init__(self, key: str, split: Split) -> None:
        self.key, self.split = key, split

    def setup(self, worker: Any) -> None:
        _SPLITS[self.key] = self.split

    def teardown(self, worker: Any) -> None:
        _SPLITS.pop(self.key, None)


def _train_batch(expected: Version, client: str, kind: tuple[Any, Any], fits: list[Fit]) -> list[Outcome]:
    """On a worker: train fits one after the other."""
    if expected != _here():  # a worker that joined after the others were asked
        raise InputError(_mismatch(get_worker().address, _here(), expected))
    engine = _engine(*kind)
    return [train_one(engine, _SPLITS[_key(client, fit.fold)], fit) for fit in fits]


@lru_cache
def _engine(name: Any, device: Any) -> Engine:
    return make_engine(name, device)


def _key(client: str, fold: str) -> str:
    return f"autoenc-{client}-{fold}"


def _here() -> Version:
    return Version(__version__, FORMAT_VERSION)


def _mismatch(worker: str, said: Any, expected: Version | None = None) -> str:
    expected = expected or _here()
    if isinstance(said, tuple):
        what = f"autoenc {said[0]} with record format {said[1]}"
    else:
        what = "no autoenc" if said is None else f"an autoenc that cannot be imported ({said})"
    return (
        f"--scheduler: worker {worker} has {what}, but {expected.autoenc} with record format "
        f"{expected.record_format} is needed"
    )
