"""Measurement of units on a worker elsewhere: data that are sent once, and a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Generic, NamedTuple

from autoenc.engines import Engine, Fit, Outcome, Split, make_engine
from autoenc.searching.executors import train_one
from autoenc.searching.loop import O, U, Watch
from autoenc.system.thread_limit import ThreadLimit

__all__ = ["Remote", "remote_fits", "threads_of_worker"]


class Remote(NamedTuple, Generic[U, O]):
    """The way in which units are measured elsewhere.

    Attributes:
        needs: The name of the data that a unit needs.
        content: Data by their name, which can be pickled.
        measure: Called there with the data, the unit and what watches it; can be pickled, too.
    """

    needs: Callable[[U], str]
    content: Callable[[str], Any]
    measure: Callable[[Any, U, Watch | None], O]


def remote_fits(
    engine: Engine, split: Callable[..., Split], device: str | None = None
) -> Remote[Fit, Outcome]:
    """Return fits, trained by the kind of engine that is named here, in its usual precision.

    Args:
        engine: Of the kind that trains.
        split: The data of a fold, by its name, and of a kind of scaling, where a fit names one.
        device: Where each worker trains, ``auto`` for a GPU if it has one; by default where ``engine`` does.
    """

    def name(fit: Fit) -> str:
        return f"{fit.fold} {fit.recipe.scaling}".rstrip()

    return Remote(
        name, lambda name: split(*name.split(" ")), partial(_train, engine.name, device or engine.device)
    )


def _train(name: Any, device: Any, split: Split, fit: Fit, watch: Watch | None) -> Outcome:
    return train_one(_engine(name, device), split, fit, watch=watch)


@lru_cache
def _engine(name: Any, device: Any) -> Engine:
    ThreadLimit()  # for good
    return make_engine(name, device, n_cores=threads_of_worker())


def threads_of_worker() -> int:
    """Return how many threads the Dask worker has that calls this; one where none does."""
    from distributed import get_worker

    try:
        n_threads: int = get_worker().state.nthreads
    except ValueError:
        return 1
    return n_threads
