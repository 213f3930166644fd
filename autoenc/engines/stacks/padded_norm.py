"""LayerNorm over the true widths of padded layers, in few operations: on a GPU their number counts."""

from __future__ import annotations

from typing import Any

import torch

from autoenc.models.network import NORM_EPS

__all__ = ["PaddedNorm"]


class PaddedNorm(torch.autograd.Function):
    """Moves and stretches each row to mean 0 and variance 1 over the true units of its model.

    Shape:
        h: ``[n_models, rows, width]``, 0 in padded units; so is the result, and no gradient reaches them.
        is_true: ``[n_models, 1, width]``, 1 for true units and 0 for padded ones.
        averaging: ``[n_models, width, 1]``, 1 over the true width for true units and 0 for padded ones.
    """

    @staticmethod
    def forward(ctx: Any, h: torch.Tensor, is_true: torch.Tensor, averaging: torch.Tensor) -> torch.Tensor:
        """Return the normalized rows."""
        centered = torch.addcmul(h, torch.bmm(h, averaging), is_true, value=-1)
        rstd = torch.rsqrt(torch.bmm(centered.square(), averaging) + NORM_EPS)
        normalized = centered * rstd
        ctx.save_for_backward(normalized, rstd, is_true, averaging)
        return normalized

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the gradient for ``h``: without its mean, and without its part along the normalized rows."""
        normalized, rstd, is_true, averaging = ctx.saved_tensors
        along = torch.bmm(gradient * normalized, averaging)
        rest = torch.addcmul(gradient, normalized, along, value=-1)
        rest = torch.addcmul(rest, torch.bmm(gradient, averaging), is_true, value=-1)
        return rest * rstd * is_true, None, None
