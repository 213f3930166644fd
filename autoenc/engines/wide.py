"""Products of layers whose weights do not fit in a core's cache, in blocks that do.

A block of weights is copied to where its tiles read it one number after the other, instead of a few numbers
of each row. A sum that is done in pieces goes on where it stopped, in the same order, so that blocks change
no bit of any result, and their sizes are free to follow the cache.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from autoenc.engines import simd
from autoenc.engines.simd import INNER, matmul

__all__ = ["BAND", "PACK_SIZE", "band_rows", "forward_product"]

BAND = 1 << 16
"""Weights that a core's cache holds beside what they are multiplied with, 256 KiB in single precision."""

_WIDTH, _DEPTH = 512, 128  # units and inputs of a block
_PANEL = _DEPTH + 1  # vectors; the one more keeps those of a row from falling into one set of the cache
PACK_SIZE = _WIDTH * _PANEL
"""Numbers that a block takes."""


@njit(**INNER)
def band_rows(depth, padded):
    """Return how many of a layer's rows of weights are updated in one go: all of a small layer."""
    return depth if depth * padded <= BAND else max(BAND // padded // 8 * 8, 8)


@njit(**INNER)
def _pack(p, at, padded, width, depth, pack, pack_at):
    """Copy a block of weights ``[depth, width]`` to panels ``[width / lanes, _PANEL, lanes]``."""
    simd.outlined()
    v = simd.lanes_of(p)
    for k in range(depth):
        for j in range(0, width, v):
            simd.store(pack, pack_at + j * _PANEL + k * v, simd.load(p, at + k * padded + j))


@njit(**INNER)
def forward_product(width, lanes, depth, p, weight, padded, h, h_in, stride, h_out, pack, pack_at):
    """Compute outputs of a layer, with the bits of :func:`~autoenc.engines.simd.matmul`.

    Shape:
        p: weights ``[depth, padded]`` from ``weight`` on, of which the first ``width`` of each row count.
        h: inputs ``[depth, stride]`` from ``h_in`` on; outputs ``[width, stride]`` from ``h_out`` on; of
        each row the first ``lanes``, whole vectors, are used.
        pack: ``[PACK_SIZE]`` from ``pack_at`` on, overwritten.
    """
    simd.outlined()
    v = simd.lanes_of(p)
    for j in range(0, width, _WIDTH):
        n_units = min(_WIDTH, width - j)
        for k in range(0, depth, _DEPTH):
            n_inputs, b = min(_DEPTH, depth - k), h_in + k * stride
            _pack(p, weight + k * padded + j, padded, n_units, n_inputs, pack, pack_at)
            for unit in range(0, n_units, v):
                m, at, to = min(v, n_units - unit), pack_at + unit * _PANEL, h_out + (j + unit) * stride
                matmul(m, lanes, n_inputs, pack, at, 1, v, h, b, stride, h, to, stride, k > 0)
