"""The space that is searched: network shapes and the ordered grid of hidden-layer stacks."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement, pairwise
from math import comb
from typing import Any, Literal, NamedTuple

from autoenc.system.text import counted

__all__ = [
    "Architecture",
    "ArchitectureGrid",
    "LayerShape",
    "NetworkShape",
    "format_architecture",
    "parse_architecture",
]

Architecture = tuple[int, ...]
"""Hidden widths of the encoder, outermost first and non-increasing, e.g. ``(64, 32)``."""


def format_architecture(architecture: Sequence[int]) -> str:
    """Return the stack as people write it: ``64-32``."""
    return "-".join(str(width) for width in architecture)


def parse_architecture(text: str) -> Architecture:
    """Return the stack that :func:`format_architecture` wrote."""
    return tuple(int(width) for width in text.split("-"))


class LayerShape(NamedTuple):
    """One linear layer with what follows it.

    Attributes:
        linear: State-dict prefix of the linear layer, e.g. ``encoder.0``.
        norm: State-dict prefix of the LayerNorm behind it; None where there is none.
        n_in: Input width.
        n_out: Output width.
        hidden: Whether normalization, activation and dropout follow (not so for latent and output).
    """

    linear: str
    norm: str | None
    n_in: int
    n_out: int
    hidden: bool


@dataclass(frozen=True)
class NetworkShape:
    """Everything that fixes the parameters of an autoencoder: sizes and normalization.

    Attributes:
        input_dim: Columns of the table.
        hidden_dims: Hidden widths of the encoder; the decoder mirrors them.
        latent_dim: Size of the latent space.
        norm: ``layer`` for LayerNorm behind each hidden linear layer, or ``none``.
        variational: Whether the encoder ends in means and log variances, twice the latent size.
        linear_path: Whether a linear map runs beside the encoder and another beside the decoder.
        input_norm: The same for the input: ``layer``, ``none``, or ``same`` for what ``norm`` says.
        input_mask: Whether the first layer is also given which cells are missing.
    """

    input_dim: int
    hidden_dims: Architecture
    latent_dim: int
    norm: Literal["layer", "none"] = "layer"
    variational: bool = False
    linear_path: bool = False
    input_norm: Literal["same", "layer", "none"] = "same"
    input_mask: bool = False

    @property
    def normalizes_input(self) -> bool:
        """Whether LayerNorm comes before the first layer."""
        return (self.norm if self.input_norm == "same" else self.input_norm) == "layer"

    def layers(self) -> list[LayerShape]:
        """Return the linear layers from input to reconstruction, named as in the model's state dict."""
        widths = (self.input_dim, *self.hidden_dims, self.latent_dim)
        modules_per_block = 4 if self.norm == "layer" else 3
        result = []
        for part, dims in (("encoder", widths), ("decoder", widths[::-1])):
            for i, (n_in, n_out) in enumerate(pairwise(dims)):
                at = i * modules_per_block
                hidden = i < len(dims) - 2
                if self.variational and part == "encoder" and not hidden:
                    n_out *= 2
                norm = f"{part}.{at + 1}" if hidden and self.norm == "layer" else None
                result.append(LayerShape(f"{part}.{at}", norm, n_in, n_out, hidden))
        return result

    def linear_maps(self) -> dict[str, tuple[int, int]]:
        """Return the maps beside encoder and decoder by their names in the state dict, as ``(n_out, n_in)``.

        ``encoder_mask`` maps the mask of missing cells to the first layer.
        """
        maps = {}
        if self.input_mask:
            maps["encoder_mask.weight"] = (self.layers()[0].n_out, self.input_dim)
        if self.linear_path:
            n_latent = 2 * self.latent_dim if self.variational else self.latent_dim
            maps["encoder_line.weight"] = (n_latent, self.input_dim)
            maps["decoder_line.weight"] = (self.input_dim, self.latent_dim)
        return maps

    def count_parameters(self, part: Literal["all", "encoder", "decoder"] = "all") -> int:
        """Count trainable parameters; the input norm counts towards ``all`` only."""
        total = 2 * self.input_dim if part == "all" and self.normalizes_input else 0
        for layer in self.layers():
            if part == "all" or layer.linear.startswith(part):
                total += layer.n_in * layer.n_out + layer.n_out + (2 * layer.n_out if layer.norm else 0)
        maps = self.linear_maps().items()
        return total + sum(n * m for name, (n, m) in maps if part == "all" or name.startswith(part))

    def describe(self, dropout: float) -> dict[str, Any]:
        """Return sizes and parameter counts, as plain values."""
        return {
            "input_dim": self.input_dim,
            "latent_dim": self.latent_dim,
            "hidden_dims": list(self.hidden_dims),
            "dropout": dropout,
            "total_params": self.count_parameters(),
            "encoder_params": self.count_parameters("encoder"),
            "decoder_params": self.count_parameters("decoder"),
        }

    def count_multiply_adds(self) -> int:
        """Count multiply-adds of the matrix products for one row, forward; training takes thrice that."""
        own = sum(layer.n_in * layer.n_out for layer in self.layers())
        return own + sum(n_out * n_in for n_out, n_in in self.linear_maps().values())


