"""The compiled steps of the native engine: forward, backward, loss and AdamW on flat arrays.

Activations are stored feature by feature, ``[features, stride]`` with one lane per row of the batch, so
the sums of a LayerNorm run down the features with every lane busy and never across lanes. Each block of
activations has a row of ones behind its last feature: a layer's bias is then simply the last row of its
weight matrix, and bias and bias gradient cost no code. Lanes beyond the batch hold zeros that count as
unobserved, so they take no part in loss or gradient.

A step may be done by several threads, see :mod:`autoenc.engines.team`: each one has units of a layer's
outputs, rows of its weights, or lanes.

A layer is a row of the int64 table ``layers``; its columns are those of :mod:`autoenc.engines.layers`.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit, types

from autoenc.engines import linking, norms, pointwise, simd, team
from autoenc.engines.flat import flat_at, shifted
from autoenc.engines.hashing import key_of
from autoenc.engines.layers import (
    BAND,
    CENTER,
    EXTRA,
    H_IN,
    H_OUT,
    HAS_NORM,
    HIDDEN,
    N_COLUMNS,
    N_IN,
    N_OUT,
    PACK_SIZE,
    PADDED,
    SAMPLED,
    WEIGHT,
    XHAT,
)  # fmt: skip
from autoenc.engines.loading import ENTRY, N_INTEGERS, N_NUMBERS
from autoenc.engines.meeting import COUNTS, MOST, OVER
from autoenc.engines.pointwise import RELU, adamw, copy, dropout, fill_zero
from autoenc.engines.randomness import CORRUPTION, NOISE
from autoenc.engines.scalars import largest, power, smallest
from autoenc.engines.simd import INNER, matmul
from autoenc.engines.team import share, wait
from autoenc.engines.wide import band_rows, forward_product, row_stride

__all__ = ["object_code"]


@njit(**INNER)
def _enter(
    p, layers, n_layers, has_norm, lanes, stride, x, observed, h, xhat, rstd, keys, corruption, first, last,
    meeting, rank, size,
):  # fmt: skip
    """What the first layer and the linear map beside the encoder are given, of columns from first to last."""
    simd.outlined()
    key, width = keys[n_layers], layers[N_IN]
    copy(x, h, first * stride, layers[H_IN] + first * stride, (last - first) * stride)
    if corruption > 0:
        dropout(h, layers[H_IN], first, last, lanes, stride, key, corruption, 1.0, False)
    if layers[EXTRA]:
        at = layers[H_IN] + (width + 1) * stride
        pointwise.mask(observed, h, at, first, last, lanes, stride, key, corruption)
    bottleneck = (n_layers // 2 - 1) * N_COLUMNS
    if layers[bottleneck + EXTRA]:
        at = layers[bottleneck + H_IN] + (layers[bottleneck + N_IN] + 1) * stride
        means_at = layers[bottleneck + CENTER]
        pointwise.center(x, observed, p, means_at, h, at, first, last, lanes, stride)
        if corruption > 0:
            dropout(h, at, first, last, lanes, stride, key, corruption, 1.0, False)
    wait(meeting, size)
    if has_norm:
        at = layers[H_IN]  # 0, as are the places of the input norm's gains and normalized values
        start, stop = share(lanes, simd.lanes_of(p), rank, size)
        norms.normalize(h, at, width, start, stop, stride, p, at, layers[WEIGHT] // 2, xhat, at, rstd, at)
        wait(meeting, size)


@njit(**INNER)
def _forward(
    p, layers, n_layers, activation, lanes, stride, h, xhat, rstd, slopes, pack, keys, threshold, scale,
    learning, meeting, rank, size,
):  # fmt: skip
    """All layers; units are dropped by ``threshold``."""
    simd.outlined()
    v = simd.lanes_of(p)
    slot = 0
    for k in range(n_layers):
        row = k * N_COLUMNS
        out, width, weight, padded = (
            layers[row + H_OUT], layers[row + N_OUT], layers[row + WEIGHT], layers[row + PADDED],
        )  # fmt: skip
        depth, h_in, at = layers[row + N_IN] + 1 + layers[row + EXTRA], layers[row + H_IN], layers[row + XHAT]
        first, last = share(width, v, rank, size)
        n_units, first_weight, to = last - first, weight + first, out + first * stride
        if depth * padded <= BAND:
            matmul(
                n_units, lanes, depth, p, first_weight, 1, padded, h, h_in, stride, h, to, stride, False
            )  # fmt: skip
        else:
            forward_product(
                n_units, lanes, depth, p, first_weight, padded, h, h_in, stride, to, pack, rank * PACK_SIZE
            )  # fmt: skip
        if not layers[row + HIDDEN]:
            wait(meeting, size)
            if layers[row + SAMPLED] or layers[row + CENTER]:
                if rank == 0:
                    _pass_latent_points(layers, n_layers, k, lanes, stride, h, xhat, keys, learning)
                wait(meeting, size)
            continue
        if layers[row + HAS_NORM]:
            gain = weight + depth * padded
            wait(meeting, size)
            start, stop = share(lanes, v, rank, size)
            norms.normalize(
                h, out, width, start, stop, stride, p, gain, gain + padded, xhat, at, rstd, (k + 1) * stride
            )
            wait(meeting, size)
        if activation != RELU:
            pointwise.activate(h, to, n_units * stride, slopes, at + first * stride, activation)
            if threshold > 0:
                dropout(h, out, first, last, lanes, stride, keys[slot], threshold, scale, False)
                dropout(slopes, at, first, last, lanes, stride, keys[slot], threshold, scale, False)
        elif threshold > 0:
            dropout(h, out, first, last, lanes, stride, keys[slot], threshold, scale, True)
        else:
            pointwise.relu(h, to, n_units * stride)
        slot += 1
        wait(meeting, size)


@njit(**INNER)
def _pass_latent_points(layers, n_layers, k, lanes, stride, h, xhat, keys, learning):
    """From the encoder's last layer to where the decoder and the linear map beside it read them."""
    simd.outlined()
    row, last = k * N_COLUMNS, (n_layers - 1) * N_COLUMNS
    at = layers[row + N_COLUMNS + H_IN]
    if layers[row + SAMPLED]:
        n_points, key = layers[row + SAMPLED], keys[n_layers + 1]
        pointwise.sample(
            h, layers[row + H_OUT], at, n_points, lanes, stride, xhat, layers[row + XHAT], key, learning
        )
    if layers[row + CENTER]:
        beside = layers[last + H_IN] + (layers[last + N_IN] + 1) * stride
        copy(h, h, at, beside, layers[last + EXTRA] * stride)


