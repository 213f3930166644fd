"""Where fits are trained: one small interface, and threads of this process behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from autoenc.engines import Engine, Fit, Outcome, Split, StopFlag, Stopped
from autoenc.errors import InputError

if TYPE_CHECKING:
    from autoenc.search.cluster import DaskCluster

__all__ = ["BatchLost", "FitExecutor", "Threads", "connect", "parse_address", "train_one"]


class BatchLost(Exception):  # noqa: N818  (no error of the search: the fits can be sent again)
    """Raised out of a batch that came to nothing because whatever trained it kept dying."""


class FitExecutor(Protocol):
    """Trains batches of fits somewhere."""

    def slots(self) -> int:
        """Fits that can be in training at once, as of now; may change from call to call."""
        ...

    def batch_s(self) -> float:
        """Seconds of training that should travel together; 0 where a fit alone costs nothing more."""
        ...

    def submit(self, fits: Sequence[Fit]) -> Future[list[Outcome]]:
        """Begin to train ``fits``, one after the other.

        Returns:
            Their outcomes, in the same order and without parameters. It raises :class:`Stopped` where it
            was asked to stop, :class:`BatchLost` where nothing is known of any of them, and
            :class:`~autoenc.errors.InputError` where nothing more can be trained here.
        """
        ...

    def close(self) -> None:
        """Give back what it holds; fits that are not finished are given up."""
        ...


class Threads:
    """Threads of this process, which suffice for one machine because the engines release the GIL.

    Args:
        engine: What trains.
        split_of: The data of a fold, by its name.
        jobs: Number of threads.
        stop: Given to the engine, which looks at it between batches of rows.
    """

    def __init__(self, engine: Engine, split_of: Callable[[str], Split], jobs: int, stop: StopFlag) -> None:
        self._engine, self._split_of, self._jobs, self._stop = engine, split_of, jobs, stop
        self._pool = ThreadPoolExecutor(jobs)

    def slots(self) -> int:
        """See :class:`FitExecutor`."""
        return self._jobs

    def batch_s(self) -> float:
        """See :class:`FitExecutor`."""
        return 0.0

    def submit(self, fits: Sequence[Fit]) -> Future[list[Outcome]]:
        """See :class:`FitExecutor`."""
        splits = [self._split_of(fit.fold) for fit in fits]  # in this thread: a division is not shared
        return self._pool.submit(self._train, splits, list(fits))

    def close(self) -> None:
        """See :class:`FitExecutor`."""
        self._pool.shutdown(wait=True)

    def _train(self, splits: list[Split], fits: list[Fit]) -> list[Outcome]:
        return [
            train_one(self._engine, split, fit, self._stop) for split, fit in zip(splits, fits, strict=True)
        ]


def train_one(engine: Engine, split: Split, fit: Fit, stop: StopFlag | None = None) -> Outcome:
    """Train a fit; an error of the engine becomes its failure, and its parameters are left out.

    Raises:
        Stopped: If ``stop`` was set before the end.
    """
    try:
        outcome = engine.fit(split, fit, stop)
    except Stopped:
        raise
    except Exception as error:  # whatever it was, it belongs to this fit and not to the search
        return Outcome([], [], float("nan"), 0.0, {}, failure=f"{type(error).__name__}: {error}")
    return dataclasses.replace(outcome, state={})


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of a Dask scheduler's address, ``tcp://host:8786``.

    Raises:
        ValueError: If it is not one.
    """
    try:
        parts = urlsplit(text)
        if (
            parts.scheme in ("tcp", "tls")
            and parts.hostname
            and parts.port
            and text.endswith(f":{parts.port}")
        ):
            return parts.hostname, parts.port
    except ValueError:  # a port that is no number, or too large
        pass
    raise ValueError(f"must be the address of a Dask scheduler, e.g. tcp://host:8786, got {text!r}")


def connect(address: str, engine: Engine, split_of: Callable[[str], Split]) -> DaskCluster:
    """A Dask cluster to train on; see :class:`~autoenc.search.cluster.DaskCluster`.

    Raises:
        InputError: If Dask is not installed, nobody answers there, or a worker runs another version.
    """
    try:
        from autoenc.search.cluster import DaskCluster
    except ModuleNotFoundError as error:
        raise InputError(
            f"--scheduler needs Dask, but there is no {error.name} here; `pip install autoenc[dask]` adds it"
        ) from None
    return DaskCluster(address, engine, split_of)
