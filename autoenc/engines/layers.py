"""The table of layers that the compiled pass reads, and the sizes that it reckons with.

What trains fits with compiled code lays out their arrays by this module, and loads no compiler for it.
"""

from __future__ import annotations

__all__ = [
    "BAND", "CENTER", "EXTRA", "HAS_NORM", "HIDDEN", "H_IN", "H_OUT", "N_COLUMNS", "N_IN", "N_OUT",
    "PACK_DEPTH", "PACK_SIZE", "PACK_WIDTH", "PADDED", "PANEL", "SAMPLED", "VECTOR_BYTES", "WEIGHT", "XHAT",
    "band_rows", "row_stride",
]  # fmt: skip

VECTOR_BYTES = 64
"""Of a SIMD vector, on every machine."""

# Columns of the table of layers. WEIGHT is the place of the layer's block in the parameters:
# (n_in + 1) rows of PADDED weights, the last one the bias, then PADDED gains and PADDED shifts if HAS_NORM.
# H_IN, H_OUT and XHAT are places in the activations and in the normalized activations. SAMPLED is the latent
# size where the layer ends in means and log variances; the noise is then kept at XHAT. EXTRA is how many
# more inputs a linear map beside encoder or decoder brings to its last layer, or the mask of missing cells to
# the first one: rows of weights behind the bias, and of activations behind the row of ones. CENTER is the
# place of column means in the parameters.
N_IN, N_OUT, PADDED, WEIGHT, HAS_NORM, HIDDEN, H_IN, H_OUT, XHAT, SAMPLED, EXTRA, CENTER = range(12)
N_COLUMNS = 12

BAND = 1 << 16
"""Weights that a core's cache holds beside what they are multiplied with, 256 KiB in single precision."""

PACK_WIDTH, PACK_DEPTH = 512, 128  # units and inputs of a block of weights
PANEL = PACK_DEPTH + 1  # vectors; the one more keeps those of a row from falling into one set of the cache
PACK_SIZE = PACK_WIDTH * PANEL
"""Numbers that a block takes."""


def band_rows(depth: int, padded: int) -> int:
    """Return how many of a layer's rows of weights are updated in one go: all of a small layer."""
    rows = BAND // padded // 8 * 8 if depth * padded > BAND else depth
    return rows if rows > 8 or depth * padded <= BAND else 8


def row_stride(size: int, vector: int) -> int:
    """Return how far rows of ``size`` numbers, whole vectors, lie apart: long ones an odd number of vectors.

    Rows that lie a power of 2 apart fall into few sets of the cache, which drops some while they are in use.
    """
    return size if size < 8 * vector else (size // vector | 1) * vector
