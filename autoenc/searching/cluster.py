"""Units on a Dask cluster: workers may join, leave and die, and the results are those of one machine.

The data that units need reach every worker once, as a worker plugin: the scheduler keeps it and hands it to
each worker that joins, before that worker's first task. Units themselves are a few hundred bytes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, NamedTuple

from distributed import Client, KilledWorker, WorkerPlugin, get_worker, rpc

from autoenc import __version__
from autoenc.errors import InputError
from autoenc.record.identity import FORMAT_VERSION
from autoenc.searching.loop import BatchLost, O, U, Watch
from autoenc.searching.remote import Remote
from autoenc.searching.watching import Epochs, Watching, epochs_told
from autoenc.system.text import warn
from autoenc.system.trouble import MachineError, trouble

__all__ = ["DaskCluster"]

CONNECT_S = 5.0
BUSY_S = 60.0  # for a scheduler that is known to be there, but may have much to do
# A task costs client and scheduler about a millisecond or two. Batches are long enough that this is little of
# a worker's time, and the longer the more threads there are, since there is one scheduler for all of them.
BATCH_S, BATCH_S_PER_SLOT = 0.5, 0.005
WORKERS_S = 1.0  # how often the number of threads is asked for


class Version(NamedTuple):
    """The versions that must be the same here and on every worker."""

    autoenc: str
    record_format: int


class DaskCluster(Generic[U, O]):
    """The threads of all workers of a Dask cluster; see :class:`~autoenc.searching.loop.Executor`.

    A batch whose worker dies is given to another worker by the scheduler. Each thread of a worker measures
    one unit at a time.

    Args:
        address: The scheduler's, e.g. ``tcp://host:8786``.
        remote: What a worker needs for a unit, and how it measures it.

    Raises:
        InputError: If no scheduler answers there, or a worker runs another version.
    """

    def __init__(self, address: str, remote: Remote[U, O]) -> None:
        self.address, self._remote = address, remote
        # A lost connection is reported as an error instead of being logged.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            asyncio.run(asyncio.wait_for(_ask(address), CONNECT_S))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else "no answer"
            raise InputError(
                f"--scheduler {address}: no Dask scheduler answers there within {CONNECT_S:g} s ({reason}); "
                "`dask scheduler` starts one and prints its address"
            ) from None
        try:
            self._client: Any = Client(address, timeout=BUSY_S, set_as_default=False)
        except OSError:  # a time limit that is reached is one, too
            raise InputError(
                f"--scheduler {address}: the Dask scheduler there takes no connection within {BUSY_S:g} s; "
                "it may be busy with others"
            ) from None
        self._sent: set[str] = set()
        self._slots, self._asked = 0, -WORKERS_S
        self._watching: Watching | None = None
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
        """Count the threads of all workers now; as last known if the scheduler is too busy to say."""
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

    def submit(self, units: Sequence[U], watch: Watch | None = None) -> Future[list[O]]:
        """Submit units; one alone may be watched. See :class:`~autoenc.searching.loop.Executor`."""
        named = [(self._remote.needs(unit), unit) for unit in units]
        for name in {name for name, _ in named} - self._sent:
            self._send(name)
        answer: Future[list[O]] = Future()
        told = None
        if watch is not None:
            self._watching = self._watching or Watching(self._client)
            told = self._watching.begin(watch, answer)
        task = self._client.submit(
            _measure_batch, _here(), self._client.id, self._remote.measure, named, told, pure=False
        )
        # Cancelling the future cancels the task; one that is already running ends without a receiver.
        answer.add_done_callback(lambda done: task.release() if done.cancelled() else None)
        task.add_done_callback(lambda done: self._hand_over(done, answer, told and told[1]))
        return answer

    def close(self) -> None:
        """See :class:`~autoenc.searching.loop.Executor`."""
        if self._watching is not None:
            self._watching.close()
        try:
            for name in sorted(self._sent):
                self._client.sync(
                    self._client.scheduler.unregister_worker_plugin,
                    name=_key(self._client.id, name),
                    callback_timeout=CONNECT_S,
                )
        except (OSError, TimeoutError, ValueError):
            pass  # a scheduler that is gone holds no data any more
        self._client.close(timeout=CONNECT_S)

    def _send(self, name: str) -> None:
        key = _key(self._client.id, name)
        for attempt in range(3):
            try:
                self._client.register_plugin(_Data(key, self._remote.content(name)), name=key)
                break
            except OSError:  # a worker went away meanwhile; the others may not have it yet
                if attempt == 2:
                    raise self._lost() from None
        self._sent.add(name)

    def _check_versions(self) -> None:
        # A function within a function travels whole, so it arrives where there is no autoenc, too.
        def version() -> tuple[str, int] | None:
            try:
                from autoenc import __version__
                from autoenc.record.identity import FORMAT_VERSION
            except ImportError:
                return None
            return __version__, FORMAT_VERSION

        versions = self._client.run(version, on_error="return")
        wrong = [
            _mismatch(worker, said) for worker, said in versions.items() if said is None or said != _here()
        ]
        if wrong:
            raise InputError(wrong)

    def _lost(self) -> InputError:
        return InputError(
            f"--scheduler {self.address}: the connection to the scheduler is lost; what is recorded is safe, "
            "and the same command goes on from there"
        )

    def _hand_over(self, task: Any, answer: Future[list[O]], watched: str | None) -> None:
        """Give what became of a task to who waits for it, once all epochs of a watched one are told."""
        if watched is None or self._watching is None:
            self._settle(task, answer)
        else:
            epochs = task.result()[1] if task.status == "finished" else []
            self._watching.end(watched, epochs, lambda: self._settle(task, answer))

    def _settle(self, task: Any, answer: Future[list[O]]) -> None:
        """Give what became of a task to who waits for it, in the words of this interface."""
        if not answer.set_running_or_notify_cancel():
            return
        if task.status == "finished":
            answer.set_result(task.result()[0])
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
                message = (
                    f"--scheduler {self.address}: a worker cannot train: {type(error).__name__}: {error}"
                )
                answer.set_exception(InputError(message))


async def _ask(address: str) -> None:
    """See that a scheduler is there; a client by itself would wait for ever for one that is silent."""
    async with rpc(address) as server:
        said = await server.identity()
    if said.get("type") != "Scheduler":
        raise ValueError("what answers is no scheduler")


_CONTENTS: dict[str, Any] = {}
"""On a worker: what each client has sent."""


class _Data(WorkerPlugin):
    """Data that units need, on their way to a worker."""

    def __init__(self, key: str, content: Any) -> None:
        self.key, self.content = key, content

    def setup(self, worker: Any) -> None:
        _CONTENTS[self.key] = self.content

    def teardown(self, worker: Any) -> None:
        _CONTENTS.pop(self.key, None)


def _measure_batch(
    expected: Version,
    client: str,
    measure: Callable[[Any, U, Watch | None], O],
    named: list[tuple[str, U]],
    told: tuple[str, str] | None,
) -> tuple[list[O], Epochs]:
    """Measure units one after the other, on a worker, and note the epochs of a watched one."""
    if expected != _here():  # a worker that joined after the others were asked
        raise InputError(_mismatch(get_worker().address, _here(), expected))
    contents = [(_CONTENTS[_key(client, name)], unit) for name, unit in named]
    if told is None:
        return [measure(content, unit, None) for content, unit in contents], []
    with epochs_told(*told) as watch:
        return [measure(content, unit, watch) for content, unit in contents], watch.epochs


def _key(client: str, name: str) -> str:
    return f"autoenc-{client}-{name}"


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
