"""What the networks of a stack have in common: layers as wide as the widest, and the parameters of these."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from autoenc.models.grid import NetworkShape

__all__ = ["Layer", "layers_of", "padded_shapes"]

_ALIGNED = 32
"""Numbers between two places where a GPU reads fastest, 128 bytes in single precision."""


class Layer(NamedTuple):
    """A linear layer of a stack.

    Attributes:
        name: Prefix of its parameters, as a number.
        n_in, n_out: Widths, the largest of any network.
        hidden: Whether activation and dropout follow.
        norm: Whether LayerNorm follows.
        widths: True ``n_out`` of each network where they differ; None where they are equal.
    """

    name: str
    n_in: int
    n_out: int
    hidden: bool
    norm: bool
    widths: tuple[int, ...] | None


def layers_of(networks: Sequence[NetworkShape]) -> list[Layer]:
    """Return the layers of a stack; with a variational network, with room for its log variances."""
    by_network = [network.layers() for network in networks]
    middle = len(by_network[0]) // 2
    latent_dim = max(network.latent_dim for network in networks)
    layers = []
    for i, same in enumerate(zip(*by_network, strict=True)):
        n_out = max(layer.n_out for layer in same)
        if i == middle - 1:
            n_out = latent_dim * (2 if any(network.variational for network in networks) else 1)
        n_in = latent_dim if i == middle else max(layer.n_in for layer in same)
        widths = tuple(layer.n_out for layer in same)
        hidden, norm = same[0].hidden, same[0].norm is not None
        layers.append(Layer(str(i), n_in, n_out, hidden, norm, widths if len(set(widths)) > 1 else None))
    return layers


def padded_shapes(networks: Sequence[NetworkShape]) -> dict[str, tuple[int, ...]]:
    """Return the parameters that a stack of these networks has for each of them, by name, with their shapes.

    Weights are ``(n_in, n_out)``. They stand in an order in which those of usual widths begin where a device
    reads fast, and so do the parameters of the next network, behind a filler.
    """
    first, layers = networks[0], layers_of(networks)
    shapes: dict[str, tuple[int, ...]] = {}
    if first.normalizes_input:
        shapes |= {"input.gain": (first.input_dim,), "input.shift": (first.input_dim,)}
    for layer in layers:
        shapes[f"{layer.name}.weight"] = (layer.n_in, layer.n_out)
        shapes[f"{layer.name}.bias"] = (layer.n_out,)
        if layer.norm:
            shapes |= {f"{layer.name}.gain": (layer.n_out,), f"{layer.name}.shift": (layer.n_out,)}
    if any(network.input_mask for network in networks):
        shapes["encoder mask"] = (first.input_dim, layers[0].n_out)
    if any(network.linear_path for network in networks):
        middle = len(layers) // 2
        shapes["encoder line"] = (first.input_dim, layers[middle - 1].n_out)
        shapes["decoder line"] = (layers[middle].n_in, first.input_dim)
    rests = {name: prod(shape) % _ALIGNED for name, shape in shapes.items()}
    ordered = {name: shapes[name] for name in sorted(shapes, key=lambda name: rests[name] != 0)}
    filler = -sum(rests.values()) % _ALIGNED
    return ordered | {"filler": (filler,)} if filler else ordered