@njit(**INNER)
def _receive(layers, n_layers, k, n, stride, h, xhat, d, kl_weight):
    """The gradient of the encoder's last layer where more than the decoder reads the latent points."""
    simd.outlined()
    row, last = k * N_COLUMNS, (n_layers - 1) * N_COLUMNS
    if layers[row + CENTER]:  # the gradient that came back by the linear map beside the decoder
        beside = layers[last + H_IN] + (layers[last + N_IN] + 1) * stride
        for i in range(layers[last + EXTRA] * stride):
            d[i] += h[beside + i]
    if layers[row + SAMPLED]:
        out, at = layers[row + H_OUT], layers[row + XHAT]
        pointwise.sample_backward(d, h, out, layers[row + SAMPLED], n, stride, xhat, at, kl_weight / n)


@njit(**INNER)
def _backward_and_update(
    p, m, v, g, g_at, g_norm, layers, n_layers, has_norm, activation, n, lanes, stride, h, xhat, rstd, slopes,
    d, other, d_rows, scale, kl_weight, learning_rate, weight_decay, step, meeting, rank, size,
):  # fmt: skip
    """Gradients from the last layer to the first, each layer updated as soon as its gradient is passed on."""
    simd.outlined()
    per_vector = simd.lanes_of(p)
    start, stop = share(lanes, per_vector, rank, size)
    factor = simd.splat(p, scale)
    keep = 1 - learning_rate * weight_decay
    rate, root = -learning_rate / (1 - power(0.9, step)), 1 / math.sqrt(1 - power(0.999, step))
    for k in range(n_layers - 1, -1, -1):
        row = k * N_COLUMNS
        n_in, width, padded, weight, out, at = (
            layers[row + N_IN], layers[row + N_OUT], layers[row + PADDED], layers[row + WEIGHT],
            layers[row + H_OUT], layers[row + XHAT],
        )  # fmt: skip
        depth = n_in + 1 + layers[row + EXTRA]
        first, last = share(width, per_vector, rank, size)
        if layers[row + CENTER] or layers[row + SAMPLED]:
            if rank == 0:
                _receive(layers, n_layers, k, n, stride, h, xhat, d, kl_weight)
            wait(meeting, size)
        # With ReLU and a norm the mask is applied on the way through the norm's gradient.
        if layers[row + HIDDEN] and not (activation == RELU and layers[row + HAS_NORM]):
            for i in range(first * stride, last * stride, per_vector):
                if activation == RELU:
                    kept = simd.load(h, out + i)
                    simd.store(d, i, simd.where_positive(kept, simd.load(d, i) * factor))
                else:
                    simd.store(d, i, simd.load(d, i) * simd.load(slopes, at + i))
        if layers[row + HAS_NORM]:
            gain, masked = weight + depth * padded, activation == RELU
            norms.normalize_gains(
                d, first, last, lanes, stride, xhat, at, g_norm, padded, h, out, factor, masked
            )
            wait(meeting, size)
            norms.normalize_backward(d, width, start, stop, stride, p, gain, xhat, at, rstd, (k + 1) * stride)
            wait(meeting, size)
            _update_norm(p, m, v, g_norm, padded, first, last, gain, keep, rate, root)
        d_stride = row_stride(padded, per_vector)
        pointwise.transpose(d, first, last, width, padded, lanes, stride, d_rows, d_stride)
        wait(meeting, size)
        _update_weights(
            p, m, v, g, g_at, layers, n_layers, k, has_norm, n, lanes, stride, h, d, other, d_rows, keep,
            rate, root, rank, size,
        )  # fmt: skip
        wait(meeting, size)
        d, other = other, d
    if has_norm:
        at = layers[H_IN]  # 0
        first, last = share(layers[N_IN], per_vector, rank, size)
        half = layers[WEIGHT] // 2
        norms.normalize_gains(d, first, last, lanes, stride, xhat, at, g_norm, half, h, at, factor, False)
        _update_norm(p, m, v, g_norm, half, first, last, at, keep, rate, root)


