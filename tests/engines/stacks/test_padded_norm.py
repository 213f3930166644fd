"""The norm of padded layers, against PyTorch's own of each model alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from autoenc.engines.stacks.padded_norm import PaddedNorm
from autoenc.models.network import NORM_EPS


@pytest.mark.parametrize("widths", [(5, 3, 1), (4, 4), (7,)])
def test_values_and_gradients_are_those_of_each_model_alone(widths):
    generator = torch.Generator().manual_seed(0)
    n_models, widest = len(widths), max(widths)
    true = torch.tensor(widths)[:, None, None] > torch.arange(widest)
    is_true = true.double()
    averaging = (is_true / is_true.sum(dim=2, keepdim=True)).transpose(1, 2)

    def padded(n_rows: int) -> torch.Tensor:
        shape = n_models, n_rows, widest
        return torch.rand(shape, generator=generator, dtype=torch.float64) * is_true

    h, gain, shift = (padded(n_rows).requires_grad_() for n_rows in (6, 1, 1))
    weight = padded(6)
    found = PaddedNorm.apply(h, gain, shift, is_true, averaging)
    gradients = torch.autograd.grad((found * weight).sum(), (h, gain, shift))
    assert (found[~true.expand_as(found)] == 0).all()
    for gradient in gradients:
        assert (gradient[~true.expand_as(gradient)] == 0).all()
    for i, width in enumerate(widths):
        alone = [one[i, :, :width].detach().requires_grad_() for one in (h, gain, shift)]
        expected = functional.layer_norm(alone[0], (width,), alone[1][0], alone[2][0], NORM_EPS)
        own = torch.autograd.grad((expected * weight[i, :, :width]).sum(), alone)
        torch.testing.assert_close(found[i, :, :width], expected, rtol=1e-12, atol=1e-12)
        for gradient, one in zip(gradients, own, strict=True):
            torch.testing.assert_close(gradient[i, :, :width], one, rtol=1e-9, atol=1e-9)
