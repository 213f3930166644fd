"""What a step does between its products, number by number: rows in, activations, dropout, loss, AdamW."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from autoenc.engines import simd, smooth
from autoenc.engines.hashing import combine, standard_normal
from autoenc.engines.scalars import smallest
from autoenc.engines.simd import INNER

__all__ = [
    "adamw",
    "center",
    "copy",
    "dropout",
    "fill_zero",
    "gather",
    "loss_gradient",
    "mask",
    "relu",
    "sample",
    "sample_backward",
    "activate",
    "squared_errors",
    "transpose",
]

RELU, LEAKY_RELU, ELU, GELU, SILU, TANH = range(6)  # in the order of contract.ACTIVATIONS
GATHERED = 64  # columns that are read from one row after the other


@njit(**INNER)
def fill_zero(a, start, stop):
    """Write 0; a slice would do, but its error paths triple the time that compiling takes."""
    for i in range(start, stop):
        a[i] = 0


@njit(**INNER)
def copy(source, target, at, to, size):
    """Copy numbers, whole vectors of them."""
    simd.outlined()
    for i in range(0, size, simd.lanes_of(source)):
        simd.store(target, to + i, simd.load(source, at + i))


@njit(**INNER)
def relu(h, at, size):
    """Apply ReLU in place, which is its own derivative's mask."""
    for i in range(at, at + size, simd.lanes_of(h)):
        y = simd.load(h, i)
        simd.store(h, i, simd.where_positive(y, y))


@njit(**INNER)
def activate(h, at, size, slopes, slopes_at, activation):
    """Apply any activation but ReLU, in place, with its derivative into ``slopes``."""
    simd.outlined()
    for i in range(0, size, simd.lanes_of(h)):
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
def dropout(h, at, first, last, lanes, stride, key, threshold, scale, rectified):
    """Drop units by the hash of unit and row, and scale what stays, of ReLU where it is ``rectified``."""
    simd.outlined()
    factor = simd.splat(h, scale)
    for j in range(first, last):
        unit_key = combine(key, np.uint32(j))
        for lane in range(0, lanes, simd.lanes_of(h)):
            i = at + j * stride + lane
            y = simd.load(h, i)
            if rectified:
                y = simd.where_positive(y, y)
            simd.store(h, i, simd.drop(y, unit_key, lane, threshold, factor))


@njit(**INNER)
def gather(values, n_columns, rows, start, n, lanes, stride, x, observed, first, last):
    """Gather rows of the table as lanes: cells with 0 for missing, and 1 or 0 for observed or not.

    Only columns from first to last.

    Returns:
        The numbers of observed and of observed non-zero cells.
    """
    simd.outlined()
    v = simd.lanes_of(x)
    n_observed, n_nonzero = np.int64(0), np.int64(0)
    begin = first
    while begin < last:  # what is written stays in the cache until its lines are full
        end = smallest(begin + GATHERED, last)
        for i in range(n):
            at = rows[start + i] * n_columns
            for j in range(begin, end):
                x[j * stride + i] = values[at + j]
        begin = end
    one = simd.splat(x, 1.0)
    for j in range(first, last):
        for i in range(n, lanes):
            x[j * stride + i] = math.nan
        seen, filled = simd.splat(x, 0.0), simd.splat(x, 0.0)
        for i in range(j * stride, j * stride + lanes, v):
            value = simd.load(x, i)
            number = simd.where_number(value, one)
            value = simd.where_number(value, value)
            simd.store(x, i, value)
            simd.store(observed, i, number)
            seen = seen + number
            filled = filled + simd.where_nonzero(value, one)
        n_observed += np.int64(simd.total(seen))
        n_nonzero += np.int64(simd.total(filled))
    return n_observed, n_nonzero


@njit(**INNER)
def sample(h, at, to, size, lanes, stride, noise, noise_at, key, learning):
    """Put latent points from means and log variances: drawn while ``learning``, else the means."""
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
def sample_backward(d, h, at, size, n, stride, noise, noise_at, weight):
    """Put the gradient of means and log variances, with the KL term's, in the place of latent points'.

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
        fill_zero(d, (size + j) * stride + n, (size + j + 1) * stride)


@njit(**INNER)
def center(x, observed, p, means_at, h, at, first, last, lanes, stride):
    """Put what the linear map beside the encoder is given: cells less their column's mean, or 0."""
    simd.outlined()
    for j in range(first, last):
        mean = simd.spread(p, means_at + j)
        for lane in range(0, lanes, simd.lanes_of(x)):
            i = j * stride + lane
            simd.store(h, at + i, (simd.load(x, i) - mean) * simd.load(observed, i))


