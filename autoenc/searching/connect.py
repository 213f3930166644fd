"""Finding a Dask cluster, where Dask is installed at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoenc.errors import InputError
from autoenc.searching.loop import O, U
from autoenc.searching.remote import Remote

if TYPE_CHECKING:
    from autoenc.searching.cluster import DaskCluster

__all__ = ["connect"]


def connect(address: str, remote: Remote[U, O]) -> DaskCluster[U, O]:
    """Return a Dask cluster to measure on; see :class:`~autoenc.searching.cluster.DaskCluster`.

    Raises:
        InputError: If Dask is not installed, no scheduler answers there, or a worker runs another version.
    """
    try:
        from autoenc.searching.cluster import DaskCluster
    except ModuleNotFoundError as error:
        raise InputError(
            f"--scheduler needs Dask, but there is no {error.name} here; `pip install autoenc[dask]` adds it"
        ) from None
    return DaskCluster(address, remote)
