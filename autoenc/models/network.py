"""The autoencoder as a plain torch module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn

from autoenc.models.grid import LayerShape, NetworkShape

__all__ = ["DynamicAutoencoder", "shape_of_state_dict"]

NORM_EPS = 1e-6
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class DynamicAutoencoder(nn.Module):
    """An autoencoder built from a stack of hidden widths; the decoder mirrors the encoder.

    Each hidden block is Linear, LayerNorm, activation, Dropout; the latent and the output layer are
    linear. Weights start Xavier-uniform and biases at zero.

    Args:
        input_dim: Columns of the table.
        latent_dim: Size of the latent space.
        hidden_dims: Hidden widths of the encoder, outermost first.
        dropout: Probability that a hidden unit is dropped in training.
        activation: ``relu``, ``leaky_relu``, ``elu``, ``gelu``, ``silu`` or ``tanh``.
        norm: ``layer``, or ``none`` for hidden blocks without LayerNorm.
        variational: Whether the encoder ends in means and log variances (Kingma and Welling, ICLR 2014).
            Latent points are then the means, and in training they are drawn.
        linear_path: Whether a linear map runs beside the encoder and another beside the decoder, as in
            ``z = W (x - mean) + f(x)`` and ``V z + g(z)``; there a missing cell counts as its column's mean.
        input_norm: ``layer`` or ``none`` for the input alone; ``same`` is what ``norm`` says.
        input_mask: Whether the first layer is also given which cells are missing, 1 where one is.

    Shape:
        input: ``[rows, input_dim]``, NaN where a cell is missing; it enters as 0.
        output: reconstruction ``[rows, input_dim]`` and latent ``[rows, latent_dim]``.

    Raises:
        ValueError: If a size is not positive, or dropout, activation or norm is not one of the above.

    Example:
        >>> model = DynamicAutoencoder(input_dim=24, latent_dim=3, hidden_dims=(64, 64))
        >>> reconstruction, latent = model(torch.zeros(5, 24))
        >>> reconstruction.shape, latent.shape
        (torch.Size([5, 24]), torch.Size([5, 3]))
        >>> model.get_model_info()["total_params"]
        12491
    """

    def __init__(
        self,
        input_dim: int,
        latent_dim: int,
        hidden_dims: Sequence[int],
        dropout: float = 0.1,
        activation: str = "relu",
        norm: Literal["layer", "none"] = "layer",
        variational: bool = False,
        linear_path: bool = False,
        input_norm: Literal["same", "layer", "none"] = "same",
        input_mask: bool = False,
    ) -> None:
        super().__init__()
        for name, sizes in (
            ("input_dim", [input_dim]),
            ("latent_dim", [latent_dim]),
            ("hidden_dims", hidden_dims),
        ):
            if any(size < 1 for size in sizes):
                raise ValueError(f"{name} must be positive, got {sizes}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
        if norm not in ("layer", "none"):
            raise ValueError(f"norm must be 'layer' or 'none', got {norm!r}")
        if input_norm not in ("same", "layer", "none"):
            raise ValueError(f"input_norm must be 'same', 'layer' or 'none', got {input_norm!r}")
        self.shape = NetworkShape(
            input_dim, tuple(hidden_dims), latent_dim, norm, variational, linear_path, input_norm, input_mask
        )
        self.dropout = dropout
        self.activation = activation
        self.input_norm: nn.Module = (
            nn.LayerNorm(input_dim, eps=NORM_EPS) if self.shape.normalizes_input else nn.Identity()
        )
        layers = self.shape.layers()
        self.encoder = self._build([layer for layer in layers if layer.linear.startswith("encoder")])
        self.decoder = self._build([layer for layer in layers if layer.linear.startswith("decoder")])
        if input_mask:
            self.encoder_mask = nn.Linear(input_dim, layers[0].n_out, bias=False)
            nn.init.zeros_(self.encoder_mask.weight)
        if linear_path:
            n_latent = 2 * latent_dim if variational else latent_dim
            self.encoder_line = nn.Linear(input_dim, n_latent, bias=False)
            self.decoder_line = nn.Linear(latent_dim, input_dim, bias=False)
            self.mean: torch.Tensor
            self.register_buffer("mean", torch.zeros(input_dim))
        self.draw: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = draw_latent

    def _build(self, layers: list[LayerShape]) -> nn.Sequential:
        modules: list[nn.Module] = []
        for layer in layers:
            linear = nn.Linear(layer.n_in, layer.n_out)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            modules.append(linear)
            if layer.norm:
                modules.append(nn.LayerNorm(layer.n_out, eps=NORM_EPS))
            if layer.hidden:
                modules += [_ACTIVATIONS[self.activation](), nn.Dropout(self.dropout)]
        return nn.Sequential(*modules)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Return latent points ``[rows, latent_dim]`` of the rows of ``x``."""
        return self._encoded(x)[:, : self.shape.latent_dim]

    def _encoded(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the encoder ends in, a variational one in means and log variances."""
        missing = torch.isnan(x)
        filled = self.input_norm(x.masked_fill(missing, 0))
        if self.shape.input_mask:
            first = self.encoder[0](filled) + self.encoder_mask(missing.to(filled.dtype))
            latent: torch.Tensor = self.encoder[1:](first)
        else:
            latent = self.encoder(filled)
        if self.shape.linear_path:
            latent = latent + self.encoder_line((x - self.mean).masked_fill(missing, 0))
        return latent

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return reconstructions ``[rows, input_dim]`` of latent points."""
        reconstruction: torch.Tensor = self.decoder(latent)
        return reconstruction + self.decoder_line(latent) if self.shape.linear_path else reconstruction

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the reconstruction and the latent points of ``x``."""
        latent = self._encoded(x)
        if self.shape.variational:
            latent = self.draw(*latent.chunk(2, dim=1)) if self.training else latent.chunk(2, dim=1)[0]
        return self.decode(latent), latent

    def get_model_info(self) -> dict[str, Any]:
        """Return sizes and parameter counts, as plain values."""
        return self.shape.describe(self.dropout)


def draw_latent(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Return latent points of a variational autoencoder, drawn from torch's generator."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def shape_of_state_dict(state: Mapping[str, torch.Tensor]) -> NetworkShape:
    """Read the sizes of an autoencoder off its parameters.

    Raises:
        ValueError: If the names and shapes are not those of an autoencoder of this kind.
    """
    weights: dict[str, list[tuple[int, torch.Tensor]]] = {"encoder": [], "decoder": []}
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ValueError("it must hold tensors by name, and does not")
        match = re.fullmatch(r"(encoder|decoder)\.(\d+)\.weight", name)
        if match and value.dim() == 2:
            weights[match[1]].append((int(match[2]), value))
    if not weights["encoder"] or not weights["decoder"]:
        raise ValueError("it must hold encoder.N.weight and decoder.N.weight, and does not")
    linears = [value for _, value in sorted(weights["encoder"], key=lambda item: item[0])]
    latent_dim = min(weights["decoder"], key=lambda item: item[0])[1].shape[1]
    input_norm: Literal["layer", "none"] = "layer" if "input_norm.weight" in state else "none"
    norm = input_norm
    if len(linears) > 1:  # only a norm makes of the second module something with parameters
        norm = "layer" if "encoder.1.weight" in state else "none"
    shape = NetworkShape(
        input_dim=linears[0].shape[1],
        hidden_dims=tuple(int(weight.shape[0]) for weight in linears[:-1]),
        latent_dim=latent_dim,
        norm=norm,
        variational=linears[-1].shape[0] == 2 * latent_dim,
        linear_path="encoder_line.weight" in state,
        input_norm="same" if input_norm == norm else input_norm,
        input_mask="encoder_mask.weight" in state,
    )
    expected = _expected_shapes(shape)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    if shapes != expected:
        names = sorted(name for name in {*expected, *shapes} if expected.get(name) != shapes.get(name))
        first = names[0]
        raise ValueError(
            f"{first} must be of shape {expected.get(first, 'none (unknown name)')}, "
            f"got {shapes.get(first, 'nothing')}"
        )
    return shape


def _expected_shapes(shape: NetworkShape) -> dict[str, tuple[int, ...]]:
    expected: dict[str, tuple[int, ...]] = {}
    if shape.normalizes_input:
        expected |= {f"input_norm.{part}": (shape.input_dim,) for part in ("weight", "bias")}
    for layer in shape.layers():
        expected[f"{layer.linear}.weight"] = (layer.n_out, layer.n_in)
        expected[f"{layer.linear}.bias"] = (layer.n_out,)
        if layer.norm:
            expected |= {f"{layer.norm}.{part}": (layer.n_out,) for part in ("weight", "bias")}
    expected |= shape.linear_maps()
    if shape.linear_path:
        expected["mean"] = (shape.input_dim,)
    return expected