@njit(**INNER)
def _update_norm(p, m, v, g, padded, first, last, gain, keep, rate, root):
    """AdamW on gains and shifts of units from first to last, and on the padding behind the last of all."""
    simd.outlined()
    for half in range(0, 2 * padded, padded):
        size = last - first
        if size > 0:
            rest = -size % simd.lanes_of(p)
            fill_zero(g, half + last, half + last + rest)
            adamw(p, m, v, g, half + first, gain + half + first, size + rest, keep, rate, root)


@njit(**INNER)
def _update_weights(
    p, m, v, g, g_at, layers, n_layers, k, has_norm, n, lanes, stride, h, d, other, d_rows, keep, rate, root,
    rank, size,
):  # fmt: skip
    """Gradient of a layer's input, into ``other``, and AdamW on its weights: some of its rows of weights.

    Band by band, so that what belongs to a wide layer passes through the cache only once.
    """
    simd.outlined()
    row = k * N_COLUMNS
    n_in, width, padded, weight, h_in = (
        layers[row + N_IN], layers[row + N_OUT], layers[row + PADDED], layers[row + WEIGHT],
        layers[row + H_IN],
    )  # fmt: skip
    depth, extra = n_in + 1 + layers[row + EXTRA], layers[row + EXTRA]
    d_stride = row_stride(padded, simd.lanes_of(p))
    rows = band_rows(depth, padded)
    if extra and k == n_layers - 1:  # their gradient goes where the latent points are
        depth -= extra
        at, beside = weight + depth * padded, h_in + depth * stride
        if rank == 0:
            matmul(extra, padded, n, h, beside, stride, 1, d_rows, 0, d_stride, g, g_at, padded, False)
            matmul(extra, lanes, width, p, at, padded, 1, d, 0, stride, h, beside, stride, False)
            adamw(p, m, v, g, g_at, at, extra * padded, keep, rate, root)
    n_passed_on = n_in if k > 0 or has_norm else 0
    first, last = share(depth, simd.lanes_of(p), rank, size)
    for i in range(first, last, rows):
        n_rows, at = smallest(rows, last - i), weight + i * padded
        if i < n_passed_on:
            n_units = smallest(n_rows, n_passed_on - i)
            matmul(n_units, lanes, width, p, at, padded, 1, d, 0, stride, other, i * stride, stride, False)
        matmul(
            n_rows, padded, n, h, h_in + i * stride, stride, 1, d_rows, 0, d_stride, g, g_at, padded, False
        )
        adamw(p, m, v, g, g_at, at, n_rows * padded, keep, rate, root)


