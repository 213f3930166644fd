"""Products of layers whose weights do not fit in a core's cache, in blocks that do.

A block of weights is copied to where its tiles read it one number after the other, instead of a few numbers
of each row. A sum that is done in pieces goes on where it stopped, in the same order, so that blocks change
no bit of any result, and their sizes are free to follow the cache.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from autoenc.engines import layers, simd
from autoenc.engines.layers import PACK_DEPTH, PACK_WIDTH, PANEL
from autoenc.engines.scalars import smallest
from autoenc.engines.simd import INNER, matmul

__all__ = ["band_rows", "forward_product", "row_stride"]

band_rows = njit(**INNER)(layers.band_rows)
"""How many of a layer's rows of weights are updated in one go."""


row_stride = njit(**INNER)(layers.row_stride)
"""How far rows lie apart."""


@njit(**INNER)
def _pack(p, at, padded, width, depth, pack, pack_at):
    """Copy a block of weights ``[depth, width]`` to panels ``[width / lanes, PANEL, lanes]``."""
    simd.outlined()
    v = simd.lanes_of(p)
    for k in range(depth):
        for j in range(0, width, v):
            simd.store(pack, pack_at + j * PANEL + k * v, simd.load(p, at + k * padded + j))


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
    for j in range(0, width, PACK_WIDTH):
        n_units = smallest(PACK_WIDTH, width - j)
        for k in range(0, depth, PACK_DEPTH):
            n_inputs, b = smallest(PACK_DEPTH, depth - k), h_in + k * stride
            _pack(p, weight + k * padded + j, padded, n_units, n_inputs, pack, pack_at)
            for unit in range(0, n_units, v):
                m, at, to = smallest(v, n_units - unit), pack_at + unit * PANEL, h_out + (j + unit) * stride
                matmul(m, lanes, n_inputs, pack, at, 1, v, h, b, stride, h, to, stride, k > 0)
