"""LayerNorm and its gradient, a vector of rows at a time.

Activations are stored feature by feature, so the sums over a row's features run down them with every lane
busy.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from autoenc.engines import simd
from autoenc.engines.simd import INNER

__all__ = ["normalize", "normalize_backward", "normalize_gains"]

NORM_EPS = 1e-6


@njit(**INNER)
def normalize(h, h_at, width, start, stop, stride, p, gain_at, shift_at, xhat, xhat_at, rstd, rstd_at):
    """Apply LayerNorm over the features, in place, and keep what the backward pass needs.

    Only lanes from ``start`` to ``stop``. Sums run in four parts that do not wait for each other: an
    addition takes four cycles to come back.
    """
    simd.outlined()
    v = simd.lanes_of(h)
    inverse_width, eps, one = simd.splat(h, 1.0 / width), simd.splat(h, NORM_EPS), simd.splat(h, 1.0)
    for lane in range(start, stop, v):
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
def normalize_gains(
    d, first, last, lanes, stride, xhat, xhat_at, g, padded, h, h_at, factor, masked,
):  # fmt: skip
    """Put gradients of gains and shifts into ``g[unit]`` and ``g[padded + unit]``, of units first to last.

    Where ``masked``, ``d`` is the gradient behind ReLU and dropout, whose outputs are ``h``: it passes,
    times ``factor``, where they are positive. Done here because the gradient is in registers here.
    """
    simd.outlined()
    v = simd.lanes_of(d)
    for j in range(first, last):
        at, to = j * stride, xhat_at + j * stride
        dshift, dgain = simd.splat(d, 0.0), simd.splat(d, 0.0)
        for lane in range(0, lanes, v):
            dy = simd.load(d, at + lane)
            if masked:
                dy = simd.where_positive(simd.load(h, h_at + at + lane), dy * factor)
                simd.store(d, at + lane, dy)
            dgain = simd.fma(dy, simd.load(xhat, to + lane), dgain)
            dshift = dshift + dy
        g[j] = simd.total(dgain)
        g[padded + j] = simd.total(dshift)


@njit(**INNER)
def normalize_backward(d, width, start, stop, stride, p, gain_at, xhat, xhat_at, rstd, rstd_at):
    """Put the gradient of a LayerNorm's input in the place of its output's, in lanes start to stop."""
    simd.outlined()
    v = simd.lanes_of(d)
    inverse_width = simd.splat(d, 1.0 / width)
    for lane in range(start, stop, v):
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
