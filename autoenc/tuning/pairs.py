"""Inputs and targets as two tensors, from whatever holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from autoenc.data.cells import cells_of
from autoenc.errors import InputError

__all__ = ["Pairs", "read_pairs", "seeded"]

_BATCH_ROWS = 1024
_EXPECTED = (
    "must be a Dataset or DataLoader of tensors or (input, target) pairs, a tensor, array or frame, or a "
    "tuple of two of these"
)
_WHOLE = torch.Tensor | np.ndarray | pd.DataFrame | pd.Series


class Pairs(NamedTuple):
    """Inputs ``[rows, ...]`` and targets ``[rows, ...]``.

    Floating numbers are of single precision. A missing cell (NaN) of an input is 0; one of a target
    stays, so that a loss can leave it out.
    """

    inputs: torch.Tensor
    targets: torch.Tensor

    def on(self, device: torch.device) -> Pairs:
        """Return the same on a device."""
        return Pairs(self.inputs.to(device), self.targets.to(device))

    def rows(self, places: torch.Tensor) -> Pairs:
        """Return some of the rows, ``[rows]`` whole numbers."""
        return Pairs(self.inputs[places], self.targets[places])

    def without_fold(self, fold: int, n_folds: int, seed: int) -> tuple[Pairs, Pairs]:
        """Return the rows of all folds but one, and those of that one; a seed deals rows out to folds."""
        order = torch.randperm(len(self.inputs), generator=torch.Generator().manual_seed(seed))
        held = order[fold::n_folds].sort().values
        is_held = torch.zeros(len(order), dtype=torch.bool)
        is_held[held] = True
        return self.rows(torch.nonzero(~is_held)[:, 0]), self.rows(held)

    @property
    def fingerprint(self) -> str:
        """A hash of all values, types and shapes."""
        digest = hashlib.sha256()
        for tensor in self:
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()[:16]


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Set torch's generators to a seed for a ``with`` block; after it they are as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def read_pairs(data: Any, name: str, seed: int) -> Pairs:
    """Read data as a whole into memory.

    Args:
        data: A tensor, array or pandas frame, whose target is itself; a tuple of two, input and target; a
            Dataset of such rows; or anything that gives batches of them, such as a DataLoader.
        name: What it is called in messages.
        seed: Of a DataLoader's shuffling.

    Raises:
        InputError: If it is none of these, empty, or cannot be stacked.
    """
    with seeded(seed, torch.device("cpu")):
        inputs, targets = _read(data, name)
    if not len(inputs):
        raise InputError(f"{name} must have at least one row, got none")
    if len(inputs) != len(targets):
        raise InputError(
            f"{name} must have a target for each input, got {len(inputs):,} inputs and "
            f"{len(targets):,} targets"
        )
    if inputs.is_floating_point():
        inputs = torch.where(inputs.isnan(), 0, inputs)
    return Pairs(inputs, targets)


def _read(data: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(data, _WHOLE | tuple):
        return _pair_of(data, name)
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=_BATCH_ROWS)
    if not isinstance(data, Iterable):
        raise InputError(f"{name} {_EXPECTED}, got {type(data).__name__}")
    try:
        batches = [_pair_of(batch, name) for batch in data]
        if not batches:
            return torch.empty(0), torch.empty(0)
        return torch.cat([inputs for inputs, _ in batches]), torch.cat([targets for _, targets in batches])
    except (RuntimeError, TypeError) as error:  # of torch, about rows of different shapes or kinds
        raise InputError(f"{name} cannot be stacked to one tensor: {error}") from None


def _pair_of(given: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    pieces = given if isinstance(given, tuple | list) else (given, given)
    if len(pieces) != 2 or not all(isinstance(piece, _WHOLE) for piece in pieces):
        kinds = ", ".join(type(piece).__name__ for piece in pieces)
        kind = f"({kinds})" if isinstance(given, tuple | list) else type(given).__name__
        raise InputError(f"{name} {_EXPECTED}, got {kind}")
    inputs, targets = (_tensor(piece, name) for piece in pieces)
    return inputs, targets


def _tensor(given: Any, name: str) -> torch.Tensor:
    kind = given.dtype.kind if isinstance(given, np.ndarray) else ""
    if isinstance(given, torch.Tensor) and not given.is_complex():
        tensor = given.detach().cpu()
        tensor = tensor.clone() if tensor.is_inference() else tensor  # which no training can use
    elif kind in "biuf" and kind and not np.ma.isMaskedArray(given):
        tensor = torch.as_tensor(given)
    else:
        tensor = torch.as_tensor(cells_of(given, f"{name} must hold numbers"))
    if not tensor.dim():
        raise InputError(f"{name} must have rows, got one number")
    return tensor.to(torch.float32) if tensor.is_floating_point() else tensor
