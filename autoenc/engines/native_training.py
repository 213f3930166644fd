"""The arrays of a fit by the native engine, and its epochs: one compiled call each.

All parameters of a model lie in one flat vector, padded so that every row of a weight matrix starts a SIMD
vector.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoenc.engines import layers
from autoenc.engines.contract import StopFlag
from autoenc.engines.cores import CORES
from autoenc.engines.fit import Fit, State
from autoenc.engines.layers import PACK_SIZE, VECTOR_BYTES, row_stride
from autoenc.engines.loading import compiled_pass
from autoenc.engines.meeting import Meeting
from autoenc.engines.pca_start import start_of
from autoenc.engines.randomness import batch_order, keep_threshold
from autoenc.engines.recipe import ACTIVATIONS
from autoenc.engines.split import Split
from autoenc.models.grid import NetworkShape

__all__ = ["CORES", "Training"]

Floats = NDArray[np.floating]


def _aligned(size: int, dtype: np.dtype) -> Floats:
    """Zeros that start at a cache line."""
    itemsize = dtype.itemsize
    room = np.zeros(size + VECTOR_BYTES // itemsize, dtype)
    skip = -room.ctypes.data % VECTOR_BYTES // itemsize
    return room[skip : skip + size]


@dataclass(frozen=True)
class Layout:
    """Where each parameter and each activation of a network has its place in the flat arrays."""

    network: NetworkShape
    table: NDArray[np.int64]
    n_parameters: int
    n_activations: int
    n_normalized: int
    largest_band: int
    widest: int
    vector: int

    @classmethod
    def of(cls, network: NetworkShape, stride: int, vector: int) -> Layout:
        """Return the layout of a network."""

        def padded(width: int) -> int:
            return -(-width // vector) * vector

        at = 2 * padded(network.input_dim) if network.normalizes_input else 0
        largest = 0
        all_layers = network.layers()
        middle = len(all_layers) // 2
        extra = [0] * (len(all_layers) + 1)  # inputs of a layer that a linear map or the mask brings in
        if network.linear_path:
            extra[middle - 1], extra[-2] = network.input_dim, network.latent_dim
        if network.input_mask:
            extra[0] = network.input_dim
        h_in, h_out = 0, (network.input_dim + 1 + extra[0]) * stride
        xhat = network.input_dim * stride
        rows = []
        for i, layer in enumerate(all_layers):
            row = np.zeros(layers.N_COLUMNS, np.int64)
            row[layers.N_IN], row[layers.N_OUT] = layer.n_in, layer.n_out
            row[layers.PADDED], row[layers.WEIGHT] = padded(layer.n_out), at
            row[layers.HAS_NORM], row[layers.HIDDEN] = layer.norm is not None, layer.hidden
            row[layers.H_IN], row[layers.H_OUT], row[layers.XHAT] = h_in, h_out, xhat
            row[layers.EXTRA] = extra[i]
            rows.append(row)
            n_weights, n_more = layer.n_in + 1 + extra[i], 2 if layer.norm else 0
            block = (n_weights + n_more) * padded(layer.n_out)
            band = layers.band_rows(n_weights, padded(layer.n_out))
            largest = max(largest, max(band, extra[i]) * padded(layer.n_out))
            at += block
            h_in, h_out = h_out, h_out + (layer.n_out + 1 + extra[i + 1]) * stride
            xhat += layer.n_out * stride if layer.hidden else 0
            if network.variational and i == middle - 1:
                # Latent points that are drawn have a place of their own, and so has their noise.
                row[layers.SAMPLED] = size = network.latent_dim
                h_in, h_out = h_out, h_out + (size + 1 + extra[i + 1]) * stride
                xhat += size * stride
        if network.linear_path:
            rows[middle - 1][layers.CENTER] = at
            at += padded(network.input_dim)
        widest = max(padded(max(layer.n_in, layer.n_out)) for layer in all_layers)
        return cls(network, np.array(rows), at, h_out, xhat, largest, widest, vector)

    def pack(self, state: State, dtype: np.dtype) -> Floats:
        """Return the state as one flat vector."""
        flat = _aligned(self.n_parameters, dtype)
        for name, view in self._views(flat).items():
            view[...] = state[name]
        return flat

    def unpack(self, flat: Floats) -> State:
        """Return the flat vector as a state."""
        return {name: np.ascontiguousarray(view) for name, view in self._views(flat).items()}

    def _views(self, flat: Floats) -> dict[str, Floats]:
        """Each parameter by its state-dict name, as a view into ``flat``."""
        views: dict[str, Floats] = {}
        if self.network.normalizes_input:
            half, width = self.table[0, layers.WEIGHT] // 2, self.network.input_dim
            views["input_norm.weight"] = flat[:width]
            views["input_norm.bias"] = flat[half : half + width]
        for layer, row in zip(self.network.layers(), self.table, strict=True):
            padded, at = row[layers.PADDED], row[layers.WEIGHT]
            depth = layer.n_in + 1 + row[layers.EXTRA]
            n_rows = depth + (2 if layer.norm else 0)
            block = flat[at : at + n_rows * padded].reshape(n_rows, padded)[:, : layer.n_out]
            views[f"{layer.linear}.weight"] = block[: layer.n_in].T
            views[f"{layer.linear}.bias"] = block[layer.n_in]
            if layer.norm:
                views[f"{layer.norm}.weight"] = block[depth]
                views[f"{layer.norm}.bias"] = block[depth + 1]
            if row[layers.EXTRA]:
                kind = "mask" if layer.hidden else "line"
                views[f"{layer.linear.split('.')[0]}_{kind}.weight"] = block[layer.n_in + 1 : depth].T
            if row[layers.CENTER]:
                views["mean"] = flat[row[layers.CENTER] :][: self.network.input_dim]
        return views


_WORTH_HELP = 8_000_000
"""Multiply-adds of a step, forward, from which on a second thread saves more than waiting for it costs."""


class Training:
    """The arrays of one fit, and its epochs; up to ``n_cores`` threads train it, as far as it is worth it."""

    def __init__(
        self, split: Split, fit: Fit, dtype: np.dtype, stop: StopFlag, initial: State | None, n_cores: int
    ) -> None:
        recipe = fit.recipe
        self.split, self.fit, self.stop = split, fit, stop
        self.values = np.ascontiguousarray(split.values, np.float32)
        vector = VECTOR_BYTES // dtype.itemsize
        self.most_rows = -(-min(recipe.batch_size, split.train.size) // vector) * vector
        self.stride = row_stride(self.most_rows, vector)
        network = fit.network(split.values.shape[1])
        self.layout = Layout.of(network, self.stride, vector)
        self.n_cores = n_cores if network.count_multiply_adds() * self.most_rows >= _WORTH_HELP else 1
        start = start_of(split, fit) if initial is None else initial
        self.p = self.layout.pack(start, dtype)
        self.m, self.v = (_aligned(self.layout.n_parameters, dtype) for _ in range(2))
        self.g_size = self.layout.largest_band
        self.g = _aligned(self.g_size * self.n_cores, dtype)
        self.g_norm = _aligned(2 * self.layout.widest, dtype)
        columns = split.values.shape[1] * self.stride
        self.x, self.observed = _aligned(columns, dtype), _aligned(columns, dtype)
        self.h = _aligned(self.layout.n_activations, dtype)
        self._set_ones()
        self.xhat = _aligned(self.layout.n_normalized, dtype)
        self.slopes = self.xhat[:0] if recipe.activation == "relu" else np.zeros_like(self.xhat)
        self.rstd = _aligned((len(self.layout.table) + 1) * self.stride, dtype)
        self.d, self.other = (_aligned(self.layout.widest * self.stride, dtype) for _ in range(2))
        self.d_rows = _aligned(row_stride(self.layout.widest, vector) * self.most_rows, dtype)
        self.pack = _aligned(PACK_SIZE * self.n_cores, dtype)
        self.keys = np.zeros((len(self.layout.table) + 2) * self.n_cores, np.uint32)
        self.sums = np.zeros(4)
        self._run_pass, self._same = compiled_pass(dtype), self._arguments()

    def _arguments(self) -> tuple[ctypes.c_int64, ...]:
        """What each pass is given, in the order of :func:`autoenc.engines.kernels.object_code`.

        A foreign call takes half the time where it need not convert them.
        """
        recipe, layout = self.fit.recipe, self.layout
        arrays = (
            self.p, self.m, self.v, self.g, self.g_norm, self.x, self.observed, self.h, self.xhat, self.rstd,
            self.slopes, self.d, self.other, self.d_rows, self.pack, self.keys, self.sums, self.values,
            layout.table, self.stop.array,
        )  # fmt: skip
        numbers = (
            *(array.ctypes.data for array in arrays), self.g_size, len(layout.table),
            layout.network.normalizes_input, ACTIVATIONS.index(recipe.activation), self.values.shape[1],
            self.stride, self.fit.seed, -(-self.split.train.size // recipe.batch_size),
            keep_threshold(recipe.dropout),
            keep_threshold(recipe.corruption if recipe.family == "dae" else 0.0),
        )  # fmt: skip
        return tuple(map(ctypes.c_int64, numbers))

    def _set_ones(self) -> None:
        """The row of ones behind each block of activations, which makes the bias a row of weights."""
        for row in self.layout.table:
            at = row[layers.H_IN] + row[layers.N_IN] * self.stride
            self.h[at : at + self.stride] = 1

    def epoch(self, epoch: int) -> float:
        """Train one epoch; returns the training loss as it was met."""
        order = self.split.train[batch_order(self.fit.seed, epoch, self.split.train.size)]
        return self._pass(order, self.fit.recipe.batch_size, True, epoch)

    def loss(self, rows: NDArray[np.int64]) -> float:
        """Return the loss over ``rows``, without dropout."""
        return self._pass(rows, self.most_rows, False, 0)

    def reconstruct(self, rows: NDArray[np.int64]) -> Floats:
        """Return scaled reconstructions of ``rows``, ``[rows, columns]``, without dropout."""
        output = np.empty((rows.size, self.values.shape[1]), self.p.dtype)
        self._pass(rows, self.most_rows, False, 0, output)
        return output

    def _pass(
        self, rows: NDArray[np.int64], batch_size: int, learning: bool, epoch: int,
        output: Floats | None = None,
    ) -> float:  # fmt: skip
        recipe = self.fit.recipe
        rows = np.ascontiguousarray(rows, np.int64)
        whole = (
            *self._same, rows.ctypes.data, rows.size, batch_size, learning, epoch,
            0 if output is None else output.ctypes.data,
        )  # fmt: skip
        numbers = (
            1 / (1 - recipe.dropout), recipe.weight_decay, recipe.nonzero_weight, recipe.all_weight,
            recipe.kl_weight_in(epoch) if recipe.family == "vae" else 0.0, recipe.learning_rate(epoch),
        )  # fmt: skip

        def one_pass(meeting: Meeting, helping: bool) -> float:
            return self._run_pass(*whole, meeting.ctypes.data, helping, *numbers)

        return CORES.run(one_pass, self.n_cores)
