"""What engines have in common that have another engine train."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import Engine, Fit, Split, State

__all__ = ["Wrapping"]

E = TypeVar("E", bound=Engine)


class Wrapping(Generic[E]):
    """An engine whose fits another one trains; see :class:`autoenc.engines.contract.Engine`.

    Args:
        base: What trains.
    """

    def __init__(self, base: E) -> None:
        self.name, self.device, self.n_at_once = base.name, base.device, base.n_at_once
        self._base = base

    def prepare(self) -> None:
        """Do what takes time once per process."""
        self._base.prepare()

    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Return what a trained network makes of rows."""
        return self._base.reconstruct(split, fit, state, rows)
