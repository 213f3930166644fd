"""The hash behind dropout, hidden cells and noise, computed on the device that trains.

The words of :mod:`autoenc.engines.randomness` are unsigned; here they are int32 of the same bits, in which
products wrap around alike, because not every device computes with unsigned words.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.randomness import keep_threshold, row_hash

__all__ = ["combine", "keys_of_steps", "normal_of", "signed", "sortable", "threshold_of"]


def signed(word: int) -> int:
    """Return the number that the bits of an unsigned 32-bit word mean to an int32."""
    return word - 2**32 if word >= 2**31 else word


_GOLDEN, _FIRST, _SECOND = signed(0x9E3779B1), signed(0x85EBCA6B), signed(0xC2B2AE35)
_HIGHEST_BIT = signed(2**31)


def combine(key: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
    """Hash ``number`` into ``key``; both int32, broadcasting."""
    word = key ^ (number * _GOLDEN)
    word = (word ^ ((word >> 16) & 0xFFFF)) * _FIRST  # the mask makes of it a shift of an unsigned word
    word = (word ^ ((word >> 13) & 0x7FFFF)) * _SECOND
    return word ^ ((word >> 16) & 0xFFFF)


def sortable(word: torch.Tensor) -> torch.Tensor:
    """Return int32 whose order is that of the unsigned words with these bits."""
    return word ^ _HIGHEST_BIT


def threshold_of(probability: float) -> int:
    """Return the lowest :func:`sortable` hash that keeps its unit or cell."""
    return keep_threshold(probability) - 2**31


def normal_of(keys: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return standard normal draws in float64, by the transform of Box and Muller (1958).

    Shape:
        keys: int32 ``[..., 1, n_units]``, the keys of the units; rows: int32 ``[n_rows, 1]``.
        returns: ``[..., n_rows, n_units]``.
    """
    first, second = (
        (sortable(combine(keys, 2 * rows + k)).to(torch.float64) + (2.0**31 + half)) / 2.0**32
        for k, half in ((0, 0.5), (1, 0.0))
    )
    return torch.sqrt(-2 * torch.log(first)) * torch.cos(2 * np.pi * second)


def keys_of_steps(seeds: NDArray[np.uint32], epoch: int, n_steps: int, slots: list[int]) -> NDArray[np.int32]:
    """Return the keys of :func:`~autoenc.engines.randomness.layer_key` for all steps of an epoch.

    Args:
        seeds: uint32 ``[n_seeds]``.
        epoch: From 0.
        n_steps: Steps of the epoch.
        slots: Numbers of the layers.

    Returns:
        int32 ``[n_steps, len(slots), n_seeds]``.
    """
    of_epoch = row_hash(seeds, np.array([epoch], np.uint32))
    of_steps = row_hash(of_epoch[None, :], np.arange(n_steps, dtype=np.uint32)[:, None])
    keys = row_hash(of_steps[:, None, :], np.array(slots, np.uint32)[None, :, None])
    return np.ascontiguousarray(keys).view(np.int32)
