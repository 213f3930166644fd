"""Chance in compiled code: the same hash as in :mod:`autoenc.engines.randomness`, and what is drawn by it."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from autoenc.engines.randomness import combined
from autoenc.engines.simd import INNER, outlined

__all__ = ["combine", "key_of", "standard_normal"]

combine = njit(**INNER)(combined)
"""The hash step, for scalars."""


@njit(**INNER)
def key_of(seed, epoch, step, layer):
    """Return what :func:`~autoenc.engines.randomness.layer_key` does."""
    outlined()
    key = combine(np.uint32(seed), np.uint32(epoch))
    key = combine(key, np.uint32(step))
    return combine(key, np.uint32(layer))


@njit(**INNER)
def standard_normal(unit_key, row):
    """Draw for one latent unit and row, by the transform of Box and Muller (1958)."""
    first, second = combine(unit_key, np.uint32(2 * row)), combine(unit_key, np.uint32(2 * row + 1))
    radius = math.sqrt(-2.0 * math.log((first + 0.5) / 2.0**32))
    return radius * math.cos(2.0 * math.pi * (second / 2.0**32))
