"""The compiled steps of the native engine: forward, backward, loss and AdamW on flat arrays.

Activations are stored feature by feature, ``[features, stride]`` with one lane per row of the batch, so
the sums of a LayerNorm run down the features with every lane busy and never across lanes. Each block of
activations has a row of ones behind its last feature: a layer's bias is then simply the last row of its
weight matrix, and bias and bias gradient cost no code. Lanes beyond the batch hold zeros that count as
unobserved, so they take no part in loss or gradient.

A layer is one row of the int64 table ``layers``; the columns are the constants below.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
from numba import njit

from autoenc.engines import randomness, simd, smooth, wide
from autoenc.engines.compiling import compiled
from autoenc.engines.randomness import CORRUPTION, NOISE, combine, layer_key, standard_normal
from autoenc.engines.simd import INNER, VECTOR_BYTES, matmul
from autoenc.engines.wide import BAND, band_rows, forward_product

__all__ = [
    "CENTER", "EXTRA", "HAS_NORM", "HIDDEN", "H_IN", "H_OUT", "N_COLUMNS", "N_IN", "N_OUT", "PADDED", "RELU",
    "SAMPLED",
    "WEIGHT", "XHAT", "run_pass",
]  # fmt: skip

# Columns of the table of layers. WEIGHT is the place of the layer's block in the parameters:
# (n_in + 1) rows of PADDED weights, the last one the bias, then PADDED gains and PADDED shifts if HAS_NORM.
# H_IN, H_OUT and XHAT are places in the activations and in the normalized activations. SAMPLED is the latent
# size where the layer ends in means and log variances; the noise is then kept at XHAT. EXTRA is how many
# more inputs a linear map beside encoder or decoder brings to its last layer, or the mask of missing cells to
# the first one: rows of weights behind the bias, and of activations behind the row of ones. CENTER is the
# place of column means in the parameters.
N_IN, N_OUT, PADDED, WEIGHT, HAS_NORM, HIDDEN, H_IN, H_OUT, XHAT, SAMPLED, EXTRA, CENTER = range(12)
N_COLUMNS = 12
RELU, LEAKY_RELU, ELU, GELU, SILU, TANH = range(6)  # in the order of contract.ACTIVATIONS
NORM_EPS = 1e-6
GATHERED = 64  # columns that are read from one row after the other


def _sources_digest() -> int:
    """A number that changes with the files the kernels are made of.

    Numba renews a cached function when its own file changes, but not when a file does that it calls into;
    what a function closes over is part of the cache's key.
    """
    files = (Path(str(module.__file__)) for module in (simd, smooth, randomness, wide))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return int(digest.hexdigest()[:12], 16)


# Slice assignments would do, but their error paths triple the time that compiling takes.
@njit(**INNER)
def _fill_zero(a, start, stop):
    for i in range(start, stop):
        a[i] = 0


@njit(**INNER)
def _copy(source, target, size):
    for i in range(size):
        target[i] = source[i]


@njit(**INNER)
def _normalize(h, h_at, width, lanes, stride, p, gain_at, shift_at, xhat, xhat_at, rstd, rstd_at):
    """LayerNorm over the features, in place; keeps what the backward pass needs.

    Sums run in four parts that do not wait for each other: an addition takes four cycles to come back.
    """
    simd.outlined()
    v = VECTOR_BYTES // h.itemsize
    inverse_width, eps, one = simd.splat(h, 1.0 / width), simd.splat(h, NORM_EPS), simd.splat(h, 1.0)
    for lane in range(0, lanes, v):
        zero = simd.splat(h, 0.0)
        m0, m1, m2, m3 = zero, zero, zero, zero
        at = h_at + lane
        whole = width // 4
        for _ in range(whole):
            m0 = m0 + simd.load(h, at)
            m1 = m1 + simd.load(h, at + stride)
            m2 = m2 + simd.load(h, at + 2 * stride)
            m3 = m3 + simd.load(h, at + 3 * stride)
            at += 4 * stride
        for _ in range(width - 4 * whole):
            m0 = m0 + simd.load(h, at)
            at += stride
        mean = ((m0 + m1) + (m2 + m3)) * inverse_width
        m0, m1, m2, m3 = zero, zero, zero, zero
        at = h_at + lane
        for _ in range(whole):
            d0 = simd.load(h, at) - mean
            d1 = simd.load(h, at + stride) - mean
            d2 = simd.load(h, at + 2 * stride) - mean
            d3 = simd.load(h, at + 3 * stride) - mean
            m0 = simd.fma(d0, d0, m0)
            m1 = simd.fma(d1, d1, m1)
            m2 = simd.fma(d2, d2, m2)
            m3 = simd.fma(d3, d3, m3)
            at += 4 * stride
        for _ in range(width - 4 * whole):
            d0 = simd.load(h, at) - mean
            m0 = simd.fma(d0, d0, m0)
            at += stride
        r = one / simd.sqrt(simd.fma((m0 + m1) + (m2 + m3), inverse_width, eps))
        simd.store(rstd, rstd_at + lane, r)
        at, to = h_at + lane, xhat_at + lane
        for j in range(width):
            q = (simd.load(h, at) - mean) * r
            simd.store(xhat, to, q)
            simd.store(h, at, simd.fma(q, simd.spread(p, gain_at + j), simd.spread(p, shift_at + j)))
            at += stride
            to += stride


@njit(**INNER)
def _normalize_backward(
    d, width, lanes, stride, p, gain_at, xhat, xhat_at, rstd, rstd_at, g, dgain_at, dshift_at, h, h_at,
    factor, masked,
):  # fmt: skip
    """Gradient of LayerNorm: of its gains and shifts into ``g``, of its input in place of ``d``.

    Where ``masked``, ``d`` is the gradient behind ReLU and dropout, whose outputs are ``h``: it passes,
    times ``factor``, where they are positive. Done here because the gradient is in registers here.
    """
    simd.outlined()
    v = VECTOR_BYTES // d.itemsize
    inverse_width = simd.splat(d, 1.0 / width)
    for j in range(width):
        at, to = j * stride, xhat_at + j * stride
        dshift, dgain = simd.splat(d, 0.0), simd.splat(d, 0.0)
        for lane in range(0, lanes, v):
            dy = simd.load(d, at + lane)
            if masked:
                dy = simd.where_positive(simd.load(h, h_at + at + lane), dy * factor)
                simd.store(d, at + lane, dy)
            dgain = simd.fma(dy, simd.load(xhat, to + lane), dgain)
            dshift = dshift + dy
        g[dgain_at + j] = simd.total(dgain)
        g[dshift_at + j] = simd.total(dshift)
    for lane in range(0, lanes, v):
        zero = simd.splat(d, 0.0)
        m0, m1, s0, s1 = zero, zero, zero, zero
        at, to, gain = lane, xhat_at + lane, gain_at
        for _ in range(width // 2):
            q = simd.load(d, at) * simd.spread(p, gain)
            m0 = m0 + q
            s0 = simd.fma(q, simd.load(xhat, to), s0)
            q = simd.load(d, at + stride) * simd.spread(p, gain + 1)
            m1 = m1 + q
            s1 = simd.fma(q, simd.load(xhat, to + stride), s1)
            at += 2 * stride
            to += 2 * stride
            gain += 2
        if width % 2:
            q = simd.load(d, at) * simd.spread(p, gain)
            m0 = m0 + q
            s0 = simd.fma(q, simd.load(xhat, to), s0)
        mean, slope = (m0 + m1) * inverse_width, (s0 + s1) * inverse_width
        r = simd.load(rstd, rstd_at + lane)
        for j in range(width):
            q = simd.load(d, j * stride + lane) * simd.spread(p, gain_at + j) - mean
            q = q - simd.load(xhat, xhat_at + j * stride + lane) * slope
            simd.store(d, j * stride + lane, q * r)


@njit(**INNER)
def _relu(h, at, size):
    for i in range(at, at + size, VECTOR_BYTES // h.itemsize):
        y = simd.load(h, i)
        simd.store(h, i, simd.where_positive(y, y))


@njit(**INNER)
def _smooth(h, at, size, slopes, slopes_at, activation):
    """Any activation but ReLU, in place, with its derivative into ``slopes``."""
    simd.outlined()
    for i in range(0, size, VECTOR_BYTES // h.itemsize):
        y = simd.load(h, at + i)
        if activation == LEAKY_RELU:
            f, s = smooth.leaky_relu(y)
        elif activation == ELU:
            f, s = smooth.elu(y)
        elif activation == GELU:
            f, s = smooth.gelu(y)
        elif activation == SILU:
            f, s = smooth.silu(y)
        else:
            f, s = smooth.tanh(y)
        simd.store(h, at + i, f)
        simd.store(slopes, slopes_at + i, s)


@njit(**INNER)
def _dropout(h, at, width, lanes, stride, key, threshold, scale):
    simd.outlined()
    factor = simd.splat(h, scale)
    for j in range(width):
        unit_key = combine(key, np.uint32(j))
        for lane in range(0, lanes, VECTOR_BYTES // h.itemsize):
            i = at + j * stride + lane
            simd.store(h, i, simd.drop(simd.load(h, i), unit_key, lane, threshold, factor))


@njit(**INNER)
def _gather(values, rows, start, n, lanes, stride, x, observed):
    """Rows of the table as lanes: cells with 0 for missing, and 1 or 0 for observed or not.

    Returns:
        The numbers of observed and of observed non-zero cells.
    """
    simd.outlined()
    n_observed, n_nonzero = 0, 0
    n_columns = values.shape[1]
    if n_columns <= GATHERED:
        for i in range(n):
            row = rows[start + i]
            for j in range(n_columns):
                x[j * stride + i] = values[row, j]
    else:  # what is written stays in the cache until its lines are full
        for first in range(0, n_columns, GATHERED):
            for i in range(n):
                row = rows[start + i]
                for j in range(first, min(first + GATHERED, n_columns)):
                    x[j * stride + i] = values[row, j]
    one, nan = simd.splat(x, 1.0), x.dtype.type(np.nan)
    for j in range(n_columns):
        for i in range(n, lanes):
            x[j * stride + i] = nan
        seen, filled = simd.splat(x, 0.0), simd.splat(x, 0.0)
        for i in range(j * stride, j * stride + lanes, VECTOR_BYTES // x.itemsize):
            value = simd.load(x, i)
            number = simd.where_number(value, one)
            value = simd.where_number(value, value)
            simd.store(x, i, value)
            simd.store(observed, i, number)
            seen = seen + number
            filled = filled + simd.where_nonzero(value, one)
        n_observed += int(simd.total(seen))
        n_nonzero += int(simd.total(filled))
    return n_observed, n_nonzero


@njit(**INNER)
def _sample(h, at, to, size, lanes, stride, noise, noise_at, key, learning):
    """Latent points from means and log variances: drawn while ``learning``, else the means."""
    simd.outlined()
    for j in range(size):
        unit_key = combine(key, np.uint32(j))
        for lane in range(lanes):
            i = j * stride + lane
            point = h[at + i]
            if learning:
                noise[noise_at + i] = standard_normal(unit_key, lane)
                point += math.exp(0.5 * h[at + size * stride + i]) * noise[noise_at + i]
            h[to + i] = point


@njit(**INNER)
def _sample_backward(d, h, at, size, n, stride, noise, noise_at, weight):
    """Gradient of means and log variances, in place of that of latent points, with that of the KL term.

    The term is ``weight`` times 0.5 (mean^2 + variance - 1 - log variance), summed over ``n`` lanes.
    """
    simd.outlined()
    for j in range(size):
        for lane in range(n):
            i = j * stride + lane
            mean, log_variance = h[at + i], h[at + size * stride + i]
            deviation = math.exp(0.5 * log_variance)
            through = d[i]
            d[i] = through + weight * mean
            d[size * stride + i] = 0.5 * (
                through * noise[noise_at + i] * deviation + weight * (deviation * deviation - 1.0)
            )
        _fill_zero(d, (size + j) * stride + n, (size + j + 1) * stride)


@njit(**INNER)
def _center(x, observed, p, center, h, at, width, lanes, stride):
    """What the linear map beside the encoder is given: cells less their column's mean, 0 where missing."""
    simd.outlined()
    for j in range(width):
        mean = simd.spread(p, center + j)
        for lane in range(0, lanes, VECTOR_BYTES // x.itemsize):
            i = j * stride + lane
            simd.store(h, at + i, (simd.load(x, i) - mean) * simd.load(observed, i))


@njit(**INNER)
def _mask(observed, h, at, width, lanes, stride, key, corruption):
    """What the first layer is given beside the cells: 1 where one is missing or hidden, else 0."""
    simd.outlined()
    size = width * stride
    for i in range(size):
        h[at + i] = observed[i]
    if corruption > 0:
        _dropout(h, at, width, lanes, stride, key, corruption, 1.0)
    one = simd.splat(h, 1.0)
    for i in range(at, at + size, VECTOR_BYTES // h.itemsize):
        simd.store(h, i, one - simd.load(h, i))


@njit(**INNER)
def _forward(
    p, layers, has_norm, activation, lanes, stride, x, observed, h, xhat, rstd, slopes, pack, keys, threshold,
    scale, corruption, learning,
):  # fmt: skip
    """All layers on the rows in ``x``; units are dropped by ``threshold``, cells hidden by ``corruption``."""
    simd.outlined()
    first = layers[0]
    width = first[N_IN]
    _copy(x, h, width * stride)
    if corruption > 0:
        _dropout(h, first[H_IN], width, lanes, stride, keys[layers.shape[0]], corruption, 1.0)
    if first[EXTRA]:
        at = first[H_IN] + (width + 1) * stride
        _mask(observed, h, at, width, lanes, stride, keys[layers.shape[0]], corruption)
    bottleneck, last = layers[layers.shape[0] // 2 - 1], layers[layers.shape[0] - 1]
    if bottleneck[EXTRA]:
        at = bottleneck[H_IN] + (bottleneck[N_IN] + 1) * stride
        _center(x, observed, p, bottleneck[CENTER], h, at, width, lanes, stride)
        if corruption > 0:
            _dropout(h, at, width, lanes, stride, keys[layers.shape[0]], corruption, 1.0)
    if has_norm:
        at = first[H_IN]  # 0, as are the places of the input norm's gains and normalized values
        _normalize(h, at, width, lanes, stride, p, at, first[WEIGHT] // 2, xhat, at, rstd, at)
    slot = 0
    for k in range(layers.shape[0]):
        layer = layers[k]
        out, width, weight, padded = layer[H_OUT], layer[N_OUT], layer[WEIGHT], layer[PADDED]
        depth = layer[N_IN] + 1 + layer[EXTRA]
        if depth * padded <= BAND:
            matmul(width, lanes, depth, p, weight, 1, padded, h, layer[H_IN], stride, h, out, stride)
        else:
            forward_product(width, lanes, depth, p, weight, padded, h, layer[H_IN], stride, out, pack)
        if not layer[HIDDEN]:
            if layer[SAMPLED]:
                to, size, key = layers[k + 1, H_IN], layer[SAMPLED], keys[layers.shape[0] + 1]
                _sample(h, out, to, size, lanes, stride, xhat, layer[XHAT], key, learning)
            if layer[CENTER]:
                at, to = layers[k + 1, H_IN], last[H_IN] + (last[N_IN] + 1) * stride
                for i in range(last[EXTRA] * stride):
                    h[to + i] = h[at + i]
            continue
        if layer[HAS_NORM]:
            gain = weight + depth * padded
            at = layer[XHAT]
            _normalize(h, out, width, lanes, stride, p, gain, gain + padded, xhat, at, rstd, (k + 1) * stride)
        if activation == RELU:
            _relu(h, out, width * stride)
        else:
            _smooth(h, out, width * stride, slopes, layer[XHAT], activation)
        if threshold > 0:
            _dropout(h, out, width, lanes, stride, keys[slot], threshold, scale)
            if activation != RELU:
                _dropout(slopes, layer[XHAT], width, lanes, stride, keys[slot], threshold, scale)
        slot += 1


@njit(**INNER)
def _squared_errors(x, observed, h, at, width, lanes, stride):
    """Sums of the squared error over the observed and over the observed non-zero cells."""
    simd.outlined()
    over_all, over_nonzero = simd.splat(x, 0.0), simd.splat(x, 0.0)
    for j in range(width):
        for lane in range(0, lanes, VECTOR_BYTES // x.itemsize):
            i = j * stride + lane
            target = simd.load(x, i)
            difference = (simd.load(h, at + i) - target) * simd.load(observed, i)
            over_all = simd.fma(difference, difference, over_all)
            over_nonzero = simd.fma(simd.where_nonzero(target, difference), difference, over_nonzero)
    return np.float64(simd.total(over_all)), np.float64(simd.total(over_nonzero))


@njit(**INNER)
def _loss_gradient(x, observed, h, at, width, lanes, stride, weight_all, weight_nonzero, d):
    """Gradient of the loss with respect to the reconstruction, into ``d``."""
    simd.outlined()
    for_all, for_nonzero = simd.splat(x, 2 * weight_all), simd.splat(x, 2 * weight_nonzero)
    for j in range(width):
        for lane in range(0, lanes, VECTOR_BYTES // x.itemsize):
            i = j * stride + lane
            target = simd.load(x, i)
            difference = (simd.load(h, at + i) - target) * simd.load(observed, i)
            simd.store(d, i, (for_all + simd.where_nonzero(target, for_nonzero)) * difference)


@njit(**INNER)
def _adamw(p, m, v, g, g_at, at, size, keep, rate, root):
    """AdamW on ``p[at : at + size]`` with gradients ``g[g_at : g_at + size]``.

    Source: Loshchilov and Hutter, ICLR 2019. A parameter is multiplied by ``keep`` and moves by ``rate``
    times the first moment over ``root`` times the root of the second: both hold the moments' corrections.
    """
    simd.outlined()
    keep, rate, root = simd.splat(p, keep), simd.splat(p, rate), simd.splat(p, root)
    one_minus_beta1, eps = simd.splat(p, 1 - 0.9), simd.splat(p, 1e-8)
    beta2, one_minus_beta2 = simd.splat(p, 0.999), simd.splat(p, 1 - 0.999)
    for i in range(0, size, VECTOR_BYTES // p.itemsize):
        gradient = simd.load(g, g_at + i)
        first = simd.load(m, at + i)
        first = simd.fma(gradient - first, one_minus_beta1, first)
        second = simd.fma(gradient * gradient, one_minus_beta2, simd.load(v, at + i) * beta2)
        simd.store(m, at + i, first)
        simd.store(v, at + i, second)
        change = rate * first / simd.fma(simd.sqrt(second), root, eps)
        simd.store(p, at + i, simd.fma(simd.load(p, at + i), keep, change))


@njit(**INNER)
def _transpose(d, width, padded, lanes, stride, d_rows):
    """``d`` [width, lanes] as rows ``[lanes, padded]``, zeros behind ``width``."""
    simd.outlined()
    v = VECTOR_BYTES // d.itemsize
    _fill_zero(d, width * stride, padded * stride)
    for j in range(0, padded, v):
        for lane in range(0, lanes, v):
            simd.transpose_block(d, j * stride + lane, stride, d_rows, lane * padded + j, padded)


@njit(**INNER)
def _backward_and_update(
    p, m, v, g, layers, has_norm, activation, n, lanes, stride, h, xhat, rstd, slopes, d, other, d_rows,
    scale, kl_weight, learning_rate, weight_decay, step,
):  # fmt: skip
    """Gradients from the last layer to the first, each layer updated as soon as its gradient is passed on."""
    simd.outlined()
    factor = simd.splat(p, scale)
    keep = 1 - learning_rate * weight_decay
    rate, root = -learning_rate / (1 - 0.9**step), 1 / math.sqrt(1 - 0.999**step)
    last = layers[layers.shape[0] - 1]
    beside = last[H_IN] + (last[N_IN] + 1) * stride
    for k in range(layers.shape[0] - 1, -1, -1):
        layer = layers[k]
        n_in, width, padded, weight = layer[N_IN], layer[N_OUT], layer[PADDED], layer[WEIGHT]
        if layer[CENTER]:  # the gradient that came back by the linear map beside the decoder
            for i in range(last[EXTRA] * stride):
                d[i] += h[beside + i]
        if layer[SAMPLED]:
            size, at = layer[SAMPLED], layer[XHAT]
            _sample_backward(d, h, layer[H_OUT], size, n, stride, xhat, at, kl_weight / n)
        # With ReLU and a norm the mask is applied on the way through the norm's gradient.
        if layer[HIDDEN] and not (activation == RELU and layer[HAS_NORM]):
            for i in range(0, width * stride, VECTOR_BYTES // p.itemsize):
                if activation == RELU:
                    kept = simd.load(h, layer[H_OUT] + i)
                    simd.store(d, i, simd.where_positive(kept, simd.load(d, i) * factor))
                else:
                    simd.store(d, i, simd.load(d, i) * simd.load(slopes, layer[XHAT] + i))
        depth = n_in + 1 + layer[EXTRA]
        rows = band_rows(depth, padded)
        if layer[HAS_NORM]:
            size = rows * padded
            _fill_zero(g, size + width, size + padded)
            _fill_zero(g, size + padded + width, size + 2 * padded)
            gain, at = weight + depth * padded, layer[XHAT]
            _normalize_backward(
                d, width, lanes, stride, p, gain, xhat, at, rstd, (k + 1) * stride, g, size, size + padded,
                h, layer[H_OUT], factor, activation == RELU,
            )  # fmt: skip
        _transpose(d, width, padded, lanes, stride, d_rows)
        if layer[EXTRA] and k == layers.shape[0] - 1:  # their gradient goes where the latent points are
            depth -= layer[EXTRA]
            at, n_rows = weight + depth * padded, layer[EXTRA]
            matmul(n_rows, padded, n, h, beside, stride, 1, d_rows, 0, padded, g, 0, padded)
            matmul(n_rows, lanes, width, p, at, padded, 1, d, 0, stride, h, beside, stride)
            _adamw(p, m, v, g, 0, at, n_rows * padded, keep, rate, root)
        # Band by band, so that what belongs to a wide layer passes through the cache only once.
        n_passed_on = n_in if k > 0 or has_norm else 0
        for i in range(0, depth, rows):
            n_rows, at = min(rows, depth - i), weight + i * padded
            if i < n_passed_on:
                n_units = min(rows, n_passed_on - i)
                matmul(n_units, lanes, width, p, at, padded, 1, d, 0, stride, other, i * stride, stride)
            h_at = layer[H_IN] + i * stride
            matmul(n_rows, padded, n, h, h_at, stride, 1, d_rows, 0, padded, g, 0, padded)
            size = n_rows * padded
            if layer[HAS_NORM] and rows == depth:
                size += 2 * padded
            _adamw(p, m, v, g, 0, at, size, keep, rate, root)
        if layer[HAS_NORM] and rows < depth:
            _adamw(p, m, v, g, rows * padded, weight + depth * padded, 2 * padded, keep, rate, root)
        d, other = other, d
    if has_norm:
        first = layers[0]
        size, at = first[WEIGHT], first[H_IN]
        _fill_zero(g, at, size)
        _normalize_backward(
            d, first[N_IN], lanes, stride, p, at, xhat, at, rstd, at, g, at, size // 2, h, 0, factor, False
        )
        _adamw(p, m, v, g, at, at, size, keep, rate, root)


def _compile_pass(sources: int):
    """The one entry point; ``sources`` makes the cache notice a change in any file that it is made of."""

    @compiled
    def run_pass(
        p, m, v, g, layers, has_norm, activation, values, rows, batch_size, stride, x, observed, h, xhat,
        rstd, slopes, d, other, d_rows, pack, keys, sums, stop, learning, seed, epoch, threshold, scale,
        corruption, kl_weight, learning_rate, weight_decay, nonzero_weight, all_weight, step, output,
    ):  # fmt: skip
        """One pass over ``rows`` in their order, ``batch_size`` at a time, with updates if ``learning``.

        Without them there is no dropout either, and only the loss is measured. One function does both, and
        allocates nothing, because each further one, and each allocation, adds a second to the compilation.
        The reconstructions are written to ``output`` ``[rows, columns]``, unless it is empty.

        Returns:
            The loss over all rows at once, each batch as it was met.
        """
        key = sources  # noqa: F841  (only to be part of the cache's key)
        lanes_per_vector = VECTOR_BYTES // p.itemsize
        n_columns = values.shape[1]
        for i in range(sums.size):
            sums[i] = 0
        n_layers = layers.shape[0]
        out = layers[n_layers - 1, H_OUT]
        for batch in range((rows.size + batch_size - 1) // batch_size):
            if stop[0]:
                break
            start = batch * batch_size
            n = min(batch_size, rows.size - start)
            lanes = (n + lanes_per_vector - 1) // lanes_per_vector * lanes_per_vector
            n_observed, n_nonzero = _gather(values, rows, start, n, lanes, stride, x, observed)
            if learning:
                for slot in range(n_layers):
                    keys[slot] = layer_key(seed, epoch, batch, slot)
                keys[n_layers] = layer_key(seed, epoch, batch, CORRUPTION)
                keys[n_layers + 1] = layer_key(seed, epoch, batch, NOISE)
            _forward(
                p, layers, has_norm, activation, lanes, stride, x, observed, h, xhat, rstd, slopes, pack,
                keys, threshold if learning else np.uint32(0), scale,
                corruption if learning else np.uint32(0), learning,
            )  # fmt: skip
            over_all, over_nonzero = _squared_errors(x, observed, h, out, n_columns, lanes, stride)
            sums[0] += over_all
            sums[1] += over_nonzero
            sums[2] += n_observed
            sums[3] += n_nonzero
            if output.size > 0:
                for lane in range(n):
                    for j in range(n_columns):
                        output[start + lane, j] = h[out + j * stride + lane]
            if learning:
                weight_all = all_weight / max(n_observed, 1)
                weight_nonzero = nonzero_weight / max(n_nonzero, 1)
                _loss_gradient(x, observed, h, out, n_columns, lanes, stride, weight_all, weight_nonzero, d)
                _backward_and_update(
                    p, m, v, g, layers, has_norm, activation, n, lanes, stride, h, xhat, rstd, slopes, d,
                    other, d_rows, scale, kl_weight, learning_rate, weight_decay, step + batch + 1,
                )  # fmt: skip
        return all_weight * sums[0] / max(sums[2], 1) + nonzero_weight * sums[1] / max(sums[3], 1)

    return run_pass


run_pass = _compile_pass(_sources_digest())
