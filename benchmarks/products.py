"""The matrix products of a training and nothing else: same shapes, same order, same number of calls.

This is the floor for an engine that trains one model after the other with such products.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from autoenc.engines import Fit, Split
from autoenc.engines.layers import VECTOR_BYTES
from autoenc.engines.simd import matmul

__all__ = ["blas_pass", "own_pass", "products_only"]

LANES = VECTOR_BYTES // 4  # float32 in a vector


@njit(nogil=True, error_model="numpy")
def blas_pass(dims, weights, activations, gradients, gradient, n_rows, batch_size, learning):
    """The products of one pass over the rows through BLAS; row-major ``[batch, features]``."""
    n_layers = dims.size - 1
    for start in range(0, n_rows, batch_size):
        n = min(batch_size, n_rows - start)
        at, place = 0, 0
        for k in range(n_layers):
            n_in, n_out = dims[k], dims[k + 1]
            h = activations[place : place + n * n_in].reshape(n, n_in)
            place += batch_size * n_in
            out = activations[place : place + n * n_out].reshape(n, n_out)
            np.dot(h, weights[at : at + n_in * n_out].reshape(n_in, n_out), out)
            at += n_in * n_out
        if not learning:
            continue
        for k in range(n_layers - 1, -1, -1):
            n_in, n_out = dims[k], dims[k + 1]
            at -= n_in * n_out
            d = gradients[place : place + n * n_out].reshape(n, n_out)
            place -= batch_size * n_in
            h = activations[place : place + n * n_in].reshape(n, n_in)
            np.dot(h.T, d, gradient[: n_in * n_out].reshape(n_in, n_out))
            d_in = gradients[place : place + n * n_in].reshape(n, n_in)
            np.dot(d, weights[at : at + n_in * n_out].reshape(n_in, n_out).T, d_in)


@njit(nogil=True, error_model="numpy")
def own_pass(dims, weights, activations, gradients, gradient, n_rows, batch_size, learning):
    """The same through the engine's product, in its layout: ``[features, batch]``, whole vectors."""
    stride = (batch_size + LANES - 1) // LANES * LANES
    n_layers = dims.size - 1
    for start in range(0, n_rows, batch_size):
        n = min(batch_size, n_rows - start)
        width = (n + LANES - 1) // LANES * LANES
        at, place = 0, 0
        for k in range(n_layers):
            n_in, n_out = dims[k], dims[k + 1]
            padded = (n_out + LANES - 1) // LANES * LANES
            after = place + n_in * stride
            matmul(n_out, width, n_in, weights, at, 1, padded, activations, place, stride, activations, after,
                   stride, False)  # fmt: skip
            place = after
            at += n_in * padded
        if not learning:
            continue
        for k in range(n_layers - 1, -1, -1):
            n_in, n_out = dims[k], dims[k + 1]
            padded = (n_out + LANES - 1) // LANES * LANES
            at -= n_in * padded
            before = place - n_in * stride
            # The engine has transposed the gradient; here any n x padded numbers do.
            matmul(n_in, padded, n, activations, before, stride, 1, gradients, 0, padded, gradient, 0, padded,
                   False)  # fmt: skip
            matmul(n_in, width, n_out, weights, at, padded, 1, gradients, place, stride, gradients, before,
                   stride, False)  # fmt: skip
            place = before


def aligned(size: int) -> np.ndarray:
    """Small float32 that start at a cache line; what they are does not matter to the time."""
    room = np.full(size + LANES, 0.03, np.float32)
    skip = -room.ctypes.data % VECTOR_BYTES // 4
    return room[skip : skip + size]


def products_only(one_pass: Callable[..., None], fit: Fit, split: Split) -> None:
    """The products of one fit, as the engine does them.

    That is per epoch a training pass and a loss on the test rows, and at the end a loss on the training rows,
    all in batches of the same size.
    """
    encoder = [split.values.shape[1], *fit.architecture, fit.latent_dim]
    dims = np.array([*encoder, *encoder[-2::-1]])
    padded = -(-dims // LANES) * LANES
    batch_size = fit.recipe.batch_size
    n_cells = int(padded.sum()) * -(-batch_size // LANES) * LANES
    weights, gradient = aligned(int(padded[:-1] @ padded[1:])), aligned(int(max(padded[:-1] * padded[1:])))
    arrays = (dims, weights, aligned(n_cells), aligned(n_cells), gradient)
    for _ in range(fit.recipe.epochs):
        one_pass(*arrays, split.train.size, batch_size, True)
        one_pass(*arrays, split.test.size, batch_size, False)
    one_pass(*arrays, split.train.size, batch_size, False)