def object_code(dtype: np.dtype) -> bytes:
    """Compile the pass in a precision, of parameters and arithmetic."""
    real = dtype.type

    @njit(**INNER)
    def run_pass(
        p, m, v, g, g_norm, x, observed, h, xhat, rstd, slopes, d, other, d_rows, pack, keys, sums, values,
        layers, stop, g_size, n_layers, has_norm, activation, n_columns, stride, seed, steps_per_epoch,
        threshold, corruption, rows, n_rows, batch_size, learning, epoch, output, meeting, helping,
        scale, weight_decay, nonzero_weight, all_weight, kl_weight, learning_rate,
    ):  # fmt: skip
        """One pass over ``n_rows`` in their order, ``batch_size`` at a time, with updates if ``learning``.

        Without them there is no dropout either, and only the loss is measured. One function does both, and
        allocates nothing, because each further one, and each allocation, adds a second to the compilation.
        The reconstructions are written to ``output`` ``[n_rows, n_columns]``, unless it is nowhere.

        Arrays are given by their addresses, and truths as 0 or 1. Threads call it with the same arguments
        but for ``helping``, which all say but one.

        Returns:
            The loss over all rows at once, each batch as it was met; 0 to those who help.
        """
        is_asked, no_key = output != 0, np.uint32(0)
        has_norm, learning, helping = has_norm != 0, learning != 0, helping != 0
        threshold, corruption = np.uint32(threshold), np.uint32(corruption)
        p, m, v, g, g_norm, x, observed, h, xhat, rstd, slopes, d, other, d_rows, pack, output = (
            flat_at(p, real), flat_at(m, real), flat_at(v, real), flat_at(g, real), flat_at(g_norm, real),
            flat_at(x, real), flat_at(observed, real), flat_at(h, real), flat_at(xhat, real),
            flat_at(rstd, real), flat_at(slopes, real), flat_at(d, real), flat_at(other, real),
            flat_at(d_rows, real), flat_at(pack, real), flat_at(output, real),
        )  # fmt: skip
        keys, sums, values, layers, stop, rows, meeting = (
            flat_at(keys, np.uint32), flat_at(sums, np.float64), flat_at(values, np.float32),
            flat_at(layers, np.int64), flat_at(stop, np.uint8), flat_at(rows, np.int64),
            flat_at(meeting, np.int64),
        )  # fmt: skip
        step = epoch * steps_per_epoch
        out = layers[(n_layers - 1) * N_COLUMNS + H_OUT]
        n_batches = (n_rows + batch_size - 1) // batch_size
        rank, size, batch, begun = 0, 1, 0, 0
        if helping:
            rank, begun = team.join(meeting)
            keys = shifted(keys, rank * (n_layers + 2))
        else:
            for i in range(4):
                sums[i] = 0
        while True:
            if helping:
                begun = team.next_step(meeting, rank, begun)
                if begun == OVER:
                    break
                batch, size = begun // MOST - 1, begun % MOST
            else:
                if batch == n_batches or stop[0]:
                    break
                size = team.assemble(meeting, batch)
            start = batch * batch_size
            n = smallest(batch_size, n_rows - start)
            lanes = (n + simd.lanes_of(p) - 1) // simd.lanes_of(p) * simd.lanes_of(p)
            if learning:
                for slot in range(n_layers):
                    keys[slot] = key_of(seed, epoch, batch, slot)
                keys[n_layers] = key_of(seed, epoch, batch, np.int64(CORRUPTION))
                keys[n_layers + 1] = key_of(seed, epoch, batch, np.int64(NOISE))
            first, last = share(n_columns, 1, rank, size)
            n_observed, n_nonzero = pointwise.gather(
                values, n_columns, rows, start, n, lanes, stride, x, observed, first, last
            )
            meeting[COUNTS + 8 * rank], meeting[COUNTS + 8 * rank + 1] = n_observed, n_nonzero
            _enter(
                p, layers, n_layers, has_norm, lanes, stride, x, observed, h, xhat, rstd, keys,
                corruption if learning else no_key, first, last, meeting, rank, size,
            )  # fmt: skip
            _forward(
                p, layers, n_layers, activation, lanes, stride, h, xhat, rstd, slopes, pack, keys,
                threshold if learning else no_key, scale, learning, meeting, rank, size,
            )  # fmt: skip
            n_observed, n_nonzero = 0, 0
            for i in range(size):
                n_observed += meeting[COUNTS + 8 * i]
                n_nonzero += meeting[COUNTS + 8 * i + 1]
            if rank == 0:  # one sum, in one order
                over_all, over_nonzero = pointwise.squared_errors(
                    x, observed, h, out, n_columns, lanes, stride
                )
                sums[0] += over_all
                sums[1] += over_nonzero
                sums[2] += n_observed
                sums[3] += n_nonzero
                if is_asked:
                    for lane in range(n):
                        for j in range(n_columns):
                            output[(start + lane) * n_columns + j] = h[out + j * stride + lane]
            if learning:
                if size > 1:  # meanwhile the others do the rest
                    first, last = share(n_columns, 1, rank - 1, size - 1) if rank > 0 else (0, 0)
                pointwise.loss_gradient(
                    x, observed, h, out, first, last, lanes, stride, all_weight / largest(n_observed, 1),
                    nonzero_weight / largest(n_nonzero, 1), d,
                )  # fmt: skip
                wait(meeting, size)
                _backward_and_update(
                    p, m, v, g, rank * g_size, g_norm, layers, n_layers, has_norm, activation, n, lanes,
                    stride, h, xhat, rstd, slopes, d, other, d_rows, scale, kl_weight, learning_rate,
                    weight_decay, step + batch + 1, meeting, rank, size,
                )  # fmt: skip
                wait(meeting, size)
            batch += 1
        if helping:
            return 0.0
        team.end(meeting)
        return all_weight * sums[0] / largest(sums[2], 1) + nonzero_weight * sums[1] / largest(sums[3], 1)

    arguments = (types.int64,) * N_INTEGERS + (types.float64,) * N_NUMBERS
    return linking.object_code(run_pass, arguments, ENTRY)
