"""LayerNorm over the true widths of padded layers, in few operations: on a GPU their number counts."""

from __future__ import annotations

from typing import Any

import torch

from autoenc.models.network import NORM_EPS

__all__ = ["PaddedNorm"]


class PaddedNorm(torch.autograd.Function):
    """LayerNorm of each row over the true units of its model.

    Shape:
        h: ``[n_models, rows, width]``, 0 in padded units; so is the result. No gradient may come from padded
            units; then none reaches them.
        gain, shift: ``[n_models, 1, width]``, 0 in padded units.
        is_true: ``[n_models, 1, width]``, 1 for true units and 0 for padded ones.
        averaging: ``[n_models, width, 1]``, 1 over the true width for true units and 0 for padded ones.
    """

    @staticmethod
    def forward(
        ctx: Any,
        h: torch.Tensor,
        gain: torch.Tensor,
        shift: torch.Tensor,
        is_true: torch.Tensor,
        averaging: torch.Tensor,
    ) -> torch.Tensor:
        """Return the rows."""
        centered = torch.addcmul(h, torch.bmm(h, averaging), is_true, value=-1)
        rstd = torch.rsqrt(torch.bmm(centered.square(), averaging) + NORM_EPS)
        normalized = centered * rstd
        ctx.save_for_backward(normalized, rstd, gain, is_true, averaging)
        return torch.addcmul(shift, normalized, gain)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients; that for ``h`` has no mean, and no part along the normalized rows."""
        normalized, rstd, gain, is_true, averaging = ctx.saved_tensors
        of_gain, averaging = gradient * normalized, averaging * gain.transpose(1, 2)
        rest = torch.addcmul(gradient * gain, normalized, torch.bmm(of_gain, averaging), value=-1)
        rest = torch.addcmul(rest, torch.bmm(gradient, averaging), is_true, value=-1)
        sums = (part.sum(dim=1, keepdim=True) for part in (of_gain, gradient))
        return rest * rstd, *sums, None, None