@njit(**INNER)
def mask(observed, h, at, first, last, lanes, stride, key, corruption):
    """Put what the first layer is given beside the cells: 1 where one is missing or hidden."""
    simd.outlined()
    copy(observed, h, first * stride, at + first * stride, (last - first) * stride)
    if corruption > 0:
        dropout(h, at, first, last, lanes, stride, key, corruption, 1.0, False)
    one = simd.splat(h, 1.0)
    for i in range(at + first * stride, at + last * stride, simd.lanes_of(h)):
        simd.store(h, i, one - simd.load(h, i))


@njit(**INNER)
def squared_errors(x, observed, h, at, width, lanes, stride):
    """Sum the squared error over the observed and over the observed non-zero cells."""
    simd.outlined()
    over_all, over_nonzero = simd.splat(x, 0.0), simd.splat(x, 0.0)
    for j in range(width):
        for lane in range(0, lanes, simd.lanes_of(x)):
            i = j * stride + lane
            target = simd.load(x, i)
            difference = (simd.load(h, at + i) - target) * simd.load(observed, i)
            over_all = simd.fma(difference, difference, over_all)
            over_nonzero = simd.fma(simd.where_nonzero(target, difference), difference, over_nonzero)
    return np.float64(simd.total(over_all)), np.float64(simd.total(over_nonzero))


@njit(**INNER)
def loss_gradient(x, observed, h, at, first, last, lanes, stride, weight_all, weight_nonzero, d):
    """Put the gradient of the loss by the reconstruction into ``d``, of columns from first to last."""
    simd.outlined()
    for_all, for_nonzero = simd.splat(x, 2 * weight_all), simd.splat(x, 2 * weight_nonzero)
    for j in range(first, last):
        for lane in range(0, lanes, simd.lanes_of(x)):
            i = j * stride + lane
            target = simd.load(x, i)
            difference = (simd.load(h, at + i) - target) * simd.load(observed, i)
            simd.store(d, i, (for_all + simd.where_nonzero(target, for_nonzero)) * difference)


@njit(**INNER)
def adamw(p, m, v, g, g_at, at, size, keep, rate, root):
    """Step AdamW on ``p[at : at + size]`` with gradients ``g[g_at : g_at + size]``.

    Source: Loshchilov and Hutter, ICLR 2019. A parameter is multiplied by ``keep`` and moves by ``rate``
    times the first moment over ``root`` times the root of the second: both hold the moments' corrections.
    """
    simd.outlined()
    keep, rate, root = simd.splat(p, keep), simd.splat(p, rate), simd.splat(p, root)
    one_minus_beta1, eps = simd.splat(p, 1 - 0.9), simd.splat(p, 1e-8)
    beta2, one_minus_beta2 = simd.splat(p, 0.999), simd.splat(p, 1 - 0.999)
    for i in range(0, size, simd.lanes_of(p)):
        gradient = simd.load(g, g_at + i)
        first = simd.load(m, at + i)
        first = simd.fma(gradient - first, one_minus_beta1, first)
        second = simd.fma(gradient * gradient, one_minus_beta2, simd.load(v, at + i) * beta2)
        simd.store(m, at + i, first)
        simd.store(v, at + i, second)
        change = rate * first / simd.fma(simd.sqrt(second), root, eps)
        simd.store(p, at + i, simd.fma(simd.load(p, at + i), keep, change))


@njit(**INNER)
def transpose(d, first, last, width, padded, lanes, stride, d_rows, d_stride):
    """Transpose ``d`` [width, lanes] to rows ``[lanes, padded]``, ``d_stride`` apart, zeros behind ``width``.

    Only units from first to last, whole vectors but for the last ones of all.
    """
    simd.outlined()
    v = simd.lanes_of(d)
    if last == width and first < last:
        fill_zero(d, width * stride, padded * stride)
    for j in range(first, last, v):
        for lane in range(0, lanes, v):
            simd.transpose_block(d, j * stride + lane, stride, d_rows, lane * d_stride + j, d_stride)
