"""The only source of chance in a fit: pure functions of coordinates, the same for every engine.

Initial weights depend on (seed, network), the order of rows on (seed, epoch), a dropout decision on
(seed, epoch, step, layer, unit, row). Nothing depends on what was drawn before, so a result does not
depend on engine, workers or order; and what architectures share is drawn alike for all of them, which
takes noise out of their comparison (common random numbers).

The hash is a 32-bit finalizer of the xor-shift-multiply kind with the constants of MurmurHash3
(A. Appleby, public domain): every input bit changes each output bit with probability near one half.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.fit import State
from autoenc.models.grid import NetworkShape

__all__ = [
    "CORRUPTION",
    "NOISE",
    "batch_order",
    "combined",
    "dropout_mask",
    "initial_state",
    "keep_threshold",
    "latent_noise",
    "layer_key",
    "row_hash",
]

# Where hidden layers count from 0, the cells that a denoising autoencoder does not see and the noise of a
# variational one have places that no depth reaches, so that all architectures meet the same ones.
CORRUPTION, NOISE = 2**32 - 1, 2**32 - 2

_SHORT = 8192  # rows of which orders are kept
_GOLDEN = np.uint32(0x9E3779B1)  # 2**32 divided by the golden ratio: spreads consecutive integers


def combined(key: Any, number: Any) -> Any:
    """Return ``number`` hashed into ``key``; both uint32, scalars of compiled code or arrays."""
    word = key ^ np.uint32(number * _GOLDEN)
    word = word ^ (word >> np.uint32(16))
    word = np.uint32(word * np.uint32(0x85EBCA6B))
    word = word ^ (word >> np.uint32(13))
    word = np.uint32(word * np.uint32(0xC2B2AE35))
    return word ^ (word >> np.uint32(16))


def layer_key(seed: int, epoch: int, step: int, layer: int) -> np.uint32:
    """Return the uint32 from which one layer's dropout decisions of one step follow."""
    key, *others = np.array([[seed], [epoch], [step], [layer]], np.uint32)
    for number in others:
        key = row_hash(key, number)
    return np.uint32(key[0])


def latent_noise(seed: int, epoch: int, step: int, n_rows: int, n_units: int) -> NDArray[np.float64]:
    """Return the noise of a variational autoencoder's step, ``[n_rows, n_units]``, standard normal."""
    key = np.full(n_units, layer_key(seed, epoch, step, NOISE), dtype=np.uint32)
    unit_keys = row_hash(key, np.arange(n_units, dtype=np.uint32))[None, :]
    rows = np.arange(n_rows, dtype=np.uint32)[:, None]
    first, second = row_hash(unit_keys, 2 * rows), row_hash(unit_keys, 2 * rows + 1)
    radius = np.sqrt(-2 * np.log((first + 0.5) / 2.0**32))
    noise: NDArray[np.float64] = radius * np.cos(2 * np.pi * (second / 2.0**32))
    return noise


def row_hash(key: NDArray[np.uint32], row: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the last hash step, over rows; broadcasts."""
    return np.asarray(combined(key, row), dtype=np.uint32)


def keep_threshold(dropout: float) -> int:
    """Return the lowest hash that keeps its unit."""
    return min(round(dropout * 2**32), 2**32 - 1)


def dropout_mask(
    seed: int, epoch: int, step: int, layer: int, n_rows: int, n_units: int, dropout: float
) -> NDArray[np.bool_]:
    """Return which units stay, as the engines compute it.

    Args:
        seed: The fit's seed.
        epoch: From 0.
        step: Batch within the epoch, from 0.
        layer: Hidden layer, counted through encoder and decoder from 0.
        n_rows: Rows of the batch.
        n_units: Width of the layer.
        dropout: Probability that a unit is dropped.

    Shape:
        returns: ``[n_rows, n_units]``.
    """
    key = np.full(n_units, layer_key(seed, epoch, step, layer), dtype=np.uint32)
    unit_keys = row_hash(key, np.arange(n_units, dtype=np.uint32))
    rows = np.arange(n_rows, dtype=np.uint32)[:, None]
    return row_hash(unit_keys[None, :], rows) >= np.uint32(keep_threshold(dropout))


def batch_order(seed: int, epoch: int, n_rows: int) -> NDArray[np.int64]:
    """Return the order in which ``epoch`` visits ``n_rows`` training rows; read-only."""
    drawn = _short_order if n_rows <= _SHORT else _short_order.__wrapped__
    return drawn(seed, epoch, n_rows)


@lru_cache(maxsize=256)  # 16 MiB at most: all fits of a search with one seed have the same orders
def _short_order(seed: int, epoch: int, n_rows: int) -> NDArray[np.int64]:
    order = np.random.default_rng([seed, epoch]).permutation(n_rows)
    order.flags.writeable = False
    return order


def initial_state(network: NetworkShape, seed: int) -> State:
    """Return Xavier-uniform weights, zero biases and unit norms, in float64, by state-dict name.

    Uniform on +-sqrt(6 / (n_in + n_out)) (Glorot and Bengio, AISTATS 2010).
    """
    rng = np.random.default_rng([seed, network.input_dim, network.latent_dim, *network.hidden_dims])
    state: State = {}

    def add_norm(prefix: str, width: int) -> None:
        state[f"{prefix}.weight"] = np.ones(width)
        state[f"{prefix}.bias"] = np.zeros(width)

    if network.normalizes_input:
        add_norm("input_norm", network.input_dim)
    for layer in network.layers():
        bound = sqrt(6 / (layer.n_in + layer.n_out))
        state[f"{layer.linear}.weight"] = rng.uniform(-bound, bound, (layer.n_out, layer.n_in))
        state[f"{layer.linear}.bias"] = np.zeros(layer.n_out)
        if layer.norm:
            add_norm(layer.norm, layer.n_out)
    return state | {name: np.zeros(shape) for name, shape in network.linear_maps().items()}
