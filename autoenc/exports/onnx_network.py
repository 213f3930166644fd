"""Encoder and decoder as operations of ONNX, in single precision as the network computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoenc.exports.onnx_build import Graph
from autoenc.models.network import NORM_EPS, DynamicAutoencoder

__all__ = ["NetworkNodes"]

_ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "relu": lambda graph, x: graph.op("Relu", x),
    "leaky_relu": lambda graph, x: graph.op("LeakyRelu", x, alpha=0.01),
    "elu": lambda graph, x: graph.op("Elu", x, alpha=1.0),
    "gelu": lambda graph, x: _gelu(graph, x),
    "silu": lambda graph, x: graph.op("Mul", x, graph.op("Sigmoid", x)),
    "tanh": lambda graph, x: graph.op("Tanh", x),
}


def _gelu(graph: Graph, x: str) -> str:
    half, one = graph.constant(0.5, np.float32), graph.constant(1.0, np.float32)
    erf = graph.op("Erf", graph.op("Mul", x, graph.constant(np.sqrt(0.5), np.float32)))
    return graph.op("Mul", graph.op("Mul", x, half), graph.op("Add", erf, one))


class NetworkNodes:
    """A network whose layers are added to a graph.

    Args:
        graph: It grows.
        network: The network.
        prefix: Before the names of its parameters, which are those of the state dict.
    """

    def __init__(self, graph: Graph, network: DynamicAutoencoder, prefix: str = "") -> None:
        self._graph, self._shape, self._activation = graph, network.shape, network.activation
        state = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
        self._state: dict[str, NDArray[np.float32]] = {
            name: value.astype(np.float32) for name, value in state.items()
        }
        self._prefix = prefix

    def encoded(self, scaled: str) -> str:
        """Return latent points of scaled rows, NaN where a cell is missing."""
        graph, shape = self._graph, self._shape
        missing, zero = graph.op("IsNaN", scaled), graph.constant(0.0, np.float32)
        x = graph.op("Where", missing, zero, scaled)
        if shape.normalizes_input:
            x = self._norm("input_norm", x)
        beside = None
        if shape.input_mask:
            mask = graph.op("Where", missing, graph.constant(1.0, np.float32), zero)
            weight = graph.parameter(
                f"{self._prefix}encoder_mask.weight", self._state["encoder_mask.weight"].T
            )
            beside = graph.op("MatMul", mask, weight)
        latent = self._layers("encoder", x, beside)
        if not shape.linear_path:
            return latent
        centered = graph.op("Sub", scaled, self._parameter("mean"))
        line = self._latent_part(self._state["encoder_line.weight"])
        weight = graph.parameter(f"{self._prefix}encoder_line.weight", line.T)
        path = graph.op("MatMul", graph.op("Where", missing, zero, centered), weight)
        return graph.op("Add", latent, path)

    def decoded(self, latent: str) -> str:
        """Return scaled rows of latent points."""
        graph = self._graph
        rows = self._layers("decoder", latent)
        if not self._shape.linear_path:
            return rows
        weight = graph.parameter(f"{self._prefix}decoder_line.weight", self._state["decoder_line.weight"].T)
        return graph.op("Add", rows, graph.op("MatMul", latent, weight))

    def _layers(self, part: str, x: str, beside: str | None = None) -> str:
        """Return what comes out of encoder or decoder; ``beside`` is added behind the first linear layer."""
        graph = self._graph
        layers = [layer for layer in self._shape.layers() if layer.linear.startswith(part)]
        for layer in layers:
            weight, bias = (self._state[f"{layer.linear}.{name}"] for name in ("weight", "bias"))
            if part == "encoder" and not layer.hidden:  # a variational one also has log variances
                weight, bias = self._latent_part(weight), self._latent_part(bias)
            names = [
                graph.parameter(f"{self._prefix}{layer.linear}.{name}", value)
                for name, value in (("weight", weight), ("bias", bias))
            ]
            x = graph.op("Gemm", x, *names, transB=1)
            if beside is not None:
                x, beside = graph.op("Add", x, beside), None
            if layer.norm:
                x = self._norm(layer.norm, x)
            if layer.hidden:
                x = _ACTIVATIONS[self._activation](graph, x)
        return x

    def _latent_part(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        return value[: self._shape.latent_dim]

    def _norm(self, name: str, x: str) -> str:
        weight, bias = (self._parameter(f"{name}.{part}") for part in ("weight", "bias"))
        return self._graph.op("LayerNormalization", x, weight, bias, axis=-1, epsilon=NORM_EPS)

    def _parameter(self, name: str) -> str:
        return self._graph.parameter(f"{self._prefix}{name}", self._state[name])
