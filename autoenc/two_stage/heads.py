"""Small heads on an encoder, one for each target, and what they say of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.fitted.evaluation import evaluating

__all__ = ["FittedStages", "Heads"]


class Heads(nn.Module):
    """A head per target: Linear, ReLU, Dropout, Linear on standardized latent points.

    Args:
        latent_dim: Size of the latent space.
        hidden: Hidden width of a head.
        kinds: ``regression``, ``classification`` or both.

    Shape:
        input: ``[rows, latent_dim]``.
        output: ``[rows]`` per kind: a standardized number, or the log odds of the positive class.
    """

    def __init__(self, latent_dim: int, hidden: int, kinds: Sequence[str]) -> None:
        super().__init__()
        self.hidden = hidden
        self.first = nn.ModuleDict({kind: _undrawn(latent_dim, hidden) for kind in kinds})
        self.last = nn.ModuleDict({kind: _undrawn(hidden, 1) for kind in kinds})
        self.center: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("center", torch.zeros(latent_dim, dtype=torch.float32))
        self.register_buffer("scale", torch.ones(latent_dim, dtype=torch.float32))

    def start(self, latent: torch.Tensor, generator: torch.Generator) -> None:
        """Draw Xavier-uniform weights, and standardize by these latent points."""
        for layer in [*self.first.values(), *self.last.values()]:
            assert isinstance(layer, nn.Linear)
            # Drawn on the CPU, so that every device starts from the same weights.
            drawn = torch.empty(layer.weight.shape, dtype=torch.float32)
            layer.weight.copy_(nn.init.xavier_uniform_(drawn, generator=generator))
            nn.init.zeros_(layer.bias)
        spread = latent.std(0, correction=0)
        self.center.copy_(latent.mean(0))
        # A dimension that says nothing stays as it is.
        self.scale.copy_(torch.where(spread > 1e-6, spread, torch.ones_like(spread)))

    def forward(self, latent: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Return outputs by kind; hidden units ``[rows, kinds, hidden]`` are times a mask if given."""
        point = (latent - self.center) / self.scale
        outputs = {}
        for i, (kind, first) in enumerate(self.first.items()):
            unit = torch.relu(first(point))
            if mask is not None:
                unit = unit * mask[:, i]
            outputs[kind] = self.last[kind](unit)[:, 0]
        return outputs

    def outputs(self, latent: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return standardized numbers and log odds of latent points, by kind, ``[rows]`` each."""
        with evaluating(self) as heads:
            return {kind: output.numpy() for kind, output in heads(torch.from_numpy(latent)).items()}


def _undrawn(n_in: int, n_out: int) -> nn.Module:
    """Return a layer whose weights are set later: to draw them twice would move the caller's generator."""
    layer: nn.Module = nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=torch.float32)
    return layer


@dataclass(frozen=True)
class FittedStages:
    """The fitted stages of one fold.

    Attributes:
        autoencoder: The model of stage 1 with its scaling; its encoder as the heads know it.
        heads: The heads of stage 2.
        units: Mean and standard deviation of the regression's target; None without one.
        stage1_loss: Reconstruction loss over the rows held out.
    """

    autoencoder: FittedAutoencoder
    heads: Heads
    units: tuple[float, float] | None
    stage1_loss: float

    def outputs(self, scaled: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return standardized numbers and log odds of scaled rows, by kind, ``[rows]`` each."""
        rows = torch.nan_to_num(torch.from_numpy(scaled), nan=0.0)
        with evaluating(self.autoencoder.model) as model, evaluating(self.heads) as heads:
            return heads.outputs(model.encode(rows).numpy())
