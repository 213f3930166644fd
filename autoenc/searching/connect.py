"""Finding a Dask cluster, where Dask is installed at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autoenc.engines import Engine, Split
from autoenc.errors import InputError

if TYPE_CHECKING:
    from autoenc.searching.cluster import DaskCluster

__all__ = ["connect"]


def connect(address: str, engine: Engine, split_of: Callable[[str], Split]) -> DaskCluster:
    """A Dask cluster to train on; see :class:`~autoenc.searching.cluster.DaskCluster`.

    Raises:
        InputError: If Dask is not installed, nobody answers there, or a worker runs another version.
    """
    try:
        from autoenc.searching.cluster import DaskCluster
    except ModuleNotFoundError as error:
        raise InputError(
            f"--scheduler needs Dask, but there is no {error.name} here; `pip install autoenc[dask]` adds it"
        ) from None
    return DaskCluster(address, engine, split_of)