class ArchitectureGrid(Sequence[Architecture]):
    """Every non-increasing stack of the given widths, shortest first.

    Stacks of one depth stand in lexicographic order of their widths from large to small, so the order
    does not depend on how the widths were written. Nothing is enumerated in advance: length and
    indexing come from counting, so a grid of millions costs nothing to hold.

    Args:
        widths: Distinct positive hidden widths, in any order.
        max_layers: Largest number of hidden layers, at least 1.

    Raises:
        ValueError: If widths are missing, repeated or not positive, or ``max_layers`` is below 1.

    Example:
        >>> list(ArchitectureGrid([32, 16], max_layers=2))
        [(32,), (16,), (32, 32), (32, 16), (16, 16)]
    """

    def __init__(self, widths: Sequence[int], max_layers: int) -> None:
        if not widths:
            raise ValueError("widths must name at least one hidden width, got none")
        if any(not isinstance(width, int) or isinstance(width, bool) or width < 1 for width in widths):
            raise ValueError(f"widths must be positive integers, got {list(widths)}")
        if len(set(widths)) != len(widths):
            raise ValueError(f"widths must not repeat, got {list(widths)}")
        if not isinstance(max_layers, int) or max_layers < 1:
            raise ValueError(f"max_layers must be a positive integer, got {max_layers}")
        self.widths: tuple[int, ...] = tuple(sorted(widths, reverse=True))
        self.max_layers = max_layers

    def _count(self, n_widths: int, depth: int) -> int:
        """Return number of non-increasing stacks of exactly ``depth`` layers over ``n_widths`` widths."""
        return comb(n_widths + depth - 1, depth)

    @property
    def n_stacks(self) -> int:
        """Number of stacks, also where it is past what ``len()`` can say."""
        # Sum over the depths of the multiset counts, in closed form (hockey-stick identity).
        return comb(len(self.widths) + self.max_layers, len(self.widths)) - 1

    def __len__(self) -> int:
        return self.n_stacks

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        """Return the stack at ``index``, or the list of stacks for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = operator.index(index)
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"index must be within a grid of {counted(len(self), 'stack')}, got {index}")
        depth = 1
        while position >= self._count(len(self.widths), depth):
            position -= self._count(len(self.widths), depth)
            depth += 1
        stack: list[int] = []
        first = 0  # widths before this one are too large for the next layer
        while len(stack) < depth:
            below = self._count(len(self.widths) - first, depth - len(stack) - 1)
            if position < below:
                stack.append(self.widths[first])
            else:
                position -= below
                first += 1
        return tuple(stack)

    def __iter__(self) -> Iterator[Architecture]:
        # In the same order as by index, and without counting.
        depths = range(1, self.max_layers + 1)
        return chain.from_iterable(combinations_with_replacement(self.widths, depth) for depth in depths)

    def __contains__(self, stack: object) -> bool:
        return (
            isinstance(stack, tuple)
            and 1 <= len(stack) <= self.max_layers
            and all(width in self.widths for width in stack)
            and all(a >= b for a, b in pairwise(stack))
        )

    def __repr__(self) -> str:
        return f"ArchitectureGrid(widths={list(self.widths)}, max_layers={self.max_layers})"
